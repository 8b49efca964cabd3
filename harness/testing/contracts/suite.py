"""All contracts of a part or of a plugin, one after another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

from harness.data import Kind
from harness.errors import HarnessError, PartError, describe
from harness.plugin_manager import Part, Plugins
from harness.plugin_manager.places import place_of, place_of_error, whose
from harness.specs import Spec, parse_spec
from harness.testing.contracts import annotators, other_parts, selectors, services, students
from harness.testing.contracts.calling import BrokenContractError
from harness.testing.contracts.subject import NotCheckedError, Subject

CONTRACTS: Mapping[str, Sequence[Callable[[Subject], None]]] = {
    "annotator": annotators.CONTRACTS,
    "student": students.CONTRACTS,
    **dict.fromkeys(("initial", "trust", "demonstrations", "query"), selectors.ROLES),
    "preset": selectors.PRESET,
    "augmenter": other_parts.AUGMENTER,
    "task": other_parts.TASK,
    "service": services.CONTRACTS,
    "recipe": other_parts.RECIPE,
    "table_format": other_parts.TABLE_FORMAT,
}
"""By kind, and of selectors by role."""
IMPORTED = "a clean import"
"""The contract of a plugin's import: no problem, nothing printed, nothing heavy."""
OF_KINDS = ("annotator", "student", "augmenter")
"""Kinds of part that are checked on each kind of task that they serve."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one contract: ``message`` is "" where it is kept.

    Attributes:
        subject: the part.
        contract: its name in plain words.
        message: what is wrong, or why it was not checked.
        place: ``file:line`` of the part.
        plugin: its name, distribution and version.
        checked: False where the contract could not be checked here.
        kind: of task, for parts that are checked on each that they serve.
    """

    subject: str
    contract: str
    message: str = ""
    place: str = ""
    plugin: str = ""
    checked: bool = True
    kind: str = ""

    def __str__(self) -> str:
        return together([self])


def alike(findings: Iterable[Finding]) -> list[list[Finding]]:
    """Findings of one part by what is wrong; each contract that is kept stands alone."""
    groups: dict[object, list[Finding]] = {}
    for one in findings:
        key = (one.message, one.place, one.checked) if one.message else one
        groups.setdefault(key, []).append(one)
    return list(groups.values())


def together(same: Sequence[Finding]) -> str:
    """Findings of one part with one message, in one line: contracts and kinds of task are named."""
    first = same[0]
    kinds = " and ".join(dict.fromkeys(one.kind for one in same if one.kind))
    contracts = list(dict.fromkeys(one.contract for one in same))
    more = f" (and {len(contracts) - 1} more)" if len(contracts) > 1 else ""
    line = f"{first.subject}{f' on {kinds} tasks' if kinds else ''}: {contracts[0]}{more}"
    if not first.message:
        return line
    if not first.checked:
        return f"{line}: not checked, {first.message}"
    return f"{line}: {first.message} {whose(first.plugin, first.place)}".rstrip()


Planned: TypeAlias = tuple[Finding, Callable[[], Finding]]
"""The finding that a contract is kept, and what checks it."""


def contracts_of(part: Part) -> Sequence[Callable[[Subject], None]]:
    """The contracts of a part."""
    return CONTRACTS.get(part.role, ())


def planned(plugins: Plugins, part: Part, spec: str | None = None) -> Iterator[Planned]:
    """Each contract of a part, for each kind of task that it serves.

    ``spec``: as a run would name it, for a part that needs an argument.
    """
    parsed = parse_spec(spec) if spec else Spec(part.name.partition("/")[2] or part.name)
    kinds: list[Kind] = [kind for kind in ("sequence", "token") if kind in part.serves]
    for kind in kinds if part.kind in OF_KINDS else kinds[:1]:
        subject = Subject(plugins, part, parsed, kind)
        for contract in contracts_of(part):
            yield _kept(subject, contract), partial(check_contract, subject, contract)


def check_contract(subject: Subject, contract: Callable[[Subject], None]) -> Finding:
    """Check one contract."""
    kept = _kept(subject, contract)
    try:
        contract(subject)
    except BrokenContractError as broken:
        return _broken(kept, subject.part, broken)
    except NotCheckedError as why:
        return replace(kept, message=str(why), checked=False)
    except Exception as error:
        return replace(kept, message=describe(error), place=place_of_error(error) or kept.place)
    return kept


def _kept(subject: Subject, contract: Callable[[Subject], None]) -> Finding:
    part, name = subject.part, contract.__name__.replace("_", " ")
    kind = subject.kind if part.kind in OF_KINDS else ""
    place = subject.source if isinstance(subject.source, str) else place_of(subject.source)
    return Finding(f"{part.kind} {part.name!r}", name, "", place, part.plugin, kind=kind)


def _broken(kept: Finding, part: Part, broken: BrokenContractError) -> Finding:
    cause = broken.__cause__
    if isinstance(cause, HarnessError) and not isinstance(cause, PartError):
        return replace(kept, message=str(cause), checked=False)  # it asks for an argument
    if isinstance(cause, HarnessError) and f"(plugin {part.plugin}" in str(cause):
        within = "" if cause.__cause__ is None else place_of_error(cause.__cause__)
        return replace(kept, message=_bare(str(cause), part), place=within or kept.place)
    return replace(kept, message=broken.message, place=broken.place or kept.place)


def _bare(message: str, part: Part) -> str:
    """A message of the factory's without what is said around it."""
    said = message.partition(f" (plugin {part.plugin}")[0]
    return said.removeprefix(f"{part.kind} {part.name!r}").lstrip(": ")
