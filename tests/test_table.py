"""``harness table``: cells as in the result files, rows of a sweep, blocks of a Markdown file."""

from __future__ import annotations

import csv
import io
import json
import re
import statistics
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from harness.metrics import Score
from harness.plugin_manager import Plugins
from harness.record import layout
from harness.record.folder import RunFolder
from harness.record.provenance import code_of
from harness.results import RunResult, StageResult
from tests.commands import call, message, succeeded
from tests.exporting import SHIPPED
from tests.factories import plugin_file
from tests.test_prompts import APPROVED

PLUGINS = Plugins()
pytestmark = pytest.mark.usefixtures("alone")
SCORES: Mapping[str, Mapping[int, float]] = {
    "full method": {0: 0.842, 1: 0.851, 2: 0.8455},
    "without mixup": {0: 0.722, 1: 0.735, 2: 0.7255},
    "without a|b, 50%_x": {0: 0.84, 1: 0.853, 2: 0.846},
}
"""Of each row of a sweep the last stage on the test set, by seed."""


def scored(value: float) -> Score:
    return Score(score=value, answered=value, random_label=value, per_label={}, n=1000)


def stages(test: float) -> list[StageResult]:
    unasked = Score(score=0.003, answered=0.9, random_label=0.4, per_label={}, n=1000)
    first = StageResult(
        stage="R1", round=0, actor="annotator", n=2000, abstained=0, annotated=2000,
        transductive=scored(test - 0.05), inductive=unasked,
    )  # fmt: skip
    last = StageResult(
        stage="R2", round=0, actor="student", n=2000, abstained=0, annotated=0,
        transductive=scored(test + 0.01), inductive=scored(test),
    )  # fmt: skip
    return [first, last]


def recorded(
    out: Path, row: int, seed: int, test: float, *, done: bool = True, task: str = "mr"
) -> str:
    """A run as it is committed: its result without the records of its steps."""
    config = {
        "task": task, "seed": seed, "annotator": {"spec": "replay:a.jsonl"},
        "student": {"spec": "minilm", "mixup": row}, "selector": {"spec": "freeal"},
    }  # fmt: skip
    result = RunResult(
        run_id=f"row{row}-s{seed}", task=task, kind="sequence", metric="accuracy",
        supervised=False, config=config, provenance={"code": code_of(config, PLUGINS)},
        seconds=1.0, cost_usd=0.0,
        stages=stages(test),
    )  # fmt: skip
    path = layout.run_folder(out, task, result.run_id)
    with RunFolder.held(path) as folder:
        keys = f'[annotator]\nspec = "replay:a.jsonl"\n[student]\nspec = "minilm"\nmixup = {row}\n'
        keys += '[selector]\nspec = "freeal"\n'
        folder.write_text(layout.CONFIG, f'task = "{task}"\nseed = {seed}\n{keys}')
        lines = [json.dumps({"schema": 1, **one.model_dump(mode="json")}) for one in result.stages]
        folder.write_text(layout.STAGES, f"{lines[0]}\n" if not done else "\n".join(lines) + "\n")
        if done:
            folder.write_text(layout.RESULT, result.to_json())
    return f"{task}/{result.run_id}"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    out = tmp_path / "kept"
    rows = [
        {
            "label": label,
            "settings": {"student.mixup": row},
            "runs": {seed: recorded(out, row, seed, value) for seed, value in of.items()},
        }
        for row, (label, of) in enumerate(SCORES.items())
    ]
    stopped = recorded(out, 8, 0, 0.8, done=False)
    rows.append({"label": "stopped", "settings": {}, "runs": {0: stopped}})
    rows.append({"label": "never run", "settings": {}, "runs": {0: "mr/row9-s0"}})
    file = layout.sweep_file(out, "mine")
    file.parent.mkdir()
    values = {"schema": 1, "recipe": "mine", "baseline": "full method", "rows": rows}
    file.write_text(json.dumps(values), encoding="utf-8")
    return out


def from_csv(printed: str) -> list[tuple[str, str]]:
    rows = csv.DictReader(io.StringIO(printed))
    return [(row["row"], f"{100 * float(row['R2']):.2f}" if row["R2"] else "") for row in rows]


def from_json(printed: str) -> list[tuple[str, str]]:
    found = [(row["row"], row["cells"].get("R2")) for row in json.loads(printed)["rows"]]
    return [(row, f"{100 * cell['mean']:.2f}" if cell else "") for row, cell in found]


def from_lines(printed: str, separator: str, end: str) -> list[tuple[str, str]]:
    lines = [line.removesuffix(end) for line in printed.splitlines() if line.endswith(end)]
    cells = [[c.strip(" |*") for c in re.split(separator, line.strip("| "))] for line in lines]
    found = []
    for row in cells:
        bold = re.sub(r"\\textbf\{(.*)\}", r"\1", row[-4]).removesuffix("}")
        name = re.sub(r"\\(?=[|%_])", "", row[0]).replace(r"\textbar{}", "|")
        found.append((name.rstrip("¶"), re.split(r" (±|\$)", bold)[0].replace("–", "")))
    return [one for one in found if one[0] not in ("row", "---")]


READERS: Mapping[str, Callable[[str], list[tuple[str, str]]]] = {
    "csv": from_csv,
    "json": from_json,
    "markdown": lambda printed: from_lines(printed, r"(?<!\\)\| ", " |"),
    "latex": lambda printed: from_lines(printed, r"(?<!\\)& ", r" \\"),
}


@pytest.mark.parametrize("format_", READERS)
def test_cells_are_those_of_the_result_files(out: Path, format_: str) -> None:
    arguments = ("table", "mine", "--metric", "test", "--out", out)
    printed = succeeded(call(*arguments, "--format", format_))
    expected = [(row, f"{100 * statistics.fmean(of.values()):.2f}") for row, of in SCORES.items()]
    missing = [("stopped", ""), ("never run", "")]
    assert READERS[format_](printed) == expected + missing


def test_bold_is_a_difference_that_a_test_supports(out: Path) -> None:
    arguments = ("table", "mine", "--metric", "test", "--out", out)
    printed = succeeded(call(*arguments, "--format", "markdown"))
    bold = [line.split("|")[1].strip() for line in printed.splitlines() if "**" in line]
    assert bold == ["without mixup"]
    assert "t-test over seeds, Holm over the table" in printed
    rows = json.loads(succeeded(call(*arguments, "--format", "json")))["rows"]
    found = [row["cells"]["R2"]["difference"] for row in rows[1:3]]
    assert found[0]["mean"] == pytest.approx(-0.1186667, abs=1e-6)
    assert (
        found[0]["p"] < 0.05 <= found[1]["p"] and rows[0]["cells"]["R2"].get("difference") is None
    )
    other = ("--baseline", "without mixup", "--format", "json")
    rows = json.loads(succeeded(call(*arguments, *other)))["rows"]
    assert rows[0]["cells"]["R2"]["difference"]["mean"] > 0


def test_what_is_stopped_is_compared_with_the_same_stage_alone(out: Path) -> None:
    told = ("table", "mine", "--format", "json", "--out", out)
    made = json.loads(succeeded(call(*told)))
    full, *_, stopped, _ = (row["cells"] for row in made["rows"])
    paired = 0.75 - (SCORES["full method"][0] - 0.05)
    assert stopped["R1"]["difference"]["mean"] == pytest.approx(paired)
    (note,) = [one for one in made["notes"] if one.startswith("Δ")]
    assert note.startswith("Δ: less 'full method' (stopped: less the same stage), paired")
    rows = json.loads(succeeded(call(*told, "--baseline", "stopped")))["rows"]
    assert rows[0]["cells"]["R2"] == full["R2"] and "difference" not in full["R2"]


def test_an_annotator_that_was_not_asked_has_no_score(out: Path) -> None:
    printed = succeeded(call("table", "mine", "--metric", "test", "--out", out))
    assert "R1: – where the annotator has answers for 0.3 % of test" in printed
    assert "test examples: 1,000" in printed and "accuracy on test, %" in printed
    pool = json.loads(succeeded(call("table", "mine", "--format", "json", "--out", out)))
    (stopped,) = [row for row in pool["rows"] if row["row"] == "stopped"]
    assert (stopped["marks"], stopped["cells"]["R1"]["mean"]) == (["stopped"], 0.75)
    earlier = ("--metric", "transductive", "--format", "json")
    assert json.loads(succeeded(call("table", "mine", *earlier, "--out", out))) == pool


def test_where_columns_and_stage(out: Path) -> None:
    def rows(*arguments: str) -> list[dict[str, object]]:
        told = ("table", *arguments, "--format", "json", "--metric", "test", "--out", out)
        found: list[dict[str, object]] = json.loads(succeeded(call(*told)))["rows"]
        return found

    (row,) = rows("--where", "student.mixup=1,seed=0-1", "--columns", "task")
    assert row["cells"] == {
        "mr": {"mean": pytest.approx(0.7285), "sd": pytest.approx(0.00919, abs=1e-5), "n": 2}
    }
    (row,) = rows("--where", "seed=1,2,student=minilm", "--columns", "student.mixup")
    assert list(row["cells"]) == ["0", "1", "2"]  # type: ignore[call-overload]
    assert [one["settings"] for one in rows("--where", "seed=0")] == [
        "mixup=0", "mixup=1", "mixup=2", "mixup=8",
    ]  # fmt: skip
    assert len(rows("row0-s1", "row1-s1")) == 2


@pytest.mark.parametrize("columns", ["60", "80", "120", ""], ids=["60", "80", "120", "piped"])
def test_as_approved(out: Path, monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    if columns:
        monkeypatch.setenv("COLUMNS", columns)
    else:
        monkeypatch.delenv("COLUMNS", raising=False)
    printed = succeeded(call("table", "mine", "--metric", "test", "--out", out))
    assert max(map(len, printed.splitlines())) <= int(columns or 1000)
    assert printed == (APPROVED / f"table-{columns or 'piped'}.txt").read_text(encoding="utf-8")


BLOCK = "<!-- harness table mine --metric test --out kept -->"
OTHER = f"{BLOCK[:-4]} --where seed=0 -->"
FILE = f"# Mine\n\n{BLOCK}\nold\n<!-- end -->\n\ntext\n\n{OTHER}\n<!-- end -->\n"


def test_update_rewrites_blocks_and_check_finds_those_that_differ(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = Path("README.md")
    file.write_text(FILE, encoding="utf-8")
    check = ("table", "--update", file, "--check")
    assert message(call(*check), 1).startswith("README.md:3, README.md:9: not what")
    assert file.read_text(encoding="utf-8") == FILE
    succeeded(call("table", "--update", file))
    made = file.read_text(encoding="utf-8")
    printed = succeeded(
        call("table", "mine", "--metric", "test", "--out", "kept", "--format", "markdown")
    )
    assert f"# Mine\n\n{BLOCK}\n{printed}<!-- end -->\n\ntext\n" in made
    succeeded(call(*check))
    file.write_text(made.replace("84.62", "84.63"), encoding="utf-8")
    assert message(call(*check), 1).startswith("README.md:3: not what")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nothing\n", "has no <!-- harness table ARGS --> line"),
        (f"x\n{BLOCK}\nno end\n", "FILE.md:2: this block has no <!-- end --> line"),
        ("<!-- harness table --nix -->\n<!-- end -->\n", "FILE.md:1: No such option: --nix"),
    ],
)
def test_a_wrong_block_is_named(text: str, said: str) -> None:
    Path("FILE.md").write_text(text, encoding="utf-8")
    assert said in message(call("table", "--update", "FILE.md"), 2)


def test_published_figures_stand_beside_ours_marked(out: Path) -> None:
    arguments = ("table", "--columns", "task", "--metric", "test", "--where", "student.mixup=0")
    printed = succeeded(call(*arguments, "--reference", "--format", "markdown", "--out", out))
    assert re.search(r"\| GPT-3.5, zero-shot# \|.* 90.05 \|", printed), printed
    assert "# published: Xiao et al. 2023" in printed


def test_a_block_shows_the_published_figures_of_a_plugins_task(tmp_path: Path) -> None:
    recorded(tmp_path / "own", 0, 0, 0.84, task="films")
    body = (
        "from pathlib import Path\nfrom harness_tasks.task import DeclaredTask\n@hookimpl\n"
        "def harness_register_tasks(register):\n"
        f"    file = Path({str(SHIPPED / 'mr.toml')!r})\n"
        "    register('films', lambda asked: DeclaredTask(file, None, declaration_only=True))\n"
    )
    plugin = ("--plugin", plugin_file(tmp_path / "films.py", body))
    block = "<!-- harness table --columns task --metric test --reference --out own -->"
    file = Path("FILE.md")
    file.write_text(f"{block}\n<!-- end -->\n", encoding="utf-8")
    assert succeeded(call("table", "--update", file, *plugin)) == ""
    made = file.read_text(encoding="utf-8")
    assert re.search(r"\| GPT-3.5, zero-shot# \|.* 90.05 \|", made), made
    assert "§" not in made  # a table that stays does not say what today's code is
    without = call("table", "--update", file, "--check")
    assert "--reference: films: unknown task 'films'" in without.stderr
