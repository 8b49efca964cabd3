"""A sender that asks a causal language model in this process: ``transformers:MODEL``.

Calls with choices get the likelihood of every choice, so that the model always answers, with a
probability as confidence; other calls get generated text. Nothing is paid.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from harness.data import FloatArray
from harness.errors import ConfigError
from harness_plugins.llm.calls import Call, Reply, canonical
from harness_plugins.llm.failures import RejectedError, SendingError, UnsupportedError
from harness_plugins.llm.local.chat import Chat
from harness_plugins.llm.local.compute import Computer, Prefix, Sampling, common_prefix
from harness_plugins.llm.local.files import LocalFiles, locate
from harness_plugins.llm.sender import Admit, Done

ROWS = 32
"""Most prompts per batch."""
TOKENS = 16_384
"""Most tokens per batch, with padding; halved whenever memory runs out."""
LENGTH = 256
"""Most tokens of generated text if a call sets no limit."""
MEMORY = 256
"""Prompts without content whose scores are kept: all zero-shot calls have the same ones."""
CONTENT_FREE = ("N/A", "[MASK]", "")
"""Texts without content for calibration (Zhao et al., 2021, section 5)."""
LIMITS = ("max_tokens", "max_completion_tokens", "max_new_tokens")
KNOWN = frozenset(LIMITS) | {
    *("temperature", "top_p", "top_k", "stop", "seed", "logprobs"),
    *("chat_template_kwargs", "calibrate", "content_free"),
}


@dataclass(frozen=True, slots=True)
class _Job:
    """A tokenised call.

    Attributes:
        prompts: token ids of the call's own prompt, then of those without content.
        answers: token ids of each choice; () for free text.
        seed: from the call's key, so that the same call draws the same text.
    """

    index: int
    prompts: tuple[tuple[int, ...], ...]
    answers: tuple[tuple[int, ...], ...]
    choices: tuple[str, ...]
    sampling: Sampling
    seed: int

    @property
    def length(self) -> int:
        """Tokens of the longest row of this job."""
        more = sum(map(len, self.answers)) if self.answers else self.sampling.length
        return max(map(len, self.prompts)) + more

    @property
    def kind(self) -> object:
        """Jobs of one kind may share a batch."""
        return self.answers or self.sampling


class LocalModel:
    """Answers calls with a causal language model, on the GPU if there is one.

    The first call loads the weights. Calls are computed in batches of similar length, and their
    common beginning (system message and shared demonstrations) once. Each batch is reported as
    soon as it is done, so an interruption loses one batch.

    A choice's probability is that of its tokens and the end of the answer, not divided by its
    length: it is the probability of one whole answer, answers exclude each other, and
    normalising gives P(answer | it is one of the choices).

    Args:
        model: a folder, or an id of the Hugging Face hub.
        rows: most prompts per batch.
        share_prefix: compute the common beginning once; for measurements.
    """

    def __init__(self, model: str, *, rows: int = ROWS, share_prefix: bool = True) -> None:
        self._name, self._rows, self._tokens, self._share = model, rows, TOKENS, share_prefix
        self._prefix: Prefix | None = None
        self._content_free: dict[tuple[object, tuple[int, ...]], FloatArray] = {}

    @cached_property
    def files(self) -> LocalFiles:
        """The model's folder; asks the hub if it must.

        Raises:
            CommandError, ServiceError: see ``locate``.
        """
        return locate(self._name)

    @cached_property
    def identity(self) -> str:
        """The ``model`` of every call: changes with any file of the model; loads no weights."""
        return self.files.identity()

    @cached_property
    def loaded(self) -> tuple[Chat, Computer, Any]:
        """The chat form, model and tokenizer in memory."""
        model, tokenizer = self.files.load()
        chat, ends = Chat(tokenizer), model.generation_config.eos_token_id
        ends = [*(ends if isinstance(ends, list) else [ends]), tokenizer.eos_token_id, chat.end]
        known = [int(end) for end in ends if end is not None]
        pad = tokenizer.pad_token_id
        pad = pad if pad is not None else next(iter(known), 0)
        return chat, Computer(model, int(pad), known), tokenizer

    def send(self, calls: Sequence[Call], admit: Admit, done: Done) -> None:
        """Answer every call; the longest first.

        Raises:
            CommandError: if the model cannot be loaded, or does not know a parameter.
            ServiceError: if the model is not in the hub's cache and the hub cannot be reached.
            KeyboardInterrupt: the current batch is lost; those before it were reported.
        """
        jobs: dict[object, list[_Job]] = {}
        for index, call in enumerate(calls):
            try:
                job = self._job(index, call)
            except SendingError as error:
                done(index, error)
            else:
                jobs.setdefault(job.kind, []).append(job)
        for alike in jobs.values():
            prefix = self._shared_prefix(alike)
            for batch, replies in self._batches(alike, admit, done, prefix):
                for job, reply in zip(batch, replies, strict=True):
                    done(job.index, reply)

    def close(self) -> None:
        """Free the memory."""
        self.__dict__.pop("loaded", None)
        self._prefix = None
        _free_memory()

    def _job(self, index: int, call: Call) -> _Job:
        values = _parameters(call)
        if call.response_format:
            raise UnsupportedError("response_format", "a local model writes free text")
        chat, computer, _ = self.loaded
        options = values.get("chat_template_kwargs", {})
        text = chat.render(call.messages, options)
        prompts = [chat.prompt(text)]
        for question in values.get("content_free", ()) if call.choices else ():
            bare = (*call.messages[:-1], replace(call.messages[-1], content=question))
            prompts.append(chat.prompt(chat.render(bare, options)))
        job = _Job(
            index=index,
            prompts=tuple(map(tuple, prompts)),
            answers=tuple(chat.answer(text, choice) for choice in call.choices),
            choices=call.choices,
            sampling=_sampling(values, chat.stops),
            seed=int(call.key[:16], 16),
        )
        most = max(map(len, job.answers)) if job.answers else job.sampling.length
        if computer.context is not None and len(prompts[0]) + most > computer.context:
            raise RejectedError(
                f"prompt of {len(prompts[0])} tokens and answer of {most}: "
                f"the model reads {computer.context} together"
            )
        return job

    def _shared_prefix(self, jobs: Sequence[_Job]) -> Prefix | None:
        """The common beginning of all jobs; the previous one if it is the same."""
        if not self._share or len(jobs) < 2:
            return None
        ids = common_prefix([prompt for job in jobs for prompt in job.prompts])
        if self._prefix is None or self._prefix.ids != tuple(ids):
            self._prefix = self.loaded[1].prefix(ids)
        return self._prefix

    def _batches(
        self, jobs: Sequence[_Job], admit: Admit, done: Done, prefix: Prefix | None
    ) -> Iterator[tuple[Sequence[_Job], list[Reply]]]:
        """Batches with their replies; a batch too large for the memory is halved."""
        waiting = sorted(jobs, key=lambda job: job.length, reverse=True)
        start = admitted = 0
        compute = self._scored if waiting[0].answers else self._generated
        while start < len(waiting):
            rows = min(self._rows, self._tokens // waiting[start].length)
            batch = waiting[start : start + max(1, rows // len(waiting[start].prompts))]
            for job in batch[max(0, admitted - start) :]:
                admit(job.index)  # never refused, since nothing is paid
            admitted = max(admitted, start + len(batch))
            replies = _unless_out_of_memory(compute, batch, prefix)
            if replies is not None:
                yield batch, replies
            elif len(batch) > 1:
                self._tokens = batch[0].length * (len(batch) // 2) * len(batch[0].prompts)
                continue
            else:
                done(batch[0].index, RejectedError(f"{batch[0].length} tokens: out of memory"))
            start += len(batch)

    def _scored(self, batch: Sequence[_Job], prefix: Prefix | None) -> list[Reply]:
        answers, known = batch[0].answers, self._content_free
        if len(known) > MEMORY:
            known.clear()
        own = [job.prompts[0] for job in batch]
        bare = [prompt for job in batch for prompt in job.prompts[1:]]
        wanted = list(dict.fromkeys([*own, *(one for one in bare if (answers, one) not in known)]))
        found = self.loaded[1].score(wanted, answers, prefix)
        scores = dict(zip(wanted, found, strict=True))
        known.update({(answers, one): scores[one] for one in bare if one in scores})
        return [self._choice(job, scores[job.prompts[0]]) for job in batch]

    def _choice(self, job: _Job, scores: FloatArray) -> Reply:
        """The likeliest choice, after calibration if the call asks for it."""
        logs = normalised(scores)
        if len(job.prompts) > 1:
            bare = [self._content_free[job.answers, prompt] for prompt in job.prompts[1:]]
            logs = calibrated(logs, np.stack([normalised(one) for one in bare]))
        best = int(np.argmax(logs))
        return Reply(
            text=job.choices[best],
            prompt_tokens=len(job.prompts[0]),
            completion_tokens=len(job.answers[best]),
            logprob=float(scores[best]),
            choice_logprobs=tuple(float(one) for one in logs),
        )

    def _generated(self, batch: Sequence[_Job], prefix: Prefix | None) -> list[Reply]:
        chat, computer, tokenizer = self.loaded
        sampling = batch[0].sampling
        prompts, seeds = [job.prompts[0] for job in batch], [job.seed for job in batch]
        texts = computer.generate(prompts, seeds, sampling, prefix, tokenizer)
        replies = []
        for job, ids in zip(batch, texts, strict=True):
            text, stopped = chat.text(ids, sampling.stops)
            ended = stopped or len(ids) < sampling.length or ids[-1] in computer.ends
            replies.append(
                Reply(
                    text=text,
                    finish="stop" if ended else "length",
                    prompt_tokens=len(job.prompts[0]),
                    completion_tokens=len(ids),
                )
            )
        return replies


def _parameters(call: Call) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(call.parameters)
    unknown = sorted(set(values) - KNOWN)
    if unknown:
        raise ConfigError(
            f"annotator.parameters: a local model has no parameter {unknown[0]!r}; "
            f"known: {', '.join(sorted(KNOWN))}"
        )
    return values


def _sampling(values: dict[str, Any], stops: Sequence[str]) -> Sampling:
    stop = values.get("stop") or ()
    return Sampling(
        length=next((int(values[name]) for name in LIMITS if name in values), LENGTH),
        temperature=float(values.get("temperature") or 0.0),
        top_p=float(values.get("top_p", 1.0)),
        top_k=int(values.get("top_k") or 0),
        stops=(*stops, *([stop] if isinstance(stop, str) else stop)),
    )


def _unless_out_of_memory(
    compute: Callable[[Sequence[_Job], Prefix | None], list[Reply]],
    batch: Sequence[_Job],
    prefix: Prefix | None,
) -> list[Reply] | None:
    """The replies; None if memory ran out (the CPU's allocator says so only in its message)."""
    import torch

    try:
        return compute(batch, prefix)
    except (torch.OutOfMemoryError, MemoryError):
        pass
    except RuntimeError as error:
        if "allocate memory" not in str(error):
            raise
    _free_memory()
    return None


def _free_memory() -> None:
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def with_content_free(call: Call, text: str, instead: Sequence[str] = CONTENT_FREE) -> Call:
    """The call with prompts for contextual calibration (Zhao et al., 2021).

    Its choices' probabilities are divided by their mean probability after the same chat with a
    text without content in the question: what the prompt alone suggests.

    Args:
        call: with choices.
        text: the example's text, part of the last message.
        instead: texts that replace it, one prompt each.
    """
    question = call.messages[-1].content
    before, found, after = question.rpartition(text)
    if not found:
        raise ValueError("the call's last message does not contain the text")
    bare = [before + other + after for other in instead]
    parameters = {**json.loads(call.parameters), "content_free": bare}
    return replace(call, parameters=canonical(parameters))


def calibrated(logs: FloatArray, content_free: FloatArray) -> FloatArray:
    """Natural logs ``[choices]`` of p(c) / mean p(c | no content), normalised (Zhao et al., eq. 2).

    Args:
        logs: ``[choices]``, normalised.
        content_free: ``[prompts, choices]``, each row normalised.
    """
    return normalised(logs - np.log(np.exp(content_free).mean(axis=0)))


def normalised(logs: FloatArray) -> FloatArray:
    """Natural logs, shifted so that the values add up to 1."""
    top = logs.max()
    total: FloatArray = logs - (top + np.log(np.exp(logs - top).sum()))
    return total
