"""The annotator that asks a language model: prompts, calls, replies, votes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from harness.data import ABSTAINED, Annotations, Demonstrations, Pool, TaskCard
from harness.errors import InapplicableError, PartError
from harness.protocols import Account, AnnotatorRequest, Estimate, Progress, Written, no_progress
from harness_plugins.annotators.llm.chat import Chat
from harness_plugins.annotators.llm.estimating import annotating, stand_ins, writing
from harness_plugins.annotators.llm.reading.answers import Answer, answers_for
from harness_plugins.annotators.llm.retrieval import encoder_at, retrieved
from harness_plugins.annotators.llm.writing import REPLY_TOKENS, TEMPERATURE, Author
from harness_plugins.llm.calls import Call, Message, Outcome, Spent, canonical, uncollected
from harness_plugins.llm.open_engine import open_engine
from harness_plugins.llm.settings import LlmSettings, settings_of

if TYPE_CHECKING:
    from harness_plugins.llm.engine import Engine
    from harness_plugins.llm.presets import Preset
    from harness_plugins.llm.service import Service

WRITTEN = 100
"""Demonstrations of stage R1 if the request sets no number (FreeAL, section 3.2)."""

Opener: TypeAlias = "Callable[[LlmSettings, Account], AbstractContextManager[Engine]]"
Chats: TypeAlias = Sequence[tuple[Message, ...]]


class LlmAnnotator:
    """Labels by asking a model; never sees gold labels.

    Args:
        shots: demonstrations per example, if the annotator retrieves them.
        written: demonstrations to write for stage R1.
        seed: draws the example texts shown in requests for demonstrations.
        encoder: folder of the sentence encoder that retrieves; None: the packaged one.
    """

    needs_gold: Literal[False] = False

    def __init__(
        self,
        task: TaskCard,
        settings: LlmSettings,
        *,
        shots: int = 10,
        written: int = WRITTEN,
        seed: int = 0,
        encoder: str | None = None,
        opener: Opener = open_engine,
    ) -> None:
        self._task, self._settings = task, settings
        self._shots, self._written, self._seed = shots, written, seed
        self._encoder, self._embed, self._opener = encoder, encoder_at(encoder), opener
        labels = [label.name for label in task.labels]
        most = settings.keys.candidates
        self._answers = answers_for(task.kind, labels, settings.keys.repeats, most)
        service, structured = settings.service, settings.keys.structured
        if structured is None:
            structured = service.structured(settings)
        self._chat = Chat(task, structured=structured, candidates=most)
        self._choices = tuple(labels) if service.choices and task.kind == "sequence" else ()
        if most > 1 and (self._choices or task.kind == "token"):
            who = f"{service.name!r} scores labels" if self._choices else "entities have none"
            raise InapplicableError(
                "annotator.candidates", f"annotator.candidates: {who}; unset it"
            )
        self._open: tuple[Engine, Account] | None = None

    @classmethod
    def from_request(
        cls,
        request: AnnotatorRequest,
        services: Mapping[str, Service],
        preset: Preset | None = None,
    ) -> LlmAnnotator:
        """From ``SERVICE:MODEL`` or a preset's name, and perhaps ``encoder=FOLDER``."""
        request.spec.check_options("encoder")
        if preset is not None:
            request.spec.no_argument()
        given = request.demonstrations
        return cls(
            request.task,
            settings_of(request, services, preset),
            shots=(given.shots if given else None) or request.task.prompt.shots,
            written=given.written if given else WRITTEN,
            seed=request.seed,
            encoder=request.spec.option("encoder", None, str),
        )

    @property
    def fingerprint(self) -> str:
        """A hash of all that decides the requests: settings, wording, schema, encoder."""
        asked = {
            "settings": self._settings.fingerprint,
            "wording": self._chat.wording,
            "format": self._chat.response_format,
            "encoder": self._encoder,
        }
        return hashlib.sha256(canonical(asked).encode()).hexdigest()[:16]

    def describe(self) -> dict[str, object]:
        """Model, parameters, answer format, and retrieval, for the run's provenance."""
        described = {
            **self._settings.describe(),
            "response_format": self._chat.response_format,
            "shots": self._shots,
            "encoder": self._encoder or "packaged",
        }
        return {**described, "choices": list(self._choices)} if self._choices else described

    @contextmanager
    def open(self, account: Account) -> Iterator[None]:
        """Hold the engine for the duration of a ``with`` block."""
        with self._opener(self._settings, account) as engine:
            self._open = (engine, account)
            try:
                yield
            finally:
                self._open = None

    def messages(
        self, pool: Pool, demonstrations: Demonstrations | None
    ) -> list[list[tuple[str, str]]]:
        """The (role, content) messages to send for each example."""
        chats = self._chats(pool, demonstrations, no_progress)
        return [[(message.role, message.content) for message in chat] for chat in chats]

    def annotate(
        self, pool: Pool, demonstrations: Demonstrations | None, progress: Progress
    ) -> Annotations:
        """Ask for every example; abstain without a reply or without a clear answer."""
        calls = self._calls(self._chats(pool, demonstrations, progress))
        if self._choices and self._settings.sampling.get("calibrate"):
            calls = self._calibrated(calls, pool)
        outcomes = self._opened()[0].ask(calls, progress)
        with uncollected():
            return self._understood(pool, outcomes)

    def _understood(self, pool: Pool, outcomes: Sequence[Outcome]) -> Annotations:
        samples = self._settings.keys.samples
        grouped = [outcomes[row * samples : (row + 1) * samples] for row in range(len(pool))]
        lengths = np.diff(pool.offsets).tolist()
        answers = [
            self._answer(own, example, length)
            for own, example, length in zip(grouped, pool.examples, lengths, strict=True)
        ]
        return _columns(pool, answers, grouped)

    def write(self, pool: Pool, seed: int, progress: Progress) -> Written:
        """As many demonstrations as the configuration asks for, in the style of the pool."""
        engine, account = self._opened()
        author = Author(self._task, pool, self._written, seed)
        paid: list[Outcome] = []
        while orders := author.orders():
            calls = self._writing_calls([author.messages(order) for order in orders], len(paid))
            outcomes = engine.ask(calls, no_progress)
            author.receive(orders, [outcome.reply for outcome in outcomes])
            paid += outcomes
            progress(min(author.count, self._written), self._written)
        if author.shortfall:
            account.note(author.shortfall)
        spent = sum((outcome.spent for outcome in paid), Spent())
        return Written(
            demonstrations=author.demonstrations(),
            requests=spent.requests,
            tokens=spent.tokens,
            cost_usd=spent.cost_usd,
            answers_usd=sum(outcome.answer_usd for outcome in paid),
        )

    def estimate(self, pool: Pool, shots: int) -> Estimate:
        """The cost of annotating the pool with so many demonstrations per example."""
        sample, shown = stand_ins(pool, shots, self._task)
        calls = self._calls(self._chat.messages(sample, shown))
        return annotating(calls, sample, len(pool), self._settings, self._task)

    def estimate_writing(self, pool: Pool) -> Estimate:
        """The cost of writing the demonstrations of stage R1."""
        author = Author(self._task, pool, self._written, self._seed)
        orders = author.orders()
        calls = self._writing_calls([author.messages(order) for order in orders], 0)
        return writing(calls, sum(order.count for order in orders), pool, self._settings)

    def _opened(self) -> tuple[Engine, Account]:
        if self._open is None:
            raise PartError("open the LLM annotator for an account before asking it")
        return self._open

    def _chats(
        self, pool: Pool, demonstrations: Demonstrations | None, progress: Progress
    ) -> list[tuple[Message, ...]]:
        if demonstrations is not None and len(demonstrations) and demonstrations.nearest is None:
            demonstrations = retrieved(demonstrations, pool, self._shots, self._embed, progress)
        with uncollected():
            return self._chat.messages(pool, demonstrations)

    def _calls(self, chats: Chats) -> list[Call]:
        """One call per chat and sample, the samples of a chat together."""
        settings = self._settings
        parameters = settings.parameters()
        form = self._chat.response_format
        endpoint, model, choices = settings.endpoint, settings.model, self._choices
        with uncollected():
            return [
                Call(endpoint, model, chat, parameters, form, choices, sample)
                for chat in chats
                for sample in range(settings.keys.samples)
            ]

    def _calibrated(self, calls: Sequence[Call], pool: Pool) -> list[Call]:
        """Calls that also measure what the prompt alone suggests (Zhao et al., 2021)."""
        from harness_plugins.llm.local.model import with_content_free

        texts = [text for text in pool.texts for _ in range(self._settings.keys.samples)]
        return [with_content_free(call, text) for call, text in zip(calls, texts, strict=True)]

    def _writing_calls(self, chats: Chats, first: int) -> list[Call]:
        """Calls numbered from ``first``, so that the same order, repeated, brings other texts."""
        settings = self._settings
        parameters = settings.parameters(max_tokens=REPLY_TOKENS, temperature=TEMPERATURE)
        return [
            Call(settings.endpoint, settings.model, chat, parameters, sample=number)
            for number, chat in enumerate(chats, start=first)
        ]

    def _answer(
        self, outcomes: Sequence[Outcome], example: str | Sequence[str], length: int
    ) -> Answer:
        answers = [
            Answer((), reason=outcome.reason or "no reply")
            if outcome.reply is None
            else self._answers.read(outcome.reply, example)
            for outcome in outcomes
        ]
        return answers[0] if len(answers) == 1 else self._answers.vote(answers, length)


def _columns(
    pool: Pool, answers: Sequence[Answer], outcomes: Sequence[Sequence[Outcome]]
) -> Annotations:
    lengths = np.diff(pool.offsets).tolist()
    labels = chain.from_iterable(
        answer.units or (ABSTAINED,) * length
        for answer, length in zip(answers, lengths, strict=True)
    )
    paid = [sum((one.spent for one in own), Spent()) for own in outcomes]
    return Annotations(
        labels=np.fromiter(labels, dtype=np.int32, count=int(pool.offsets[-1])),
        offsets=pool.offsets,
        confidence=np.asarray(
            [answer.confidence if answer.units else np.nan for answer in answers],
            dtype=np.float32,
        ),
        reasons=tuple(answer.reason for answer in answers),
        replies=tuple(map(_raw, outcomes)),
        requests=np.asarray([spent.requests for spent in paid], dtype=np.int64),
        tokens=np.asarray([spent.tokens for spent in paid], dtype=np.int64),
        cost_usd=np.asarray([spent.cost_usd for spent in paid], dtype=float),
        candidates=tuple(answer.candidates for answer in answers),
        answers_usd=np.asarray([sum(o.answer_usd for o in own) for own in outcomes], dtype=float),
    )


def _raw(outcomes: Sequence[Outcome]) -> str:
    """The raw reply; of several samples, a JSON list of them."""
    texts = [outcome.reply.text if outcome.reply else "" for outcome in outcomes]
    return texts[0] if len(texts) == 1 else json.dumps(texts, ensure_ascii=False)
