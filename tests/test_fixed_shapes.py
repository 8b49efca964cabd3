"""Batches of fixed shapes: the loss of the real units alone, few shapes, nothing that waits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import masking_utils

from harness.data import Annotations, BoolArray, IntArray, Pool, take_units
from harness.protocols import no_progress
from harness_plugins import bert
from harness_plugins.lengths import fixed_length, fixed_lengths
from harness_plugins.students.encoder import device
from harness_plugins.students.encoder.pieces import Pieces, make_pieces
from harness_plugins.students.presets import settings_of
from harness_plugins.students.settings import PRESETS, EncoderKeys, Settings
from harness_plugins.students.sources import Source
from harness_plugins.students.training import terms
from harness_plugins.students.training.batches import Batch, Drawn, Totals, upload
from harness_plugins.students.training.epochs import Trainer
from harness_plugins.students.training.graphs import Graphs
from harness_plugins.students.training.training_data import Plan, TrainingData
from tests.test_training import EVERYTHING, labels_of, student
from tests.tiny_encoders import WORDS, write_bert, write_roberta


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("shapes")
    return {"bert": write_bert(root / "bert"), "roberta": write_roberta(root / "roberta")}


@pytest.fixture(autouse=True)
def in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "bf16_pays", lambda: False)


def pool_of(kind: Any, count: int, longest: int = 20, seed: int = 0) -> Pool:
    rng = np.random.default_rng(seed)
    words = [tuple(rng.choice(WORDS, rng.integers(2, longest))) for _ in range(count)]
    rows = words if kind == "token" else [" ".join(one) for one in words]
    return Pool(kind, "train", [f"train:{i}" for i in range(count)], rows)


def varied(pool: Pool) -> Pool:
    """Variants with more pieces, at other places."""
    if pool.kind == "token":
        rows: Any = [tuple(f"{word}s" for word in one) for one in pool.tokens]
    else:
        rows = [f"cold {text} water" for text in pool.texts]
    return Pool(pool.kind, "train", pool.ids, rows)


def made(
    folder: Path, kind: Any, settings: Settings, *, fixed: bool, count: int = 21, longest: int = 20
) -> Trainer:
    """A trainer without dropout, on an annotator that is unsure and abstains now and then."""
    torch.manual_seed(0)
    pool = pool_of(kind, count, longest)
    confidence = np.random.default_rng(5).uniform(0.5, 1, count).astype(np.float32)
    said = Annotations.of(labels_of(pool).labels, pool.offsets, confidence=confidence)
    fitted = student(folder, settings, kind).load(folder)
    for module in fitted.model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    pieces, variants = make_pieces(pool, fitted.tokenizer, settings.max_length, varied(pool))
    data = TrainingData.of(pool, said, pieces, variants, settings)
    data.labels[::7] = -1
    plan = Plan(data, settings, fitted.pad, seed=0, adjusted=settings.transition)
    return Trainer(fitted.model, plan, fixed=fixed)


def parted(one: Trainer, drawn: Drawn) -> Batch:
    """A batch on the device, with the partners of ``plain_loss``."""
    drawn = one.drawing.partnered(drawn, one.clean, 1, np.random.default_rng(9))
    return upload([drawn], one.device)[0]


def as_on_a_gpu(batch: Batch) -> Totals[Any]:
    """The numbers of a step as tensors; the optimiser of a CPU takes no tensor."""
    return Totals(*batch.totals.unbind())._replace(rate=batch.drawn.totals.rate)


def padded(pieces: Pieces, rows: IntArray, pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Input ids and attention mask, int64 ``[rows, longest]``."""
    flat, offsets = take_units(pieces.ids, pieces.starts, rows)
    mask = np.arange(np.diff(offsets).max()) < np.diff(offsets)[:, None]
    ids = np.full(mask.shape, pad, dtype=np.int64)
    ids[mask] = flat
    return torch.from_numpy(ids), torch.from_numpy(mask.astype(np.int64))


def plain_loss(one: Trainer, rows: IntArray, clean: BoolArray, share: float, ramp: float) -> float:
    """The loss as the paper writes it: subsets of clean units and of the rest, padded to the
    longest; partners drawn among the clean ones."""
    data, settings, model = one.data, one.settings, one.model
    units = data.pieces.units_of(rows)
    found = []
    for pieces in (data.pieces, data.variants):
        ids, mask = padded(pieces, rows, one._pad)
        row, place = (torch.from_numpy(of) for of in pieces.at(rows))
        features, _ = model.features(ids, mask, (row, place))
        found.append((features, model.logits(features)))
    (features, own), (_, other) = found
    kept = torch.from_numpy(np.flatnonzero(clean[units]))
    rest = torch.from_numpy(np.flatnonzero(~clean[units]))
    if settings.consistency_over == "all":
        rest = torch.arange(len(units))
    labels = torch.from_numpy(np.maximum(data.labels[units], 0))[kept]
    targets = torch.nn.functional.one_hot(labels, model.config.num_labels).float()
    weights = torch.from_numpy(data.weights[units])[kept]

    def supervised(logits: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        losses = terms.cross_entropy(logits + shares, wanted)
        return (weights * losses).sum() / max(1, len(kept))

    counts = np.bincount(data.labels[clean], minlength=targets.shape[1])
    shares = torch.log(torch.from_numpy(np.where(counts, counts / counts.sum(), 1.0)))
    shares = shares.float() if settings.transition else torch.zeros(len(counts))
    mates = torch.from_numpy(np.random.default_rng(9).permutation(len(kept)))
    mixed = share * features[kept] + (1 - share) * features[kept][mates]
    wanted = share * targets + (1 - share) * targets[mates]
    total = supervised(own[kept], targets)
    if settings.mixup:
        total = total + ramp * settings.mixup * supervised(model.logits(mixed), wanted)
    total = total + ramp * settings.augmented * supervised(other[kept], targets)
    distance = terms.consistency(own[rest], other[rest], settings.temperature).sum()
    if settings.consistency_reduction == "mean":
        distance = distance / max(1, len(rest))
    return float(total + ramp * settings.consistency * distance)


@pytest.mark.parametrize("kind", ["sequence", "token"])
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("more", [{}, {"consistency_over": "all", "consistency_reduction": "mean"}])
def test_the_loss_of_a_fixed_batch_is_the_plain_one(
    folders: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    kind: Any,
    preset: str,
    more: dict[str, Any],
) -> None:
    encoder, head = ("roberta", "cls") if preset == "paper" else ("bert", "mean")
    source = Source(folders[encoder], encoder, tuned_for_mean=head == "mean")
    keys = EncoderKeys(preset=preset, clean="mixture", consistency=0.8, batch_size=8, **more)
    settings = settings_of(keys, kind, source, augmented=True)
    rng = np.random.default_rng(2)
    for fixed in (False, True):
        if fixed:
            monkeypatch.setattr(Batch, "numbers", property(as_on_a_gpu))
        one = made(folders[encoder], kind, settings, fixed=fixed)
        for count in (8, 5):
            rows = rng.permutation(len(one.data.pieces))[:count]
            one.clean = one.data.answered & (rng.random(len(one.data.labels)) < 0.6)
            one.loss.set_clean(one.clean)
            drawn = one.drawing.batch(rows, one.clean, 0, 1, rng)
            totals = drawn.totals._replace(ramp=0.6, share=0.7)
            with torch.no_grad():
                found = one.loss(parted(one, replace(drawn, totals=totals)))
                wanted = plain_loss(one, rows, one.clean, 0.7, 0.6)
            assert found.item() == pytest.approx(wanted, rel=2e-5)


def test_few_shapes_in_a_whole_run(folders: dict[str, Path]) -> None:
    """Texts of 4 to 90 pieces; the last batch of an epoch is filled up."""
    settings = replace(EVERYTHING, max_length=128, batch_size=4)
    sizes: dict[bool, set[int]] = {False: set(), True: set()}
    for fixed, seen in sizes.items():
        one = made(folders["bert"], "sequence", settings, fixed=fixed, count=90, longest=88)
        take = one.take_step

        def watched(batch: Batch, seen: set[int] = seen, take: Any = take) -> None:
            seen.add(len(batch.rows))
            take(batch)

        one.take_step = watched  # type: ignore[method-assign]
        told: list[tuple[int, int]] = []
        one.run(lambda *done, told=told: told.append(done))  # type: ignore[misc]
        assert told[-1] == (180, 180)
        lengths = {length for length, _ in one.shapes}
        assert (lengths <= set(fixed_lengths(128)) and len(one.shapes) <= 8) is fixed
    assert sizes == {False: {4, 2}, True: {4}}


def test_fillers_and_padding_change_no_step(folders: dict[str, Path]) -> None:
    """Without dropout a whole run in fixed shapes, in parts too, ends at the same weights."""
    for kind in ("sequence", "token"):
        ends = []
        for fixed in (False, True):
            one = made(folders["bert"], kind, EVERYTHING, fixed=fixed)
            one.run(no_progress)
            ends.append(torch.cat([own.detach().ravel() for own in one.model.parameters()]))
        torch.testing.assert_close(*ends, atol=2e-5, rtol=1e-3)


class NothingRead(TorchDispatchMode):
    """Raises where a value is read, or decides a shape, or is made of a number of Python's."""

    WAITING = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "lift_fresh", "equal")

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = str(func).removeprefix("aten.").partition(".")[0]
        if name in self.WAITING:
            raise AssertionError(f"a step waits for the device: {func}")
        if name in ("index", "index_put_", "index_put"):
            assert all(one is None or one.dtype != torch.bool for one in args[1]), func
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("kind", ["sequence", "token"])
@pytest.mark.parametrize("encoder", ["bert", "roberta"])
def test_a_step_uploads_nothing_and_reads_nothing(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch, kind: Any, encoder: str
) -> None:
    monkeypatch.setattr(Batch, "numbers", property(as_on_a_gpu))
    one = made(folders[encoder], kind, EVERYTHING, fixed=True)
    batches = [one.batch(np.arange(start, start + 8)) for start in (0, 8)]
    one.take_step(batches[0])  # makes what stays
    before = [own.detach().clone() for own in one.model.parameters()]
    # On a GPU, and while a graph is captured, nobody looks whether a batch has padding.
    monkeypatch.setattr(bert, "_all_there", lambda _: False)
    monkeypatch.setattr(masking_utils, "is_tracing", lambda *_: True)
    for maker in ("tensor", "from_numpy"):
        monkeypatch.setattr(torch, maker, lambda *_, **__: pytest.fail("a step uploads"))
    with NothingRead():
        one.take_step(batches[1])
    monkeypatch.undo()
    now = one.model.parameters()
    assert any(not torch.equal(own, was) for own, was in zip(now, before, strict=True))
    with pytest.raises(AssertionError, match="_local_scalar_dense"), NothingRead():
        one.last_loss.item()


def test_progress_waits_for_the_device_once_a_second(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = made(folders["bert"], "sequence", replace(EVERYTHING, clean="all"), fixed=True)
    clock: Iterator[float] = iter(np.arange(0, 1000, 0.3))
    read: list[int] = []

    class Loss:
        def item(self) -> float:
            read.append(one.step)
            return 0.0

        def zero_(self) -> None: ...

        def add_(self, more: Any) -> None: ...

    one.last_loss = Loss()  # type: ignore[assignment]
    monkeypatch.setattr(
        "harness_plugins.students.training.epochs.time.monotonic", lambda: next(clock)
    )
    one._waited = 0.0
    one.run(no_progress)
    assert one.step == 6 and 0 < len(read) <= 3


def test_training_goes_on_where_no_graph_can_be_captured(folders: dict[str, Path]) -> None:
    """As on this computer, if it has no GPU: one note, and the same weights."""
    if torch.cuda.is_available():
        return
    ends = []
    notes: list[str] = []
    for graphs in (False, True):
        one = made(folders["bert"], "sequence", EVERYTHING, fixed=True)
        if graphs:
            one._graphs = Graphs(one._take, one._take_first, notes.append)
        one.run(no_progress)
        ends.append(torch.cat([own.detach().ravel() for own in one.model.parameters()]))
    assert torch.equal(*ends)
    assert len(notes) == 1 and "CUDA graph" in notes[0] and "student.graphs=false" in notes[0]


@pytest.mark.parametrize("maximum", [8, 16, 20, 100, 128, 256, 512, 8192])
def test_lengths(maximum: int) -> None:
    found = fixed_lengths(maximum)
    assert len(found) <= 8 and found[-1] == maximum and list(found) == sorted(set(found))
    for pieces in range(1, maximum + 1, 7):
        assert fixed_length(pieces, maximum) == min(one for one in found if one >= pieces)
    assert fixed_length(maximum + 1, maximum) == maximum
