"""Every hook of the program, in the order in which it runs. This file is the reference.

A plugin is a module (or any object) with functions of these names, marked with
``@harness.hookimpl``. It is found through the entry-point group ``harness`` of an
installed distribution, or named by ``--plugin MODULE`` or ``--plugin FILE.py``. A
hook may leave out arguments that it does not use.

A plugin that fails in one of these hooks is named on stderr together with its distribution; the
rest of the program goes on.

A plugin may say for which version of the hooks and protocols it is written, ``HOOKS_VERSION = 1``
in its module. One that wants another version than ``OLDEST_VERSION`` to ``VERSION`` is named and
left out. A hook that gets another name is called by its old one (``RENAMED``), with a note, until
``OLDEST_VERSION`` passes the version that renamed it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pluggy

if TYPE_CHECKING:
    import typer
    from pydantic import BaseModel

    from harness.config import Config
    from harness.results import RunResult, StageResult

hookspec = pluggy.HookspecMarker("harness")

VERSION = 1
"""Of these hooks, and of the protocols of the parts that they register."""
OLDEST_VERSION = 1
"""The oldest version for which a plugin may be written."""
RENAMED: dict[str, str] = {}
"""Old names of hooks with the new ones: still called, with a note. None so far."""


class Register(Protocol):
    """What a registration hook calls, once for each part it offers.

    A part that cannot be used is refused at once, with a warning that names the plugin: its name
    is taken or cannot stand in a spec, the kind of task is unknown, the factory does not take one
    argument, ``config`` is no pydantic model.
    """

    def __call__(
        self,
        name: str,
        factory: Any,
        *,
        summary: str = "",
        kinds: Sequence[str] = ...,
        config: type[BaseModel] | str | None = None,
        default: bool = False,
        reads: str = "",
    ) -> None:
        """Offer a part.

        Args:
            name: what users write; letters, digits, ``-``, ``_``, ``.`` and ``+``.
            factory: takes one request, and is called only when the part is used; or where it
                is written, ``"my_package.module:MyStudent.from_request"``, which is imported
                only then. Do heavy imports inside it.
            summary: one line for ``harness list``.
            kinds: kinds of task that it serves, of ``sequence`` and ``token``.
            config: of an annotator or a student: its own configuration keys, a pydantic model
                in which each key has a default and a docstring (``use_attribute_docstrings``),
                or where it is written, as for ``factory``. It checks ``annotator.KEY`` or
                ``student.KEY`` of a run; the factory finds an instance in ``request.config``, and
                ``harness show KIND NAME`` lists the keys. The class variable ``not_identifying``
                names keys that change only how answers are fetched, paid for or computed: they do
                not make another run.
            default: a run that names no such part takes this one (the first registered so). Of
                annotators it is the one whose prompt ``harness show prompt`` shows; a run takes
                its task's.
            reads: the suffix of files that the part reads; a spec with that suffix needs no
                name (``--task my.toml``). Of a reader of models, the file that it looks for.
        """


class RegisterService(Protocol):
    """What ``harness_register_services`` calls, once for each service it offers."""

    def __call__(self, service: Any) -> None:
        """Offer a service.

        Args:
            service: a value with a ``name``, which specs write before the model's name, and a
                one-line ``summary``, such as ``harness_plugins.llm.service.Service``. Heavy
                imports wait for the first request.
        """


@hookspec
def harness_register_commands(app: typer.Typer) -> None:
    """Add commands to the command line.

    Runs at every start of ``harness``, before the command line is read, so it must be fast.
    The commands of all plugins are put together; a name that is taken is refused.
    """


@hookspec
def harness_register_tasks(register: Register) -> None:
    """Offer tasks.

    Runs when a command first needs the names of tasks. ``factory(TaskRequest)`` returns a
    ``protocols.Task``. The tasks of all plugins are put together.
    """


@hookspec
def harness_register_services(register: RegisterService) -> None:
    """Offer services: language models that annotators and augmenters ask.

    Runs before annotators or augmenters register. Each service becomes an annotator
    ``NAME:MODEL`` and a model for ``paraphrase:NAME:MODEL``, with no further registration.
    """


@hookspec
def harness_register_annotators(register: Register, services: Mapping[str, Any]) -> None:
    """Offer annotators.

    Runs when a command first needs the names of annotators, with all registered ``services`` by
    name. ``factory(AnnotatorRequest)`` returns a ``protocols.AnyAnnotator``. The annotators of all
    plugins are put together.
    """


@hookspec
def harness_register_students(register: Register) -> None:
    """Offer students.

    Runs when a command first needs the names of students. ``factory(StudentRequest)`` returns a
    ``protocols.Student``. The students of all plugins are put together.
    """


@hookspec
def harness_register_selectors(register: Register) -> None:
    """Offer selectors, one name a role, and presets.

    Runs when a command first needs the names of selectors. The name says the role:
    ``initial/NAME``, ``trust/NAME``, ``demonstrations/NAME``, ``query/NAME`` with a
    ``factory(SelectorRequest)`` that returns an ``InitialSelector``, ``TrustSelector``,
    ``DemonstrationSelector`` or ``QuerySelector``; the factory of ``preset/NAME`` returns a
    ``SelectorPreset``. Those of all plugins are put together.
    """


@hookspec
def harness_register_augmenters(register: Register, services: Mapping[str, Any]) -> None:
    """Offer augmenters.

    Runs when a command first needs the names of augmenters, with all registered ``services`` by
    name. ``factory(AugmenterRequest)`` returns a ``protocols.Augmenter``; one that reads labels
    has ``abilities.reads_labels``. The augmenters of all plugins are put together.
    """


@hookspec
def harness_register_recipes(register: Register) -> None:
    """Offer recipes: named grids of runs for ``harness sweep``.

    Runs when a command first needs the names of recipes. ``factory(None)`` returns the path of
    the recipe's TOML file, which is written as ``sweep.recipes.Recipe`` says. A user's own file
    needs no hook. Those of all plugins are put together.
    """


@hookspec
def harness_register_table_formats(register: Register) -> None:
    """Offer formats for ``harness table --format``.

    Runs when a table is printed. ``factory(table)`` takes a ``report.tables.Table`` and returns
    the text. The formats of all plugins are put together.
    """


@hookspec
def harness_register_models(register: Register) -> None:
    """Offer readers of exported models, for ``harness predict``.

    Runs when ``harness predict`` does. ``reads`` is the file by which a model's folder is known,
    such as ``config.json``; ``factory(folder)`` returns a ``protocols.ExportedModel``. Those of
    all plugins are put together; of two that know a folder, the first registered reads it.
    """


@hookspec
def harness_register_checks(register: Register) -> None:
    """Offer checks of an installation, for ``harness doctor``.

    Runs when ``harness doctor`` does. ``factory(progress)`` takes a ``protocols.Progress``, tries
    what the plugin needs and returns one line with what it found, or raises an exception that
    says what is wrong and what to do. The checks of all plugins run, after those of the core.
    """


@hookspec
def harness_run_started(config: Config, folder: Path) -> None:
    """Observe that a run begins or resumes, before any annotation.

    ``config`` is the resolved configuration, ``folder`` the run's folder, which is
    locked by this process. Nothing is returned; an exception stops nothing.
    """


@hookspec
def harness_round_finished(round: int, stages: Sequence[StageResult]) -> None:
    """Observe that a round (the first is 0) is complete: annotated, trained, selected.

    ``stages`` are the stages of that round, annotator first. Runs for a resumed
    round, too. Nothing is returned; an exception stops nothing.
    """


@hookspec
def harness_run_finished(result: RunResult, folder: Path) -> None:
    """Observe that a run is complete: ``result.json`` is written.

    Runs also when the run was found finished. Nothing is returned; an exception
    stops nothing.
    """


@hookspec
def harness_run_failed(error: BaseException, folder: Path) -> None:
    """Observe that a run stopped by an error or an interruption.

    What was recorded stays, and the same command resumes it. Nothing is returned.
    """


HOOKS = tuple(name for name in globals() if name.startswith("harness_"))
