"""Augmenters in a run: variants are made once, recorded, checked, and handed to the student."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from harness.testing.service import ChatServer, running
from tests.commands import PROGRAM, call, message, succeeded
from tests.test_paraphrase import Rewriter

PLUGIN = '''
"""A student that trains on variants, too, and augmenters that count their work."""
import os
import signal
from dataclasses import replace

import numpy as np

from harness import hookimpl
from harness.data import ABSTAINED, Annotations, Pool, StudentView
from harness.protocols import Variants
from harness_plugins.students.tfidf import TfidfStudent

MADE = []


def log(what):
    with open(os.environ["WORK_LOG"], "a") as file:
        file.write(what + "\\n")


class Student(TfidfStudent):
    uses_variants = True

    def fit(self, pool, annotations, seed, progress, aids):
        left = sorted(file.name for file in aids.checkpoints.iterdir())
        log(f"fit {left} {None if aids.variants is None else aids.variants.texts[0]}")
        aids.note("trains with variants")
        (aids.checkpoints / "epoch-1").write_text("half of a training")
        if os.environ.get("KILL") == "training":
            os.kill(os.getpid(), signal.SIGKILL)
        if aids.variants is not None:
            both = Pool("sequence", "train", [*pool.ids, *(i + "'" for i in pool.ids)],
                        [*pool.texts, *aids.variants.texts])
            labels = np.concatenate([annotations.labels, annotations.labels])
            pool, annotations = both, Annotations.of(labels, both.offsets)
        return super().fit(pool, annotations, seed, progress, aids)


class TokenStudent:
    """Repeats the most frequent class; says what it was handed."""

    uses_variants = True

    def fit(self, pool, annotations, seed, progress, aids):
        pairs = zip(aids.variants.tokens, pool.tokens, strict=True)
        log(f"fit {sum(a != b for a, b in pairs)} of {len(pool)}")
        return self

    def view(self, pool, progress):
        units = int(pool.offsets[-1])
        log_probabilities = np.full((units, 7), np.log(1 / 7), dtype=np.float32)
        return StudentView(log_probabilities, np.zeros(units, dtype=np.int32),
                           np.zeros((len(pool), 2), dtype=np.float32), pool.offsets)

    def load(self, folder):
        return self

    def save(self, folder):
        pass


class Shouting:
    fingerprint = os.environ.get("VOICE", "loud")

    def __init__(self, how=None):
        self.how = how

    def augment(self, pool, annotations, seed, progress):
        assert annotations is None  # it does not say that it reads labels
        log(f"augment {pool.split} {seed}")
        progress(len(pool), len(pool))
        texts, ids = [text.upper() for text in pool.texts], list(pool.ids)
        if self.how == "short":
            return Variants(pool.take(np.arange(len(pool) - 1)))
        if self.how == "reversed":
            ids = ids[::-1]
        if self.how == "empty":
            texts[3] = " "
        if self.how == "failing":
            raise KeyError("nothing there")
        if self.how == "lazy":
            texts = list(pool.texts)
        return Variants(Pool(pool.kind, pool.split, ids, texts))


class Labelled:
    reads_labels = True

    def augment(self, pool, annotations, seed, progress):
        answered = int((annotations.labels != ABSTAINED).sum())
        log(f"labelled {answered} {seed}")
        texts = [f"{label} {text}" for label, text in zip(annotations.labels, pool.texts)]
        return Variants(Pool(pool.kind, pool.split, pool.ids, texts))


class Longer:
    def augment(self, pool, annotations, seed, progress):
        tokens = [(*tokens, "more") for tokens in pool.tokens]
        return Variants(Pool(pool.kind, pool.split, pool.ids, tokens))


@hookimpl
def harness_register_students(register):
    register("assisted", lambda request: Student(len(request.task.classes)), kinds=["sequence"])
    register("token", lambda request: TokenStudent(), kinds=["token"])


@hookimpl
def harness_register_augmenters(register):
    register("shouting", lambda request: Shouting(request.spec.argument), kinds=["sequence"])
    register("labelled", lambda request: Labelled(), kinds=["sequence"])
    register("longer", lambda request: Longer(), kinds=["token"])
'''


class Bench:
    """A folder with the plugin, and the program over it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.plugin = folder, folder / "voices.py"
        self.plugin.write_text(PLUGIN)
        self.log_file = folder / "log"

    def arguments(self, augmenter: str | None, *more: str) -> list[str]:
        named = ["--set", f"student.augmenter={augmenter}"] if augmenter else []
        student = [] if "--student" in more else ["--student", "assisted"]
        parts = ["--annotator", "noisy:0.2", "--limit", "60", "--rounds", "2", *student, *named]
        return ["run", *parts, "--out", str(self.folder), "--plugin", str(self.plugin), *more]

    def run(self, augmenter: str | None, *more: str) -> dict[str, Any]:
        outcome = call(*self.arguments(augmenter, *more), "--json")
        assert outcome.code == 0, outcome
        found: dict[str, Any] = json.loads(outcome.stdout)
        return found

    def process(self, augmenter: str, **environment: str) -> int:
        done = subprocess.run(
            [str(PROGRAM), *self.arguments(augmenter)],
            env={**os.environ, **environment},
            capture_output=True,
            check=False,
            timeout=120,
        )
        return done.returncode

    @property
    def log(self) -> list[str]:
        return self.log_file.read_text().splitlines() if self.log_file.exists() else []

    def files(self) -> list[str]:
        """What the one run of this folder left in it."""
        (run,) = self.folder.glob("demo*/*")
        return sorted(str(file.relative_to(run)) for file in run.rglob("*"))


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv("WORK_LOG", str(tmp_path / "log"))
    monkeypatch.chdir(tmp_path)
    return Bench(tmp_path)


def numbers(result: dict[str, Any]) -> list[Any]:
    return [{k: v for k, v in stage.items() if k != "seconds"} for stage in result["stages"]]


def test_variants_are_made_once_recorded_and_handed_over(bench: Bench) -> None:
    result = bench.run("shouting")
    assert [line.split()[0] for line in bench.log] == ["augment", "fit", "fit"]
    said = bench.log[1].partition("] ")[2]
    assert said and said == said.upper()
    assert "variants.parquet" in bench.files()
    assert not [name for name in bench.files() if ".checkpoint" in name]
    (file,) = bench.folder.glob("demo/*/variants.parquet")
    rows = pq.read_table(file).to_pylist()
    assert len(rows) == 60 and all(row["variant"].isupper() for row in rows)
    assert rows[0]["id"].startswith("train:")
    checksums = json.loads((file.parent / "checksums.json").read_text())
    assert "variants.parquet" in checksums["sha256"]
    assert result["provenance"]["identities"]["augmenter"] == "loud"
    assert len(result["provenance"]["code"]["augmenter"]) == 16


def test_without_an_augmenter_there_are_checkpoints_but_no_variants(bench: Bench) -> None:
    bench.run(None)
    assert bench.log == ["fit [] None"] * 2
    assert not [name for name in bench.files() if "variants" in name or ".checkpoint" in name]


def test_variants_change_the_run_and_its_name(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [bench.run(None), bench.run("labelled"), bench.run("shouting")]
    assert numbers(runs[0]) != numbers(runs[1])
    monkeypatch.setenv("VOICE", "hoarse")  # the augmenter's fingerprint
    bench.plugin.rename(bench.folder / "again.py")
    bench.plugin = bench.folder / "again.py"
    runs.append(bench.run("shouting"))
    assert len({run["run_id"] for run in runs}) == 4


def test_an_augmenter_that_reads_labels_is_asked_every_round(bench: Bench) -> None:
    bench.run("labelled")
    made = [line for line in bench.log if line.startswith("labelled")]
    assert len(made) == 2 and made[0] != made[1]
    names = [name for name in bench.files() if name.endswith("variants.parquet")]
    assert names == ["rounds/00/variants.parquet", "rounds/01/variants.parquet"]


@pytest.mark.slow
def test_a_killed_training_finds_its_checkpoints_and_its_variants(bench: Bench) -> None:
    whole = bench.run("shouting", "--out", str(bench.folder / "whole"))
    bench.log_file.unlink()
    assert bench.process("shouting", KILL="training") == -signal.SIGKILL
    assert "rounds/00/.checkpoint/epoch-1" in bench.files()
    assert "stopped" in succeeded(call("runs", "--out", bench.folder))
    again = bench.run("shouting")
    assert [line.split(" ", 2)[:2] for line in bench.log][1:] == [
        ["fit", "[]"],
        ["fit", "['epoch-1']"],
        ["fit", "[]"],
    ]
    assert bench.log[0].startswith("augment")
    assert numbers(again) == numbers(whole)
    assert not [name for name in bench.files() if ".checkpoint" in name]


@pytest.mark.slow
def test_fresh_forgets_checkpoints_and_variants(bench: Bench) -> None:
    assert bench.process("shouting", KILL="training") == -signal.SIGKILL
    bench.run("shouting", "--fresh")
    assert sum(line.startswith("augment") for line in bench.log) == 2
    assert not any("epoch-1" in line for line in bench.log)


def test_damaged_variants_are_named_and_deleted_ones_made_again(bench: Bench) -> None:
    first = bench.run("shouting")
    (run,) = bench.folder.glob("demo/*")
    (run / "result.json").unlink()
    file = run / "variants.parquet"
    content = file.read_bytes()
    file.write_bytes(content[:-20])
    assert str(file) in message(call(*bench.arguments("shouting")), 1)
    file.unlink()
    assert numbers(bench.run("shouting")) == numbers(first)
    assert file.read_bytes()[:4] == content[:4]


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("short", "made 59 sequence variants of 60 sequence examples"),
        ("reversed", "other ids, or another order"),
        ("empty", "made an empty variant of train:"),
        ("failing", "failed: KeyError: 'nothing there'"),
    ],
)
def test_a_broken_augmenter_is_named(bench: Bench, how: str, said: str) -> None:
    told = message(call(*bench.arguments(f"shouting:{how}")), 1)
    assert told.startswith(f"augmenter 'shouting:{how}' ")
    assert said in told
    assert not any(name.endswith("variants.parquet") for name in bench.files())


def test_variants_of_tokens_have_as_many_tokens(bench: Bench) -> None:
    arguments = bench.arguments("longer", "--task", "demo-ner", "--student", "token")
    assert "another number of tokens than train:" in message(call(*arguments), 1)


def test_variants_that_change_nothing_are_told(bench: Bench) -> None:
    outcome = call(*bench.arguments("shouting:lazy"))
    assert outcome.code == 0
    assert "60 of 60 variants are the examples themselves" in outcome.stderr
    assert outcome.stderr.count("harness: note: trains with variants\n") == 2


@pytest.mark.parametrize(
    ("augmenter", "more", "said"),
    [
        ("shouting", ["--student", "tfidf"], "student 'tfidf' does not train on variants"),
        ("shoutin", [], "'shouting'"),
        ("longer", [], "augmenter 'longer' does not serve sequence tasks"),
        ("recorded", [], "recorded"),
    ],
)
def test_a_wrong_augmenter_is_refused_before_anything_is_done(
    bench: Bench, augmenter: str, more: list[str], said: str
) -> None:
    assert said in message(call(*bench.arguments(augmenter, *more)), 2)
    assert list(bench.folder.glob("demo/*")) == []


def test_what_variants_cost_is_in_the_student_s_stage(bench: Bench) -> None:
    rewriter = Rewriter()
    with running(ChatServer(routes=rewriter.routes)) as server:
        url = server.url.replace("/v1", "/rewrite")
        spec = f"paraphrase:openai:m,base_url={url},price_input=1,price_output=2"
        planned = json.loads(succeeded(call("plan", *bench.arguments(spec, "--json")[1:])))
        assert [(step["stage"], step["what"]) for step in planned["steps"]] == [("R2", "variants")]
        result = bench.run(spec)
    first, second = (stage for stage in result["stages"] if stage["actor"] == "student")
    assert first["spending"]["variants"]["requests"] == first["requests"] == len(rewriter.bodies)
    assert planned["total"]["requests"] == 60
    assert 0 < first["cost_usd"] == pytest.approx(result["cost_usd"])
    assert planned["total"]["cost_usd"] == pytest.approx(first["cost_usd"], rel=0.5)
    assert second["spending"] == {} and second["cost_usd"] == 0


def test_an_annotator_and_an_augmenter_share_a_budget(bench: Bench) -> None:
    rewriter = Rewriter()
    with running(ChatServer(routes=rewriter.routes)) as server:
        prices = "price_input=1,price_output=2"
        spec = f"paraphrase:openai:m,base_url={server.url.replace('/v1', '/rewrite')},{prices}"
        keys = (f"base_url={server.url}", "price_input=1", "price_output=2")
        asked = [f"--set=annotator.{key}" for key in keys]
        arguments = bench.arguments(spec, "--annotator", "gpt35", *asked)
        whole = json.loads(succeeded_with_notes(call(*arguments, "--json")))
        annotated = whole["stages"][0]["cost_usd"]
        varied = whole["stages"][1]["cost_usd"]
        assert min(annotated, varied) > 0
        budget = str(annotated + varied / 2)
        other = [*arguments, "--out", str(bench.folder / "other"), "--budget-usd", budget]
        assert "higher --budget-usd" in message(call(*other), 3)


def succeeded_with_notes(outcome: Any) -> str:
    assert outcome.code == 0, outcome
    return str(outcome.stdout)


def test_built_in_augmenters_of_texts_in_a_run(bench: Bench) -> None:
    first, again = bench.run("word-edits"), bench.run("word-edits:0.3")
    assert first["config"]["student"]["augmenter"] == "word-edits"
    assert first["provenance"]["resolved"]["augmenter"]["rate"] == 0.1
    assert first["run_id"] != again["run_id"]
    made = [line.partition("] ")[2] for line in bench.log]
    assert made[0] == made[1] != made[2]  # once a run


@pytest.mark.parametrize(("augmenter", "least"), [("mentions", 20), ("word-edits:0.5", 10)])
def test_built_in_augmenters_of_tokens_in_a_run(bench: Bench, augmenter: str, least: int) -> None:
    bench.run(augmenter, "--task", "demo-ner", "--student", "token")
    changed = [int(line.split()[1]) for line in bench.log]
    assert len(changed) == 2 and min(changed) >= least
    names = [name for name in bench.files() if name.endswith("variants.parquet")]
    assert len(names) == 2


def test_recorded_variants_of_a_drawn_pool(bench: Bench) -> None:
    rows = [{"text": f"text {n}", "label": "abc"[n % 3]} for n in range(200)]
    task = bench.folder / "letters"
    task.mkdir()
    for name in ("train", "test"):
        (task / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    variants = bench.folder / "variants.jsonl"
    said = ({"text": row["text"], "augmented": f"{row['text']} again"} for row in rows[::-1])
    variants.write_text("\n".join(map(json.dumps, said)))
    labels = "".join(f'[[labels]]\nname = "{n}"\ndescription = "d"\n' for n in "abc")
    declared = 'schema = 1\nname = "letters"\nkind = "sequence"\nmetric = "accuracy"\n'
    (bench.folder / "letters.toml").write_text(declared + labels)
    data = ("--task", str(bench.folder / "letters.toml"), "--data", str(bench.folder))
    bench.run(f"recorded:{variants}", *data)
    (file,) = bench.folder.glob("letters/*/variants.parquet")
    found = pq.read_table(file)["variant"].to_pylist()
    assert len(found) == 60 and all(text.endswith(" again") for text in found)
    assert found != sorted(found)
