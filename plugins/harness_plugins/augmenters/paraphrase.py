"""The ``paraphrase`` augmenter: a language model writes each text in other words."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.data import Annotations, Pool, TaskCard
from harness.errors import CommandError, PartError
from harness.protocols import (
    Account,
    AnnotatorRequest,
    AugmenterRequest,
    Estimate,
    Progress,
    Variants,
)
from harness.specs import parse_spec
from harness_plugins.llm.calls import Call, Message, Outcome, Spent

if TYPE_CHECKING:
    from harness_plugins.llm.engine import Engine
    from harness_plugins.llm.service import Service
    from harness_plugins.llm.settings import LlmSettings

SYSTEM = (
    "You rewrite texts in other words. The new text says the same, in the same tone and at about "
    "the same length, and it belongs to the same category as the old one. The categories:"
)
QUESTION = "Rewrite this text. Answer with the new text alone, without quotes or comments."
TEMPERATURE = 0.7
"""Some variety; at 0 a small model repeats the text."""
MOST_TOKENS = 1024
LONGEST = 3.0
"""A reply so many times longer than its text (plus 100 characters) is no paraphrase."""
OPTIONS = ("base_url", "key_env", "key_file", "price_input", "price_output")
QUOTES = {('"', '"'), ("'", "'"), ("“", "”"), ("«", "»"), ("`", "`")}


class ParaphraseAugmenter:
    """``paraphrase:MODEL_SPEC``: ``paraphrase:openai:MODEL``, ``paraphrase:PRESET``, ...

    The prompt has the task's categories, never an example's label. Replies are cached as an
    annotator's are; another seed asks for other variants. A text without a usable reply stays as
    it is. Token tasks are refused: tags do not fit a sentence of other words. Options are
    ``OPTIONS``, as in ``LlmKeys``.
    """

    def __init__(self, task: TaskCard, settings: LlmSettings) -> None:
        self._task, self._settings = task, settings
        self._open: tuple[Engine, Account] | None = None

    @classmethod
    def from_request(
        cls, request: AugmenterRequest, services: Mapping[str, Service]
    ) -> ParaphraseAugmenter:
        """Read the model's spec: of a service, or a preset."""
        from harness_plugins.llm.presets import preset_named
        from harness_plugins.llm.settings import LlmKeys, settings_of

        request.spec.check_options(*OPTIONS)
        if not request.spec.argument:
            raise CommandError("paraphrase: name a model, for instance paraphrase:openai:MODEL")
        if request.task.kind == "token":
            raise CommandError(
                f"paraphrase: task {request.task.name!r} has tags of tokens, which do not "
                "fit a paraphrase; it serves tasks with one label a text"
            )
        spec = parse_spec(request.spec.argument)
        prices = {key: request.spec.option(key, None, float) for key in OPTIONS[3:]}
        config = LlmKeys.model_validate({**request.spec.options, **prices})
        asked = AnnotatorRequest(spec, request.task, config, seed=0)
        preset = preset_named(spec.name, services)
        return cls(request.task, settings_of(asked, services, preset))

    @property
    def fingerprint(self) -> str:
        """A hash of the model, its parameters and the wording."""
        asked = "\n".join([self._settings.fingerprint, self._parameters, self._system, QUESTION])
        return hashlib.sha256(asked.encode()).hexdigest()[:16]

    def describe(self) -> dict[str, object]:
        """The model and its parameters."""
        return {**self._settings.describe(), "parameters": self._parameters}

    @contextmanager
    def open(self, account: Account) -> Iterator[None]:
        """Hold the engine for the duration of a ``with`` block; see ``abilities.opened``."""
        from harness_plugins.llm.open_engine import open_engine

        with open_engine(self._settings, account) as engine:
            self._open = (engine, account)
            try:
                yield
            finally:
                self._open = None

    def augment(
        self, pool: Pool, annotations: Annotations | None, seed: int, progress: Progress
    ) -> Variants:
        """A paraphrase of each text, and what the run paid for them."""
        if self._open is None:
            raise PartError("paraphrase: open it for an account before augment")
        engine, account = self._open
        outcomes = engine.ask([self._call(text, seed) for text in pool.texts], progress)
        found = [_rewritten(out, text) for out, text in zip(outcomes, pool.texts, strict=True)]
        if kept := found.count(None):
            account.note(f"paraphrase: {kept} of {len(pool)} texts stay as they are")
        texts = [new or text for new, text in zip(found, pool.texts, strict=True)]
        spent = sum((outcome.spent for outcome in outcomes), Spent())
        return Variants(
            replace(pool, examples=texts),
            requests=spent.requests,
            tokens=spent.tokens,
            cost_usd=spent.cost_usd,
            answers_usd=sum(outcome.answer_usd for outcome in outcomes),
        )

    def estimate_variants(self, pool: Pool) -> Estimate:
        """From the requests for a sample of the pool."""
        from harness_plugins.annotators.llm.estimating import rewriting, stand_ins

        sample, _ = stand_ins(pool, 0, self._task)
        texts = list(sample.texts)
        return rewriting([self._call(t, 0) for t in texts], texts, len(pool), self._settings)

    @property
    def _system(self) -> str:
        labels = [f"- {label.name}: {label.description}" for label in self._task.labels]
        return "\n".join([SYSTEM, *labels])

    @property
    def _parameters(self) -> str:
        return self._settings.parameters(max_tokens=MOST_TOKENS, temperature=TEMPERATURE)

    def _call(self, text: str, seed: int) -> Call:
        messages = (Message("system", self._system), Message("user", f"{text}\n\n{QUESTION}"))
        settings = self._settings
        return Call(settings.endpoint, settings.model, messages, self._parameters, sample=seed)


def _rewritten(outcome: Outcome, text: str) -> str | None:
    """The new text of a reply; None where it cannot replace the old one."""
    reply = outcome.reply
    if reply is None or reply.finish != "stop":
        return None
    lines = reply.text.strip().removeprefix("```").removesuffix("```").split("\n")
    new = " ".join(" ".join(lines).split())
    while len(new) > 1 and (new[0], new[-1]) in QUOTES and (text[:1], text[-1:]) not in QUOTES:
        new = new[1:-1].strip()
    too_long = len(new) > LONGEST * len(text) + 100
    return None if not new or too_long else new
