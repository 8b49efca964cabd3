"""``student.clean=auto``: how many labels look wrong decides how training treats them."""

from __future__ import annotations

from dataclasses import replace

from harness_plugins.students.noise.estimate import WrongLabels
from harness_plugins.students.settings import Settings

LITTLE = 0.15
"""Share of labels that look wrong at most (``WrongLabels.most``) below which all are learnt: two
weak models find up to 0.14 where none is (results/LOG.md)."""
PREDICTABLE = 0.05
"""The same, below which both models foresee the labels: they make the annotator's own errors."""
ENOUGH = 2000
"""Fewer labels make the estimate too rough to trust, and gain nothing from a high rate."""
EPOCHS = 3
"""At most, for predictable or few labels, unless ``epochs`` is set."""


def corrected(settings: Settings, wrong: WrongLabels | None) -> bool:
    """Whether training corrects for labels that the annotator gives too often."""
    return settings.transition and wrong is not None and wrong.most >= LITTLE


def resolve_auto(
    settings: Settings, wrong: WrongLabels | None, labels: int
) -> tuple[Settings, str | None]:
    """Settings without ``clean=auto``, and one line for the user; others as they are, and None.

    Args:
        wrong: the estimate; None: unknown.
        labels: number of labels.
    """
    if settings.clean != "auto":
        return settings, None
    careful = settings.careful_rate or settings.learning_rate
    if wrong is None or wrong.most >= LITTLE:
        chosen = replace(settings, clean="mixture", learning_rate=careful)
        done, other = "filters them by their loss (mixture)", "all to use all of them"
    else:
        chosen = replace(settings, clean="all")
        done, other = "uses all of them", "mixture to filter them"
        if _foreseen(wrong) or labels < ENOUGH:
            few, many = min(settings.fewest_epochs, EPOCHS), min(settings.most_epochs, EPOCHS)
            chosen = replace(chosen, learning_rate=careful, fewest_epochs=few, most_epochs=many)
    rate = f"at learning rate {chosen.learning_rate:g}"
    found = _said(wrong)
    return chosen, f"student: {found}, so training {done}, {rate}; set student.clean={other}"


def _foreseen(wrong: WrongLabels) -> bool:
    """Whether the annotator errs where the models do, too: they foresee its labels, or see far
    fewer errors than it suspects itself."""
    return wrong.most < PREDICTABLE or (wrong.doubted or 0.0) >= LITTLE


def _said(wrong: WrongLabels | None) -> str:
    if wrong is None:
        return "the share of wrong labels could not be estimated"
    found = (
        f"{100 * wrong.least:.0f} to {100 * wrong.most:.0f} % of the labels look wrong to two "
        "models that have not seen them"
    )
    if wrong.doubted is not None and wrong.doubted > wrong.most:
        found += (
            f" (the annotator's own confidence: {100 * wrong.doubted:.0f} %; errors that follow "
            "from the text cannot be seen)"
        )
    return found
