"""What a stage measured, as named numbers; a configuration, as named texts."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec

from harness.config import Config, flat
from harness.errors import CommandError
from harness.files.printable import one_line
from harness.results import StageResult

SCORES = {
    "transductive": "pool",
    "inductive": "test",
    "validation": "validation",
    "inductive_without_leaked": "test_without_leaked",
}
"""Fields of a stage with a score, and what it is a score of."""
OTHERS = ("answered", "confidence", "agreement", "noise", "abstained", "cost_usd", "seconds")


def numbers_of(stage: StageResult) -> dict[str, float]:
    """Its scores, shares in [0, 1], counts and costs: ``student/pool``, ``student/seconds``."""
    found = {
        name: None if (score := getattr(stage, field)) is None else score.score
        for field, name in SCORES.items()
    }
    found |= {name: getattr(stage, name) for name in OTHERS}
    if stage.selection is not None:
        found["trusted"] = stage.selection.trusted
        found["trusted_precision"] = stage.selection.trusted_precision
    return {f"{stage.actor}/{name}": float(v) for name, v in found.items() if v is not None}


def step_of(stage: StageResult) -> int:
    """The number of a stage: 2 for R2."""
    return int(stage.stage.removeprefix("R"))


def settings_of(config: Config) -> dict[str, str]:
    """A configuration by dotted keys; addresses without passwords."""
    values = flat(config.model_dump(mode="json"))
    return {key: one_line(str(one)) for key, one in values if not isinstance(one, Mapping)}


def needs(package: str) -> None:
    """Refuse to begin without a package that an extra of this distribution installs."""
    if find_spec(package) is None:
        raise CommandError(
            f"the {package} observer needs {package}: pip install 'freeal-harness[{package}]'"
        )
