"""Where code is written, as ``file:line``, for messages on what is wrong with a plugin."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pluggy

import harness

CORE = tuple(f"{Path(str(module.__file__)).parent}{os.sep}" for module in (harness, pluggy))
LIBRARY = f"{Path(os.__file__).parent}{os.sep}"


def place_of(thing: object) -> str:
    """Of a function, a class, or the class of any other value; "" where there is no source."""
    while isinstance(thing, functools.partial):
        thing = thing.func
    if not inspect.isroutine(thing) and not inspect.isclass(thing):
        thing = type(thing)
    try:
        found = inspect.unwrap(thing) if callable(thing) else thing
        file = inspect.getsourcefile(found)
        line = inspect.getsourcelines(found)[1]
    except (TypeError, OSError):
        return ""
    return f"{file}:{line}"


def place_of_error(error: BaseException) -> str:
    """The innermost line of the plugin from which an error came; "" if none is in it.

    The plugin's folder is that of the first line outside the core: what the plugin itself calls
    elsewhere is left out.
    """
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    lines = [place for place in _lines(error) if not _ours(place[0])]
    if not lines:
        return ""
    folder = Path(lines[0][0]).parent
    file, line = [one for one in lines if Path(one[0]).is_relative_to(folder)][-1]
    return f"{file}:{line}"


def whose(plugin: str, place: str) -> str:
    """What a message ends with: ``(plugin NAME, file:line)``, or as much of it as is known."""
    known = [f"plugin {plugin}" if plugin else "", place]
    return f"({', '.join(filter(None, known))})" if any(known) else ""


def calling_place(frame: FrameType | None) -> str:
    """The innermost line outside the core that led to a frame."""
    while frame is not None and frame.f_code.co_filename.startswith(CORE):
        frame = frame.f_back
    return "" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"


def _ours(file: str) -> bool:
    """Whether it is of the core, or of Python itself."""
    return file.startswith(CORE) or (file.startswith(LIBRARY) and "site-packages" not in file)


def _lines(error: BaseException) -> Iterator[tuple[str, int]]:
    trace = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith("<frozen "):  # the import system
            yield file, trace.tb_lineno
        trace = trace.tb_next
