"""``student.clean=auto``: how many labels look wrong decides how training treats them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from harness_plugins.students.noise.estimate import WrongLabels
from harness_plugins.students.settings import Settings

LITTLE = 0.18
"""Share of labels that look wrong at most (``WrongLabels.most``) below which all are learnt: two
weak models find up to 0.14 where none is, and 0.16 where 0.06 are (results/LOG.md)."""


def corrected(settings: Settings, wrong: WrongLabels | None) -> bool:
    """Whether training corrects for labels that the annotator gives too often."""
    return settings.transition and wrong is not None and wrong.most >= LITTLE


def resolve_auto(settings: Settings, wrong: WrongLabels | None) -> tuple[Settings, str | None]:
    """Settings without ``clean=auto``, and one line for the user; others as they are, and None.

    Args:
        wrong: the estimate; None: unknown.
    """
    if settings.clean != "auto":
        return settings, None
    if wrong is None or wrong.most >= LITTLE:
        careful = settings.careful_rate or settings.learning_rate
        chosen = replace(settings, clean="mixture", learning_rate=careful)
        done, other = "filters them by their loss (mixture)", "all to use all of them"
    else:
        chosen = replace(settings, clean="all", **dict[str, Any](settings.few_wrong))
        alone = "" if chosen.mixup or chosen.pairs else " by cross-entropy alone"
        done, other = f"uses all of them{alone}", "mixture to filter them"
    rate = f"at learning rate {chosen.learning_rate:g}"
    return chosen, f"student: {_said(wrong)}, so training {done}, {rate}; set student.clean={other}"


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
