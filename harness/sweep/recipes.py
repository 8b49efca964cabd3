"""A recipe: a named grid of runs, as a TOML file that anybody can write."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from harness.errors import CommandError, ConfigError, nearest
from harness.plugin_manager import Plugins


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of run.

    Attributes:
        label: what tables call it.
        settings: dotted keys of the configuration with their values.
    """

    label: str
    settings: Mapping[str, Any]


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class RowKeys(_File):
    """A row as the file has it."""

    label: str = Field(min_length=1)
    """What tables call it."""
    like: str | None = None
    """The label of a row above whose settings this one has, too, where it does not set them."""
    settings: Mapping[str, Any] = {}
    """Keys of the configuration, as in a configuration file."""

    @field_validator("settings")
    @classmethod
    def _dotted(cls, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        return dict(_flat(settings))


class Recipe(_File):
    """The content of a recipe's file.

    A row differs from its recipe in what it sets, and in nothing else. The settings of the recipe
    itself hold for all rows, unless the command or a row says otherwise.
    """

    summary: str = Field(min_length=1)
    """One line for ``harness list recipes``."""
    source: str = ""
    """Where the design comes from."""
    baseline: str | None = None
    """The label of the row that the others are compared with."""
    metrics: tuple[str, ...] = ("inductive",)
    """What is shown of each stage: names of ``harness table --metric``. One table each."""
    columns: tuple[str, ...] = ()
    """The stages that are shown, such as R1 and R4; unset: all."""
    settings: Mapping[str, Any] = {}
    """Keys of the configuration that all rows have."""
    rows: tuple[RowKeys, ...] = ()
    """In the order of the table; none: one row for each value of the grid."""
    grid: Mapping[str, tuple[Any, ...]] = {}
    """Dotted keys with the values that each row is run with."""

    @field_validator("settings")
    @classmethod
    def _dotted(cls, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        return dict(_flat(settings))

    def expanded(self) -> list[Row]:
        """The rows of the table, each with each combination of the grid's values."""
        return [
            Row(", ".join(filter(None, (label, named))), {**settings, **point})
            for label, settings in self._labelled().items()
            for named, point in self._points()
        ]

    def _labelled(self) -> dict[str, Mapping[str, Any]]:
        found: dict[str, Mapping[str, Any]] = {}
        for row in self.rows:
            found[row.label] = {**(found[row.like] if row.like else {}), **row.settings}
        return found or {"": {}}

    def _points(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for values in product(*self.grid.values()):
            named = (f"{key}={value}" for key, value in zip(self.grid, values, strict=True))
            yield ", ".join(named), dict(zip(self.grid, values, strict=True))


def find_recipe(name: str, plugins: Plugins) -> tuple[str, Recipe]:
    """A recipe by its name, or by the path of its file; and what to call it.

    Raises:
        UnknownNameError: if there is none.
        ConfigError: if the file is wrong.
    """
    if name.endswith(".toml"):
        return Path(name).stem, read_recipe(Path(name))
    return name, read_recipe(plugins.part("recipe", name).factory(None))


def read_recipe(file: Path) -> Recipe:
    """Read a recipe.

    Raises:
        ConfigError: naming the file and the key.
    """
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
        recipe = Recipe.model_validate(values)
    except FileNotFoundError:
        raise ConfigError(f"{file}: no such recipe file") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{file}: not a readable TOML file: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{file}: key {key!r}: {first['msg'].lower()}") from None
    _check(recipe, file)
    return recipe


def seeds_of(text: str) -> list[int]:
    """``0-4``, ``0,2,5``: the seeds of a sweep.

    Raises:
        CommandError: if it is neither.
    """
    seeds: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise CommandError(f"--seeds {text}: write 0-4, or 0,2,5")
        seeds += range(int(first), int(last or first) + 1)
    if not seeds:
        raise CommandError(f"--seeds {text}: no seed is in it")
    return list(dict.fromkeys(seeds))


def _check(recipe: Recipe, file: Path) -> None:
    labels: list[str] = []
    for row in recipe.rows:
        if row.label in labels:
            raise ConfigError(f"{file}: two rows have the label {row.label!r}")
        if row.like is not None and row.like not in labels:
            known = nearest(row.like, labels) if labels else "it is the first row"
            raise ConfigError(f"{file}: row {row.label!r}: no row {row.like!r} above it; {known}")
        labels.append(row.label)
    names = [row.label for row in recipe.expanded()]
    if recipe.baseline is not None and recipe.baseline not in names:
        known = nearest(recipe.baseline, names)
        raise ConfigError(f"{file}: baseline {recipe.baseline!r}: no such row; {known}")


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys: ``{student = {mixup = 0}}`` is ``student.mixup``."""
    for key, value in values.items():
        if isinstance(value, Mapping) and not prefix:
            yield from _flat(value, f"{key}.")
        else:
            yield prefix + key, value
