"""``harness report``: one page that agrees with the results, asks for nothing and obeys nobody."""

from __future__ import annotations

import base64
import csv
import gzip
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from harness.testing.service import ChatServer, running
from tests.commands import call, message, succeeded
from tests.exporting import SMALL, recording, run
from tests.task_files import write_rows

pytestmark = pytest.mark.usefixtures("alone")

EVIL = (
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "javascript:alert(1)",
    "[bold red]markup[/] **md**",
    "\x1b[31mred\x1b[0m \u202eright to left",
    "<!--",
)


class Page(HTMLParser):
    """What a browser would make of a page: elements, addresses, scripts, texts."""

    def __init__(self, file: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.addresses: list[str] = []
        self.handlers: list[str] = []
        self.scripts: list[tuple[str, str]] = []
        self.shown: list[str] = []
        self.source = Path(file).read_text(encoding="utf-8")
        self._script: str | None = None
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        given = dict(attrs)
        self.addresses += [v or "" for k, v in attrs if k in ("src", "href", "action", "data")]
        self.handlers += [name for name in given if name.startswith("on")]
        self._script = (given.get("type") or "") if tag == "script" else None

    def handle_endtag(self, tag: str) -> None:
        self._script = None

    def handle_data(self, data: str) -> None:
        if self._script is None:
            self.shown.append(data)
        else:
            self.scripts.append((self._script, data))

    @property
    def examples(self) -> dict[str, Any]:
        """The columns of the table of examples."""
        (packed,) = [text for kind, text in self.scripts if kind == "application/gzip"]
        found: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(packed)))
        return found


def figure(name: str) -> list[dict[str, str]]:
    """The numbers of a figure."""
    with Path(f"figures/{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def reported(*more: object) -> Page:
    succeeded(call("report", "-o", "page.html", "--figures", "figures", *more))
    return Page("page.html")


def test_figures_and_examples_agree_with_the_results() -> None:
    spec = recording(Path("recorded.jsonl").resolve())
    common = (*SMALL, "--annotator", spec, "--rounds", "2", "--seed")
    runs = [run(*common, seed) for seed in (0, 1)]
    others = [run(*common, seed, "--set", "selector.trust=none") for seed in (0, 1)]
    page = reported()
    rows = figure("stages-test-student")
    assert {row["stage"] for row in rows} == {"R2", "R4"}
    for row in rows:
        of = others if row["method"].endswith("=none") else runs
        scores = [
            stage["inductive"]["score"]
            for one in of
            for stage in one["stages"]
            if stage["stage"] == row["stage"]
        ]
        assert float(row["score"]) == pytest.approx(sum(scores) / 2)
        assert row["seeds"] == "2"
    for name in ("stages-test-student", "differences", "labels", "who-is-right", "moves"):
        picture = Path(f"figures/{name}.svg").read_text(encoding="utf-8")
        assert picture.startswith("<svg") and "var(" not in picture
        assert Path(f"figures/{name}.pdf").read_bytes().startswith(b"%PDF")
    shown = next(one for one in (*runs, *others) if one["run_id"] in page.source.split("<h2>")[2])
    examples = page.examples
    assert len(examples["text"]) == 60
    for column, stage in zip(examples["stages"], shown["stages"], strict=True):
        assert column["name"] == stage["stage"]
        right = column["right"].count("1") / 60
        assert right == pytest.approx(stage["transductive"]["score"])
    trusted = shown["stages"][-1]["selection"]["trusted"]
    assert examples["trusted"].count("1") == trusted
    abstained = figure("abstentions")
    first = sum(int(row["examples"]) for row in abstained if row["stage"] == "R1")
    assert first == shown["stages"][0]["abstained"] > 0
    moved = figure("moves")[0]
    assert int(moved["stayed right"]) + int(moved["became wrong"]) == round(
        60 * shown["stages"][0]["transductive"]["score"]
    )
    assert "4 runs of 2 methods on demo" in page.source


def test_nothing_that_others_wrote_acts_and_nothing_is_asked_for() -> None:
    lines = [{"text": f"{one} {k}", "label": "up" if k % 2 else "down"}
             for k, one in enumerate(EVIL * 6)]  # fmt: skip
    for split in ("train", "test"):
        write_rows(Path(f"data/evil/{split}.jsonl"), lines)
    labels = "".join(
        f'[[labels]]\nname = "{name}"\ndescription = "<b>"\n\n' for name in ("up", "down")
    )
    Path("evil.toml").write_text(
        f'schema = 1\nname = "evil"\nkind = "sequence"\nmetric = "accuracy"\n{labels}'
    )
    answers = [{"text": row["text"], "llm_label": row["label"], "reply": EVIL[k % len(EVIL)]}
               for k, row in enumerate(lines)]  # fmt: skip
    write_rows(Path("said.jsonl"), answers)
    done = call("run", "--task", "evil.toml", "--data", "data", "--annotator", "replay:said.jsonl",
                "--student", "tfidf", "--rounds", "1", "--json")  # fmt: skip
    assert done.code == 0, done
    page = reported("--data", "data")
    assert "harness report -o page.html --data DIR" in page.source
    scripts = [text for kind, text in page.scripts if kind != "application/gzip"]
    assert len(scripts) == 1 and "alert" not in scripts[0]
    assert not {"img", "b", "iframe", "a:javascript"} & page.elements and page.handlers == []
    assert {one[:1] for one in page.addresses} <= {"#", "d"}  # places in the page, and one icon
    assert not re.search(r"[\x00-\x08\x0b-\x1f\u202e]", page.source)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page.source)
    assert policy is not None and "default-src &#x27;none&#x27;" in policy[1]
    texts = page.examples["text"]
    assert sorted(texts) == sorted(row["text"] for row in lines)  # the table shows them as text
    assert "innerHTML" not in scripts[0]
    assert any("onerror=alert(1)" in text for text in page.shown)


def test_prompts_are_those_that_were_sent() -> None:
    with running(ChatServer(keep_bodies=True)) as server:
        run(*SMALL, "--annotator", "gpt35", "--rounds", "2", "--setting", "transductive",
            "--set", f"annotator.base_url={server.url}")  # fmt: skip
        asked = [body["messages"] for body in server.seen.bodies]
    page = reported()
    examples = page.examples
    texts, packed = examples["text"], examples["prompts"]
    assert len(texts) == len(packed["rows"]) == 60
    sent = [[f"{one['role']}: {one['content']}" for one in chat] for chat in asked]
    last = {chat[-1]: chat for chat in sent}  # some texts were asked about in both rounds
    for text, row in zip(texts, packed["rows"], strict=True):
        shown = [packed["messages"][one].replace("\0", text, 1) for one in row]
        assert len(row) > 12 and shown == last[shown[-1]]
    assert len(packed["messages"]) < 60 * 3  # each demonstration once
    assert "Prompts are rendered anew" in page.source  # of 60 examples none is left out


def test_entities_and_a_run_without_its_data() -> None:
    few = ("--limit", "20", "--rounds", "1", "--set", "student.epochs=2",
           "--set", "student.clean=mixture", "--set", "student.warmup_epochs=1",
           "--set", "student.agreement=true")  # fmt: skip
    done = run("--task", "demo-ner", "--student", "minilm", "--annotator", "rules", *few)
    page = reported(done["run_id"])
    labels = {row["label"]: float(row["F1 R2"]) for row in figure("labels")}
    wanted = done["stages"][-1]["transductive"]["per_label"]
    assert labels == {name: pytest.approx(one["f1"]) for name, one in wanted.items()}
    parts = [figure(f"losses-{name}") for name in ("clean", "not-clean")]
    assert (
        sum(int(row["right"]) + int(row["wrong"]) for part in parts for row in part) > 100
    )  # tokens
    assert "filtered by the mixture, or left out by student.agreement" in page.source
    assert any(":" in (name or "") for name in page.examples["gold"]["names"])
    write_rows(
        Path("data/mine/train.jsonl"), [{"text": f"text {k}", "label": "up"} for k in range(9)]
    )
    write_rows(Path("data/mine/test.jsonl"), [{"text": f"t {k}", "label": "up"} for k in range(9)])
    Path("mine.toml").write_text(
        'schema = 1\nname = "mine"\nkind = "sequence"\nmetric = "accuracy"\n'
        + "".join(f'[[labels]]\nname = "{n}"\ndescription = "x"\n' for n in ("up", "down"))
    )
    run("--task", "mine.toml", "--data", "data", "--annotator", "oracle", "--student", "tfidf",
        "--rounds", "1")  # fmt: skip
    page = reported("--task", "mine")
    assert "Without texts and gold labels: the data is not at hand (--data DIR)" in page.source
    assert page.examples["text"] == [""] * 9
    Path("mine.toml").unlink()
    outcome = call("report", "--task", "mine", "-o", "page.html")
    assert outcome.code == 0 and "No run can be shown example by example" in outcome.stderr


def test_what_cannot_be_reported_is_said_in_one_line() -> None:
    run("--task", "demo", "--annotator", "oracle", *SMALL, "--rounds", "1")
    Path("mine.html").write_text("<p>my own page</p>")
    refused: dict[tuple[object, ...], tuple[str, int]] = {
        ("-o", "page.pdf"): ("a page is a .html file", 2),
        ("-o", "mine.html"): ("exists, and is no report", 2),
        ("absent", "-o", "page.html"): ("no run 'absent'", 2),
        ("--task", "absent", "-o", "page.html"): ("holds no finished run of task 'absent'", 1),
        ("--baseline", "absent", "-o", "page.html"): ("--baseline 'absent'", 2),
        ("--examples", "absent", "-o", "page.html"): ("no run 'absent'", 2),
    }
    for arguments, (part, code) in refused.items():
        assert part in message(call("report", *arguments), code)
    assert not Path("page.html").exists()
    reported()
    reported()  # its own page is written anew
