"""A mistake of the user is answered by one line and an exit code, and leaves nothing behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.commands import call, call_process, message

OUT = Path("runs")
QUICK = ("run", "--student", "tfidf", "--annotator", "oracle", "--rounds", "1", "--out", str(OUT))
NER = ("run", "--task", "demo-ner", "--annotator", "rules", "--out", str(OUT))


pytestmark = pytest.mark.usefixtures("alone")


def write_split(task: str, split: str, *rows: object) -> None:
    """Data rows below ``data/<task>/``; a string is written as it is."""
    file = Path("data") / task / f"{split}.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    file.write_text("".join(line + "\n" for line in lines), encoding="utf-8")


# What is added to the quick run, and what the line must say.
WRONG_RUNS = {
    "annotator": (("--annotator", "orcale"), ("unknown annotator 'orcale'", "'oracle'")),
    "annotator like no other": (
        ("--annotator", "zzz"),
        ("'zzz'", "known: claude-large, claude-small, embedding"),
    ),
    "annotator without a name": (("--annotator", ":x"), ("':x'", "name:argument")),
    "student": (("--student", "tfdif"), ("unknown student 'tfdif'", "'tfidf'")),
    "selector": (("--selector", "freal"), ("unknown selector 'freal'", "'freeal'")),
    "selector of a role": (
        ("--set", "selector.trust=smallloss"),
        ("unknown trust selector 'smallloss'", "'small-loss'"),
    ),
    "task": (("--task", "dmo"), ("unknown task 'dmo'", "'demo'")),
    "missing TOML": (("--task", "absent.toml"), ("absent.toml: no such task file",)),
    "task file without a path": (("--task", "file"), ("--task path/to/task.toml",)),
    "option": (("--studnet", "tfidf"), ("--studnet", "--student")),
    "option without value": (
        ("--seed",),
        ("--seed", "requires an argument", "see harness run --help"),
    ),
    "superfluous argument": (("demo",), ("demo", "--help")),
    "key": (("--student", "minilm", "--set", "student.epoch=3"), ("'student.epochs'",)),
    "key of no table": (("--set", "epochs=3"), ("'epochs'", "student.epochs")),
    "no key": (("--set", "rounds"), ("--set rounds", "KEY=VALUE")),
    "table for a value": (("--set", "seed.a=1"), ("'seed'", "integer")),
    "value for a table": (
        ("--set", "demonstrations=3"),
        ("'demonstrations' is a table of keys", "such as 'demonstrations.generated'"),
    ),
    "value for a table with an option": (("--set", "student=tfidf"), ("'student'", "table")),
    "no number": (("--set", "seed=many"), ("'seed' = 'many'", "integer")),
    "fraction": (("--set", "seed=1.5"), ("'seed' = 1.5", "integer")),
    "no rounds": (("--rounds", "0"), ("'rounds' = 0", "greater than or equal to 1")),
    "negative seed": (("--seed", "-1"), ("'seed' = -1", "greater than or equal to 0")),
    "zero limit": (("--limit", "0"), ("'limit' = 0", "greater than or equal to 1")),
    "limit in letters": (("--limit", "ten"), ("--limit", "integer")),
    "setting": (("--setting", "both"), ("'setting' = 'both'", "'inductive' or 'transductive'")),
    "boolean": (("--set", "demonstrations.generated=perhaps"), ("demonstrations.generated",)),
    "data folder": (("--data", "absent"), ("--data absent: no such folder",)),
    "configuration": (("--config", "absent.toml"), ("absent.toml: no such configuration",)),
    "no replay": (("--annotator", "replay"), ("replay:FILE.jsonl", "replay:RUN")),
    "missing replay": (("--annotator", "replay:absent.jsonl"), ("replay:absent.jsonl: no such",)),
    "missing replay by path": (("--annotator", "replay:/absent/a.jsonl"), ("/absent/a.jsonl",)),
    "round of no number": (
        ("--annotator", "replay:absent.jsonl,round=b"),
        ("round='b'", "not a valid int"),
    ),
    "rate beyond 1": (("--annotator", "noisy:1.5"), ("noisy:1.5", "from 0 to 1")),
    "argument too many": (("--annotator", "oracle:5"), ("oracle:5", "no argument")),
    "no rules": (("--annotator", "rules"), ("'demo'", "rules", "another annotator")),
    "epochs for tfidf": (
        ("--set", "student.epochs=3"),
        ("student.epochs has no effect: student 'tfidf'", "leave it out"),
    ),
    "option of tfidf": (
        ("--student", "tfidf,c=3"),
        ("tfidf,c=3", "no option 'c'", "tfidf has none"),
    ),
    "share beyond 1": (("--set", "selector.trust=small-loss:9"), ("small-loss:9", "at most 1")),
    "plugin": (("--plugin", "absent_plugin"), ("--plugin absent_plugin", "No module named")),
    "plugin file": (("--plugin", "absent.py"), ("--plugin absent.py: no such file",)),
}


@pytest.mark.parametrize(("arguments", "parts"), WRONG_RUNS.values(), ids=WRONG_RUNS)
def test_wrong_run(arguments: tuple[str, ...], parts: tuple[str, ...]) -> None:
    said = message(call(*QUICK, *arguments), 2)
    assert all(part in said for part in parts), said
    assert not OUT.exists()


WRONG_COMMANDS = {
    "command": (("rum",), ("'rum'",)),
    "kind to list": (("list", "teachers"), ("'teachers'", "'annotators'")),
    "kind to show": (("show", "teacher", "x"), ("'teacher'", "'annotator'")),
    "near a kind": (("show", "annotatr"), ("'annotatr': did you mean 'annotator'?",)),
    "task of a configuration": (("show", "config", "dmo"), ("unknown task 'dmo'", "'demo'")),
    "nothing to show": (("show", "annotator"), ("show annotator needs a name",)),
    "annotator to show": (("show", "annotator", "orcale"), ("'orcale'", "'oracle'")),
    "selector to show": (("show", "selector", "smal-loss"), ("'smal-loss'", "'small-loss'")),
    "task to show": (("show", "task", "dmo"), ("'dmo'", "'demo'")),
    "run to show": (("show", "run", "r1", "--out", "runs"), ("'r1'", "runs", "harness runs")),
    "key to show": (("show", "config", "--set", "seeed=3"), ("'seeed'", "'seed'")),
    "format": (("table", "--format", "markdwon"), ("'markdwon'", "'markdown'")),
}


@pytest.mark.parametrize(("arguments", "parts"), WRONG_COMMANDS.values(), ids=WRONG_COMMANDS)
def test_wrong_command(arguments: tuple[str, ...], parts: tuple[str, ...]) -> None:
    said = message(call(*arguments), 2)
    assert all(part in said for part in parts), said


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("--annotator", "embedding"), ("'embedding' does not serve token tasks", "rules")),
        (("--student", "tfidf"), ("'tfidf' does not serve token tasks", "minilm")),
    ],
)
def test_part_that_does_not_serve_the_kind(
    arguments: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    said = message(call(*NER, *arguments), 2)
    assert all(part in said for part in parts), said
    assert not OUT.exists()


def test_task_without_data_or_network_says_how_to_fetch_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    arguments = ("run", "--annotator", "oracle", "--task", "bc5cdr-disease")
    said = message(call_process(*arguments, cwd=Path.cwd()), 1)
    assert "'bc5cdr-disease'" in said
    assert "cannot be reached" in said
    command = said.partition("run: ")[2].partition(";")[0]
    assert command == (
        "hf download bigbio/blurb --repo-type dataset "
        "--revision 2588833475f354bc8a5bfaa93e6688671cdd68a8 "
        "--include 'bc5disease/*' --local-dir DIR/bc5cdr-disease"
    )
    assert said.endswith("then pass --data DIR")
    assert not OUT.exists()


@pytest.mark.parametrize("task", ["conll03", "bc5cdr-chemical", "bc5cdr-disease"])
def test_task_without_a_default_annotator_asks_for_one(task: str) -> None:
    for split in ("train", "test"):
        write_split(task, split, {"tokens": ["Ada", "sat"], "tags": ["O", "O"]})
    said = message(call("run", "--task", task, "--data", "data", "--out", str(OUT)), 2)
    assert f"'{task}' has no default annotator" in said
    assert "pass --annotator SPEC" in said and "harness list annotators" in said
    assert not OUT.exists()


def test_data_folder_from_the_environment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_DATA", "absent")
    assert "HARNESS_DATA absent: no such folder" in message(call(*QUICK), 2)


def test_empty_spec_is_refused() -> None:
    # `--annotator "$A"` with A unset. Should it be let in, the student ends the run.
    said = message(call("run", "--task", "demo-ner", "--annotator", "", "--student", "tfidf"), 2)
    assert "tfidf" not in said


def test_file_task_by_its_own_name() -> None:
    Path("mine.toml").write_text("schema = 2\n")
    assert message(call(*QUICK, "--task", "file:mine.toml"), 1).startswith("mine.toml: ")


def test_plugin_with_a_misspelt_hook_is_named_once() -> None:
    Path("wrong_plugin.py").write_text(
        "from harness import hookimpl\n\n\n"
        "@hookimpl\ndef harness_register_studens(register):\n    pass\n"
    )
    said = message(call(*QUICK, "--plugin", "wrong_plugin.py"), 2)
    assert "'harness_register_studens'" in said
    assert "'harness_register_students'" in said


def test_plugin_that_cannot_be_imported_is_named() -> None:
    Path("broken_plugin.py").write_text("import json\n\njson.no_such_name\n")
    said = message(call(*QUICK, "--plugin", "broken_plugin.py"), 2)
    assert "broken_plugin.py: cannot be imported: AttributeError" in said
    assert not OUT.exists()


def test_out_that_is_a_file_is_named() -> None:
    OUT.write_text("")
    said = message(call(*QUICK, "--limit", "20"), 1)
    assert "cannot be written" in said
    assert "--out" in said


# --- wrong data ------------------------------------------------------------------------

WRONG_DATA = {
    "broken line": ('{"text": "a", "label"', ("not a JSON object",)),
    "unknown label": ({"text": "a", "label": "acces"}, ("no label 'acces'", "'access'")),
    "empty text": ({"text": " ", "label": "access"}, ("text is empty",)),
}
WRONG_TOKENS = {
    "too few tags": (
        {"tokens": ["a", "b"], "tags": ["O"]},
        ("2 tokens but 1 tags", "each token needs one tag"),
    ),
    "I- first": ({"tokens": ["a"], "tags": ["I-PER"]}, ("I-PER", "B-PER")),
}


def wrong_line(task: str, row: object, *more: str) -> str:
    """What a run says about a wrong second row."""
    sequence = {"text": "My password is gone.", "label": "access"}
    tokens = {"tokens": ["Ada", "sat"], "tags": ["B-PER", "O"]}
    good = sequence if task == "demo" else tokens
    write_split(task, "train", good, row, good)
    write_split(task, "test", good, good)
    start = QUICK if task == "demo" else NER
    return message(call(*start, *more, "--data", "data"), 1)


@pytest.mark.parametrize(("row", "parts"), WRONG_DATA.values(), ids=WRONG_DATA)
def test_wrong_text_is_named_by_file_and_line(row: object, parts: tuple[str, ...]) -> None:
    said = wrong_line("demo", row)
    assert said.startswith("data/demo/train.jsonl:2: ")
    assert all(part in said for part in parts), said


@pytest.mark.parametrize(("row", "parts"), WRONG_TOKENS.values(), ids=WRONG_TOKENS)
def test_wrong_sentence_is_named_by_file_and_line(row: object, parts: tuple[str, ...]) -> None:
    said = wrong_line("demo-ner", row)
    assert said.startswith("data/demo-ner/train.jsonl:2: ")
    assert all(part in said for part in parts), said


@pytest.mark.parametrize("row", [row for row, _ in WRONG_DATA.values()], ids=WRONG_DATA)
@pytest.mark.parametrize("more", [(), ("--json",), ("--fresh",)], ids=str)
def test_wrong_data_leaves_no_run_behind(row: object, more: tuple[str, ...]) -> None:
    wrong_line("demo", row, *more)
    assert not OUT.exists()


def test_wrong_data_leaves_an_earlier_run_as_it_was() -> None:
    row = {"text": "My password is gone.", "label": "access"}
    other = {"text": "The bill is wrong.", "label": "billing"}
    for split in ("train", "test"):
        write_split("demo", split, *[row, other] * 5)
    assert call(*QUICK, "--data", "data").code == 0
    before = {file: file.read_bytes() for file in OUT.rglob("*") if file.is_file()}
    assert any(file.name == "result.json" for file in before)
    wrong_line("demo", "[]", "--fresh")
    assert {file: file.read_bytes() for file in OUT.rglob("*") if file.is_file()} == before


def test_without_a_test_split_scores_are_of_the_pool() -> None:
    write_split("demo", "train", {"text": "My password is gone.", "label": "access"})
    done = call(*QUICK, "--data", "data")
    assert done.code == 0
    assert done.stderr.count("the task has no test split: all scores are of the pool") == 1


def test_wrong_task_file_is_named_with_its_key() -> None:
    Path("mine.toml").write_text('schema = 1\nname = "mine"\nkind = "text"\n')
    said = message(call(*QUICK, "--task", "mine.toml"), 1)
    assert said.startswith("mine.toml: key 'kind'")
    assert not OUT.exists()


def test_task_file_without_data_can_be_shown() -> None:
    labels = "".join(f'[[labels]]\nname = "{name}"\ndescription = "{name}"\n' for name in "ab")
    head = 'schema = 1\nname = "mine"\nkind = "sequence"\nmetric = "accuracy"\n'
    Path("mine.toml").write_text(head + labels)
    shown = call("show", "task", "mine.toml")
    assert (shown.code, shown.stderr) == (0, "")
    assert shown.stdout.startswith("mine\n")
    assert "--data DIR" in shown.stdout


# A recorded row, and what is said about it.
WRONG_RECORDS = {
    "no object": ("[1]", ("not a JSON object but a list", "put it in braces")),
    "no text": ('{"label": "access"}', ("'text' or 'tokens'", "it has: label")),
    "broken": ('{"text": ', ("not a JSON object",)),
    "no answer": ('{"text": "a"}', ("there is no 'label' in the row",)),
    "text is a number": ('{"text": 5, "label": "access"}', ("text",)),
    "confidence in words": ('{"text": "a", "label": "access", "confidence": "high"}', ("conf",)),
}


@pytest.mark.parametrize(
    ("row", "parts"),
    [pytest.param(*case, id=name) for name, case in WRONG_RECORDS.items()],
)
def test_wrong_recording_is_named_by_file_and_line(row: str, parts: tuple[str, ...]) -> None:
    Path("recorded.jsonl").write_text('{"text": "b", "label": "access"}\n' + row + "\n")
    said = message(call(*QUICK, "--annotator", "replay:recorded.jsonl"), 1)
    assert said.startswith("recorded.jsonl:2: ")
    assert all(part in said for part in parts), said
    assert not OUT.exists()


@pytest.mark.parametrize("more", [(), ("--json",), ("--fresh",)], ids=str)
def test_recording_of_another_task_is_named(more: tuple[str, ...]) -> None:
    Path("recorded.jsonl").write_text('{"text": "nobody wrote this", "label": "access"}\n')
    arguments = ("--limit", "20", "--annotator", "replay:recorded.jsonl", *more)
    said = message(call(*QUICK, *arguments), 1)
    assert said.startswith("recorded.jsonl: holds no answer for any of the 20 train examples")
    assert list(OUT.rglob("*")) == []


def test_failure_without_records_leaves_other_runs_alone() -> None:
    assert call(*QUICK, "--limit", "20").code == 0
    before = sorted(OUT.rglob("*"))
    assert before
    Path("recorded.jsonl").write_text('{"text": "nobody wrote this", "label": "access"}\n')
    message(call(*QUICK, "--limit", "20", "--annotator", "replay:recorded.jsonl"), 1)
    assert sorted(OUT.rglob("*")) == before


# --- the installed program -------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (("--annotator", "orcale"), 2, "did you mean 'oracle'"),
        (("--set", "student.epoch=3"), 2, "harness show student tfidf"),
        (("--task", "mr"), 1, "--data DIR"),
    ],
)
def test_installed_program(
    tmp_path: Path, arguments: tuple[str, ...], code: int, part: str
) -> None:
    assert part in message(call_process(*QUICK, *arguments, cwd=tmp_path), code)
    assert list(tmp_path.iterdir()) == []


def test_program_without_a_command_prints_its_help() -> None:
    outcome = call()
    assert outcome.code in (0, 2)
    assert "\n  run " in outcome.stdout + outcome.stderr
