"""The application: its commands; errors and signals become one line and an exit code."""

from __future__ import annotations

import atexit
import contextlib
import io
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Annotated, NoReturn

import typer

import harness
from harness.cli.audit import audit
from harness.cli.completing import complete
from harness.cli.grouped import GroupedCommands
from harness.cli.inspect.cache import cache
from harness.cli.inspect.doctor import doctor
from harness.cli.inspect.list import list_parts
from harness.cli.inspect.plugins import plugins
from harness.cli.inspect.show import show
from harness.cli.options import load_plugins, named_plugins, take_plugins
from harness.cli.plan import plan
from harness.cli.results.compare import compare
from harness.cli.results.export import export
from harness.cli.results.import_labels import import_labels
from harness.cli.results.report import report
from harness.cli.results.runs import runs
from harness.cli.results.table import table
from harness.cli.run import run
from harness.cli.screen.output import complain, say
from harness.cli.sweep import sweep
from harness.cli.texts.certify import certify
from harness.cli.texts.init import init
from harness.cli.texts.label import label
from harness.cli.texts.predict import predict
from harness.errors import SIGNALS, HarnessError, describe, interrupt, nearest
from harness.plugin_manager import installed
from harness.plugin_manager.discovery import third_party

EPILOG = (
    "A SPEC names a part: name, name:argument or name:argument,key=value. "
    "Exit codes: 0 done, 1 the run failed, 2 the command is wrong, 3 stopped by budget, "
    "130 interrupted (Ctrl-C), 143 terminated (SIGTERM), 129 hung up (SIGHUP); after the last "
    "three the same command goes on."
)
COMPLETE = "_HARNESS_COMPLETE"
"""A shell sets it to complete a command line."""
ENDED_BY = {130: "interrupted", 143: "terminated", 129: "hung up"}
EPILOG_PLUGINS = (
    "Also: --plugin X adds a plugin, a module or file.py; --no-plugin X leaves one out "
    "(harness plugins lists them)."
)


def build_app(*, named: bool = False) -> typer.Typer:
    """All built-in commands, and those of plugins; ``named``: some are named."""
    app = typer.Typer(
        name="harness",
        help="LLM annotators and small student models teach each other a task "
        "without human labels.",
        epilog=EPILOG,
        cls=GroupedCommands,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(_about)
    for command in (
        run,
        sweep,
        plan,
        init,
        label,
        predict,
        certify,
        list_parts,
        show,
        doctor,
        runs,
        table,
        compare,
        report,
        export,
        import_labels,
        audit,
    ):
        name = command.__name__.partition("_")[0]
        app.command(name, epilog=EPILOG_PLUGINS)(command)
    app.add_typer(plugins, name="plugins", epilog=EPILOG_PLUGINS)
    app.add_typer(cache, name="cache")
    if named or (third_party() and any(True for _ in installed())):
        load_plugins().register_commands(app)
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        say(f"harness {harness.__version__}")
        raise typer.Exit


def _about(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and exit.", is_eager=True, callback=_print_version
        ),
    ] = False,
) -> None:
    """Take the options that stand before a command."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program and exit with its code."""
    # By default OpenMP's threads spin while they wait for each other: with one core busy the demo
    # took ten times as long (results/LOG.md). Torch reads this when it is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal whose encoding has no en dash
    try:
        with _signals_interrupt():
            code = _run(sys.argv[1:] if arguments is None else list(arguments))
            sys.stdout.flush()
    except BrokenPipeError:
        # The reader went away (`harness list | head`): nothing is wrong here.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 141
    sys.exit(code)


@contextlib.contextmanager
def _signals_interrupt() -> Iterator[None]:
    """Let signals raise ``Interrupted``; those that are ignored (``nohup``) stay ignored."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    hook = sys.unraisablehook  # ``interrupt`` sets its own
    handled = [number for number in SIGNALS if before[number] is not signal.SIG_IGN]
    try:
        for number in handled:
            signal.signal(number, interrupt)
        yield
    except BaseException as error:
        if interruption := _interruption(error):
            _end(getattr(interruption, "exit_code", 130))
        raise
    finally:
        sys.unraisablehook = hook
        for number in handled:
            signal.signal(number, before[number])


def _interruption(error: BaseException | None) -> BaseException | None:
    """The interruption that an error is, or during which it arose."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error


def _end(code: int) -> NoReturn:
    """Print what ended the command, and end at once, whatever its threads wait for."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(OSError):  # the terminal is gone
        _fail(f"{ENDED_BY[code]}; the same command goes on from what is recorded", code)
        sys.stdout.flush()
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    atexit._run_exitfuncs()  # of multiprocessing: its children end, its semaphores go
    os._exit(code)


def _run(arguments: list[str]) -> int:
    try:
        others = take_plugins(arguments)
        # Not the command's own main, which makes exit code 130 of every interruption.
        command = typer.main.get_command(build_app(named=named_plugins()))
        if COMPLETE in os.environ:
            complete(command)
        with command.make_context("harness", others or ["--help"]) as context:
            return int(command.invoke(context) or 0)
    except typer.Exit as ended:  # of --help
        return ended.exit_code
    except typer.Abort:  # Ctrl-C or the end of input, at a question
        return _fail("stopped at a question; nothing was sent", 130)
    except typer.TyperException as error:
        message = _near(error.format_message().replace("Value error, ", "").rstrip("."))
        named = arguments[:1] if arguments[:1] and not arguments[0].startswith("-") else []
        where = getattr(getattr(error, "ctx", None), "command_path", " ".join(["harness", *named]))
        return _fail(f"{message} (see {where} --help)", 2)
    except Exception as error:
        passed_on = isinstance(error, BrokenPipeError) or _interruption(error)
        if passed_on or os.environ.get("HARNESS_TRACEBACK"):
            raise
        if isinstance(error, HarnessError):
            return _fail(str(error), error.exit_code)
        return _fail(f"unexpected error: {describe(error)} (HARNESS_TRACEBACK=1 shows where)", 1)


def _near(message: str) -> str:
    """What a choice that does not exist may mean, where one is near, in place of all that do."""
    found = re.fullmatch(r"(.*'(.*)') is not one of ('.*')", message)
    if found is None:
        return message
    said, name, known = found.groups()
    hint = nearest(name, re.findall("'([^']*)'", known))
    return f"{said}: {hint}" if hint.startswith("did") else message


def _fail(message: str, code: int) -> int:
    complain(message)
    return code
