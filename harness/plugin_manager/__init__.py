"""Plugins: found, held to what can be used, asked for parts, told of events."""

from harness.plugin_manager.discovery import BUILTINS, installed
from harness.plugin_manager.manager import PluginInfo, Plugins, Problem
from harness.plugin_manager.registration import KINDS, HasDefaults, Part

__all__ = [
    "BUILTINS",
    "KINDS",
    "HasDefaults",
    "Part",
    "PluginInfo",
    "Plugins",
    "Problem",
    "installed",
]
