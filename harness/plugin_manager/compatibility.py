"""Whether a plugin fits this program: the version of its hooks, and what it requires."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version

import harness
from harness import hookspecs

OURSELVES = "freeal-harness"


def wrong_version(plugin: object) -> str | None:
    """Why the hooks that a plugin is written for are not these, or None.

    A plugin says ``HOOKS_VERSION = 1``; one that says nothing fits.
    """
    wanted, ours = getattr(plugin, "HOOKS_VERSION", hookspecs.VERSION), hookspecs.VERSION
    oldest = hookspecs.OLDEST_VERSION
    if not isinstance(wanted, int):
        return f"HOOKS_VERSION = {wanted!r}: a whole number is expected; this harness has {ours}"
    if oldest <= wanted <= ours:
        return None
    todo = (
        f"upgrade {OURSELVES}"
        if wanted > ours
        else f"its author must write it anew: harness has them from {oldest} on"
    )
    return f"is written for version {wanted} of the hooks, this harness has {ours}; {todo}"


def unmet(requires: Sequence[str]) -> Iterator[tuple[bool, str]]:
    """Requirements of a distribution that are not met, each in a line.

    Yields:
        Whether it asks for another version of this program, and the line.
    """
    from packaging.requirements import InvalidRequirement, Requirement

    for text in requires:
        try:
            wanted = Requirement(text)
        except InvalidRequirement:
            yield False, f"its requirement {text!r} cannot be read"
            continue
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        ours = wanted.name.lower().replace("_", "-") == OURSELVES
        found = harness.__version__ if ours else _version(wanted.name)
        if found is None:
            yield ours, f"requires {wanted.name}, which is not installed: pip install '{text}'"
        elif not wanted.specifier.contains(found, prereleases=True):
            yield ours, f"requires {text}, but {wanted.name} {found} is installed"


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
