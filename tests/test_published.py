"""The tables of results/ are those of the committed results, which hold no texts."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from harness.record import layout
from harness.record.outcomes import COLUMNS
from harness.report.blocks import find_blocks
from tests.commands import call, message, succeeded

ROOT = Path(__file__).parent.parent
README = "results/README.md"
TABLES = {
    README: {"stages", "ablations", "active-learning"},
    "results/robustness.md": {"noise-ladder"},
}
"""By page the recipes whose tables it has."""


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)  # blocks name their folders from there


@pytest.mark.parametrize("page", TABLES)
def test_each_table_is_what_its_command_makes(page: str) -> None:
    blocks = list(find_blocks((ROOT / page).read_text(encoding="utf-8"), page))
    assert {block.arguments[0] for block in blocks} == TABLES[page]
    succeeded(call("table", "--update", page, "--check"))


def test_a_digit_typed_by_hand_is_found(tmp_path: Path) -> None:
    text = (ROOT / README).read_text(encoding="utf-8")
    block = next(find_blocks(text, README))
    at = next(n for n in range(block.end - 1, block.start, -1) if text[n].isdigit())
    digit = str((int(text[at]) + 1) % 10)
    changed = tmp_path / "README.md"
    changed.write_text(f"{text[:at]}{digit}{text[at + 1 :]}", encoding="utf-8")
    said = message(call("table", "--update", changed, "--check"), 1)
    assert f"README.md:{block.line}: not what the command makes" in said


def test_published_results_hold_no_texts() -> None:
    files = [path for path in (ROOT / "results/published").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 2_000_000
    for path in files:
        if path.suffix == ".parquet":
            columns = set(pq.read_schema(path).names)
            assert columns <= {"split", "id", *COLUMNS[3]}, path
        else:
            assert path.name in (layout.RESULT, layout.CHECKSUMS) or path.parent.name == "sweeps"
