"""The user's configuration file, and the plugins that a configuration file names."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

from harness.errors import ConfigError

PLUGINS = "plugins"


def user_config_file() -> Path:
    """``HARNESS_CONFIG``, else ``~/.config/freeal-harness/config.toml``."""
    named = os.environ.get("HARNESS_CONFIG")
    base = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return Path(named) if named else base / "freeal-harness" / "config.toml"


def configured_plugins(config: Path | None) -> list[str]:
    """The plugins that the user's configuration file names, and a file of ``--config``."""
    files = [one for one in (user_config_file(), config) if one is not None]
    return [name for file in files for name in plugins_of(file)]


def plugins_of(file: Path) -> list[str]:
    """``plugins = [...]`` of a configuration file, as ``--plugin`` takes them.

    Files are found from the folder of the configuration file; nothing there is run unless it is
    named. A file that is missing or cannot be read names none: whoever reads the rest of it says
    so.

    Raises:
        ConfigError: if the key is no list of texts.
    """
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return []
    named: Any = values.get(PLUGINS, [])
    if not (isinstance(named, list) and all(isinstance(one, str) and one for one in named)):
        raise ConfigError(
            f"{file}: key {PLUGINS!r} = {named!r}: write a list of modules or files, such as "
            f'{PLUGINS} = ["my_plugin.py"]'
        )
    return [str(file.parent / one) if one.endswith(".py") else one for one in named]
