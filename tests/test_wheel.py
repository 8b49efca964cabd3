"""The built wheel owns exactly the three packages, with their data."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_wheel_owns_three_packages_and_their_data(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (wheel,) = tmp_path.glob("freeal_harness-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    owned = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert owned == {"harness", "harness_plugins", "harness_tasks"}
    for name in (
        "harness/py.typed",
        "harness_plugins/students/plugin.py",
        "harness_tasks/subj.toml",
        "harness_tasks/data/demo/train.jsonl",
        "harness_tasks/data/demo-ner/test.jsonl",
    ):
        assert name in names
