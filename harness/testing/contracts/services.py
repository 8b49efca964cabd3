"""The contracts of services: what is read of one, and requests to a server of this machine."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness import abilities
from harness.data import Annotations
from harness.errors import HarnessError, describe
from harness.protocols import Account, no_progress
from harness.record import layout
from harness.specs import Spec
from harness.testing.contracts.calling import asked, refuse
from harness.testing.contracts.subject import Subject, skip
from harness.testing.contracts.tiny import SHOTS

MODEL = "tiny"
"""The model that is named where the service's spec names none."""
SOON: Mapping[str, object] = {"retries": 0, "timeout": 20.0}
"""Keys by which a failure shows at once."""


def it_says_what_it_is(subject: Subject) -> None:
    """A summary on one line; ``describe``, if it has one, gives values by name."""
    service = subject.part.factory
    wrong = f"its summary is {service.summary!r}; one line is expected"
    one_line = isinstance(service.summary, str) and len(service.summary.splitlines()) == 1
    refuse(None if one_line else wrong, subject.source)
    if hasattr(service, "describe"):
        told = asked(service, "describe")
        named = isinstance(told, Mapping) and all(isinstance(key, str) for key in told)
        refuse(None if named else "describe returned no values by name", subject.source)


def its_price_and_limits_give_an_estimate(subject: Subject) -> None:
    """What a run would cost at most is known, or said to be unknown (None), before it begins."""
    annotator = _annotator(subject).made()
    found = asked(annotator, "estimate", subject.tiny.pool, SHOTS)
    for name in ("requests", "prompt_tokens", "completion_tokens", "cost_usd", "seconds"):
        value = getattr(found, name)
        possible = value is None or (math.isfinite(value) and value >= 0)
        wrong = f"its estimate has {name} = {value}; look at price and pace"
        refuse(None if possible else wrong, subject.source)


def it_gets_answers_from_a_chat_service(subject: Subject) -> None:
    """Each text gets the answer of a server on this machine, which speaks chat completions."""
    from harness.testing.service import ChatServer, running

    labels = tuple(label.name for label in subject.tiny.card.labels)
    with running(ChatServer(labels=labels)) as server, _no_key(subject):
        wrong = _unanswered(_annotator(subject, base_url=server.url, **SOON))
        if wrong and not server.seen.requests:
            skip(f"it asks by another protocol than chat completions, or not at all ({wrong})")
    refuse(f"a chat service answered, but {wrong}" if wrong else None, subject.source)


CONTRACTS = (
    it_says_what_it_is,
    its_price_and_limits_give_an_estimate,
    it_gets_answers_from_a_chat_service,
)


def _annotator(subject: Subject, **keys: object) -> Subject:
    """The annotator that asks the service, as a run would name it."""
    if getattr(subject.part.factory, "local", False):
        skip("its model runs here, without a server")
    part = subject.plugins.parts("annotator").get(subject.part.name)
    if part is None:
        skip("no annotator asks services: the plugin that registers it is left out")
    spec = Spec(part.name, subject.spec.argument or MODEL)
    return Subject(subject.plugins, part, spec, subject.kind, keys)


def _unanswered(subject: Subject) -> str:
    """Why texts got no label; "" where each got one."""
    annotator, pool = subject.made(), subject.tiny.pool
    with tempfile.TemporaryDirectory() as folder:
        account = Account("", Path(folder) / layout.REPLIES, None, lambda line: None)
        try:
            with abilities.opened(annotator, account):
                said: Annotations = annotator.annotate(pool, None, no_progress)
        except HarnessError as error:
            return str(error)
        except Exception as error:
            return describe(error)
    return next((reason for reason in said.reasons if reason), "")


@contextmanager
def _no_key(subject: Subject) -> Iterator[None]:
    """Nobody's key in place of the service's own: no vendor is asked at the user's expense."""
    name: Any = getattr(subject.part.factory, "key_env", "")
    before = os.environ.get(name) if name else None
    if name:
        os.environ[name] = "nobody"
    try:
        yield
    finally:
        if before is not None:
            os.environ[name] = before
        elif name:
            del os.environ[name]
