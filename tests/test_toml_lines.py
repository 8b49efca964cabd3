"""The line of every key of a TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import harness_tasks
from harness.errors import TaskError
from harness_tasks.declaration import read_declaration
from harness_tasks.toml_lines import KeyPath, key_lines, line_of

SHIPPED = sorted(Path(harness_tasks.__file__).parent.glob("*.toml"))

DOCUMENT = '''top = 1 # [not.a.table]
a."b c".d = 1
when = 1979-05-27 07:32:00
list = [ # ]
  "]", # }
  { x = 1, y.z = [1,
     2] },
]
text = """one
key = "no" ""
"""
raw = \'\'\'no = 1
''here\'\'\'
escaped = "a\\\\" # "
[table.inner]
key = true
[[array]]
name = "u"
[array.more]
z = -1e3
[[array]]
deep = {one = {two = {}}}
[[array.nested]]
i = 1
[[array.nested]]
i = 2
'''
LINES: dict[KeyPath, int] = {
    ("top",): 1,
    ("a", "b c", "d"): 2,
    ("when",): 3,
    ("list",): 4,
    ("list", 0): 5,
    ("list", 1, "x"): 6,
    ("list", 1, "y", "z", 0): 6,
    ("list", 1, "y", "z", 1): 7,
    ("text",): 9,
    ("raw",): 12,
    ("escaped",): 14,
    ("table",): 15,
    ("table", "inner", "key"): 16,
    ("array", 0): 17,
    ("array", 0, "name"): 18,
    ("array", 0, "more"): 19,
    ("array", 0, "more", "z"): 20,
    ("array", 1): 21,
    ("array", 1, "deep", "one", "two"): 22,
    ("array", 1, "nested", 0, "i"): 24,
    ("array", 1, "nested", 1): 25,
    ("array", 1, "nested", 1, "i"): 26,
}


def paths(value: object, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Every key and index of a parsed document."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from paths(inner, (*path, index))


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_lines(end: str) -> None:
    found = key_lines(DOCUMENT.replace("\n", end))
    assert {path: found.get(path) for path in LINES} == LINES
    assert set(found) == set(paths(tomllib.loads(DOCUMENT)))


def test_the_nearest_enclosing_table_has_the_line_of_what_is_absent() -> None:
    found = key_lines(DOCUMENT)
    assert line_of(found, ("array", 0, "more", "absent")) == 19
    assert line_of(found, ("array", 0, "absent", "deeper")) == 17
    assert line_of(found, ("absent",)) is None


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_every_key_of_the_shipped_files_is_found_once(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    found = key_lines(text)
    assert set(found) == set(paths(tomllib.loads(text)))
    lines = text.splitlines()
    for path, line in found.items():
        if isinstance(path[-1], str):
            assert path[-1] in lines[line - 1]


TASK = """schema = 1
name = "mine"
kind = "sequence"
metric = "accuracy"
prompt.system = "s"
prompt.shots = 3

[[labels]]
name = "up"
description = "It rises."
generated = [
  "up",
  "higher",
]

[[labels]]
name = "down"
description = "It falls."
generated = ["down", "lower"]
"""


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("shots = 3", "shot = 3", 6, "unknown key 'prompt.shot'"),
        (
            'name = "down"',
            'name = "down"\nnam = "x"',
            18,
            "unknown key 'labels.1.nam'; did you mean 'labels.1.name",
        ),
        ("shots = 3", "shots = 0", 6, "key 'prompt.shots'"),
        ('system = "s"', "system = 5", 5, "key 'prompt.system'"),
        ('"higher"', "5", 13, "key 'labels.0.generated.1'"),
        ('["down", "lower"]', "true", 19, "key 'labels.1.generated'"),
        ('name = "down"\n', "", 16, "key 'labels.1.name': field required"),
        ('"down"\ndesc', '"up"\ndesc', 17, "labels: two have the name 'up'"),
        ('generated = ["down", "lower"]\n', "", 16, "generated texts for some labels"),
        ('metric = "accuracy"', 'metric = "entity_f1"', 4, "sequence tasks have metric accuracy"),
        ('kind = "sequence"', 'kind = "text"', 3, "key 'kind'"),
        ("[[labels]]\nname", "[hub]\nrepo = 'x'\n[[labels]]\nname", 8, "key 'hub.repository'"),
        ("[[labels]]\nname", "[files]\ntrian = 'x'\n[[labels]]\nname", 9, "key 'files.trian'"),
        ("[[labels]]\nname", "[sizes]\ntrian = 1\n[[labels]]\nname", 9, "key 'sizes.trian'"),
        ("[[labels]]\nname", "[sizes]\ntest = -1\n[[labels]]\nname", 9, "key 'sizes.test'"),
        ("[[labels]]\nname", "[sizes]\ntest = '5'\n[[labels]]\nname", 9, "key 'sizes.test'"),
        ("[[labels]]\nname", "[sizes]\ntest = true\n[[labels]]\nname", 9, "key 'sizes.test'"),
        (
            "[[labels]]\nname",
            "[hub]\nrepository = 'x'\nsizes = { dev = 1 }\n[[labels]]\nname",
            10,
            "key 'hub.sizes.dev'",
        ),
    ],
)
def test_a_wrong_declaration_is_named_by_its_line(
    tmp_path: Path, old: str, new: str, line: int, said: str
) -> None:
    assert old in TASK
    file = tmp_path / "mine.toml"
    file.write_text(TASK.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(TaskError) as caught:
        read_declaration(file)
    assert str(caught.value).startswith(f"{file}:{line}: {said}"), caught.value
