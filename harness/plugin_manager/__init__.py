"""Plugins: where they come from, the parts that they register, the events that they observe."""

from harness.plugin_manager.discovery import BUILTINS, installed
from harness.plugin_manager.making import made
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
    "made",
]
