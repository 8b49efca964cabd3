"""The figures that the notes beside the real data state, and those of ``harness audit``.

python -m tests.sources DIR      prints both, side by side
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.commands import call, succeeded

AGAINST = {
    "mr": "sst2",
    "sst2": "mr",
    "bc5cdr-chemical": "bc5cdr-disease",
    "bc5cdr-disease": "bc5cdr-chemical",
}
"""Other tasks of which the notes say something."""
TASKS = (*AGAINST, "subj", "trec", "ma", "conll03")
ROW = re.compile(r"^\| (train|validation|test) \| (\d+) \| (\d+) \| (\d+) \| (.*) \|$", re.M)
OVERLAP = re.compile(r"(\w+)∩(\w+): (\d+) texts \((\d+) with different labels\)")
EXTRA = {
    "words mean": ("mean", r"words mean ([\d.]+)"),
    "longest": ("max", r"(?:max|longest) (\d+)"),
    "tokens": ("total", r"tokens (\d+)"),
}
WITHOUT = r"sentences without entity (\d+)"
NON_ASCII = r"non-ASCII rows (\d+)"

Audit = Mapping[str, Any]


@dataclass(frozen=True)
class Figure:
    """One figure, as stated (a text, so with its own rounding) and as found."""

    task: str
    name: str
    stated: str
    found: str


def audit(task: str, data: Path) -> Audit:
    against = AGAINST.get(task, "demo-ner" if task == "conll03" else "demo")
    said = succeeded(call("audit", task, "--data", data, "--against", against, "--json"))
    found: Audit = json.loads(said)
    return found


def figures(task: str, data: Path) -> list[Figure]:
    """Every figure that both have."""
    notes = (data / "SOURCES.md").read_text(encoding="utf-8")
    section = re.search(rf"^## {task.replace('-', '_')}: .*?(?=^## |\Z)", notes, re.M | re.S)
    assert section is not None
    found = audit(task, data)
    pairs = [*_tables(section[0], found), *_overlaps(section[0], found)]
    pairs += _notes(task, section[0], found)
    return [Figure(task, *pair) for pair in pairs]


def _tables(section: str, found: Audit) -> Iterator[tuple[str, str, str]]:
    for name, rows, repeated, conflicts, rest in ROW.findall(section):
        split = _split(found, name)
        yield f"{name} rows", rows, str(split["rows"])
        yield f"{name} dup rows", repeated, str(split["exact"]["duplicates"])
        yield f"{name} conflicts", conflicts, str(split["exact"]["conflicts"])
        for what, (key, pattern) in EXTRA.items():
            if stated := re.search(pattern, rest):
                digits = ".1f" if "." in stated[1] else "d"
                yield f"{name} {what}", stated[1], format(split["lengths"][key], digits)
        if stated := re.search(WITHOUT, rest):
            yield f"{name} without entity", stated[1], str(split["mentions"]["without"])
        if stated := re.search(NON_ASCII, rest):
            yield f"{name} non-ASCII rows", stated[1], str(split["non_ascii"])


def _overlaps(section: str, found: Audit) -> Iterator[tuple[str, str, str]]:
    for first, second, texts, different in OVERLAP.findall(section):
        overlap = next(
            one for one in found["overlaps"] if {one["of"], one["within"]} == {first, second}
        )
        yield f"{first}∩{second} texts", texts, str(overlap["exact"]["texts"])
        yield f"{first}∩{second} different", different, str(overlap["exact"]["different"])


def _notes(task: str, section: str, found: Audit) -> Iterator[tuple[str, str, str]]:
    for name, pattern, *finds in NOTES.get(task, ()):
        stated = re.search(pattern, section)
        assert stated is not None, f"{task}: the notes do not state: {pattern}"
        for number, (text, find) in enumerate(zip(stated.groups(), finds, strict=True)):
            yield name + (f" {number + 1}" if len(finds) > 1 else ""), text, str(find(found))


def _split(found: Audit, name: str) -> Any:
    return next(split for split in found["splits"] if split["split"] == name)


def _leak(found: Audit) -> Any:
    return next(one for one in found["overlaps"] if (one["of"], one["within"]) == ("test", "train"))


def _count(split: str, label: str) -> Callable[[Audit], object]:
    return lambda found: _split(found, split)["classes"][label]


def _per_cent(split: str, label: str) -> Callable[[Audit], object]:
    def share(found: Audit) -> object:
        counts = _split(found, split)["classes"]
        return f"{100 * counts[label] / sum(counts.values()):.0f}"

    return share


def _counts(split: str, *labels: str) -> list[Callable[[Audit], object]]:
    return [_count(split, label) for label in labels]


SPLITS = ("train", "validation", "test")
MA = (
    *("neoplasms", "digestive system diseases", "nervous system diseases"),
    *("cardiovascular diseases", "general pathological conditions"),
)
FIVE = "/".join([r"(\d+)"] * 5)
FOUR = "/".join([r"(\d+)"] * 4)
NOTES: Mapping[str, tuple[tuple[Any, ...], ...]] = {
    "mr": (
        (
            "shared with sst2",
            r"(\d+) of the 2000 MR test .* (\d+) of the 1821 SST-2 test sentences",
            lambda found: found["others"][0]["test_in_its_train"],
            lambda found: found["others"][0]["its_test_in_train"],
        ),
        (
            "near-duplicate",
            r"Within MR, (\d+) train sentence equals a test sentence",
            lambda found: _leak(found)["near"]["rows"],
        ),
    ),
    "sst2": (
        (
            "repeats",
            r"(\d+) duplicate rows in train; (\d+) test texts occur in train \(same label\)",
            lambda found: _split(found, "train")["exact"]["duplicates"],
            lambda found: _leak(found)["exact"]["texts"] - _leak(found)["exact"]["different"],
        ),
    ),
    "subj": (
        (
            "near-duplicates",
            r"ignoring punctuation (\d+) objective sentences .*\(same label\)",
            lambda found: _leak(found)["near"]["texts"] - _leak(found)["near"]["different"],
        ),
    ),
    "trec": (
        (
            "abbreviation",
            r"abbreviation is (\d+) train / (\d+) test",
            _count("train", "abbreviation"),
            _count("test", "abbreviation"),
        ),
        (
            "share in %",
            r"description (\d+)% vs (\d+)%, entity (\d+)% vs (\d+)%",
            _per_cent("test", "description"),
            _per_cent("train", "description"),
            _per_cent("test", "entity"),
            _per_cent("train", "entity"),
        ),
    ),
    "ma": (
        ("train column", rf"README train column {FIVE}", *_counts("train", *MA)),
        (
            "ambiguous rows",
            r"(\d+)/11550 train rows and (\d+)/2888 test rows \(41%\)",
            lambda found: _split(found, "train")["ambiguous"],
            lambda found: _split(found, "test")["ambiguous"],
        ),
        (
            "leak",
            r"(\d+) test texts \((\d+) test rows, (\d+)%\) also occur in train ALWAYS",
            lambda found: _leak(found)["exact"]["different"],
            lambda found: _leak(found)["exact"]["rows"],
            lambda found: f"{100 * _leak(found)['exact']['rows'] / 2888:.0f}",
        ),
        (
            "ceiling",
            r"Within test, (\d+) texts carry two labels: .* exceed ([\d.]+)% on test",
            lambda found: _split(found, "test")["exact"]["conflicts"],
            lambda found: f"{100 * _split(found, 'test')['exact']['ceiling']:.1f}",
        ),
    ),
    "conll03": (
        (
            "train mentions",
            r"train LOC (\d+) PER (\d+) ORG (\d+) MISC (\d+)",
            *_counts("train", "LOC", "PER", "ORG", "MISC"),
        ),
        (
            "validation mentions",
            rf"testa {FOUR}",
            *_counts("validation", "LOC", "PER", "ORG", "MISC"),
        ),
        ("test mentions", rf"testb {FOUR}", *_counts("test", "LOC", "PER", "ORG", "MISC")),
        (
            "test mentions in train, %",
            r"(\d+)% of the distinct test entity strings occur in train",
            lambda found: (
                f"{100 * _split(found, 'test')['mentions']['known'] / _split(found, 'test')['mentions']['distinct']:.0f}"  # noqa: E501
            ),
        ),
        (
            "leak",
            r"(\d+) test rows \((\d+) texts\) occur in train",
            lambda found: _leak(found)["exact"]["rows"],
            lambda found: _leak(found)["exact"]["texts"],
        ),
    ),
    **{
        f"bc5cdr-{kind.lower()}": (
            (
                "mentions",
                r"Mentions (\d+)/(\d+)/(\d+)",
                *(_count(split, kind) for split in SPLITS),
            ),
        )
        for kind in ("Chemical", "Disease")
    },
}


if __name__ == "__main__":
    for name in TASKS:
        for one in figures(name, Path(sys.argv[1])):
            mark = "" if one.stated == one.found else "  DIFFERS"
            print(f"{one.task:16} {one.name:32} {one.stated:>8} {one.found:>8}{mark}")
