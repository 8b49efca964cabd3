"""Plugins from outside: found, used, told of events; what is wrong with one is named."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from harness import abilities, hookspecs
from harness.config import Config, load_config
from harness.errors import CommandError, PartError, UnknownNameError
from harness.plugin_manager import BUILTINS, Plugins, Problem
from harness.protocols import AugmenterRequest, Parts, no_progress
from harness.record.folder import RunFolder
from harness.report.rows.entries import entry_of
from harness.report.rows.grouping import Layout, make_table
from harness.results import RunResult, Watcher
from harness.run.assembly import assemble, run_id
from harness.run.loop import run
from harness.run.splits import load_splits
from harness.specs import parse_spec
from tests.commands import PROGRESS, Outcome, call, succeeded
from tests.factories import HOOKIMPL, install, plugin_file, text_pool

EVERY_HOOK = '''
from pathlib import Path

import numpy as np

from harness.data import Annotations, Gold, Label, Pool, StudentView, TaskCard
from harness.protocols import SelectorPreset, Variants

LOG = Path(__file__).with_suffix(".log")
TEXTS = ["good day", "bad day", "good food", "bad food", "good bad joke", "bad good luck"]
GOLD = np.asarray([0, 1, 0, 1, 0, 1])


def note(*words):
    with LOG.open("a") as log:
        print(*words, file=log)


class Moods:
    card = TaskCard("moods", "sequence", "accuracy", (Label("good", "g"), Label("bad", "b")))
    default_annotator = "first-word"
    fingerprint = "moods-1"

    def load(self, split):
        ids = tuple(f"{split}:{line}" for line in range(1, 7))
        return Pool("sequence", split, ids, TEXTS) if split == "train" else None

    def gold(self, split):
        return Gold(split, GOLD, np.arange(7)) if split == "train" else None


class FirstWord:
    needs_gold = False

    def __init__(self, broken=False, late=False):
        self.broken, self.late = broken, late

    def annotate(self, pool, demonstrations, progress):
        shown = 0 if demonstrations is None else len(demonstrations)
        if self.broken or (self.late and shown):
            raise RuntimeError("no network")
        note("annotate", len(pool), "with", shown)
        labels = [-1 if "joke" in t and not shown else int(t < "c") for t in pool.texts]
        return Annotations.of(np.asarray(labels), pool.offsets)


class Echo:
    def fit(self, pool, annotations, seed, progress, aids):
        return self

    def view(self, pool, progress):
        said = np.asarray([int(text.startswith("bad")) for text in pool.texts])
        probabilities = np.where(np.eye(2)[said] > 0, 0.9, 0.1).astype(np.float32)
        width = np.eye(len(pool), dtype=np.float32)
        return StudentView(np.log(probabilities), said.astype(np.int32), width, pool.offsets)

    def save(self, folder):
        pass

    def load(self, folder):
        return self


def agreeing(evidence, rng):
    return np.flatnonzero(evidence.agrees)


class FirstTwo:
    def choose(self, evidence, trusted, rng):
        return trusted[:2]

    def assign(self, embeddings, groups, targets, own, rng):
        return np.tile(np.arange(2, dtype=np.int32), (len(targets), 1))


def others(evidence, trusted, rng):
    return np.setdiff1d(np.arange(len(evidence)), trusted)


class Shouting:
    def augment(self, pool, annotations, seed, progress):
        texts = [text.upper() for text in pool.texts]
        return Variants(Pool(pool.kind, pool.split, pool.ids, texts))


@hookimpl
def harness_register_commands(app):
    note("harness_register_commands")

    @app.command("moods")
    def moods():
        """Say good and bad."""
        print("good bad")


@hookimpl
def harness_register_tasks(register):
    note("harness_register_tasks")
    register("moods", lambda request: Moods(), summary="six texts")


@hookimpl
def harness_register_services(register):
    note("harness_register_services")


@hookimpl
def harness_register_annotators(register):
    note("harness_register_annotators")
    register("first-word", lambda request: FirstWord(), kinds=["sequence"])
    register("broken", lambda request: FirstWord(broken=True))
    register("late", lambda request: FirstWord(late=True))


@hookimpl
def harness_register_students(register):
    note("harness_register_students")
    register("echo", lambda request: Echo())


@hookimpl
def harness_register_selectors(register):
    note("harness_register_selectors")
    register("trust/agreeing", lambda request: agreeing)
    register("demonstrations/first-two", lambda request: FirstTwo())
    register("query/others", lambda request: others)
    register("preset/mine", lambda request: SelectorPreset("agreeing", "first-two", "others"))


@hookimpl
def harness_register_augmenters(register):
    note("harness_register_augmenters")
    register("shouting", lambda request: Shouting())


@hookimpl
def harness_register_checks(register):
    note("harness_register_checks")
    register("mood", lambda progress: "good")


@hookimpl
def harness_register_models(register):
    note("harness_register_models")
    register("stone", lambda folder: None, reads="stone.txt")


@hookimpl
def harness_register_recipes(register):
    note("harness_register_recipes")
    register("mine", lambda request: Path(__file__).with_name("mine.toml"))


@hookimpl
def harness_register_table_formats(register):
    note("harness_register_table_formats")
    register("loud", lambda table: "!".join(table.header))


@hookimpl
def harness_run_started(config, folder):
    note("harness_run_started", config.task, (folder / "config.toml").exists())


@hookimpl
def harness_round_finished(round, stages):
    note("harness_round_finished", round, *[stage.stage for stage in stages])


@hookimpl
def harness_run_finished(result, folder):
    note("harness_run_finished", len(result.stages), (folder / "result.json").exists())


@hookimpl
def harness_run_failed(error, folder):
    note("harness_run_failed", type(error).__name__, (folder / "result.json").exists())
'''


class Mine:
    """A process with the plugin that implements every hook."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.plugins = Plugins(
            [plugin_file(folder / "mine.py", EVERY_HOOK)], third_party=False, warn=self._fail
        )

    @staticmethod
    def _fail(problem: Problem) -> None:
        pytest.fail(str(problem))

    def run(self, *settings: str, name: str = "run") -> RunResult:
        fixed = ["task=moods", "student.spec=echo", "selector.spec=mine", "setting=transductive"]
        config = load_config(None, [*fixed, *settings])
        config, parts = assemble(config, self.plugins, None)
        splits = load_splits(
            parts.task,
            inductive=config.setting == "inductive",
            limit=config.limit,
            seed=config.seed,
        )
        with RunFolder.held(self.folder / name) as folder:
            return run(
                parts,
                config,
                splits,
                folder,
                run_id=name,
                replies=folder.path / "replies.sqlite",
                plugins=self.plugins,
                watcher=Watcher(),
            )

    def log(self) -> list[str]:
        return (self.folder / "mine.log").read_text(encoding="utf-8").splitlines()

    def events(self) -> list[str]:
        """What observers were told, in order."""
        return [line for line in self.log() if line.startswith(("harness_run", "harness_round"))]


# --- parts of every kind -------------------------------------------------------------


def test_a_run_made_of_third_party_parts_only(tmp_path: Path) -> None:
    mine = Mine(tmp_path)
    result = mine.run()
    assert [stage.stage for stage in result.stages] == ["R0", "R2", "R3", "R4"]
    first, student, again, _ = result.stages
    # One joke goes unanswered; the student knows it; with demonstrations it is answered.
    assert first.abstained == 1
    assert first.transductive.score == pytest.approx(5 / 6)
    assert student.transductive.score == 1.0
    assert student.selection is not None
    assert (student.selection.trusted, student.selection.requested) == (5, 1)
    assert (again.annotated, again.transductive.score) == (1, 1.0)
    assert [line for line in mine.log() if line.startswith("annotate")] == [
        "annotate 6 with 0",
        "annotate 1 with 2",
    ]
    spec = result.config["selector"]
    assert (spec["trust"], spec["demonstrations"], spec["query"]) == (
        "agreeing",
        "first-two",
        "others",
    )


def test_third_party_augmenters_and_table_formats(tmp_path: Path) -> None:
    mine = Mine(tmp_path)
    task = mine.plugins.part("task", "moods").factory(None)
    request = AugmenterRequest(parse_spec("shouting"), task.card)
    shouting = mine.plugins.part("augmenter", "shouting").factory(request)
    made = shouting.augment(text_pool(["hi", "you"]), None, 0, no_progress)
    assert list(made.pool.texts) == ["HI", "YOU"]
    table = make_table([entry_of(mine.run())], Layout(rows=("task", "student")))
    loud = mine.plugins.parts("table_format")["loud"]
    assert loud.factory(table).startswith("task!student!R")


def test_a_third_party_command(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command("other")(lambda: None)
    Mine(tmp_path).plugins.register_commands(app)
    answer = CliRunner().invoke(app, ["moods"])
    assert (answer.exit_code, answer.stdout) == (0, "good bad\n")


def test_a_part_says_where_it_comes_from(tmp_path: Path) -> None:
    mine = Mine(tmp_path)
    part = mine.plugins.part("annotator", "first-word")
    assert (part.kind, part.name, part.serves) == ("annotator", "first-word", ("sequence",))
    assert part.plugin == str(tmp_path / "mine.py")
    assert mine.plugins.part("task", "moods").summary == "six texts"
    assert mine.plugins.part("annotator", "rules").plugin == BUILTINS[1]
    info = mine.plugins.infos()[-1]
    assert (info.name, info.origin) == (part.plugin, "--plugin")
    assert info.hooks == tuple(sorted(hookspecs.HOOKS))


def test_a_part_that_does_not_serve_the_kind_of_task_is_refused(tmp_path: Path) -> None:
    config = load_config(None, ["task=demo-ner", "annotator.spec=first-word"])
    with pytest.raises(CommandError, match="'first-word' does not serve token tasks; these do: "):
        assemble(config, Mine(tmp_path).plugins, None)


def test_an_unknown_part_suggests_those_of_plugins(tmp_path: Path) -> None:
    with pytest.raises(
        UnknownNameError, match="unknown annotator 'first-wrd'; did you mean 'first-w"
    ):
        Mine(tmp_path).plugins.part("annotator", "first-wrd")


# --- observers -----------------------------------------------------------------------


def test_observers_are_told_in_the_order_of_events(tmp_path: Path) -> None:
    mine = Mine(tmp_path)
    mine.run("rounds=2")
    events = [
        "harness_run_started moods True",
        "harness_round_finished 0 R0 R2",
        "harness_round_finished 1 R3 R4",
        "harness_run_finished 4 True",
    ]
    assert mine.events() == events
    mine.run("rounds=2")  # found finished
    assert mine.events() == [*events, "harness_run_finished 4 True"]


def test_observers_are_told_of_a_failure(tmp_path: Path) -> None:
    mine = Mine(tmp_path)
    with pytest.raises(PartError, match="annotator 'broken' failed: RuntimeError: no network"):
        mine.run("annotator.spec=broken")
    assert mine.events() == ["harness_run_started moods True", "harness_run_failed PartError False"]
    assert not (tmp_path / "run").exists()  # nothing was recorded


def test_a_failure_keeps_what_was_recorded(tmp_path: Path) -> None:
    mine = Mine(tmp_path)
    with pytest.raises(PartError, match="annotator 'late' failed: RuntimeError: no network"):
        mine.run("annotator.spec=late")
    assert [event.split()[0] for event in mine.events()] == [
        "harness_run_started",
        "harness_round_finished",
        "harness_run_failed",
    ]
    kept = {file.name for file in (tmp_path / "run/rounds/00").iterdir()}
    scored = {"outcomes.R0.parquet", "outcomes.R2.parquet"}
    assert kept == {"annotations.parquet", "view.safetensors", "selection.json"} | scored
    assert (tmp_path / "run/config.toml").exists()


def test_observers_are_told_again_when_a_run_resumes(tmp_path: Path) -> None:
    mine = Mine(tmp_path)
    whole = mine.run()
    (tmp_path / "mine.log").unlink()
    (tmp_path / "run/result.json").unlink()
    (tmp_path / "run/rounds/01/selection.json").unlink()
    resumed = mine.run()
    assert [event.split()[0] for event in mine.events()] == [
        "harness_run_started",
        "harness_round_finished",
        "harness_round_finished",
        "harness_run_finished",
    ]
    assert not any(line.startswith("annotate") for line in mine.log())
    assert [stage.transductive for stage in resumed.stages] == [
        stage.transductive for stage in whole.stages
    ]


OBSERVERS = [hook for hook in hookspecs.HOOKS if "register" not in hook]


def test_an_observer_that_raises_stops_nothing(tmp_path: Path) -> None:
    body = "".join(f"@hookimpl\ndef {hook}(): raise ValueError('{hook}')\n" for hook in OBSERVERS)
    mine = Mine(tmp_path)
    problems: list[Problem] = []
    bad = plugin_file(tmp_path / "bad.py", body)
    mine.plugins = Plugins(
        [bad, str(tmp_path / "mine.py")], third_party=False, warn=problems.append
    )
    assert len(mine.run().stages) == 4
    expected = ["run_started", "round_finished", "round_finished", "run_finished"]
    assert [str(problem) for problem in problems] == [
        f"plugin {bad}: harness_{hook} failed: ValueError: harness_{hook} ({bad}:{line})"
        for hook, line in zip(expected, (3, 5, 5, 7), strict=True)
    ]
    assert [event.split()[0].removeprefix("harness_") for event in mine.events()] == expected


# --- what is wrong with a plugin -----------------------------------------------------


def test_of_two_parts_with_one_name_the_first_is_kept(tmp_path: Path) -> None:
    body = "@hookimpl\ndef harness_register_students(register):\n    register('twin', {})\n"
    paths = [
        plugin_file(tmp_path / f"{who}.py", body.format(f"lambda request: '{who}'"))
        for who in ("first", "second")
    ]
    plugins = Plugins(paths, third_party=False)
    assert plugins.part("student", "twin").factory(None) == "first"
    taken = f"student 'twin' is already registered by {paths[0]}"
    message = f"plugin {paths[1]}: {taken} ({paths[1]}:4)"
    assert [str(problem) for problem in plugins.problems] == [message]
    plugins.parts("student")
    assert len(plugins.problems) == 1


def test_a_built_in_name_cannot_be_taken(tmp_path: Path) -> None:
    body = "@hookimpl\ndef harness_register_annotators(register): register('rules', print)\n"
    body += "@hookimpl\ndef harness_register_tasks(register): register('mine', print)\n"
    path = plugin_file(tmp_path / "thief.py", body)
    plugins = Plugins([path], third_party=False)
    assert plugins.part("annotator", "rules").plugin == BUILTINS[1]
    assert str(plugins.problems[0]) == (
        f"plugin {path}: annotator 'rules' is already registered by {BUILTINS[1]} ({path}:3)"
    )
    assert plugins.part("task", "mine").plugin == path


def test_the_same_name_may_stand_for_parts_of_different_kinds(tmp_path: Path) -> None:
    body = "@hookimpl\ndef harness_register_students(register): register('rules', print)\n"
    plugins = Plugins([plugin_file(tmp_path / "p.py", body)], third_party=False)
    assert plugins.part("student", "rules").factory is print
    assert plugins.problems == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "@hookimpl\ndef harness_register_annotator(register): pass\n",
            r"there is no hook 'harness_register_annotator'; did you mean "
            r"'harness_register_annotators'",
        ),
        (
            "@hookimpl\ndef harness_register_tasks(registr): pass\n",
            r"harness_register_tasks.*Argument\(s\) \{'registr'\}",
        ),
        (
            "import no_such_module\n",
            "cannot be imported: ModuleNotFoundError: No module named 'no_s",
        ),
        ("def broken(:\n", "cannot be imported: SyntaxError"),
        ("1 / 0\n", "cannot be imported: ZeroDivisionError"),
    ],
)
def test_a_wrong_plugin_of_the_command_line_is_refused(
    tmp_path: Path, body: str, message: str
) -> None:
    path = plugin_file(tmp_path / "wrong.py", body)
    with pytest.raises(CommandError, match=message) as caught:
        Plugins([path], third_party=False)
    assert path in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent.py", "--plugin absent.py: no such file"),
        ("no_such_module", "--plugin no_such_module: cannot be imported: ModuleNotFoundError"),
        ("./folder", "--plugin ./folder: cannot be imported; write a module's name, or file.py"),
        ("", "--plugin : cannot be imported"),
    ],
)
def test_a_missing_plugin_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.raises(CommandError, match=message):
        Plugins([name], third_party=False)


def test_a_plugin_by_module_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    body = "@hookimpl\ndef harness_register_tasks(register): register('here', print)\n"
    plugin_file(tmp_path / "plugin_of_the_folder.py", body)
    plugins = Plugins(["plugin_of_the_folder"], third_party=False)
    assert plugins.part("task", "here").plugin == "plugin_of_the_folder"


def test_a_plugin_file_does_not_hide_a_module_of_its_name(tmp_path: Path) -> None:
    path = plugin_file(tmp_path / "json.py", "import json\nassert json.dumps([]) == '[]'\n")
    assert Plugins([path], third_party=False).infos()[-1].name == path
    import json

    assert json.loads("[1]") == [1]


def test_a_registration_that_raises_is_named_and_the_others_go_on(tmp_path: Path) -> None:
    body = (
        "@hookimpl\ndef harness_register_students(register):\n"
        "    register('half', print)\n    raise OSError('disk full')\n"
    )
    fine = "@hookimpl\ndef harness_register_students(register): register('fine', print)\n"
    bad = plugin_file(tmp_path / "bad.py", body)
    plugins = Plugins([bad, plugin_file(tmp_path / "fine.py", fine)], third_party=False)
    assert {"half", "fine", "minilm", "tfidf"} <= set(plugins.parts("student"))
    assert [str(problem) for problem in plugins.problems] == [
        f"plugin {bad}: harness_register_students failed: OSError: disk full ({bad}:5)"
    ]


WRONG_ANSWERS = """
import numpy as np

from harness.data import Annotations


class Wrong:
    needs_gold = False

    def __init__(self, answer):
        self.answer = [int(label) for label in answer.split("+")]

    def annotate(self, pool, demonstrations, progress):
        labels = np.zeros(pool.offsets[-1], dtype=np.int32)
        labels[-len(self.answer):] = self.answer
        return Annotations.of(labels, pool.offsets)


class Nobody:
    fit = load = None


@hookimpl
def harness_register_annotators(register):
    register("wrong", lambda request: Wrong(request.spec.argument))


@hookimpl
def harness_register_students(register):
    register("nobody", lambda request: Nobody())
"""


@pytest.mark.parametrize(
    ("task", "answer", "message"),
    [
        ("demo", "6", "answered with a class index that the task does not have"),
        ("demo", "-2", "answered with a class index that the task does not have"),
        ("demo-ner", "7", "answered with a class index that the task does not have"),
        ("demo-ner", "-2", "answered with a class index that the task does not have"),
        ("demo-ner", "0+2", "answered with tags that are not IOB2 for {last}"),
        ("demo-ner", "1+4", "answered with tags that are not IOB2 for {last}"),
        ("demo-ner", "1+2+6", "answered with tags that are not IOB2 for {last}"),
        # What is allowed: the run gets as far as the student, who is nobody.
        ("demo", "5", "student 'nobody' failed"),
        ("demo", "-1", "student 'nobody' failed"),
        ("demo-ner", "1+2", "student 'nobody' failed"),
        ("demo-ner", "1+3+4", "student 'nobody' failed"),
    ],
)
def test_an_annotator_is_held_to_its_protocol(
    tmp_path: Path, task: str, answer: str, message: str
) -> None:
    plugins = Plugins([plugin_file(tmp_path / "wrong.py", WRONG_ANSWERS)], third_party=False)
    settings = [f"task={task}", f"annotator.spec=wrong:{answer}", "student.spec=nobody", "limit=9"]
    config, parts = assemble(load_config(None, settings), plugins, None)
    splits = load_splits(parts.task, inductive=True, limit=9, seed=0)
    message = message.format(last=splits.train.pool.ids[-1])
    who = "" if "student" in message else f"annotator 'wrong:{answer}' "
    with (
        pytest.raises(PartError, match=re.escape(who + message)),
        RunFolder.held(tmp_path / "run") as folder,
    ):
        run(
            parts,
            config,
            splits,
            folder,
            run_id="x",
            replies=folder.path / "replies.sqlite",
            plugins=plugins,
            watcher=Watcher(),
        )
    assert (tmp_path / "run").exists() == message.startswith("student")


# --- registrations that cannot be used -----------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("'no_such_module:one'", "no_such_module:one: ModuleNotFoundError: No module named 'no_su"),
        ("'json:absent'", "json:absent: AttributeError: module 'json' has no attribute 'absent'"),
        ("'sys:version'", "sys:version: a factory is expected"),
        ("print, config='json:JSONDecoder'", "json:JSONDecoder: config=<class 'json.decoder.JSO"),
    ],
)
def test_a_part_that_is_not_where_it_says_is_named_when_it_is_used(
    tmp_path: Path, arguments: str, message: str
) -> None:
    body = f"@hookimpl\ndef harness_register_students(register): register('far', {arguments})\n"
    path = plugin_file(tmp_path / "far.py", body)
    plugins = Plugins([path], third_party=False)
    assert "far" in plugins.parts("student") and plugins.problems == []
    with pytest.raises(PartError, match=re.escape(f"student 'far': {message}")) as caught:
        assemble(load_config(None, ["student.spec=far"]), plugins, None)
    assert f"(plugin {path})" in str(caught.value)
    # Nobody else's keys are lost with it; the problem is told once.
    assert {"student.epochs", "annotator.samples"} <= set(plugins.keys()) == set(plugins.keys())
    assert len(plugins.problems) <= 1


WRONG_PARTS = {
    "argument in the name": ("student", "'my part:x', one", "'my part:x': no spec can name it"),
    "no name": ("student", "'', one", "'': no spec can name it"),
    "comma": ("task", "'a,b', one", "'a,b': no spec can name it"),
    "no text": ("task", "3, one", "3: no spec can name it"),
    "kind": ("student", "'x', one, kinds=['sequnce']", "'sequnce'; did you mean 'sequence'"),
    "kinds as one text": ("student", "'x', one, kinds='token'", "kinds='token': a list is expec"),
    "no kinds": ("student", "'x', one, kinds=[]", "a list is expected, of 'sequence' and 'token'"),
    "no role": (
        "selector",
        "'x', one",
        "the name must say the role, ROLE/NAME; roles are initial, trust",
    ),
    "role": ("selector", "'trusts/x', one", "the name must say the role"),
    "value": ("augmenter", "'x', 3", "a factory is expected, a callable that takes one request"),
    "no place": ("augmenter", "'x', 'a module'", "'a module': write MODULE:NAME"),
    "two arguments": ("annotator", "'x', lambda a, b: 0", "one argument, the request; it takes (a"),
    "no argument": ("annotator", "'x', lambda: 0", "one argument, the request; it takes ()"),
    "config": ("annotator", "'x', one, config=dict", "a pydantic model is expected"),
    "no place of keys": ("student", "'x', one, config='Keys'", "'Keys': write MODULE:NAME"),
    "an instance": ("student", "'x', one, config=Keys()", "a pydantic model is expected"),
    "config of a task": ("task", "'x', one, config=Keys", "only annotator and student have keys"),
    "key of the core": ("student", "'x', one, config=Core", "the key 'save' is the core's own"),
    "key without default": ("student", "'x', one, config=Bare", "the key 'a' needs a default"),
    "not_identifying": (
        "student",
        "'x', one, config=Rude",
        "not_identifying names no key of it: b",
    ),
}
MODELS = """
from typing import ClassVar
from pydantic import BaseModel
class Keys(BaseModel): a: int = 1
class Core(BaseModel): save: bool = True
class Bare(BaseModel): a: int
class Rude(BaseModel):
    not_identifying: ClassVar[frozenset[str]] = frozenset({"a", "b"})
    a: int = 1
def one(request): return None
"""


@pytest.mark.parametrize(("kind", "call", "message"), WRONG_PARTS.values(), ids=WRONG_PARTS)
def test_what_cannot_be_used_is_refused_when_it_is_registered(
    tmp_path: Path, kind: str, call: str, message: str
) -> None:
    hook = f"@hookimpl\ndef harness_register_{kind}s(register):\n"
    body = f"{MODELS}{hook}    register({call})\n    register(ROLE + 'fine', one)\n"
    role = "trust/" if kind == "selector" else ""
    path = plugin_file(tmp_path / "wrong.py", body.replace("ROLE", repr(role)))
    plugins = Plugins([path], third_party=False)
    assert plugins.part(kind, f"{role}fine").plugin == path
    (problem,) = plugins.problems
    assert str(problem).startswith(f"plugin {path}: {kind} ") and message in str(problem)
    assert "\n" not in str(problem)


@pytest.mark.parametrize("mark", ["tryfirst", "trylast", "hookwrapper", "wrapper"])
def test_a_mark_of_order_that_has_no_effect_is_named(tmp_path: Path, mark: str) -> None:
    body = f"@hookimpl({mark}=True)\ndef harness_run_finished(result): yield\n"
    with pytest.raises(CommandError, match=f"harness_run_finished: {mark} has no effect") as caught:
        Plugins([plugin_file(tmp_path / "order.py", body)], third_party=False)
    assert "order.py" in str(caught.value)


# --- keys of a part's own ------------------------------------------------------------

KEYED = """
from typing import ClassVar
from pydantic import BaseModel, ConfigDict
from harness_plugins.students.tfidf import TfidfStudent

class Keys(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)
    not_identifying: ClassVar[frozenset[str]] = frozenset({"threads"})
    depth: int = 3
    \"\"\"How deep it goes.\"\"\"
    threads: int = 1
    \"\"\"How many at once.\"\"\"

class Keyed(TfidfStudent):
    def __init__(self, request):
        super().__init__(len(request.task.classes))
        assert type(request.config) is Keys
        self.keys = request.config
    def describe(self):
        return self.keys.model_dump()

@hookimpl
def harness_register_students(register):
    register("keyed", Keyed, kinds=["sequence"], config=Keys)
"""


def test_a_part_brings_its_own_keys(tmp_path: Path) -> None:
    plugins = Plugins([plugin_file(tmp_path / "keyed.py", KEYED)], third_party=False)

    def made(*settings: str) -> tuple[Config, Parts]:
        return assemble(load_config(None, ["student.spec=keyed", *settings]), plugins, None)

    config, parts = made("student.depth=5")
    assert abilities.describe(parts.student) == {"depth": 5, "threads": 1}
    assert config.model_dump()["student"]["depth"] == 5
    assert run_id(*made("student.depth=5")) != run_id(*made())
    assert run_id(*made("student.threads=5")) == run_id(*made())
    with pytest.raises(
        CommandError, match=r"key 'student\.depth' = 'x': input should be a valid in"
    ):
        made("student.depth=x")
    with pytest.raises(CommandError, match=r"'student\.dept'; did you mean 'student\.depth'"):
        made("student.dept=1")
    with pytest.raises(CommandError, match=r"epochs has no effect: student 'keyed' takes no such"):
        made("student.epochs=1")


def test_the_keys_of_a_part_are_shown(tmp_path: Path) -> None:
    path = plugin_file(tmp_path / "keyed.py", KEYED)
    shown = succeeded(call("show", "student", "keyed", "--plugin", path))
    assert "  depth    3\n      How deep it goes.\n  threads  1\n" in shown
    config = succeeded(
        call("show", "config", "--plugin", path, "--set", "student.spec=keyed", "--set",
             "student.depth=4")
    )  # fmt: skip
    assert "depth = 4  # How deep it goes." in config


def test_the_keys_of_an_encoder_are_shown_by_preset() -> None:
    lines = succeeded(call("show", "student", "minilm")).splitlines()
    rows = {line.split()[0]: line.split(maxsplit=1)[1] for line in lines if line.strip()}
    assert rows["default"].split() == ["paper", "plain"]
    assert re.split(r"  +", rows["epochs"]) == ["4 / 3-12", "50", "2-3 / 3-10"]
    assert re.split(r"  +", rows["learning_rate"]) == [
        "0.0001 / 0.0003",
        "3e-05",
        "0.0001 / 0.0003",
    ]
    assert re.split(r"  +", rows["clean"]) == ["auto / mixture", "mixture", "all"]


# --- the code that made a run --------------------------------------------------------


def test_a_run_that_other_code_made_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "mine_package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "inner.py").write_text("VALUE = 1\n")
    body = KEYED.replace('"keyed"', '"packaged"')
    plugin_file(package / "plugin.py", body)
    quick = ("--student", "packaged", "--annotator", "oracle", "--rounds", "1", "--limit", "60")
    out = ("--out", str(tmp_path / "runs"))

    monkeypatch.syspath_prepend(tmp_path)

    def anew(*arguments: str) -> Outcome:
        """As a process of its own: the package is imported again."""
        for name in [one for one in sys.modules if one.startswith("mine_package")]:
            del sys.modules[name]
        importlib.invalidate_caches()
        return call(*arguments, "--plugin", "mine_package.plugin", *out)

    assert anew("run", *quick).code == 0
    assert "was not run again" in anew("run", *quick).stderr
    assert "other code" not in anew("table", "--format", "markdown").stdout
    (package / "inner.py").write_text("VALUE = 2\n")
    found = anew("run", *quick)
    assert found.code == 0
    assert found.stderr == (
        "harness: note: this run is finished, but was made by other code of student "
        "'packaged'; --fresh makes it anew\n"
    )
    assert "§ other code" in anew("table", "--format", "markdown").stdout
    assert json.loads(anew("runs", "--json").stdout)["runs"][0]["other_code"]
    without = call("table", "--format", "markdown", *out)
    assert "other code" not in without.stdout  # the part is not loaded, so nobody can tell
    (folder,) = (tmp_path / "runs" / "demo").iterdir()
    (folder / "result.json").unlink()
    resumed = anew("run", *quick)
    assert "R2: rounds/00/view.safetensors was made from other inputs or by other code" in (
        resumed.stderr
    )
    assert PROGRESS.sub("", anew("run", *quick, "--fresh").stderr) == ""
    assert "other code" not in anew("runs").stdout


def test_a_built_in_part_is_known_by_the_source_of_its_room(tmp_path: Path) -> None:
    import harness_plugins

    plugins = Plugins(third_party=False)
    student = plugins.fingerprint(plugins.part("student", "minilm"))
    assert student == plugins.fingerprint(plugins.part("student", "tfidf"))  # of one room
    assert student != plugins.fingerprint(plugins.part("selector", "trust/all"))
    copied = tmp_path / "harness_plugins"
    shutil.copytree(Path(harness_plugins.__file__).parent, copied)
    ask = (
        "from harness.plugin_manager import Plugins\np = Plugins(third_party=False)\n"
        "print(*(p.fingerprint(p.part(*one)) for one in"
        " [('student', 'minilm'), ('selector', 'trust/all'), ('annotator', 'rules')]))"
    )

    def fingerprints() -> list[str]:
        paths = os.pathsep.join([str(tmp_path), *sys.path[1:]])
        environment = {**os.environ, "PYTHONPATH": paths}
        done = subprocess.run([sys.executable, "-P", "-c", ask], env=environment, check=True,
                              capture_output=True, text=True)  # fmt: skip
        return done.stdout.split()

    before = fingerprints()
    assert before[0] == student
    with (copied / "students" / "training" / "terms.py").open("a") as file:
        file.write("# edited\n")
    assert [a == b for a, b in zip(before, fingerprints(), strict=True)] == [False, True, True]
    with (copied / "encoders.py").open("a") as file:  # which all three rooms import
        file.write("# edited\n")
    assert [a == b for a, b in zip(before, fingerprints(), strict=True)] == [False, False, False]


# --- installed distributions ---------------------------------------------------------

GOOD = (
    HOOKIMPL + "@hookimpl\ndef harness_register_annotators(register):\n"
    "    register('installed', print, summary='from a distribution')\n"
    "@hookimpl\ndef harness_register_commands(app):\n"
    "    @app.command('hello')\n    def hello(): print('hello')\n"
)


def site_with(tmp_path: Path, **modules: str) -> Path:
    """A folder of installed distributions ``NAME-dist``, each with one module and entry."""
    site = tmp_path / "site"
    for name, source in modules.items():
        install(site, f"{name}-dist", f"[harness]\n{name}-entry = {name}\n")
        (site / f"{name}.py").write_text(source, encoding="utf-8")
    return site


def test_installed_plugins_good_and_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = site_with(
        tmp_path,
        hp_good=GOOD,
        hp_missing="import no_such_module",
        hp_misspelt=HOOKIMPL + "@hookimpl\ndef harness_run_start(): pass\n",
        hp_argument=HOOKIMPL + "@hookimpl\ndef harness_run_failed(eror): pass\n",
    )
    install(site, "unrelated", "[console_scripts]\nx = no_such_module:main\n")
    monkeypatch.syspath_prepend(str(site))
    told: list[Problem] = []
    plugins = Plugins(warn=told.append)
    assert plugins.part("annotator", "installed").plugin == "hp_good-entry (hp_good-dist 1.0)"
    assert plugins.part("annotator", "rules").plugin == BUILTINS[1]
    assert told == plugins.problems
    said = {problem.plugin: problem.message for problem in told}
    assert said["hp_missing-entry (hp_missing-dist 1.0)"].startswith("cannot be imported: Module")
    assert "did you mean 'harness_run_started'" in said["hp_misspelt-entry (hp_misspelt-dist 1.0)"]
    assert "{'eror'}" in said["hp_argument-entry (hp_argument-dist 1.0)"]
    assert len(said) == len(told) == 3
    origins = {info.name: info.origin for info in plugins.infos()}
    assert origins["hp_good-entry (hp_good-dist 1.0)"] == "hp_good-dist 1.0"
    plugins.notify("harness_run_failed", error=OSError(), folder=tmp_path)
    assert len(plugins.problems) == 3


def test_third_party_plugins_can_be_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(site_with(tmp_path, hp_left="raise AssertionError")))
    assert Plugins(third_party=False).problems == []


def harness(site: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The program, in a process in which the distributions of ``site`` are installed."""
    code = "from harness.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(site), *sys.path]),
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_program_goes_on_with_a_broken_distribution(tmp_path: Path) -> None:
    site = site_with(tmp_path, hp_good=GOOD, hp_bad="raise RuntimeError('out of order')")
    listed = harness(site, "list", "annotators")
    assert listed.returncode == 0
    assert "from a distribution" in listed.stdout and "rules" in listed.stdout
    warning = (
        "plugin hp_bad-entry (hp_bad-dist 1.0): cannot be imported: RuntimeError: out of order"
    )
    (line,) = listed.stderr.splitlines()
    assert line.startswith(f"harness: warning: {warning} ({site}") and line.endswith("py:1)")
    hello = harness(site, "hello")
    assert (hello.returncode, hello.stdout) == (0, "hello\n")


def test_a_folder_that_is_twice_on_the_path_is_no_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = str(site_with(tmp_path, hp_twice=GOOD))
    monkeypatch.setattr(sys, "path", [site, site, *sys.path])
    assert Plugins().problems == []


def test_an_installed_plugin_that_exits_when_imported_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(site_with(tmp_path, hp_exit="raise SystemExit(3)")))
    assert "SystemExit" in str(Plugins().problems[0])


def test_a_distribution_whose_entry_points_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path / "site", "hp_garbled", "[harness]\njust a line\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert "hp_garbled" in str(Plugins().problems[0])


def test_a_built_in_command_cannot_be_replaced(tmp_path: Path) -> None:
    source = HOOKIMPL + (
        "@hookimpl\ndef harness_register_commands(app):\n"
        "    @app.command('list')\n    def mine(): print('mine instead')\n"
    )
    source += "    @app.command('mine')\n    def other(): print('mine')\n"
    site = site_with(tmp_path, hp_rude=source)
    listed = harness(site, "list")
    assert listed.returncode == 0
    assert "mine instead" not in listed.stdout and "annotators:\n" in listed.stdout
    assert listed.stderr == (
        "harness: warning: plugin hp_rude-entry (hp_rude-dist 1.0): "
        "command 'list' is already there\n"
    )
    assert harness(site, "mine").stdout == "mine\n"  # its other commands are added


NAMES_TAKEN = {
    "command": "@app.command('taken')\n    def mine(): print('replaced')\n",
    "command named by its function": "@app.command()\n    def taken(): print('replaced')\n",
    "function in other letters": "@app.command()\n    def Taken(): print('replaced')\n",
    "group": "app.add_typer(typer.Typer(), name='taken')\n",
    "command of a group's name": "@app.command()\n    def group(): print('replaced')\n",
}


@pytest.mark.parametrize("body", NAMES_TAKEN.values(), ids=NAMES_TAKEN)
def test_a_command_whose_name_is_taken_is_refused(tmp_path: Path, body: str) -> None:
    head = "import typer\n@hookimpl\ndef harness_register_commands(app):\n    "
    path = plugin_file(tmp_path / "rude.py", head + body)
    app = typer.Typer()
    app.command("taken")(lambda: print("kept"))
    group = typer.Typer()
    group.command("one")(lambda: print("kept"))
    app.add_typer(group, name="group")
    plugins = Plugins([path], third_party=False)
    plugins.register_commands(app)
    name = "group" if "def group" in body else "taken"
    assert [str(problem) for problem in plugins.problems] == [
        f"plugin {path}: command {name!r} is already there"
    ]
    for arguments in (["taken"], ["group", "one"]):
        assert CliRunner().invoke(app, arguments).stdout == "kept\n"


def test_of_two_plugins_with_one_command_the_first_is_kept(tmp_path: Path) -> None:
    body = "@hookimpl\ndef harness_register_commands(app):\n    @app.command('twin')\n"
    paths = [
        plugin_file(tmp_path / f"{who}.py", f"{body}    def mine(): print('{who}')\n")
        for who in ("first", "second")
    ]
    plugins = Plugins(paths, third_party=False)
    app = typer.Typer()
    app.command("other")(lambda: None)
    plugins.register_commands(app)
    message = f"plugin {paths[1]}: command 'twin' is already there"
    assert [str(problem) for problem in plugins.problems] == [message]
    assert CliRunner().invoke(app, ["twin"]).stdout == "first\n"


def test_a_plugin_cannot_reach_the_commands_of_the_program(tmp_path: Path) -> None:
    body = "@hookimpl\ndef harness_register_commands(app):\n    app.registered_commands.clear()\n"
    app = typer.Typer()
    app.command("other")(lambda: print("kept"))
    app.command("another")(lambda: None)
    path = plugin_file(tmp_path / "rude.py", body)
    Plugins([path], third_party=False).register_commands(app)
    assert CliRunner().invoke(app, ["other"]).stdout == "kept\n"


def test_third_party_plugins_are_switched_off_by_the_environment(tmp_path: Path) -> None:
    site = site_with(tmp_path, hp_good=GOOD, hp_bad="raise RuntimeError('out of order')")
    listed = harness(site, "list", "annotators", HARNESS_PLUGINS="off")
    assert (listed.returncode, listed.stderr) == (0, "")
    assert "from a distribution" not in listed.stdout and "rules" in listed.stdout
    assert "No such command 'hello'" in harness(site, "hello", HARNESS_PLUGINS="off").stderr
    refused = harness(site, "list", HARNESS_PLUGINS="no")
    assert refused.returncode == 2 and "HARNESS_PLUGINS=no: write off" in refused.stderr


@pytest.mark.parametrize("name", ["hp_bad-entry", "hp_bad-dist", "hp_bad-entry (hp_bad-dist 1.0)"])
def test_an_installed_plugin_can_be_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    site = site_with(tmp_path, hp_good=GOOD, hp_bad="raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(str(site))
    plugins = Plugins(without=[name])
    assert plugins.problems == []
    assert plugins.part("annotator", "installed")


def test_a_built_in_plugin_can_be_left_out(tmp_path: Path) -> None:
    listed = harness(tmp_path, "list", "--no-plugin", "harness_plugins.students.plugin", "students")
    assert (listed.returncode, listed.stdout, listed.stderr) == (0, "students:\n  (none)\n", "")
    refused = harness(tmp_path, "list", "--no-plugin=harness_plugins.student.plugin")
    assert refused.returncode == 2
    assert "did you mean 'harness_plugins.students.plugin'" in refused.stderr


@pytest.mark.parametrize("front", [True, False])
def test_a_command_of_a_plugin_that_is_named_exists_in_that_call(
    tmp_path: Path, *, front: bool
) -> None:
    body = (
        "print('imported')\n@hookimpl\ndef harness_register_commands(app):\n"
        "    @app.command('hello')\n    def hello(name: str): print('hello', name)\n"
    )
    option = ["--plugin", plugin_file(tmp_path / "mine.py", body)]
    arguments = [*option, "hello", "you"] if front else ["hello", "you", *option]
    said = harness(tmp_path, *arguments)
    assert (said.returncode, said.stdout, said.stderr) == (0, "imported\nhello you\n", "")
    assert harness(tmp_path, "hello", "you").returncode == 2


# --- the reference documentation -----------------------------------------------------


@pytest.mark.parametrize("hook", hookspecs.HOOKS)
def test_every_hook_is_documented_and_typed(hook: str) -> None:
    function = getattr(hookspecs, hook)
    text = inspect.getdoc(function) or ""
    first, _, rest = text.partition("\n\n")
    assert first.endswith(".") and "\n" not in first
    assert "Runs " in text or first.startswith("Observe ")
    assert len(rest) > 60, "say when it runs, with what, and how several answers combine"
    signature = inspect.signature(function)
    assert signature.return_annotation == "None"
    for parameter in signature.parameters.values():
        assert parameter.annotation is not parameter.empty
        assert parameter.default is parameter.empty
    if len(signature.parameters) == 1:
        assert list(signature.parameters) in (["register"], ["app"])
    else:
        for name in signature.parameters:
            assert name == "folder" or f"``{name}``" in text or name in text


def test_every_function_of_the_reference_is_a_hook() -> None:
    functions = [
        name
        for name, value in vars(hookspecs).items()
        if inspect.isfunction(value) and value.__module__ == hookspecs.__name__
    ]
    assert sorted(functions) == sorted(hookspecs.HOOKS)
    registered = Plugins(third_party=False).infos()
    assert [info.name for info in registered] == list(BUILTINS)


def test_every_hook_runs(tmp_path: Path) -> None:
    mine = Mine(tmp_path)
    mine.plugins.register_commands(typer.Typer())
    mine.run()
    with pytest.raises(PartError):
        mine.run("annotator.spec=broken", name="broken")
    for kind in ("augmenter", "recipe", "model", "table_format", "check"):
        mine.plugins.parts(kind)
    called = {line.split()[0] for line in mine.log() if line.startswith("harness_")}
    assert called == set(hookspecs.HOOKS)


def test_hooks_may_leave_out_arguments(tmp_path: Path) -> None:
    body = "told = []\n@hookimpl\ndef harness_run_failed(error): told.append(str(error))\n"
    plugins = Plugins([plugin_file(tmp_path / "brief.py", body)], third_party=False)
    plugins.notify("harness_run_failed", error=OSError("full"), folder=tmp_path)
    assert sys.modules["harness_plugin_file_brief"].told == ["full"]
    assert plugins.problems == []
