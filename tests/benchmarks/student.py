"""Examples per second of robust training, beside a plain loop that does what the reference does.

    python -m tests.benchmarks.student --data DIR [--examples 320] [--epochs 2] [--repeat 2]
        [--shape minilm|roberta] [--compiled] [--processes 2]

Both train the ``paper`` preset's loss (clean cross-entropy, mixup, cross-entropy on variants,
consistency) on MR with GPT-3.5's recorded labels and back-translations: the same encoder,
batch size and terms, the mixture in use from the second epoch. The plain loop pads every text
to 128 pieces, takes two forward passes, computes in float32 with the library's default
attention, and rescores a deep copy of the model with a full pass at the start of each epoch.
First printed: both losses of one batch, without dropout and in float32. ``--shape roberta``
takes random weights of roberta-base's sizes; with an NVIDIA GPU tokens per second and the
share of the card's measured matrix rate are printed, too. ``--compiled`` also times ours with the
encoder through ``torch.compile``, with and without the time to compile; ``--processes`` ours in
so many processes, their start included.
"""

from __future__ import annotations

import argparse
import copy
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy, kl_div, log_softmax, one_hot, softmax
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel

from harness.data import Annotations, IntArray, Pool
from harness.plugin_manager import Plugins
from harness.protocols import Aids, AnnotatorRequest, AugmenterRequest, no_progress
from harness.run.assembly import load_task
from harness.run.splits import load_splits
from harness.specs import parse_spec
from harness_plugins.encoders import device, packaged_folder
from harness_plugins.students.encoder import device as computing
from harness_plugins.students.encoder.heads import EPSILON, mean_pooled
from harness_plugins.students.encoder.pieces import make_pieces
from harness_plugins.students.encoder.student import EncoderStudent
from harness_plugins.students.noise.mixture import clean_by_mixture
from harness_plugins.students.presets import settings_of
from harness_plugins.students.settings import EncoderKeys, Settings
from harness_plugins.students.sources import Source, packaged
from harness_plugins.students.training.batches import upload
from harness_plugins.students.training.epochs import Trainer
from harness_plugins.students.training.training_data import Plan, TrainingData

PADDED = 128
RESCORED = 32
CLASSES = ("negative", "positive")
ROBERTA_BASE = BertConfig(
    vocab_size=50265,
    hidden_size=768,
    num_hidden_layers=12,
    num_attention_heads=12,
    intermediate_size=3072,
    max_position_embeddings=514,
)


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """MR with its recorded labels and variants."""

    pool: Pool
    said: Annotations
    variants: Pool


def material(data: Path, examples: int) -> Material:
    plugins = Plugins(third_party=False)
    task = load_task("mr", plugins, data)
    pool = load_splits(task, inductive=False, limit=examples, seed=0).train.pool
    file = data / "mr" / "train_gpt35.jsonl"
    replay = plugins.part("annotator", "replay").factory(
        AnnotatorRequest(parse_spec(f"replay:{file}"), task.card, None, 0)
    )
    recorded = plugins.part("augmenter", "recorded").factory(
        AugmenterRequest(parse_spec(f"recorded:{file}"), task.card)
    )
    said = replay.annotate(pool, None, no_progress)
    rows = np.flatnonzero(said.answered)
    variants = recorded.augment(pool, None, 0, no_progress).pool
    return Material(pool.take(rows), said.take(rows), variants.take(rows))


class PlainLoop:
    """What the reference does, with the same encoder and head."""

    def __init__(self, folder: Path, made: Material, settings: Settings) -> None:
        self.settings, self.said = settings, made.said
        self.device = device()
        self.encoder = AutoModel.from_pretrained(folder, dtype=torch.float32).to(self.device)
        self.head = torch.nn.Linear(self.encoder.config.hidden_size, 2).to(self.device)
        tokenizer = AutoTokenizer.from_pretrained(folder)
        self.texts, self.varied = (
            tokenizer(
                list(pool.texts),
                truncation=True,
                padding="max_length",
                max_length=PADDED,
                return_tensors="pt",
            )
            for pool in (made.pool, made.variants)
        )
        self.parameters = [*self.encoder.parameters(), *self.head.parameters()]
        self.optimizer = torch.optim.AdamW(self.parameters, lr=3e-5, weight_decay=0.01)
        self.clean = np.ones(len(made.pool), dtype=np.bool_)
        self.rng = np.random.default_rng(0)

    def features(self, words: Any, rows: Any, encoder: Any) -> torch.Tensor:
        ids = words["input_ids"][rows].to(self.device)
        mask = words["attention_mask"][rows].to(self.device)
        hidden = encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        pooled = mean_pooled(hidden, mask)
        normalised = torch.nn.functional.layer_norm(pooled, pooled.shape[-1:], eps=EPSILON)
        return torch.nn.functional.dropout(normalised, 0.1, training=encoder.training)

    def loss(self, rows: IntArray, ramp: float, share: float, order: IntArray) -> torch.Tensor:
        at = torch.from_numpy(rows)
        own = self.features(self.texts, at, self.encoder)
        varied = self.features(self.varied, at, self.encoder)
        z, z_varied = self.head(own), self.head(varied)
        labels = torch.from_numpy(self.said.labels[rows].astype(np.int64)).to(self.device)
        clean = torch.from_numpy(np.flatnonzero(self.clean[rows])).to(self.device)
        rest = torch.from_numpy(np.flatnonzero(~self.clean[rows])).to(self.device)
        targets = one_hot(labels[clean], 2).float()
        partner = torch.from_numpy(order).to(self.device)
        mixed = share * own[clean] + (1 - share) * own[clean][partner]
        wanted = share * targets + (1 - share) * targets[partner]
        total = cross_entropy(z[clean], labels[clean])
        total = total + ramp * cross_entropy(self.head(mixed), wanted)
        total = total + ramp * cross_entropy(z_varied[clean], labels[clean])
        temperature = self.settings.temperature
        for fixed, moving in ((z_varied, z), (z, z_varied)):
            goal = softmax(fixed[rest].detach(), 1)
            said = log_softmax(moving[rest] / temperature, 1)
            total = total + ramp * 0.5 * kl_div(said, goal, reduction="sum")
        return total

    def run(self, epochs: int) -> None:
        size = self.settings.batch_size
        for epoch in range(epochs):
            if epoch >= self.settings.warmup_epochs:
                self.clean = self.rescored()
            self.encoder.train()
            order = self.rng.permutation(len(self.clean))
            for start in range(0, len(order), size):
                rows = order[start : start + size]
                share = float(self.rng.beta(4, 4))
                partners = self.rng.permutation(int(self.clean[rows].sum()))
                ramp = min((epoch + start / len(order)) / 10, 1)
                self.loss(rows, ramp, max(share, 1 - share), partners).backward()  # type: ignore[no-untyped-call]
                torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
                self.optimizer.step()
                self.optimizer.zero_grad()

    def rescored(self) -> Any:
        encoder = copy.deepcopy(self.encoder).eval()
        losses = []
        with torch.no_grad():
            for start in range(0, len(self.clean), RESCORED):
                rows = torch.arange(start, min(start + RESCORED, len(self.clean)))
                labels = torch.from_numpy(self.said.labels[rows.numpy()].astype(np.int64))
                found = self.head(self.features(self.texts, rows, encoder))
                losses.append(cross_entropy(found, labels.to(self.device), reduction="none").cpu())
        return clean_by_mixture(torch.cat(losses).numpy(), 0.7, 0)


def trainer(folder: Path, made: Material, settings: Settings) -> Trainer:
    """Ours."""
    torch.manual_seed(0)
    student = EncoderStudent(
        Source(folder, folder.name, tuned_for_mean=True), "sequence", CLASSES, settings
    )
    fitted = student.load(folder)
    pieces = make_pieces(made.pool, fitted.tokenizer, settings.max_length, made.variants)
    data: TrainingData = TrainingData.of(made.pool, made.said, pieces[0], pieces[1], settings)
    return Trainer(fitted.model, Plan(data, settings, fitted.pad, seed=0), note=print)


@contextmanager
def in_float32() -> Iterator[None]:
    """Without bfloat16, to compare losses."""
    was = computing.bf16_pays
    computing.bf16_pays = lambda: False
    try:
        yield
    finally:
        computing.bf16_pays = was


def equal_losses(folder: Path, made: Material, settings: Settings) -> tuple[float, float]:
    """The loss of one batch, half of it clean: ours and the plain loop's."""
    ours, plain = trainer(folder, made, settings), PlainLoop(folder, made, settings)
    own = ours.model.base_model.state_dict()
    assert not plain.encoder.load_state_dict(own, strict=False).unexpected_keys  # it has a pooler
    plain.head.load_state_dict(ours.model.classifier.state_dict())
    ours.model.eval()
    plain.encoder.eval()
    rows = np.arange(32)
    plain.clean = clean = np.arange(len(made.pool)) % 2 == 0
    ours.loss.set_clean(clean)

    class Fixed(np.random.Generator):
        """Draws the same order for both."""

        def permutation(self, count: Any, axis: int = 0) -> Any:
            return np.arange(count)[::-1].copy()

    drawn = ours.drawing.batch(rows, clean, 0, 1, ours.rng)
    whole = drawn.totals._replace(consistent=1.0, ramp=0.7, share=0.8)
    backwards = Fixed(np.random.PCG64(0))
    drawn = ours.drawing.partnered(replace(drawn, totals=whole), clean, 1, backwards)
    with in_float32(), torch.no_grad():
        one = ours.loss(upload([drawn], ours.device)[0])
        other = plain.loss(rows, 0.7, 0.8, np.arange(16)[::-1].copy())
    return one.item(), other.item()


def matrix_rate() -> float:
    """Products of large bfloat16 matrices on the GPU, FLOP/s."""
    left, right = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    for _ in range(3):
        left @ right
    torch.cuda.synchronize()
    began = perf_counter()
    for _ in range(20):
        left @ right
    torch.cuda.synchronize()
    return 20 * 2 * 8192**3 / (perf_counter() - began)


def timed(work: Any) -> float:
    began = perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return perf_counter() - began


def show_gpu(one: Trainer, seconds: float, epochs: int) -> None:
    """Tokens per second, and the share of the card's rate (6 FLOP a weight and token)."""
    tokens = epochs * int(one.data.pieces.ids.size + one.data.variants.ids.size)
    words = one.model.base_model.get_input_embeddings().weight
    weights = sum(own.numel() for own in one.model.parameters()) - words.numel()
    share = 6 * weights * tokens / seconds / matrix_rate()
    print(f"ours: {tokens / seconds:,.0f} tokens/s, {100 * share:.1f} % of the matrix rate")


def show_compiled(one: Trainer, looked: int) -> None:
    """Ours with a compiled encoder: with its compilation, and again without."""
    one.model.base_model.compile(dynamic=True)
    for what in ("compiled, first time", "compiled, again"):
        one.step = 0
        print(f"{what}: {looked / timed(lambda: one.run(no_progress)):.1f}", flush=True)


def show_together(folder: Path, made: Material, settings: Settings, looked: int) -> None:
    """Ours in several processes, and in one, as a student's ``fit`` runs them."""
    for processes in (settings.processes, 1):
        chosen = replace(settings, processes=processes)
        student = EncoderStudent(
            Source(folder, folder.name, tuned_for_mean=True), "sequence", CLASSES, chosen
        )
        aids = Aids(variants=made.variants)
        took = timed(lambda: student.fit(made.pool, made.said, 0, no_progress, aids))  # noqa: B023
        print(f"fit in {processes} processes: {looked / took:.1f}", flush=True)


def folder_of(shape: str, room: Path) -> Path:
    """The packaged encoder, or one of roberta-base's sizes with random weights."""
    if shape == "minilm":
        return packaged_folder()
    torch.manual_seed(0)
    BertModel(ROBERTA_BASE).save_pretrained(room)
    AutoTokenizer.from_pretrained(packaged_folder()).save_pretrained(room)
    return room


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--examples", type=int, default=320)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--shape", choices=["minilm", "roberta"], default="minilm")
    parser.add_argument("--compiled", action="store_true")
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args()
    made = material(options.data, options.examples)
    chosen = EncoderKeys(preset="paper", epochs=options.epochs, warmup_epochs=1, head="mean")
    settings = replace(settings_of(chosen, "sequence", packaged()))
    with tempfile.TemporaryDirectory() as room:
        folder = folder_of(options.shape, Path(room))
        ours, plain = equal_losses(folder, made, settings)
        print(f"loss of one batch: ours {ours:.6f}, plain loop {plain:.6f}", flush=True)
        looked = options.epochs * len(made.pool)
        for _ in range(options.repeat):
            one, other = trainer(folder, made, settings), PlainLoop(folder, made, settings)
            fast = timed(lambda one=one: one.run(no_progress))
            slow = timed(lambda other=other: other.run(options.epochs))
            print(
                f"examples/s: ours {looked / fast:.1f}, plain loop {looked / slow:.1f}; "
                f"{slow / fast:.1f} times",
                flush=True,
            )
            if torch.cuda.is_available():
                show_gpu(one, fast, options.epochs)
        if options.compiled:
            show_compiled(trainer(folder, made, settings), looked)
        if options.processes > 1:
            show_together(folder, made, replace(settings, processes=options.processes), looked)


if __name__ == "__main__":
    main()
