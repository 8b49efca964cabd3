"""Computes likelihoods of answers and free text with a causal language model.

Prompts are padded on the left. Their common beginning may be computed once: its keys and values
precede the padding, and positions do not count the padding.
"""

from __future__ import annotations

import copy
import inspect
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.data import FloatArray
from harness_plugins.lengths import fixed_length

SHORTEST_PREFIX = 8
"""Fewer common tokens are not worth a pass of their own."""
SHORT, STEP = 256, 128
"""Few lengths are those of ``fixed_lengths(SHORT)``, and above it multiples of ``STEP``."""
TOLERANCE = {"float32": 1e-2, "bfloat16": 0.5}
"""Nats by which rounding may make the two ways to score differ on the probe."""


@dataclass(frozen=True, slots=True)
class Prefix:
    """The ids of a common beginning of prompts, and the model's cache for them (one row)."""

    ids: tuple[int, ...]
    cache: Any


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to generate text; ``length`` in tokens, temperature 0 is greedy."""

    length: int
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    stops: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Rows:
    """Prompts without the prefix, padded; the mask includes the prefix."""

    ids: Any
    mask: Any
    positions: Any


class Computer:
    """Runs a model over batches of token ids.

    Args:
        model: a causal language model of ``transformers``, in evaluation mode.
        pad: any valid token id.
        ends: token ids that end an answer.

    Attributes:
        shares: whether prompts share the computation of their common beginning.
    """

    def __init__(self, model: Any, pad: int, ends: Sequence[int]) -> None:
        from transformers import GenerationConfig

        self.device = model.device
        self.network, self._pad, self.ends = model, pad, tuple(dict.fromkeys(ends))
        self._takes = frozenset(inspect.signature(model.forward).parameters)
        # Renamed in transformers 5.24, as an argument and in what comes back.
        self._cache = "cache" if "cache" in self._takes else "past_key_values"
        model.requires_grad_(False)
        # A vendor's own sampling defaults would change answers without being in a call's key.
        model.generation_config = GenerationConfig()
        self.shares = self._plain_attention() and self._agrees()

    @property
    def context(self) -> int | None:
        """Most tokens of prompt and answer together; None: unknown."""
        found = getattr(self._config(), "max_position_embeddings", None)
        return found if isinstance(found, int) and found > 0 else None

    def padded(self, length: int) -> int:
        """The length to which prompts of so many tokens are padded: their own on a CPU."""
        return length if self.device.type == "cpu" else few_lengths(length)

    def prefix(self, ids: Sequence[int]) -> Prefix | None:
        """Compute a common beginning once; None if that does not pay or is not possible."""
        if not self.shares or len(ids) < SHORTEST_PREFIX:
            return None
        out = self.network(**self._inputs(self._rows([ids], 0)), use_cache=True, **self._keep(1))
        return Prefix(tuple(ids), out[self._cache])

    def score(
        self,
        prompts: Sequence[Sequence[int]],
        answers: Sequence[Sequence[int]],
        prefix: Prefix | None = None,
    ) -> FloatArray:
        """float64 ``[prompts, answers]``: natural log of P(answer | prompt).

        With full causal attention, a prompt is read once, and all answers follow its keys and
        values in one pass, each seeing the prompt and itself alone. Other models read the
        prompt again for every answer.
        """
        if self.shares:
            return self._score_shared(prompts, answers, prefix)
        return self.score_plainly(prompts, answers)

    def score_plainly(
        self, prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]]
    ) -> FloatArray:
        """The same for any causal model: one row with prompt and answer per pair."""
        import torch

        pairs = [(prompt, answer) for prompt in prompts for answer in answers]
        rows = self._rows([[*prompt, *answer[:-1]] for prompt, answer in pairs], 0)
        longest = max(len(answer) for answer in answers)
        out = self.network(**self._inputs(rows), **self._keep(longest))
        logs = out.logits[:, -longest:].float().log_softmax(-1)
        found = []
        for own, (_, answer) in zip(logs, pairs, strict=True):
            index = torch.tensor(answer, device=own.device)[:, None]
            found.append(own[-len(answer) :].gather(1, index).double().sum().item())
        return np.reshape(found, (len(prompts), len(answers)))

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        seeds: Sequence[int],
        sampling: Sampling,
        prefix: Prefix | None = None,
        tokenizer: Any = None,
    ) -> list[list[int]]:
        """Generated ids of each prompt, with its end token if it came.

        Each row draws by its own seed, whatever the other rows are.
        """
        import torch

        skip = len(prefix.ids) if prefix else 0
        rows = self._rows(prompts, skip)
        ids, shared = rows.ids, dict[str, Any]()
        if prefix:
            before = torch.tensor([prefix.ids], device=ids.device).expand(len(prompts), -1)
            ids = torch.cat([before, ids], dim=1)
            shared = {self._cache: self._copies(prefix, len(prompts))}
        out = self.network.generate(
            ids,
            attention_mask=rows.mask,
            do_sample=False,
            max_new_tokens=sampling.length,
            eos_token_id=list(self.ends) or None,
            pad_token_id=self._pad,
            stop_strings=list(sampling.stops) or None,
            tokenizer=tokenizer if sampling.stops else None,
            logits_processor=_processors(sampling, seeds),
            **shared,
        )
        texts = out[:, ids.shape[1] :].tolist()
        return [self._until_end(text, bool(sampling.stops)) for text in texts]

    def _score_shared(
        self,
        prompts: Sequence[Sequence[int]],
        answers: Sequence[Sequence[int]],
        prefix: Prefix | None,
    ) -> FloatArray:
        import torch

        skip = len(prefix.ids) if prefix else 0
        rows = self._rows(prompts, skip, self.padded(max(map(len, prompts)) - skip))
        cache = self._copies(prefix, len(prompts)) if prefix else None
        out = self.network(
            **self._inputs(rows), **{self._cache: cache}, use_cache=True, **self._keep(1)
        )
        first = out.logits[:, -1].float().log_softmax(-1)
        found = first[:, [answer[0] for answer in answers]].double()
        fed = [token for answer in answers for token in answer[:-1]]
        if not fed:
            return np.asarray(found.cpu())
        then = [token for answer in answers for token in answer[1:]]
        owner = np.repeat(np.arange(len(answers)), [len(answer) - 1 for answer in answers])
        logs = self._follow(rows, fed, owner, out[self._cache]).float().log_softmax(-1)
        index = torch.tensor(then, device=logs.device).expand(len(prompts), -1)
        picked = logs.gather(2, index[..., None])[..., 0].double()
        where = torch.tensor(owner, device=logs.device).expand(len(prompts), -1)
        return np.asarray(found.scatter_add(1, where, picked).cpu())

    def _follow(self, rows: _Rows, fed: list[int], owner: Any, cache: Any) -> Any:
        """Logits ``[rows, fed, vocabulary]`` of all answers' tokens, each after its prompt."""
        import torch

        device, count = rows.ids.device, len(rows.ids)
        starts = np.searchsorted(owner, owner)
        depth = torch.tensor(np.arange(len(owner)) - starts, device=device)
        own = torch.tensor(owner, device=device)
        order = torch.arange(len(fed), device=device)
        sees = (own[:, None] == own[None]) & (order[:, None] >= order[None])
        prompt = rows.mask.bool()[:, None, :].expand(-1, len(fed), -1)
        allowed = torch.cat([prompt, sees.expand(count, -1, -1)], dim=2)[:, None]
        zero = torch.zeros((), dtype=self.network.dtype, device=device)
        mask = torch.where(allowed, zero, torch.finfo(self.network.dtype).min)
        out = self.network(
            input_ids=torch.tensor(fed, device=device).expand(count, -1),
            attention_mask=mask,
            position_ids=rows.mask.sum(1, keepdim=True) + depth,
            **{self._cache: cache},
            use_cache=True,
        )
        return out.logits

    def _rows(
        self, prompts: Sequence[Sequence[int]], skip: int, length: int | None = None
    ) -> _Rows:
        """Prompts without their first ``skip`` tokens, padded to a length or to the longest."""
        import torch

        own = np.asarray([len(prompt) - skip for prompt in prompts])
        length = length or int(own.max())
        there = np.arange(length) >= length - own[:, None]
        padded = np.full(there.shape, self._pad, dtype=np.int64)
        padded[there] = np.concatenate([prompt[skip:] for prompt in prompts])
        ids = torch.from_numpy(padded)
        mask = torch.ones((len(prompts), skip + length), dtype=torch.long)
        mask[:, skip:] = torch.from_numpy(there)
        positions = (mask.cumsum(1) - 1).clamp(min=0)[:, skip:]
        return _Rows(*(part.to(self.network.device) for part in (ids, mask, positions)))

    def _inputs(self, rows: _Rows) -> dict[str, Any]:
        inputs = {"input_ids": rows.ids, "attention_mask": rows.mask}
        if "position_ids" in self._takes:
            inputs["position_ids"] = rows.positions
        return inputs

    def _keep(self, count: int) -> dict[str, int]:
        return {"logits_to_keep": count} if "logits_to_keep" in self._takes else {}

    def _copies(self, prefix: Prefix, rows: int) -> Any:
        cache = copy.deepcopy(prefix.cache)
        cache.batch_repeat_interleave(rows)
        return cache

    def _until_end(self, ids: list[int], stops: bool) -> list[int]:
        """The ids up to the end token, or without the padding after a stop text."""
        ended = next((place + 1 for place, token in enumerate(ids) if token in self.ends), None)
        if ended is None and stops:
            ended = next((n for n in range(len(ids), 0, -1) if ids[n - 1] != self._pad), 0)
        return ids[:ended]

    def _config(self) -> Any:
        return self.network.config.get_text_config()

    def _plain_attention(self) -> bool:
        """Whether every layer keeps all keys and values and takes positions.

        Sliding windows count padding, and answers cannot share recurrent states.
        """
        from transformers import DynamicCache
        from transformers.cache_utils import DynamicLayer

        config = self._config()
        if "position_ids" not in self._takes:
            return False
        if getattr(config, "alibi", False) or getattr(self.network, "_is_stateful", False):
            return False
        layers = DynamicCache(config=config).layers
        return all(type(layer) is DynamicLayer for layer in layers)

    def _agrees(self) -> bool:
        """Whether both ways to score agree on a probe, since no list names every architecture."""
        size = int(self._config().vocab_size)
        draw = random.Random(0)
        start = [draw.randrange(size) for _ in range(SHORTEST_PREFIX)]
        prompts = [[*start, *(draw.randrange(size) for _ in range(n))] for n in (2, 5)]
        answers = [[draw.randrange(size) for _ in range(n)] for n in (2, 3)]
        self.shares = True
        one = self._score_shared(prompts, answers, self.prefix(start))
        gap = float(np.abs(one - self.score_plainly(prompts, answers)).max())
        return gap < TOLERANCE[str(self.network.dtype).removeprefix("torch.")]


def few_lengths(length: int) -> int:
    """A length of at least so many tokens, one of few, since a GPU plans for each shape."""
    return fixed_length(length, SHORT) if length <= SHORT else -(-length // STEP) * STEP


def common_prefix(prompts: Sequence[Sequence[int]]) -> list[int]:
    """The ids with which all prompts begin, leaving at least one id of each prompt."""
    most = min(map(len, prompts), default=1) - 1
    rows = [tuple(prompt[:most]) for prompt in prompts] or [()]
    first, last = min(rows), max(rows)  # what these two share, all between them share
    differ = (place for place in range(most) if first[place] != last[place])
    return list(first[: next(differ, most)])


def _processors(sampling: Sampling, seeds: Sequence[int]) -> Any:
    """The steps from logits to a drawn token: temperature, top-k, top-p, one draw per row."""
    from transformers.generation import logits_process

    if sampling.temperature == 0:
        return logits_process.LogitsProcessorList()
    steps: list[Any] = [logits_process.TemperatureLogitsWarper(float(sampling.temperature))]
    if sampling.top_k:
        steps.append(logits_process.TopKLogitsWarper(sampling.top_k))
    if sampling.top_p < 1:
        steps.append(logits_process.TopPLogitsWarper(sampling.top_p))
    return logits_process.LogitsProcessorList([*steps, _Draw(seeds)])


class _Draw:
    """Leaves one token per row, drawn by the row's own generator (inverse of the distribution)."""

    def __init__(self, seeds: Sequence[int]) -> None:
        self._generators = [random.Random(seed) for seed in seeds]

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        import torch

        points = [generator.random() for generator in self._generators]
        cumulated = scores.double().softmax(-1).cumsum(-1)
        drawn = torch.tensor(points, dtype=torch.double, device=scores.device)[:, None]
        picked = torch.searchsorted(cumulated, drawn * cumulated[:, -1:], right=True)
        picked = picked.clamp(max=scores.shape[-1] - 1)
        return torch.full_like(scores, float("-inf")).scatter(1, picked, 0.0)
