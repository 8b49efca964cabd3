"""Response shapes as data: what a chat service sends, where it was seen, what must come of it.

A dialect is one TOML file in ``dialects/``; ``faults.toml`` holds the shapes that any server sends.
Within a body ``$ANSWER`` stands for the answer to the request, ``$MODEL`` for the model that was
asked for, ``$KEY`` for the key that came with the request, ``$PADDING`` for ``padding`` letters;
within a header ``$DATE`` for 30 seconds from now.
"""

from __future__ import annotations

import json
import time
import tomllib
from collections.abc import Mapping
from email.utils import formatdate
from functools import cache
from importlib.resources import files
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Outcome = Literal["answer", "retry", "wait", "adapt", "abstain", "stop"]
Delivery = Literal["whole", "gzip", "chunked", "cut", "torn", "reset", "trickle", "hang"]
ORDINARY = "ordinary"
"""Name of the case that is an ordinary answer."""
AHEAD_SECONDS = 30.0
"""How far ``$DATE`` lies ahead."""


class Case(BaseModel):
    """One response shape.

    What must come of it is checked by what a run sends and records:

    * ``answer``: the reply is ``text`` with ``finish``, asked once;
    * ``retry``: sent again, soon; the shape is served once for a text;
    * ``wait``: sent again, after the ``seconds`` that the server asks for;
    * ``adapt``: all texts are sent again without ``parameter``, with ``becomes`` in its place, or
      with it lowered to ``at_most``; the shape is served as long as the request is not so;
    * ``abstain``: this text alone gets no label, and ``says`` is in the reason; others go on;
    * ``stop``: the run ends, and ``says`` is in its one line; the shape is served to all texts.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    """Unique in its dialect; part of the address that plays it."""
    source: str
    """Address of the public report or documentation page that shows it, or ``constructed``."""
    outcome: Outcome
    """What must come of it."""
    status: int = Field(default=200, ge=200, le=599)
    """HTTP status."""
    headers: Mapping[str, str] = {}
    """Headers beside the content type, which is JSON unless it stands here."""
    body: str = ""
    """The body as it is sent."""
    padding: int = 0
    """Letters that ``$PADDING`` stands for."""
    delivery: Delivery = "whole"
    """How the body is sent: ``cut`` half of it as if whole, ``torn`` half of what is announced,
    ``reset`` nothing, ``trickle`` a byte at a time, ``hang`` never."""
    native: bool = False
    """In the vendor's own protocol, not chat completions."""
    routed: bool = True
    """Whether a router of providers hands it on; some it cannot read, or follows elsewhere."""
    text: str = "$ANSWER"
    """Of an answer: the reply's text."""
    finish: str = "stop"
    """Of an answer: why it ended."""
    tokens: tuple[int, int] | None = None
    """Of an answer: prompt and completion tokens that must be counted; None: not checked."""
    logprob: float | None = None
    """Of an answer: the log-probability that must be read; None: not checked."""
    seconds: float = Field(default=0.0, ge=0)
    """Of a wait: what the server asks for."""
    parameter: str = ""
    """Of an adaptation: the request parameter that is refused."""
    becomes: str = ""
    """Of an adaptation: the parameter in its place; "": it is left out."""
    at_most: int | None = None
    """Of an adaptation: the largest value that is taken; None: the parameter itself is refused."""
    says: str = ""
    """Of an abstention or a stop: words of the reason."""
    within: int = 30
    """Of a stop: most requests before it."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.outcome == "adapt" and not self.parameter:
            raise ValueError("an adaptation names its parameter")
        if self.outcome in ("abstain", "stop") and not self.says:
            raise ValueError("an abstention or a stop says why")
        return self

    def applies(self, request: Mapping[str, Any], served: int) -> bool:
        """Whether a request whose text met this shape ``served`` times meets it again."""
        if self.outcome in ("retry", "wait"):
            return served == 0
        if self.outcome != "adapt":
            return True
        value = request.get(self.parameter)
        return value is not None and (self.at_most is None or value > self.at_most)

    def content(self, answer: str, model: str = "", key: str = "") -> bytes:
        """The body, in UTF-8."""
        text = self.body.replace("$ANSWER", json.dumps(answer)[1:-1]).replace("$MODEL", model)
        return text.replace("$KEY", key).replace("$PADDING", "x" * self.padding).encode()

    def said(self) -> dict[str, str]:
        """The headers, with the content type."""
        date = formatdate(time.time() + AHEAD_SECONDS, usegmt=True)
        mine = {name: value.replace("$DATE", date) for name, value in self.headers.items()}
        known = {name.lower() for name in mine}
        return mine if "content-type" in known else {"Content-Type": "application/json", **mine}


class Dialect(BaseModel):
    """A service and the shapes that it sends.

    Attributes:
        summary: which service.
        model: a model's name as it is asked for.
        ask: the command that runs against it; ``{address}`` stands for the server's.
        routed: the model's name with which a router of providers asks in this dialect.
        native: the same for the vendor's own protocol; "": there are no such shapes.
        normal: the body of an ordinary answer; ``normal_native`` in the vendor's own protocol.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    summary: str
    model: str
    ask: str
    routed: str
    native: str = ""
    normal: str
    normal_native: str = ""
    case: tuple[Case, ...]

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        names = [case.name for case in self.case]
        if repeated := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"these names stand twice: {', '.join(sorted(repeated))}")
        return self

    def __getitem__(self, name: str) -> Case:
        return {case.name: case for case in self.case}[name]

    def ordinary(self, *, native: bool) -> Case:
        """An ordinary answer."""
        body = self.normal_native if native else self.normal
        return Case(name=ORDINARY, source="constructed", outcome="answer", body=body)


def dialect_names() -> tuple[str, ...]:
    """The names of all dialects."""
    folder = files(__package__).joinpath("dialects")
    return tuple(sorted(one.name.removesuffix(".toml") for one in folder.iterdir()))


@cache
def dialect(name: str) -> Dialect:
    """A dialect by its name; ``faults`` is what any server sends; ``KeyError`` if there is none."""
    if name != "faults" and name not in dialect_names():
        raise KeyError(name)
    folder = files(__package__)
    place = folder.joinpath("faults.toml" if name == "faults" else f"dialects/{name}.toml")
    return Dialect.model_validate(tomllib.loads(place.read_text(encoding="utf-8")))
