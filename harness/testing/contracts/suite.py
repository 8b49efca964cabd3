"""All contracts of a part or of a plugin, one after another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.data import Kind
from harness.errors import HarnessError, PartError, describe
from harness.plugin_manager import Part, Plugins
from harness.plugin_manager.places import place_of, place_of_error
from harness.specs import Spec, parse_spec
from harness.testing.contracts import annotators, other_parts, selectors, students
from harness.testing.contracts.calling import BrokenContractError
from harness.testing.contracts.subject import NotCheckedError, Subject

CONTRACTS: Mapping[str, Sequence[Callable[[Subject], None]]] = {
    "annotator": annotators.CONTRACTS,
    "student": students.CONTRACTS,
    **dict.fromkeys(("initial", "trust", "demonstrations", "query"), selectors.ROLES),
    "preset": selectors.PRESET,
    "augmenter": other_parts.AUGMENTER,
    "task": other_parts.TASK,
    "recipe": other_parts.RECIPE,
    "table_format": other_parts.TABLE_FORMAT,
}
"""By kind, and of selectors by role."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one contract: ``message`` is "" where it is kept.

    Attributes:
        subject: the part, and the kind of task.
        contract: its name in plain words.
        message: what is wrong, or why it was not checked.
        place: ``file:line`` of the part.
        plugin: its name, distribution and version.
        checked: False where the contract could not be checked here.
    """

    subject: str
    contract: str
    message: str = ""
    place: str = ""
    plugin: str = ""
    checked: bool = True

    def __str__(self) -> str:
        if not self.message:
            return f"{self.subject}: {self.contract}"
        if not self.checked:
            return f"{self.subject}: {self.contract}: not checked, {self.message}"
        where = f", {self.place}" if self.place else ""
        return f"{self.subject}: {self.message} (plugin {self.plugin}{where})"


def contracts_of(part: Part) -> Sequence[Callable[[Subject], None]]:
    """The contracts of a part."""
    return CONTRACTS.get(part.role, ())


def check_part(plugins: Plugins, part: Part, spec: str | None = None) -> Iterator[Finding]:
    """Check each contract of a part, for each kind of task that it serves.

    ``spec``: as a run would name it, for a part that needs an argument.
    """
    parsed = parse_spec(spec) if spec else Spec(part.name.partition("/")[2] or part.name)
    kinds: list[Kind] = [kind for kind in ("sequence", "token") if kind in part.serves]
    for kind in kinds if part.kind in ("annotator", "student", "augmenter") else kinds[:1]:
        subject = Subject(plugins, part, parsed, kind)
        for contract in contracts_of(part):
            yield check_contract(subject, contract)


def check_contract(subject: Subject, contract: Callable[[Subject], None]) -> Finding:
    """Check one contract."""
    part, name = subject.part, contract.__name__.replace("_", " ")
    called = f"{part.kind} {part.name!r}"
    if part.kind in ("annotator", "student", "augmenter"):
        called += f" on {subject.kind} tasks"
    try:
        contract(subject)
    except BrokenContractError as broken:
        cause = broken.__cause__
        if isinstance(cause, HarnessError) and not isinstance(cause, PartError):
            return Finding(called, name, str(cause), checked=False)  # it asks for an argument
        if isinstance(cause, HarnessError) and f"(plugin {part.plugin}" in str(cause):
            within = "" if cause.__cause__ is None else place_of_error(cause.__cause__)
            place = within or place_of(part.factory)
            return Finding(called, name, _bare(str(cause), part), place, part.plugin)
        place = broken.place or place_of(part.factory)
        return Finding(called, name, broken.message, place, part.plugin)
    except NotCheckedError as why:
        return Finding(called, name, str(why), checked=False)
    except Exception as error:
        place = place_of(part.factory)
        return Finding(called, name, describe(error), place, part.plugin)
    return Finding(called, name)


def _bare(message: str, part: Part) -> str:
    """A message of the factory's without what is said around it."""
    said = message.partition(f" (plugin {part.plugin}")[0]
    return said.removeprefix(f"{part.kind} {part.name!r}").lstrip(": ")
