"""What a part may offer in addition to its role. All of it is optional.

Each function below looks up one attribute or method of a part, says what it means, and
returns a default for a part without it. A part needs no base class for any.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from harness.data import BoolArray, Demonstrations, Pool, StudentView
from harness.protocols import Account, Estimate, Progress, Written

T = TypeVar("T")
Messages: TypeAlias = Sequence[Sequence[tuple[str, str]]]


# --- any part --------------------------------------------------------------------------


def describe(part: object) -> Mapping[str, object]:
    """``describe()``: the settings with which it works, for the run's provenance."""
    return _call(part, "describe", default={})


def fingerprint(part: object) -> str | None:
    """``fingerprint``: a hash of the content that its results depend on, such as a file's.

    It belongs to the run's identity.
    """
    return _own(part, "fingerprint", None)


# --- annotators and augmenters that ask a service -------------------------


def asks_service(part: object) -> bool:
    """Whether it has ``open(account)``."""
    return hasattr(part, "open")


def opened(part: object, account: Account) -> AbstractContextManager[None]:
    """``open(account)``: connections and the file of replies, held in a ``with`` block.

    Raises:
        CommandError: if no key or server is set; the message says what to set.
        ServiceError: (also later) if the service refuses for good.
        BudgetError: (later) if the next request would pass the budget.
    """
    return _call(part, "open", account, default=nullcontext())


def estimate(annotator: object, pool: Pool, shots: int) -> Estimate | None:
    """``estimate(pool, shots)``: of annotating with this number of demonstrations per example.

    None: it asks no language model.
    """
    return _call(annotator, "estimate", pool, shots, default=None)


def estimate_writing(annotator: object, pool: Pool) -> Estimate | None:
    """``estimate_writing(pool)``: of writing the demonstrations of stage R1."""
    return _call(annotator, "estimate_writing", pool, default=None)


def estimate_variants(augmenter: object, pool: Pool) -> Estimate | None:
    """``estimate_variants(pool)``: of making a variant of each example."""
    return _call(augmenter, "estimate_variants", pool, default=None)


# --- annotators ------------------------------------------------------------------------


def writer(annotator: object) -> Callable[[Pool, int, Progress], Written] | None:
    """``write(pool, seed, progress)``: its own demonstrations for R1 (FreeAL, section 3.2).

    Labelled examples in the style of some unlabelled ones of the pool. ``nearest`` of the
    demonstrations is None: ``annotate`` retrieves, for each example, those nearest to it.
    Without it stage R1 shows what the task declares.
    """
    return _own(annotator, "write", None)


def messages(annotator: object) -> Callable[[Pool, Demonstrations | None], Messages] | None:
    """``messages(pool, demonstrations)``: the (role, content) sent for each example.

    None: it sends no messages.
    """
    return _own(annotator, "messages", None)


def of_round(annotator: T, round_: int) -> T:
    """``of_round(round)``: the annotator as it answers in a round, from 0 on; a recording's.

    Without it: the annotator itself, which may answer differently by its demonstrations alone.
    """
    return _call(annotator, "of_round", round_, default=annotator)


def from_gold(annotator: object) -> bool:
    """``from_gold``: its answers depend on gold labels, such as a recording of a supervised run.

    The run is then supervised, too. Without it: False.
    """
    return _own(annotator, "from_gold", False)


# --- students, exported models and augmenters --------------------------------------------


def uses_variants(student: object) -> bool:
    """``uses_variants``: whether it trains on variants; else ``student.augmenter`` is refused.

    Where its settings leave variants unused, its factory refuses the key.
    """
    return _own(student, "uses_variants", False)


def has_dropout(student: object) -> bool:
    """``has_dropout``: whether its fitted students have ``view_with_dropout``."""
    return _own(student, "has_dropout", False)


def view_with_dropout(fitted: Any, pool: Pool, seed: int, progress: Progress) -> StudentView:
    """``view_with_dropout(pool, seed, progress)``: of a student with ``has_dropout``.

    Its view with units dropped at random, as in training; the same seed gives the same view.
    """
    view: StudentView = fitted.view_with_dropout(pool, seed, progress)
    return view


def earlier(fitted: T) -> T | None:
    """``earlier``: the student from which feedback is taken, where it is not the trained one.

    The same after an earlier epoch, or models that have not seen the label of an example. Without
    it (None) feedback is taken from the trained one.
    """
    return _own(fitted, "earlier", None)


def clean_labels(fitted: object, pool: Pool) -> BoolArray | None:
    """``clean_labels(pool)``: bool ``[units]``, labels that training took for right in the end.

    People look at them; nothing depends on them. None: it told none apart, or was trained on
    another pool, as by a student that trains it on rows of its own.
    """
    return _call(fitted, "clean_labels", pool, default=None)


def exports(student: object) -> bool:
    """``exports``: False where its fitted students have no ``export``. Without it: not known."""
    return _own(student, "exports", True)


def exporter(fitted: object) -> Callable[[Path], None] | None:
    """``export(folder)``: write a model that other programs load without any code of this one.

    Into an empty folder, with its tokenizer and the names of its labels. The classes
    ``AutoModelForSequenceClassification`` or ``AutoModelForTokenClassification`` of
    ``transformers`` load it by ``from_pretrained``, without ``trust_remote_code``, and give
    the logits that the student gives. A ``CommandError`` where its architecture has no such
    form. None: it is no such model.
    """
    return _own(fitted, "export", None)


def cut(student: object, pool: Pool) -> Mapping[int, str]:
    """``cut(pool)``: rows of which it reads the beginning only, and how much of each, in words."""
    return _call(student, "cut", pool, default={})


def reads_labels(augmenter: object) -> bool:
    """``reads_labels``: its variants depend on the labels, so each round makes new ones."""
    return _own(augmenter, "reads_labels", False)


# --- selectors -------------------------------------------------------------------------


def needs_gold(trust: object) -> bool:
    """``needs_gold``: the selector of trust knows which labels are right; the run is supervised."""
    return _own(trust, "needs_gold", False)


def dropout_passes(query: object) -> int:
    """``dropout_passes``: how often the student looks at the pool with dropout; without it: 0."""
    return _own(query, "dropout_passes", 0)


# --- tasks -----------------------------------------------------------------------------


def notes(task: object) -> Sequence[str]:
    """``notes``: on what was loaded so far, one line each: conversions, unexpected sizes."""
    return _own(task, "notes", ())


def origin(task: object) -> Mapping[str, object]:
    """``origin()``: where its data comes from, for the provenance: files, or a repository."""
    return _call(task, "origin", default={})


def at_hand(task: object) -> bool:
    """``at_hand``: whether the data can be loaded without the network. Without it: True."""
    return _own(task, "at_hand", True)


def declared(task: object) -> Mapping[str, Any]:
    """``declared()``: the content of a task file, for ``harness show task``."""
    return _call(task, "declared", default={})


def _own(part: object, name: str, default: T) -> T:
    found: T = getattr(part, name, default)
    return found


def _call(part: object, name: str, *arguments: object, default: T) -> T:
    method: Callable[..., T] | None = getattr(part, name, None)
    return default if method is None else method(*arguments)
