"""What a call asks for: keys of the configuration, parts by spec or as objects, folders."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.api.given_parts import KEYS, with_given
from harness.errors import CommandError
from harness.files.user_config import configured_plugins
from harness.plugin_manager import Plugins
from harness.plugin_manager.discovery import third_party

if TYPE_CHECKING:
    from harness.config import Config

SPECS = ("annotator", "student", "selector")
"""Arguments that are keys ``NAME.spec``."""
GIVEN = ("task", *SPECS, "rounds", "seed", "setting", "limit", "budget_usd")
"""Arguments that are keys of the configuration."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """``values``: dotted keys that the caller set; ``settings``: as ``--set`` has them."""

    plugins: Plugins
    values: Mapping[str, Any]
    settings: tuple[str, ...]
    file: Path | None
    data: Path | None
    out: Path

    def config(self) -> Config:
        """The configuration as given; a ``ConfigError`` names what is wrong."""
        from harness.config import load_config

        return load_config(self.file, self.settings, self.values, self.plugins.keys())


def wanted(
    given: Mapping[str, Any],
    *,
    config: Path | str | None,
    settings: Mapping[str, Any] | Sequence[str],
    data: Path | str | None,
    out: Path | str,
    plugins: Plugins | Sequence[object],
) -> Wanted:
    """Put the arguments of a call together.

    Args:
        given: arguments by their names, of which those of ``GIVEN`` count; None: not given.
        config: a TOML file.
        settings: dotted keys with values, or ``KEY=VALUE`` as the command line has them.
        data: folder of data; None: ``HARNESS_DATA``, else the hub is asked.
        out: where runs are kept.
        plugins: all of them, or more than those that are installed: modules, files, objects.
    """
    file = None if config is None else Path(config)
    found = plugins if isinstance(plugins, Plugins) else plugins_with(plugins, file)
    texts = () if isinstance(settings, Mapping) else tuple(settings)
    keyed = {
        f"{name}.spec" if name in SPECS else name: value
        for name, value in given.items()
        if name in GIVEN
    }
    if isinstance(settings, Mapping):
        keyed |= settings
    return Wanted(found, with_given(keyed, found), texts, file, data_folder(data), Path(out))


def plugins_with(more: Sequence[object] | Path, config: Path | None = None) -> Plugins:
    """The built-in, the installed and the named plugins; what is wrong is in ``problems``.

    ``more``: modules, files or objects; or a single name.
    """
    named = configured_plugins(config)
    more = [more] if isinstance(more, str | Path) else more
    found = Plugins([*named, *(str(one) for one in more if _named(one))], third_party=third_party())
    for one in more:
        if not _named(one):
            found.add_object(one, getattr(one, "__name__", type(one).__name__), "an object")
    return found


def data_folder(folder: Path | str | None) -> Path | None:
    """The folder, else that of ``HARNESS_DATA``; a ``CommandError`` if it is none."""
    named = folder or os.environ.get("HARNESS_DATA")
    if named and not Path(named).is_dir():
        raise CommandError(f"data folder {named}: no such folder")
    return Path(named) if named else None


def objects_in(values: Mapping[str, Any]) -> list[str]:
    """The keys whose value is an object, in place of a spec."""
    return [key for key in KEYS if not isinstance(values.get(key), str | None)]


def _named(plugin: object) -> bool:
    return isinstance(plugin, str | Path)
