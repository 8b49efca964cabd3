"""Every command of README.md, in its order, in a folder with small files of the names that it uses.

What would ask a model at its vendor, or fill a large grid of runs, is planned by the same words.
What a command printed stands there as on a terminal of 80 columns.
"""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from harness.cli.screen.output import console
from harness.cli.screen.tables import stages_table
from harness.results import load_result
from tests.commands import Outcome, call, succeeded
from tests.support_messages import write_examples

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```\w*\n(.*?)^```", README.replace("\\\n", " "), re.DOTALL | re.MULTILINE)
COMMANDS = [
    re.sub(r"\s+#.*", "", found)
    for block in BLOCKS
    for found in re.findall(r"^(?:\$ )?harness (.*)$", block, re.MULTILINE)
]
LITTLE = "--limit 60"
EXAMPLES = dict(re.findall(r"<!-- example: (\S+) -->\n```\w+\n(.*?)```", README, re.DOTALL))
SHOWN = dict(
    re.findall(r"^\$ harness (.*)\n((?:(?!harness: |\$ |```).*\n)+)", README, re.MULTILINE)
)
"""Commands with what stands below them."""
QUICK = "--limit 16 --set student.preset=plain --set student.epochs=1"
TEXTS = {"good": "a warm and funny film", "bad": "a dull and loud film"}
TASK = """
schema = 1
name = "my"
kind = "sequence"
metric = "accuracy"
annotator = "embedding"
files = { train = "data/mr/train.jsonl" }

[[labels]]
name = "positive"
description = "Praise."

[[labels]]
name = "negative"
description = "Blame."
"""


def write_files() -> None:
    """The files that the commands name."""
    for task, labels in {"mr": ("positive", "negative"), "trec": ("HUM", "LOC")}.items():
        for split in ("train", "test"):
            rows = [
                {"text": f"{text} {number}", "label": label}
                for number in range(12)
                for text, label in zip(TEXTS.values(), labels, strict=True)
            ]
            file = Path("data", task, f"{split}.jsonl")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    answers = Path("data/mr/train.jsonl").read_text(encoding="utf-8")
    Path("answers.jsonl").write_text(answers, encoding="utf-8")
    Path("my.toml").write_text(TASK, encoding="utf-8")
    for name, text in EXAMPLES.items():
        Path(name).write_text(text, encoding="utf-8")
    write_examples(Path(), count=60, by_hand=9)


def said_by_people() -> None:
    """What a person sends back: labels for the texts of ``tasks.json``."""
    tasks = json.loads(Path("tasks.json").read_text(encoding="utf-8"))
    back = [
        {**task, "id": 1, "annotations": [{"result": task["predictions"][0]["result"]}]}
        for task in tasks
    ]
    Path("export.json").write_text(json.dumps(back), encoding="utf-8")


def adapted(command: str, run: str) -> str:
    """A command with this folder's names, and small."""
    name, _, rest = command.partition(" ")
    if name == "certify":
        labelled = next(Path("results/runs").glob("*/embedding-minilm-*"))
        return f"certify {labelled.name} --gold gold.csv"
    named = command.replace("--data DIR", "--data data").replace("RUN", run)
    if (name == "sweep" and command not in SHOWN) or "gpt-small" in rest or "openai:" in rest:
        # Of roberta a plan wants to see the encoder, which is not here.
        planned = named.replace(" --jobs 2", "").replace("--student roberta", "--student minilm")
        return f"plan {planned.partition(' ')[2]}"
    if name in ("export", "import"):
        return named.replace("--dataset DIR", "--dataset set").replace("answers", f"{name}ed")
    if name == "label":
        return f"{named} --set student.preset=plain --set student.epochs=1"
    return named if name != "run" else f"{named} {LITTLE if 'tfidf' in rest else QUICK}"


def numbers(text: str) -> tuple[str, list[float]]:
    """A text without its numbers and its room between words; the numbers."""
    words = " ".join(re.sub("─+", "", text).split())
    number = r"(?<![\w.])[+-]?\d[\d,]*(?:\.\d+)?"
    found = [float(one.replace(",", "")) for one in re.findall(number, words)]
    return re.sub(number, "#", words), found


def check_shown(shown: str, printed: str) -> None:
    """What README shows, up to its first ``...``, is what was printed, within a point."""
    words, values = numbers(shown.partition("...\n")[0])
    found, others = numbers(printed)
    assert found.startswith(words)
    assert others[: len(values)] == pytest.approx(values, abs=1)


@pytest.mark.slow
def test_every_command_of_the_readme_runs(
    alone: None, sweeps_here: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    write_files()
    run, outcomes = "", dict[str, Outcome]()
    for command in COMMANDS:
        if command.startswith("import"):
            said_by_people()
        done = call(*shlex.split(adapted(command, run)))
        assert done.code == 0, (command, done)
        outcomes[command] = done
        if "student.save" in command:
            run = Path(re.findall(r"^results/\S+$", done.stdout, re.MULTILINE)[-1]).name
    assert len(outcomes) > 25
    compared = [name for name in SHOWN if adapted(name, run) == name]
    assert max(map(len, re.findall("─+", README))) <= 80
    assert {name.split()[0] for name in compared} == {"plugins", "sweep", "compare", "list"}
    for name in compared:
        check_shown(SHOWN[name], outcomes[name].stdout)


def test_figures_of_the_readme_are_those_of_the_committed_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "80")
    succeeded(call("table", "--update", "README.md", "--check"))
    (folder,) = Path("results/published/demo").iterdir()
    console().print(stages_table(load_result(folder / "result.json")))
    printed = "".join(f"{line.rstrip()}\n" for line in capsys.readouterr().out.splitlines())
    assert f"```text\n{printed}results/runs/demo/{folder.name}\n```" in README


def test_the_first_stage_of_the_demo_is_what_the_readme_shows(alone: None) -> None:
    told = ("run", "--student", "tfidf", "--rounds", "1", "--json")
    first = json.loads(succeeded(call(*told)))["stages"][0]
    (shown,) = re.findall(r"^R1 +annotator +([\d.]+) +([\d.]+) ", README, re.MULTILINE)
    scores = [100 * first[split]["score"] for split in ("transductive", "inductive")]
    assert scores == pytest.approx([*map(float, shown)], abs=1)


def test_links_of_the_readme_lead_somewhere() -> None:
    headings = {
        re.sub(r"[^\w-]", "", line.lower().replace(" ", "-"))
        for line in re.findall(r"^#+ (.*)$", README, re.MULTILINE)
    }
    prose = re.sub(r"`[^`]*`", "", README)
    for target in re.findall(r"\]\(([^)]+)\)", prose):
        if target.startswith("#"):
            assert target[1:] in headings
        elif not target.startswith("https://"):
            assert (ROOT / target.partition("#")[0]).exists(), target
