"""Every command of README.md, in its order, in a folder with small files of the names that it uses.

What would ask a model at its vendor, or fill a grid of runs, is planned by the same words.
"""

from __future__ import annotations

import csv
import json
import re
import shlex
from pathlib import Path

import pytest

from tests.commands import Outcome, call
from tests.support_messages import messages

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```\w*\n(.*?)^```", README.replace("\\\n", " "), re.DOTALL | re.MULTILINE)
COMMANDS = [
    re.sub(r"\s+#.*", "", found)
    for block in BLOCKS
    for found in re.findall(r"^(?:\$ )?harness (.*)$", block, re.MULTILINE)
]
LITTLE = "--limit 60"
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
    Path("my-recipe.toml").write_text(
        'summary = "one row"\n[[rows]]\nlabel = "alone"\n', encoding="utf-8"
    )
    plugin = re.search(r"example: my_plugin\.py -->\n```python\n(.*?)```", README, re.DOTALL)
    assert plugin
    Path("my_plugin.py").write_text(plugin[1], encoding="utf-8")
    for name, count in {"messages.csv": 60, "next-month.csv": 20}.items():
        rows_ = messages(count=count)
        with Path(name).open("w", encoding="utf-8", newline="") as file_:
            writer = csv.DictWriter(file_, list(rows_[0]))
            writer.writeheader()
            writer.writerows(rows_)


def said_by_people(run: str) -> None:
    """What a person sends back: labels for the texts of ``tasks.json``, and for ``gold.csv``."""
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
        return f"certify {labelled.name} --gold gold.jsonl"
    named = command.replace("--data DIR", "--data data").replace("RUN", run)
    if name == "sweep" or "gpt-small" in rest or "openai:" in rest:
        # Of roberta a plan wants to see the encoder, which is not here.
        planned = named.replace(" --jobs 2", "").replace("--student roberta", "--student minilm")
        return f"plan {planned.partition(' ')[2]}"
    if name in ("export", "import"):
        return named.replace("--dataset DIR", "--dataset set").replace("answers", f"{name}ed")
    if name == "label":
        return f"{named} --set student.preset=plain --set student.epochs=1"
    return named if name != "run" else f"{named} {LITTLE if 'tfidf' in rest else QUICK}"


@pytest.mark.slow
def test_every_command_of_the_readme_runs(alone: None) -> None:
    write_files()
    run, outcomes = "", dict[str, Outcome]()
    for command in COMMANDS:
        if command.startswith("certify"):
            rows = [{"text": row["message"], "label": "billing"} for row in messages(count=60)]
            named = [row for row in rows if row["text"].strip()][:9]
            lines = "".join(f"{json.dumps(row)}\n" for row in named)
            Path("gold.jsonl").write_text(lines, encoding="utf-8")
        if command.startswith("import"):
            said_by_people(run)
        done = call(*shlex.split(adapted(command, run)))
        assert done.code == 0, (command, done)
        outcomes[command] = done
        if "student.save" in command:
            run = Path(re.findall(r"^results/\S+$", done.stdout, re.MULTILINE)[-1]).name
    assert len(outcomes) > 25
    shown = re.search(r"^\$ harness plugins check my_plugin.py\n(.*)$", README, re.MULTILINE)
    assert shown and outcomes["plugins check my_plugin.py"].stdout == f"{shown[1]}\n"
    assert outcomes["list recipes"].stdout.startswith("recipes:\n  ablations        the method")


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
            assert (Path(__file__).parent.parent / target.partition("#")[0]).exists(), target
