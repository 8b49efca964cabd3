"""Estimates the tokens and cost of a step from the real prompts of a sample of the pool."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.data import Demonstrations, Pool, TaskCard
from harness.protocols import Estimate
from harness_plugins.annotators.llm.writing import WAVES
from harness_plugins.llm.calls import Call
from harness_plugins.llm.cost.prices import own_server, price_of
from harness_plugins.llm.cost.tokens import prompt_tokens, text_tokens
from harness_plugins.llm.send.refusals import retired
from harness_plugins.llm.settings import LlmSettings

SAMPLE = 200
"""Examples whose prompts are counted; the result is scaled to the pool."""
LABEL_MARGIN = 4
"""Tokens around a label, such as a full stop or one more word."""
TOKENS_OF_A_LIST = 1.5
"""Tokens of a list of mentions per token of the sentence."""
SECONDS_PER_REPLY = 1.0
"""Assumed latency of a short reply of a hosted model."""


def stand_ins(pool: Pool, shots: int, task: TaskCard) -> tuple[Pool, Demonstrations | None]:
    """A sample of the pool, and demonstrations as long as those to come.

    Later rounds show examples of the pool, so examples of the sample stand in for them, with
    labels in turn or a sixth of the tokens marked.
    """
    rows = np.unique(np.linspace(0, len(pool) - 1, min(SAMPLE, len(pool))).astype(np.int64))
    sample = pool.take(rows)
    if shots == 0 or len(sample) < 2:
        return sample, None
    count = len(sample)
    if pool.kind == "sequence":
        labels = np.arange(count, dtype=np.int32) % len(task.labels)
    else:
        labels = np.concatenate(
            [np.arange(length, dtype=np.int32) % 6 == 0 for length in np.diff(sample.offsets)]
        ).astype(np.int32)
    shown = np.arange(1, min(shots, count - 1) + 1, dtype=np.int32)
    nearest = (np.arange(count, dtype=np.int32)[:, None] + shown) % count
    return sample, Demonstrations(sample, labels, nearest, source="trusted")


def annotating(
    calls: Sequence[Call], sample: Pool, total: int, settings: LlmSettings, task: TaskCard
) -> Estimate:
    """The estimate for a pool of ``total`` examples from the calls of a sample."""
    model = settings.model
    scale = total / max(1, len(sample))
    prompt = sum(prompt_tokens(call) for call in calls) * scale
    if calls and calls[0].choices:
        reply = 0.0
    elif task.kind == "sequence":
        longest = max(text_tokens(label.name, model) for label in task.labels)
        reply = float((longest + LABEL_MARGIN) * len(calls)) * scale
    else:
        words = sum(text_tokens(text, model) for text in sample.texts)
        reply = TOKENS_OF_A_LIST * words * settings.keys.samples * scale
    requests = total * settings.keys.samples
    reply = min(reply + settings.thinking * requests, float(settings.max_tokens * requests))
    return _estimate(requests, prompt, reply, settings)


def writing(calls: Sequence[Call], texts: int, pool: Pool, settings: LlmSettings) -> Estimate:
    """The upper bound for all waves: each can repeat at most the first orders."""
    rows = np.linspace(0, len(pool) - 1, min(SAMPLE, len(pool))).astype(np.int64)
    lengths = [text_tokens(text, settings.model) for text in pool.take(rows).texts]
    mean = float(np.mean(lengths)) if lengths else 0.0
    each = mean * (1 + TOKENS_OF_A_LIST if pool.kind == "token" else 1) + LABEL_MARGIN
    prompt = sum(prompt_tokens(call) for call in calls)
    reply = texts * each + settings.thinking * len(calls)
    return _estimate(WAVES * len(calls), WAVES * prompt, WAVES * reply, settings)


def rewriting(
    calls: Sequence[Call], texts: Sequence[str], total: int, settings: LlmSettings
) -> Estimate:
    """The estimate for ``total`` texts from the calls of a sample, replies as long as texts."""
    scale = total / max(1, len(calls))
    prompt = sum(prompt_tokens(call) for call in calls) * scale
    reply = sum(text_tokens(text, settings.model) for text in texts) * scale
    return _estimate(total, prompt, reply + settings.thinking * total, settings)


def _estimate(requests: int, prompt: float, reply: float, settings: LlmSettings) -> Estimate:
    price = price_of(settings)
    gone = retired(settings.model) if settings.base_url is None else ""
    return Estimate(
        requests=requests,
        prompt_tokens=round(prompt),
        completion_tokens=round(reply),
        cost_usd=None if price is None else price.cost_of(round(prompt), round(reply)),
        seconds=_seconds(requests, round(prompt) + round(reply), settings),
        remark=f"model {settings.model!r}: {gone}" if gone else own_server(settings),
    )


def _seconds(requests: int, tokens: int, settings: LlmSettings) -> float | None:
    """The time at the limits of one key and the concurrency; None for a local model or a batch."""
    if settings.service.local or settings.keys.batch:
        return None
    pace = settings.pace
    bounds = [requests * SECONDS_PER_REPLY / pace.concurrency]
    if pace.requests_per_minute:
        bounds.append(60.0 * requests / pace.requests_per_minute)
    if pace.tokens_per_minute:
        bounds.append(60.0 * tokens / pace.tokens_per_minute)
    return max(bounds)
