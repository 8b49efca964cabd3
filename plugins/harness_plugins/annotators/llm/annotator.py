"""The annotator that asks a language model.

Prompts (``chat``) become calls, the engine gets their replies, each reply is understood
(``answers``), several samples vote. Everything is in columns; nothing is asked here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from harness.data import ABSTAINED, Annotations, Demonstrations, FloatArray, Pool, TaskCard
from harness.errors import PartError
from harness.protocols import Account, AnnotatorRequest, Estimate, Progress, Written, no_progress
from harness_plugins.annotators.llm.chat import Chat
from harness_plugins.annotators.llm.reading.answers import Answer, answers_for
from harness_plugins.annotators.llm.retrieval import Embed, encoder_at, retrieved
from harness_plugins.llm.calls import Call, Message, Outcome, Spent, canonical
from harness_plugins.llm.collecting import uncollected

if TYPE_CHECKING:
    from harness_plugins.llm.engine import Engine
    from harness_plugins.llm.presets import Preset
    from harness_plugins.llm.service import Service
    from harness_plugins.llm.settings import LlmSettings

WRITTEN = 100
"""Demonstrations of stage R1 where the request does not say how many (FreeAL, section 3.2)."""

Opener: TypeAlias = "Callable[[LlmSettings, Account], AbstractContextManager[Engine]]"
Chats: TypeAlias = Sequence[tuple[Message, ...]]


class LlmAnnotator:
    """Labels by asking a model; never sees gold labels.

    Args:
        task: whose prompt, labels and kind are used.
        settings: which model, how it is asked.
        shots: demonstrations an example, where the annotator retrieves them.
        written: demonstrations to write for stage R1.
        seed: draws the texts that show their style.
        encoder: folder of the sentence encoder that retrieves; None: the packaged one.
        opener: opens an engine for the settings.
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
        opener: Opener | None = None,
    ) -> None:
        self._task, self._settings = task, settings
        self._shots, self._written, self._seed = shots, written, seed
        self._encoder, self._embed = encoder, _remembering(encoder_at(encoder))
        self._opener = opener or _open_engine
        labels = [label.name for label in task.labels]
        self._answers = answers_for(task.kind, labels, settings.repeats)
        asked, service = settings.structured, settings.service
        self._chat = Chat(task, structured=service.structured(settings) if asked is None else asked)
        self._choices = tuple(labels) if service.choices and task.kind == "sequence" else ()
        self._open: tuple[Engine, Account] | None = None

    @classmethod
    def from_request(
        cls,
        request: AnnotatorRequest,
        services: Mapping[str, Service],
        preset: Preset | None = None,
    ) -> LlmAnnotator:
        """``SERVICE:MODEL``, or a preset's name.

        Option: ``encoder=FOLDER``, the sentence encoder that retrieves demonstrations.
        """
        from harness_plugins.llm.settings import settings_of

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

    # -- what it is --------------------------------------------------------------------

    @property
    def fingerprint(self) -> str:
        """A hash of all that decides what is asked: settings, wording, schema, encoder."""
        asked = {
            "settings": self._settings.fingerprint,
            "wording": self._chat.wording,
            "format": self._chat.response_format,
            "encoder": self._encoder,
        }
        return hashlib.sha256(canonical(asked).encode()).hexdigest()[:16]

    def describe(self) -> dict[str, object]:
        """How requests are made: model, parameters, format of the answer, retrieval."""
        described = {
            **self._settings.describe(),
            "response_format": self._chat.response_format,
            "shots": self._shots,
            "encoder": self._encoder or "packaged",
        }
        return {**described, "choices": list(self._choices)} if self._choices else described

    # -- being asked -------------------------------------------------------------------

    def open(self, account: Account) -> AbstractContextManager[None]:
        """Hold the engine for the duration of a ``with`` block.

        Raises:
            CommandError: if no key or server is set.
        """
        return self._opened(account)

    @contextmanager
    def _opened(self, account: Account) -> Iterator[None]:
        with self._opener(self._settings, account) as engine:
            self._open = (engine, account)
            try:
                yield
            finally:
                self._open = None

    def messages(
        self, pool: Pool, demonstrations: Demonstrations | None
    ) -> list[list[tuple[str, str]]]:
        """The (role, content) messages that would be sent for each example."""
        chats = self._chats(pool, demonstrations, no_progress)
        return [[(message.role, message.content) for message in chat] for chat in chats]

    def annotate(
        self, pool: Pool, demonstrations: Demonstrations | None, progress: Progress
    ) -> Annotations:
        """Ask for every example; abstain where no reply, or none with one answer, comes."""
        calls = self._calls(self._chats(pool, demonstrations, progress))
        if self._choices and self._settings.sampling.get("calibrate"):
            calls = self._calibrated(calls, pool)
        outcomes = self._engine.ask(calls, progress)
        with uncollected():
            return self._understood(pool, outcomes)

    def _understood(self, pool: Pool, outcomes: Sequence[Outcome]) -> Annotations:
        samples = self._settings.samples
        grouped = [outcomes[row * samples : (row + 1) * samples] for row in range(len(pool))]
        lengths = np.diff(pool.offsets).tolist()
        answers = [
            self._answer(said, example, length)
            for said, example, length in zip(grouped, pool.examples, lengths, strict=True)
        ]
        return _columns(pool, answers, grouped)

    def write(self, pool: Pool, seed: int, progress: Progress) -> Written:
        """Demonstrations in the style of the pool, as many as the configuration says."""
        from harness_plugins.annotators.llm.writing import Author

        engine, account = self._opened_as()
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
        )

    # -- what it would cost ------------------------------------------------------------

    def estimate(self, pool: Pool, shots: int) -> Estimate:
        """To annotate the pool with so many demonstrations for each example."""
        from harness_plugins.annotators.llm.estimating import annotating, stand_ins

        sample, shown = stand_ins(pool, shots, self._task)
        calls = self._calls(self._chat.messages(sample, shown))
        return annotating(calls, sample, len(pool), self._settings, self._task)

    def estimate_writing(self, pool: Pool) -> Estimate:
        """To write the demonstrations of stage R1."""
        from harness_plugins.annotators.llm.estimating import writing
        from harness_plugins.annotators.llm.writing import Author

        author = Author(self._task, pool, self._written, self._seed)
        orders = author.orders()
        calls = self._writing_calls([author.messages(order) for order in orders], 0)
        return writing(calls, sum(order.count for order in orders), pool, self._settings)

    # -- inside ------------------------------------------------------------------------

    @property
    def _engine(self) -> Engine:
        return self._opened_as()[0]

    def _opened_as(self) -> tuple[Engine, Account]:
        if self._open is None:
            raise PartError("an LLM annotator is opened for an account before it is asked")
        return self._open

    def _chats(
        self, pool: Pool, demonstrations: Demonstrations | None, progress: Progress
    ) -> list[tuple[Message, ...]]:
        if demonstrations is not None and len(demonstrations) and demonstrations.nearest is None:
            demonstrations = retrieved(demonstrations, pool, self._shots, self._embed, progress)
        with uncollected():
            return self._chat.messages(pool, demonstrations)

    def _calls(self, chats: Chats) -> list[Call]:
        """One call a chat and sample, the samples of a chat together."""
        settings = self._settings
        parameters = settings.parameters()
        form = self._chat.response_format
        with uncollected():
            return [
                Call(
                    settings.endpoint, settings.model, chat, parameters, form, self._choices, sample
                )
                for chat in chats
                for sample in range(settings.samples)
            ]  # fmt: skip

    def _calibrated(self, calls: Sequence[Call], pool: Pool) -> list[Call]:
        """To be answered without what the prompt alone suggests (Zhao et al., 2021)."""
        from harness_plugins.llm.local.calibration import with_content_free

        texts = [text for text in pool.texts for _ in range(self._settings.samples)]
        return [with_content_free(call, text) for call, text in zip(calls, texts, strict=True)]

    def _writing_calls(self, chats: Chats, first: int) -> list[Call]:
        """Numbered on: the same order, given again, asks for other texts."""
        from harness_plugins.annotators.llm.writing import REPLY_TOKENS, TEMPERATURE

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
    paid = [sum((one.spent for one in said), Spent()) for said in outcomes]
    return Annotations(
        labels=np.fromiter(labels, dtype=np.int32, count=int(pool.offsets[-1])),
        offsets=pool.offsets,
        confidence=np.asarray(
            [answer.confidence if answer.units else np.nan for answer in answers],
            dtype=np.float32,
        ),
        reasons=tuple(answer.reason for answer in answers),
        replies=tuple(_raw(said) for said in outcomes),
        requests=np.asarray([spent.requests for spent in paid], dtype=np.int64),
        tokens=np.asarray([spent.tokens for spent in paid], dtype=np.int64),
        cost_usd=np.asarray([spent.cost_usd for spent in paid], dtype=float),
    )


def _raw(outcomes: Sequence[Outcome]) -> str:
    """The reply as it came; of several samples, a JSON list of them."""
    texts = [outcome.reply.text if outcome.reply else "" for outcome in outcomes]
    if len(texts) == 1:
        return texts[0]
    import json

    return json.dumps(texts, ensure_ascii=False)


def _remembering(embed: Embed) -> Embed:
    """Embeds each text once in the annotator's life."""
    known: dict[str, FloatArray] = {}

    def remembered(texts: Sequence[str], progress: Progress) -> FloatArray:
        new = [text for text in dict.fromkeys(texts) if text not in known]
        if new:
            known.update(zip(new, embed(new, progress), strict=True))
        return np.stack([known[text] for text in texts])

    return remembered


def _open_engine(settings: LlmSettings, account: Account) -> AbstractContextManager[Engine]:
    from harness_plugins.llm.open_engine import open_engine

    return open_engine(settings, account)
