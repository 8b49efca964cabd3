"""Plugins for other versions: of the hooks, of the harness, of what they require."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import hookspecs
from harness.errors import CommandError
from harness.plugin_manager import Plugins
from tests.factories import HOOKIMPL, plugin_file

STUDENT = "@hookimpl\ndef harness_register_students(register): register('mine', print)\n"


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (2, "is written for version 2 of the hooks, this harness has 1; upgrade freeal-harness"),
        (0, "is written for version 0 of the hooks, this harness has 1; its author must write"),
        ("'1'", "HOOKS_VERSION = '1': a whole number is expected"),
    ],
)
def test_a_plugin_for_other_hooks_is_refused(tmp_path: Path, wanted: object, said: str) -> None:
    path = plugin_file(tmp_path / "mine.py", f"HOOKS_VERSION = {wanted}\n{STUDENT}")
    with pytest.raises(CommandError, match=said):
        Plugins([path], third_party=False)
    fits = plugin_file(tmp_path / "fits.py", f"HOOKS_VERSION = 1\n{STUDENT}")
    assert Plugins([fits], third_party=False).part("student", "mine").plugin == fits


def installed(site: Path, name: str, requires: str, body: str = STUDENT) -> None:
    """A distribution with one plugin and one requirement."""
    folder = site / f"{name}-1.0.dist-info"
    folder.mkdir(parents=True)
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nRequires-Dist: {requires}\n"
    (folder / "METADATA").write_text(metadata, encoding="utf-8")
    (folder / "entry_points.txt").write_text(f"[harness]\n{name} = {name}\n", encoding="utf-8")
    (site / f"{name}.py").write_text(HOOKIMPL + body.replace("mine", name), encoding="utf-8")


def test_requirements_that_are_not_met_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = {
        "hp_future": "freeal-harness>=9",
        "hp_absent": "no-such-package>=2",
        "hp_newer": "numpy>=99",
        "hp_extra": "no-such-package; extra == 'more'",
        "hp_well": "freeal-harness>=0.1",
    }
    for name, requires in cases.items():
        installed(tmp_path, name, requires)
    monkeypatch.syspath_prepend(str(tmp_path))
    plugins = Plugins()
    said = {
        one.plugin.partition(" ")[0]: one.message
        for one in plugins.problems
        if one.plugin.startswith("hp_")
    }
    assert set(said) == {"hp_future", "hp_absent", "hp_newer"}
    assert said["hp_future"] == "requires freeal-harness>=9, but freeal-harness 0.1.0 is installed"
    assert said["hp_absent"].endswith("is not installed: pip install 'no-such-package>=2'")
    assert said["hp_newer"].startswith("requires numpy>=99, but numpy ")
    parts = {name for name in plugins.parts("student") if name.startswith("hp_")}
    assert parts == set(cases) - {"hp_future"}  # the others are tried


def test_a_hook_by_its_old_name_is_called_with_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(hookspecs.RENAMED, "harness_register_learners", "harness_register_students")
    body = STUDENT.replace("register_students", "register_learners")
    path = plugin_file(tmp_path / "old.py", body)
    plugins = Plugins([path], third_party=False)
    assert plugins.part("student", "mine").plugin == path
    (note,) = plugins.problems
    assert note.harmless and str(note) == (
        f"plugin {path}: harness_register_learners is an old name, and will no longer be called; "
        f"name it harness_register_students ({path}:2)"
    )
