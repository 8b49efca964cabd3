"""Training of encoders: what a batch without clean rows does, memory, kills, tokens, the paper."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from harness.data import Annotations, Pool
from harness.errors import CommandError, PartError
from harness.identity import digest
from harness.iob2 import first_invalid
from harness.protocols import Aids, no_progress
from harness.record.codecs import read_views, write_views
from harness_plugins.encoders import bf16_pays
from harness_plugins.students.checking import check_used
from harness_plugins.students.encoder.heads import Standard, load_classifier
from harness_plugins.students.encoder.pieces import epoch_batches, make_pieces
from harness_plugins.students.encoder.student import EncoderStudent
from harness_plugins.students.noise.auto_clean import resolve_auto
from harness_plugins.students.noise.estimate import WrongLabels
from harness_plugins.students.presets import settings_of
from harness_plugins.students.settings import EncoderKeys, Settings
from harness_plugins.students.sources import Source, packaged
from harness_plugins.students.training import batches, checkpoints
from harness_plugins.students.training.checkpoints import Checkpoints
from harness_plugins.students.training.epochs import Trainer
from harness_plugins.students.training.training_data import Plan, TrainingData
from tests.tiny_encoders import WORDS, write_bert, write_roberta

EVERYTHING = Settings(
    epochs=2,
    batch_size=8,
    learning_rate=1e-3,
    head="cls",
    warmup_epochs=1,
    ramp_epochs=0,
    clean="mixture",
    mixup=1.0,
    augmented=1.0,
    consistency=1.0,
    ema=0.9,
)
"""Every term at once."""


@pytest.fixture(scope="session")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of two tiny encoders with random weights."""
    root = tmp_path_factory.mktemp("encoders")
    return {"bert": write_bert(root / "bert"), "roberta": write_roberta(root / "roberta")}


def texts(count: int, seed: int = 0) -> Pool:
    rng = np.random.default_rng(seed)
    made = [" ".join(rng.choice(WORDS, rng.integers(3, 12))) for _ in range(count)]
    return Pool("sequence", "train", [f"train:{i}" for i in range(count)], made)


def sentences(count: int, longest: int = 12) -> Pool:
    rng = np.random.default_rng(1)
    made = [tuple(rng.choice(WORDS, rng.integers(3, longest))) for _ in range(count)]
    return Pool("token", "train", [f"train:{i}" for i in range(count)], made)


def labels_of(pool: Pool, classes: int = 2, seed: int = 0) -> Annotations:
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=int(pool.offsets[-1]))
    if pool.kind == "token":  # B- of the only type, or O: always valid
        labels = (labels == 1).astype(np.int64)
    return Annotations.of(labels, pool.offsets)


def student(folder: Path, settings: Settings, kind: str = "sequence") -> EncoderStudent:
    classes = ("no", "yes") if kind == "sequence" else ("O", "B-X", "I-X")
    return EncoderStudent(Source(folder, folder.name), kind, classes, settings)  # type: ignore[arg-type]


def trainer(folder: Path, pool: Pool, said: Annotations, settings: Settings) -> Trainer:
    """A trainer without dropout, so that two losses can be compared."""
    torch.manual_seed(0)
    fitted = student(folder, settings, pool.kind).load(folder)
    for module in fitted.model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    (pieces,) = make_pieces(pool, fitted.tokenizer, settings.max_length)
    data = TrainingData.of(pool, said, pieces, pieces, settings)
    return Trainer(fitted.model, Plan(data, settings, fitted.pad, seed=0))


def gradients(one: Trainer) -> list[np.ndarray[Any, Any]]:
    return [np.array(own.grad.numpy()) for own in one.model.parameters() if own.grad is not None]


@pytest.mark.parametrize("kind", ["sequence", "token"])
@pytest.mark.parametrize("head", ["cls", "mean"])
def test_every_term_trains_and_the_numbers_stay_finite(
    encoders: dict[str, Path], kind: str, head: str
) -> None:
    pool = texts(40) if kind == "sequence" else sentences(40)
    settings = replace(EVERYTHING, head=head)
    fitted = student(encoders["bert"], settings, kind).fit(
        pool, labels_of(pool), 0, no_progress, Aids()
    )
    view = fitted.view(pool, no_progress)
    assert np.isfinite(view.log_probabilities).all() and np.isfinite(view.embeddings).all()
    assert kind == "sequence" or first_invalid(view.predictions, view.offsets) is None


@pytest.mark.parametrize("kind", ["sequence", "token"])
def test_a_student_tells_which_labels_it_took_for_right(
    encoders: dict[str, Path], tmp_path: Path, kind: str
) -> None:
    pool = texts(40) if kind == "sequence" else sentences(40)
    labels = labels_of(pool).labels.copy()
    silent = np.arange(len(labels)) < pool.offsets[7]
    labels[silent] = -1
    named: list[tuple[int, ...]] = [()] * 40
    if kind == "sequence":  # a row for each of two labels: training reads more rows than the pool
        named[3] = (1, 0)
        silent[3] = False
    said = replace(Annotations.of(labels, pool.offsets), candidates=tuple(named))
    fitted = student(encoders["bert"], EVERYTHING, kind).fit(pool, said, 0, no_progress, Aids())
    clean = fitted.clean_labels(pool)
    assert fitted.clean_labels(pool.take(np.arange(40)[::-1])) is None  # trained on another one
    assert clean is not None and clean.shape == labels.shape and not clean[silent].any()
    view = fitted.view(pool, no_progress)
    losses, answered = view.losses(said), labels >= 0
    assert losses[clean & answered].mean() < losses[answered & ~clean].mean()
    told = replace(view, clean=clean)
    write_views(tmp_path / "view", {"train": told}, 1.0)
    assert np.array_equal(read_views(tmp_path / "view")[0]["train"].clean, clean)
    assert digest(told) == digest(view)  # no later step depends on it
    plain = replace(EVERYTHING, clean="all", epochs=1)
    fitted = student(encoders["bert"], plain, kind).fit(pool, said, 0, no_progress, Aids())
    assert fitted.clean_labels(pool) is None


def test_a_batch_without_a_clean_row_has_a_finite_loss(encoders: dict[str, Path]) -> None:
    pool = texts(8)
    one = trainer(encoders["bert"], pool, labels_of(pool), EVERYTHING)
    one.clean = np.zeros(8, dtype=np.bool_)
    one.loss.set_clean(one.clean)
    loss = one.loss(one.batch(np.arange(8)))
    loss.backward()
    assert torch.isfinite(loss)
    assert all(np.isfinite(own).all() for own in gradients(one))


@pytest.mark.parametrize("kind", ["sequence", "token"])
def test_abstentions_take_part_in_no_loss(encoders: dict[str, Path], kind: str) -> None:
    """The loss of a batch with an unanswered example is that of the batch without it."""
    pool = texts(6) if kind == "sequence" else sentences(6)
    said = labels_of(pool)
    first = slice(*pool.offsets[:2])
    labels = said.labels.copy()
    labels[first] = -1
    settings = replace(EVERYTHING, mixup=0.0, consistency=0.0)
    with_it = trainer(encoders["bert"], pool, Annotations.of(labels, pool.offsets), settings)
    rows = np.arange(1, 6)
    without = trainer(encoders["bert"], pool.take(rows), said.take(rows), settings)
    losses = [
        one.loss(one.batch(all_rows)).item()
        for one, all_rows in ((with_it, np.arange(6)), (without, np.arange(5)))
    ]
    assert losses[0] == pytest.approx(losses[1], rel=2e-3)
    other = labels.copy()
    other[first] = -1
    assert with_it.data.answered.sum() == len(labels) - (first.stop - first.start)


PROGRAMS = """
import ctypes
import torch
import harness_plugins.encoders

class Heap(ctypes.Structure):  # mallinfo2: bytes in use are the eighth number
    _fields_ = [(str(number), ctypes.c_size_t) for number in range(10)]

in_use = ctypes.CDLL(None).mallinfo2
in_use.restype = Heap
layer = torch.nn.Linear(384, 1536)
for rows in range(320, 1280, 16):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        layer(torch.randn(rows, 384, requires_grad=True)).sum().backward()
    layer.zero_grad()
    if rows == 640:
        before = getattr(in_use(), "7")
print((getattr(in_use(), "7") - before) / 2**20)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="another C library")
@pytest.mark.skipif(not bf16_pays(), reason="products are not oneDNN's")
def test_batches_of_ever_new_shapes_take_no_more_memory() -> None:
    command = [sys.executable, "-c", PROGRAMS]
    grown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert float(grown) < 8  # MiB; 69 without the two limits, 32 without torch's


def test_less_memory_gives_the_same_gradient_in_parts(
    encoders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = texts(24)
    settings = replace(EVERYTHING, mixup=0.0, batch_size=24)
    monkeypatch.setattr(batches, "PIECES", 10_000)  # no parts but for want of memory
    rows = np.arange(24)
    whole, parts = (trainer(encoders["bert"], pool, labels_of(pool), settings) for _ in range(2))
    whole.backward(whole.batch(rows))
    seen: list[int] = []
    features = parts.model.features

    def small(ids: torch.Tensor, mask: torch.Tensor, at: Any) -> Any:
        seen.append(len(ids))
        if len(ids) > 14:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return features(ids, mask, at)

    monkeypatch.setattr(parts.model, "features", small)
    parts.backward(parts.batch(rows))
    assert max(seen) == 48 and sum(size for size in seen if size <= 14) == 48
    for one, other in zip(gradients(whole), gradients(parts), strict=True):
        np.testing.assert_allclose(one, other, atol=5e-3)
    monkeypatch.setattr(
        parts.model, "features", lambda *_: (_ for _ in ()).throw(torch.OutOfMemoryError())
    )
    with pytest.raises(PartError, match="no memory to train on one text"):
        parts.backward(parts.batch(rows))


def test_a_killed_training_goes_on_at_its_last_epoch(
    encoders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped after an epoch and begun again it gives the same bytes, and trains only the rest."""
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
    settings = replace(EVERYTHING, epochs=4, transition=True, head="mean")
    pool = texts(48)
    said = labels_of(pool)
    learner = student(encoders["bert"], settings)
    whole = learner.fit(pool, said, 7, no_progress, Aids()).view(pool, no_progress)

    class KilledError(Exception):
        pass

    def kill(done: int, total: int) -> None:
        if done > total // 2:
            raise KilledError

    aids = Aids(checkpoints=tmp_path)
    with pytest.raises(KilledError):
        learner.fit(pool, said, 7, kill, aids)
    assert [path.suffix for path in tmp_path.iterdir()] == [".safetensors"]
    told: list[int] = []
    resumed = learner.fit(pool, said, 7, lambda done, total: told.append(done), aids)
    assert min(told) > 2 * 48
    view = resumed.view(pool, no_progress)
    assert view.log_probabilities.tobytes() == whole.log_probabilities.tobytes()


@pytest.mark.parametrize("what", ["torn", "of another seed", "of other labels"])
def test_a_checkpoint_that_does_not_fit_is_not_used(
    encoders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
    settings = replace(EVERYTHING, epochs=1)
    pool = texts(16)
    said, other = labels_of(pool), labels_of(pool, seed=1)
    learner = student(encoders["bert"], settings)
    wanted = learner.fit(pool, said, 3, no_progress, Aids()).view(pool, no_progress)
    aids = Aids(checkpoints=tmp_path)
    seed = 4 if what == "of another seed" else 3
    learner.fit(pool, other if what == "of other labels" else said, seed, no_progress, aids)
    if what == "torn":
        file = next(tmp_path.iterdir())
        file.write_bytes(file.read_bytes()[:1000])
    found = learner.fit(pool, said, 3, no_progress, aids).view(pool, no_progress)
    assert found.log_probabilities.tobytes() == wanted.log_probabilities.tobytes()


def test_no_folder_keeps_no_checkpoint(encoders: dict[str, Path]) -> None:
    assert Checkpoints(None, "key").find() is None


def test_tokens_of_roberta_are_cut_as_behind_a_space(encoders: dict[str, Path]) -> None:
    """The silent trap: without the space ``word`` at the start of a text is another piece."""
    source = Source(encoders["roberta"], "roberta")
    tokenizer = source.tokenizer(encoders["roberta"], "token")
    pool = Pool("token", "train", ("a", "b"), [("house", "river"), ("river",)])
    (pieces,) = make_pieces(pool, tokenizer, 32)
    joined = tokenizer([list(one) for one in pool.tokens], is_split_into_words=True)["input_ids"]
    for row in range(2):
        ids = pieces.ids[pieces.starts[row] : pieces.starts[row + 1]]
        assert ids.tolist() == joined[row]
    first = pieces.ids[pieces.starts[0] + pieces.places[1]]
    again = pieces.ids[pieces.starts[1] + pieces.places[2]]
    assert first == again
    assert tokenizer.convert_ids_to_tokens(int(first)).startswith("Ġ")


def test_a_roberta_student_tags_and_its_variants_share_windows(encoders: dict[str, Path]) -> None:
    pool = sentences(12, longest=40)
    longer = Pool("token", "train", pool.ids, [tuple(w * 3 for w in one) for one in pool.tokens])
    learner = student(encoders["roberta"], replace(EVERYTHING, max_length=16), "token")
    fitted = learner.fit(pool, labels_of(pool), 0, no_progress, Aids(variants=longer))
    pieces, varied = make_pieces(pool, fitted.tokenizer, 16, longer)
    assert len(pieces) > 12 and np.array_equal(pieces.units, varied.units)
    assert np.array_equal(pieces.unit_starts, varied.unit_starts)
    assert max(*pieces.lengths, *varied.lengths) <= 16
    view = fitted.view(pool, no_progress)
    assert len(view.predictions) == int(pool.offsets[-1])


@pytest.mark.parametrize("head", ["cls", "mean"])
def test_labels_given_too_often_are_corrected_for_with_any_head(
    encoders: dict[str, Path], head: Any
) -> None:
    """Words tell the classes apart; four in ten of one class are given the other's label."""
    rng = np.random.default_rng(0)
    truth = rng.integers(2, size=400)
    texts = [" ".join(rng.choice(WORDS[10 * one : 10 * one + 10], 6)) for one in truth]
    pool = Pool("sequence", "train", [f"train:{i}" for i in range(400)], texts)
    said = Annotations.of(np.where(rng.random(400) < 0.4, 1, truth), pool.offsets)
    learner = student(encoders["bert"], Settings(epochs=1, transition=True, head=head))
    fitted = learner.load(encoders["bert"])
    data = learner.training_data(fitted, pool, said, Aids())
    found = learner.start_head(fitted, data, 0)
    assert found is not None and found.most > 0.15
    pulls = []
    for adjusted in (False, True):
        torch.manual_seed(0)
        one = Trainer(fitted.model, Plan(data, Settings(epochs=1), fitted.pad, 0, found, adjusted))
        one.loss.set_clean(one.clean)
        one.loss(one.batch(np.arange(32))).backward()
        biases = [own for name, own in one.model.named_parameters() if name.endswith("r.bias")]
        pulls.append(float(biases[-1].grad[1]))
        one.model.zero_grad()
    assert pulls[0] < pulls[1]  # the gradient raises the frequent label, adjusted less so


def test_a_saved_student_keeps_its_head(encoders: dict[str, Path], tmp_path: Path) -> None:
    pool, settings = texts(20), Settings(epochs=1, head="cls")
    fitted = student(encoders["bert"], settings).fit(pool, labels_of(pool), 0, no_progress, Aids())
    fitted.save(tmp_path / "saved")
    said = fitted.view(pool, no_progress).log_probabilities
    other = student(tmp_path / "saved", Settings(epochs=1, learning_rate=1e-9, standardised=True))
    again = other.load(tmp_path / "saved")
    assert np.array_equal(again.view(pool, no_progress).log_probabilities, said)
    # As an encoder it gets the head that the settings say, and a scale of its own.
    for name in ("mean", "twice"):
        trained = other.fit(pool, labels_of(pool), 0, no_progress, Aids())
        trained.save(tmp_path / name)
        assert np.allclose(trained.view(pool, no_progress).embeddings.std(axis=0), 1, atol=1e-3)
        other = student(tmp_path / name, replace(other._settings, head="mean"))
    (tmp_path / "saved" / "harness.json").write_text("{}", encoding="utf-8")
    assert not np.array_equal(
        other.load(tmp_path / "saved").view(pool, no_progress).log_probabilities, said
    )


def test_a_head_at_random_trains_longer_than_one_that_a_probe_begins(tmp_path: Path) -> None:
    source = Source(tmp_path, "any")
    for preset, wanted in (("plain", (10, 2)), ("default", (12, 4)), ("paper", (50, 50))):
        at_random = settings_of(EncoderKeys(preset=preset, head="cls"), "sequence", source)
        begun = settings_of(EncoderKeys(preset=preset), "sequence", source)
        assert begun.head == ("cls" if preset == "paper" else "mean")
        assert (at_random.epochs_for(1000) >= 6, at_random.head) == (True, "cls")
        assert (at_random.epochs_for(500), begun.epochs_for(1000)) == wanted
    longer = settings_of(EncoderKeys(head="cls"), "sequence", source)
    assert longer.first_filtered("sequence") == 3 and longer.epochs_for(70_000) == 5
    other = settings_of(EncoderKeys(), "sequence", replace(source, model_type="distilbert"))
    assert other == longer  # a mean head on it could not be exported
    settings, _ = resolve_auto(longer, WrongLabels(0.0, 0.0))
    assert (settings.clean, settings.mixup, settings.epochs_for(500)) == ("all", 0.0, 10)


def test_a_dimension_that_dwarfs_all_others_hides_nothing(
    encoders: dict[str, Path], tmp_path: Path
) -> None:
    """As in RoBERTa. Words tell the classes apart; the head begins with what a probe finds."""
    folder = Path(shutil.copytree(encoders["bert"], tmp_path / "bert"))
    weights = load_file(folder / "model.safetensors")
    (last,) = [key for key in weights if key.endswith("layer.1.output.LayerNorm.bias")]
    weights[last][3] += 300.0
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    rng = np.random.default_rng(0)
    truth = rng.integers(2, size=200)
    texts = [" ".join(rng.choice(WORDS[10 * one : 10 * one + 10], 6)) for one in truth]
    pool = Pool("sequence", "train", [f"train:{i}" for i in range(200)], texts)
    said = Annotations.of(truth, pool.offsets)
    right = {}
    for standardised in (True, False):
        settings = Settings(epochs=1, learning_rate=1e-9, standardised=standardised)
        fitted = student(folder, settings).fit(pool, said, 0, no_progress, Aids())
        view = fitted.view(pool, no_progress)
        right[standardised] = float((view.predictions == truth).mean())
        assert (view.embeddings.std(axis=0).max() < 2) or not standardised
        fitted.save(tmp_path / f"{standardised}")
        again = student(folder, settings).load(tmp_path / f"{standardised}")
        assert np.array_equal(again.view(pool, no_progress).embeddings, view.embeddings)
    assert right[True] > 0.95 > 0.8 > right[False]


def test_in_low_budget_mode_the_unanswered_take_part(encoders: dict[str, Path]) -> None:
    pool = texts(30)
    labels = np.where(np.arange(30) < 10, labels_of(pool).labels, -1)
    said = Annotations.of(labels, pool.offsets)
    seen: list[int] = []
    for unlabelled in (False, True):
        settings = replace(EVERYTHING, epochs=1, unlabelled=unlabelled)
        student(encoders["bert"], settings).fit(
            pool, said, 0, lambda done, total: seen.append(total), Aids()
        )
    assert set(seen) == {10, 30}


def test_what_is_cut_and_what_is_rare_is_said(encoders: dict[str, Path]) -> None:
    pool = texts(30)
    said = Annotations.of(np.asarray([1] + [0] * 29), pool.offsets)
    lines: list[str] = []
    student(encoders["bert"], replace(EVERYTHING, epochs=1, max_length=8)).fit(
        pool, said, 0, no_progress, Aids(note=lines.append)
    )
    assert any("few labels of yes (1)" in line for line in lines)
    assert any("are longer than 8 word pieces" in line for line in lines)


def test_pairs_without_variants_are_said(encoders: dict[str, Path]) -> None:
    pool = texts(30)
    for variants in (pool, None):
        lines: list[str] = []
        student(encoders["bert"], replace(EVERYTHING, epochs=1)).fit(
            pool, labels_of(pool), 0, no_progress, Aids(variants=variants, note=lines.append)
        )
        said = any("student.augmenter makes variants" in line for line in lines)
        assert said is (variants is None)


def test_a_standard_head_is_taken_apart_exactly(encoders: dict[str, Path]) -> None:
    """Features, then logits of them: what the whole model of transformers says."""
    for name in ("bert", "roberta"):
        model = load_classifier(
            encoders[name], "sequence", "cls", ("no", "yes"),
            attention_dropout=False, frozen_embeddings=False,
        )  # fmt: skip
        assert isinstance(model, Standard)
        model.eval()
        ids = torch.randint(5, 20, (3, 7))
        mask = torch.ones_like(ids)
        with torch.inference_mode():
            features, _ = model.features(ids, mask, None)
            found = model.logits(features)
            wanted = model.model(input_ids=ids, attention_mask=mask).logits
        torch.testing.assert_close(found, wanted)


def test_feedback_is_of_the_epoch_that_is_named(
    encoders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the first of three epochs, and training goes on as without it."""
    pool = texts(40)
    said = labels_of(pool)
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)

    def kill(done: int, total: int) -> None:
        if done > len(pool):
            raise KeyboardInterrupt

    for kind, ema in (("model", 0.0), ("average", 0.9)):
        settings = replace(EVERYTHING, epochs=3, ema=ema, feedback_epoch=1)
        learner, aids = student(encoders["bert"], settings), Aids(checkpoints=tmp_path / kind)
        (tmp_path / kind).mkdir()
        with pytest.raises(KeyboardInterrupt):
            learner.fit(pool, said, 0, kill, aids)
        kept = load_file(tmp_path / kind / checkpoints.FILE)
        fitted = learner.fit(pool, said, 0, no_progress, aids)
        assert fitted.earlier is not None
        early, last = (list(one.model.parameters()) for one in (fitted.earlier, fitted))
        trained = [one for one in early if kind == "model" or one.requires_grad]
        assert all(torch.equal(one, kept[f"{kind}.{i}"]) for i, one in enumerate(trained))
        assert not all(map(torch.equal, early, last))
        plain = student(encoders["bert"], replace(settings, feedback_epoch=0))
        same = plain.fit(pool, said, 0, no_progress, Aids())
        assert same.earlier is None and all(map(torch.equal, same.model.parameters(), last))
    long = replace(EVERYTHING, feedback_epoch=99)
    for late, said in ((long, r"has \d+"), (Settings(feedback_epoch=3), "may have no more than 2")):
        with pytest.raises(CommandError, match=f"but training {said} epochs"):
            check_used(late, "sequence")


def test_looks_with_dropout_differ_by_their_seed_and_leave_the_student_alone(
    encoders: dict[str, Path],
) -> None:
    pool = texts(30)
    fitted = student(encoders["bert"], Settings(epochs=1)).load(encoders["bert"])
    before = fitted.view(pool, no_progress).log_probabilities
    first, again, other = (fitted.view_with_dropout(pool, seed, no_progress) for seed in (1, 1, 2))
    assert np.array_equal(first.log_probabilities, again.log_probabilities)
    assert not np.array_equal(first.log_probabilities, other.log_probabilities)
    assert not np.array_equal(first.log_probabilities, before)
    assert np.array_equal(fitted.view(pool, no_progress).log_probabilities, before)


@pytest.mark.parametrize(
    ("wrong", "doubted", "clean", "rate"),
    [
        (None, None, "mixture", 3e-5),
        (0.2, 0.1, "mixture", 3e-5),
        (0.1, 0.3, "all", 1e-4),
        (0.02, None, "all", 1e-4),
    ],
)
def test_labels_that_look_wrong_are_learnt_carefully(
    wrong: float | None, doubted: float | None, clean: str, rate: float
) -> None:
    settings = settings_of(EncoderKeys(), "sequence", packaged())
    estimate = None if wrong is None else WrongLabels(wrong / 2, wrong, doubted)
    found, note = resolve_auto(settings, estimate)
    assert note is not None and f"{rate:g}" in note and ("%" in note) is (wrong is not None)
    assert ("cannot be seen" in note) is (doubted == 0.3)
    assert (found.clean, found.learning_rate) == (clean, rate)
    chosen = settings_of(EncoderKeys(learning_rate=2e-5), "sequence", packaged())
    assert resolve_auto(chosen, estimate)[0].learning_rate == 2e-5
    plain = settings_of(EncoderKeys(preset="plain"), "sequence", packaged())
    assert resolve_auto(plain, estimate) == (plain, None)


def test_a_correction_that_is_switched_off_is_off(encoders: dict[str, Path]) -> None:
    """Whether labels look wrong is estimated all the same; the head does not know of it."""
    pool = texts(80)
    said = labels_of(pool)
    heads = []
    for clean in ("all", "auto"):
        settings = Settings(epochs=1, transition=False, clean=clean, head="mean")  # type: ignore[arg-type]
        learner = student(encoders["bert"], settings)
        fitted = learner.load(encoders["bert"])
        data = learner.training_data(fitted, pool, said, Aids())
        learner.start_head(fitted, data, 0)
        heads.append(np.array(fitted.model.classifier.weight.detach().numpy()))
    np.testing.assert_array_equal(*heads)


def test_the_choice_of_auto_and_how_to_change_it_are_told(encoders: dict[str, Path]) -> None:
    pool = texts(30)
    notes: list[str] = []
    settings = Settings(epochs=1, clean="auto", head="mean")
    student(encoders["bert"], settings).fit(
        pool, labels_of(pool), 0, no_progress, Aids(note=notes.append)
    )
    assert [note for note in notes if "student.clean=" in note and "learning rate 3e-05" in note]


@pytest.mark.parametrize("by", ["unit", "example"])
def test_a_doubted_token_is_never_learnt_and_its_sentence_is(
    encoders: dict[str, Path], by: Any
) -> None:
    filler = sentences(30).tokens
    pool = Pool("token", "train", [str(i) for i in range(30)], [("Delta", *one) for one in filler])
    labels = np.zeros(int(pool.offsets[-1]), dtype=np.int32)
    labels[pool.offsets[1:-1]] = 1  # of the first sentence the mention was overlooked
    said = Annotations.of(labels, pool.offsets)
    settings = replace(EVERYTHING, agreement=True, clean_by=by, clean_threshold=0)
    one = trainer(encoders["bert"], pool, said, settings)
    assert not one.clean[0] and one.clean[1:].all()
    one.run(no_progress)
    assert not one.clean[0] and one.clean[1:].all()
    plain = trainer(encoders["bert"], pool, said, replace(settings, agreement=False))
    assert plain.clean.all()


def test_the_mean_loss_of_a_sentence_is_that_of_the_tokens_that_are_learnt(
    encoders: dict[str, Path],
) -> None:
    pool = sentences(30)
    one = trainer(encoders["bert"], pool, labels_of(pool), replace(EVERYTHING, clean_by="example"))
    offsets = pool.offsets
    longest = int(np.diff(offsets).argmax())
    one.data.labels[offsets[longest] + 1 : offsets[longest + 1]] = -1  # but its first token
    losses = np.where(one.data.answered, 0.01, 0).astype(np.float32)
    losses[offsets[longest]] = 5.0
    clean = one.small_losses(losses)
    assert not clean[offsets[longest] : offsets[longest + 1]].any()
    assert clean[np.r_[: offsets[longest], offsets[longest + 1] : offsets[-1]]].all()


@pytest.mark.parametrize(("epochs", "warmup", "ramp"), [(None, 4, 10), (4, 1, 1), (50, 4, 10)])
def test_a_training_cut_short_warms_up_for_a_quarter(
    epochs: int | None, warmup: int, ramp: float
) -> None:
    found = settings_of(EncoderKeys(preset="paper", epochs=epochs), "sequence", packaged())
    assert (found.warmup_epochs, found.ramp_epochs) == (warmup, ramp)
    own = EncoderKeys(preset="paper", epochs=epochs, warmup_epochs=2, ramp_epochs=3.0)
    found = settings_of(own, "sequence", packaged())
    assert (found.warmup_epochs, found.ramp_epochs) == (2, 3)


@pytest.mark.parametrize(("together", "most"), [(1, 0.06), (4, 0.15)])
def test_the_same_texts_seldom_meet_again(together: int, most: float) -> None:
    """Of 1,000 texts, 32 a batch: how often two of a batch share one in the next epoch, too."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(5, 60, 1000)
    places = []
    for _ in range(2):
        place = np.empty(1000, dtype=np.int64)
        for number, rows in enumerate(epoch_batches(lengths, 32, together, rng)):
            place[rows] = number
        places.append(place[:, None] == place)
    assert sorted(np.bincount(place)) == [8, *[32] * 31]
    pairs = places[0] & ~np.eye(1000, dtype=np.bool_)
    assert places[1][pairs].mean() < most


def test_the_default_for_tokens() -> None:
    settings = settings_of(EncoderKeys(), "token", packaged())
    assert settings.agreement and settings.clean == "mixture"
    epochs = {size: settings.epochs_for(size) for size in (200, 500, 1000, 10_000)}
    assert epochs == {200: 12, 500: 12, 1000: 7, 10_000: 3}
    assert not settings_of(EncoderKeys(preset="plain"), "token", packaged()).agreement


def test_labels_that_are_all_doubted_are_learnt_all_the_same(encoders: dict[str, Path]) -> None:
    pool = Pool("token", "train", ("a", "b", "c"), [("river",)] * 3)
    said = Annotations.of(np.asarray([1, 3, 0], dtype=np.int32), pool.offsets)
    fitted = student(encoders["bert"], EVERYTHING, "token").load(encoders["bert"])
    (pieces,) = make_pieces(pool, fitted.tokenizer, 16)
    for settings in (EVERYTHING, replace(EVERYTHING, agreement=True)):
        assert TrainingData.of(pool, said, pieces, pieces, settings).answered.all()


def test_how_many_tokens_are_doubted_is_told(encoders: dict[str, Path]) -> None:
    pool = Pool("token", "train", ("a", "b"), [("the", "river"), ("a", "river")])
    said = Annotations.of(np.asarray([0, 1, 0, 0], dtype=np.int32), pool.offsets)
    notes: list[str] = []
    learner = student(encoders["bert"], replace(EVERYTHING, agreement=True, epochs=1), "token")
    learner.fit(pool, said, 0, no_progress, Aids(note=notes.append))
    assert any("1 of 4 tokens" in one and "student.agreement" in one for one in notes)
