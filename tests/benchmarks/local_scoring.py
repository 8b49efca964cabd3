"""How fast a local model scores labels: one pass a choice, batched pairs, and the harness's way.

    python -m tests.benchmarks.local_scoring [TEXTS]
    python -m tests.benchmarks.local_scoring --llama [TEXTS]

A random Llama (width 384, 6 layers), a prompt that begins with the same 340 tokens, six labels.
All ways in one run; one thread. ``--llama``: the harness's way with a Llama of 1B random weights
(width 2,048, 16 layers, 128,256 tokens), for a GPU, with the share of the card's matrix rate.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from harness.data import FloatArray
from harness_plugins.encoders import device
from harness_plugins.llm.calls import Call, Message, Reply
from harness_plugins.llm.failures import SendingError
from harness_plugins.llm.local.chat import Chat
from harness_plugins.llm.local.compute import Computer, common_prefix
from harness_plugins.llm.local.files import dtype_name
from harness_plugins.llm.local.jobs import Job, jobs_of
from harness_plugins.llm.local.model import LocalModel, normalised
from tests.tiny_models import SENTENCES, tokenizer, write_model

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
            prompt = chat.prompts([text])[0]
            answers = [chat.answer(text, choice) for choice in CHOICES]
            for start in range(0, len(answers), pairs):
                some = answers[start : start + pairs]
                rows += [computer.score_plainly([prompt], some)[0]]
        scores = np.concatenate(rows).reshape(len(calls), len(CHOICES))
        return np.array([normalised(row) for row in scores])

    return score


def llama_rates(count: int, few: int, *, small: bool = False) -> dict[str, float]:
    """What the harness's way reaches with a Llama of 1B random weights, by name and unit.

    Args:
        count: texts.
        few: texts for which each label gets a full pass.
        small: a small Llama.
    """
    import torch

    from harness.cli.inspect.device import matrix_rate

    model, computer = llama(small=small)
    calls = [Call("transformers", "m", chat, choices=CHOICES) for chat in prompts(count + 64)]

    def seconds(work: Callable[[], object]) -> float:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    def send(some: Sequence[Call]) -> None:
        model.send(some, lambda index: None, lambda index, reply: None)

    assert computer.shares  # else each label gets a full pass
    send(calls[:64])  # loads kernels
    took = seconds(lambda: send(calls[64:]))
    jobs: list[Job] = []
    reading = seconds(lambda: jobs.extend(read(model, calls[64:])))
    tokens, flop = work_of(jobs, computer)
    found = {"texts/s": count / took, "computed tokens/s": tokens / took}
    found["% of the time to read chats"] = 100 * reading / took
    if torch.cuda.is_available():
        found["TFLOP/s"] = flop / took / 1e12
        found["% of the matrix rate"] = 100 * flop / took / matrix_rate()
        found["GiB"] = torch.cuda.max_memory_allocated() / 2**30
    own = [job.prompts[0] for job in jobs[:few]]
    plain = seconds(lambda: [computer.score_plainly([one], jobs[0].answers) for one in own])
    return {**found, "texts/s with a full pass for each label": few / plain}


def llama(*, small: bool) -> tuple[LocalModel, Computer]:
    """A model that is loaded already."""
    import torch
    from transformers import AutoModelForCausalLM, LlamaConfig

    words = tokenizer()
    shape = {"hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16}
    shape |= {"num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 128_256}
    if small:
        shape |= {"hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 2}
        shape |= {"vocab_size": len(words)}
    config = LlamaConfig(**shape, max_position_embeddings=8192, eos_token_id=2)
    torch.manual_seed(0)
    with torch.device(device()):
        network = AutoModelForCausalLM.from_config(config, dtype=getattr(torch, dtype_name()))
    model, computer = LocalModel("random"), Computer(network.eval(), 0, [2])
    model.__dict__["loaded"] = (Chat(words), computer, words)
    return model, computer


def read(model: LocalModel, calls: list[Call]) -> Iterator[Job]:
    """The calls as token ids."""
    chat, computer, _ = model.loaded
    for _, job in jobs_of(calls, chat, computer.context):
        assert isinstance(job, Job)
        yield job


def work_of(jobs: list[Job], computer: Computer) -> tuple[int, float]:
    """Tokens that have to be computed, and the FLOP of their products with weights."""
    lead = len(common_prefix([job.prompts[0] for job in jobs]))
    fed = sum(len(answer) - 1 for answer in jobs[0].answers)
    tokens = lead + sum(len(job.prompts[0]) - lead + fed for job in jobs)
    head = computer.network.get_output_embeddings().weight.numel()
    words = computer.network.get_input_embeddings().weight.numel()
    weights = sum(own.numel() for own in computer.network.model.parameters()) - words
    return tokens, 2.0 * weights * tokens + 2.0 * head * len(jobs) * (1 + fed)


def main() -> None:
    """Print texts a second of each way, and how far the scores differ."""
    import torch

    numbers = [int(one) for one in sys.argv[1:] if one != "--llama"]
    if "--llama" in sys.argv:
        for what, value in llama_rates(numbers[0] if numbers else 8192, 48).items():
            print(f"{value:12,.1f} {what}")
        return
    torch.set_num_threads(1)
    count = numbers[0] if numbers else 60
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
