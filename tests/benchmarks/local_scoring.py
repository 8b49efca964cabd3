"""How fast a local model scores labels: one pass a choice, batched pairs, and the harness's way.

``python -m tests.benchmarks.local_scoring [TEXTS]``: a random Llama (width 384, 6 layers), a
prompt that begins with the same 340 tokens, six labels. All ways in one run; one thread.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from harness.data import FloatArray
from harness_plugins.llm.calls import Call, Message, Reply
from harness_plugins.llm.failures import SendingError
from harness_plugins.llm.local.model import LocalModel, normalised
from tests.tiny_models import SENTENCES, write_model

CHOICES = ("abbreviation", "entity", "description", "human", "location", "numeric value")


def prompts(count: int) -> list[tuple[Message, ...]]:
    """Chats of one beginning and of different ends."""
    shown = [
        message
        for turn in range(8)
        for message in (
            Message("user", SENTENCES[turn % 4]),
            Message("assistant", CHOICES[turn % 6]),
        )
    ]
    words = " ".join(SENTENCES).split()
    rng = np.random.default_rng(0)
    asked = [" ".join(rng.choice(words, rng.integers(5, 40))) for _ in range(count)]
    start = (Message("system", SENTENCES[2]), *shown)
    return [(*start, Message("user", text)) for text in asked]


def harness_way(folder: Path, share: bool) -> Callable[[Sequence[Call]], FloatArray]:
    """Scores as a run gets them."""
    model = LocalModel(str(folder), share_prefix=share)
    _ = model.loaded

    def score(calls: Sequence[Call]) -> FloatArray:
        found: dict[int, tuple[float, ...]] = {}

        def done(index: int, result: Reply | SendingError) -> None:
            assert isinstance(result, Reply)
            found[index] = result.choice_logprobs

        model.send(calls, lambda index: None, done)
        return np.array([found[index] for index in range(len(calls))])

    return score


def plain_way(folder: Path, pairs: int) -> Callable[[Sequence[Call]], FloatArray]:
    """Each choice in a full pass of its own, ``pairs`` of them side by side."""
    chat, computer, _ = LocalModel(str(folder)).loaded

    def score(calls: Sequence[Call]) -> FloatArray:
        rows = []
        for call in calls:
            text = chat.render(call.messages, {})
            prompt = chat.prompt(text)
            answers = [chat.answer(text, choice) for choice in CHOICES]
            for start in range(0, len(answers), pairs):
                some = answers[start : start + pairs]
                rows += [computer.score_plainly([prompt], some)[0]]
        scores = np.concatenate(rows).reshape(len(calls), len(CHOICES))
        return np.array([normalised(row) for row in scores])

    return score


def main() -> None:
    """Print texts a second of each way, and how far the scores differ."""
    import torch

    torch.set_num_threads(1)
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    calls = [Call("transformers", "m", chat, choices=CHOICES) for chat in prompts(count)]
    with tempfile.TemporaryDirectory() as root:
        folder = write_model(Path(root), "llama", width=384, layers=6)
        ways = {
            "each choice alone, a full pass": plain_way(folder, 1),
            "the choices of a text in one batch": plain_way(folder, len(CHOICES)),
            "choices share the prompt": harness_way(folder, False),
            "prompts share their beginning, too": harness_way(folder, True),
        }
        first: FloatArray | None = None
        for name, score in ways.items():
            score(calls[:2])
            start = time.perf_counter()
            found = score(calls)
            seconds = time.perf_counter() - start
            first = found if first is None else first
            gap = np.abs(np.exp(found) - np.exp(first)).max()
            print(f"{name:36} {count / seconds:8.1f} texts/s   probabilities differ by {gap:.1e}")


if __name__ == "__main__":
    main()
