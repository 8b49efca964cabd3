"""A sender that asks a causal language model in this process: ``transformers:MODEL``.

Calls with choices get the likelihood of every choice, so that the model always answers, with a
probability as confidence; other calls get generated text. Nothing is paid.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from harness.data import FloatArray
from harness_plugins.encoders import quick_attention
from harness_plugins.llm.calls import Call, Reply, canonical
from harness_plugins.llm.failures import RejectedError, SendingError
from harness_plugins.llm.local.chat import Chat
from harness_plugins.llm.local.compute import Computer, Prefix, common_prefix
from harness_plugins.llm.local.files import LocalFiles, locate
from harness_plugins.llm.local.jobs import Job, jobs_of
from harness_plugins.llm.sender import Admit, Done

ROWS = {"cpu": 32, "cuda": 2048}
"""Most prompts per batch on each kind of device."""
TOKENS = {"cpu": 16_384, "cuda": 131_072}
"""Most tokens per batch, with padding and common beginning; halved whenever memory runs out."""
MEMORY = 256
"""Prompts without content whose scores are kept: all zero-shot calls have the same ones."""
CONTENT_FREE = ("N/A", "[MASK]", "")
"""Texts without content for calibration (Zhao et al., 2021, section 5)."""


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
        rows: most prompts per batch; None: as ``ROWS`` says.
        share_prefix: compute the common beginning once; for measurements.
    """

    def __init__(self, model: str, *, rows: int | None = None, share_prefix: bool = True) -> None:
        self._name, self._rows, self._share = model, rows, share_prefix
        self._tokens: int | None = None
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
        chat, computer, _ = self.loaded
        jobs: dict[object, list[Job]] = {}
        for index, job in jobs_of(calls, chat, computer.context):
            if isinstance(job, SendingError):
                done(index, job)
            else:
                jobs.setdefault(job.kind, []).append(job)
        with quick_attention(computer.device):
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

    def _shared_prefix(self, jobs: Sequence[Job]) -> Prefix | None:
        """The common beginning of all jobs; the previous one if it is the same."""
        if not self._share or len(jobs) < 2:
            return None
        ids = common_prefix([prompt for job in jobs for prompt in job.prompts])
        if self._prefix is None or self._prefix.ids != tuple(ids):
            self._prefix = self.loaded[1].prefix(ids)
        return self._prefix

    def _batches(
        self, jobs: Sequence[Job], admit: Admit, done: Done, prefix: Prefix | None
    ) -> Iterator[tuple[Sequence[Job], list[Reply]]]:
        """Batches with their replies; a batch too large for the memory is halved."""
        waiting = sorted(jobs, key=lambda job: job.length, reverse=True)
        start = admitted = 0
        compute = self._scored if waiting[0].answers else self._generated
        computer = self.loaded[1]
        device = computer.device.type
        self._tokens = self._tokens or TOKENS[device]
        while start < len(waiting):
            most = self._tokens // computer.padded(waiting[start].length)
            rows = min(self._rows or ROWS[device], most)
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

    def _scored(self, batch: Sequence[Job], prefix: Prefix | None) -> list[Reply]:
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

    def _choice(self, job: Job, scores: FloatArray) -> Reply:
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

    def _generated(self, batch: Sequence[Job], prefix: Prefix | None) -> list[Reply]:
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


def _unless_out_of_memory(
    compute: Callable[[Sequence[Job], Prefix | None], list[Reply]],
    batch: Sequence[Job],
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
