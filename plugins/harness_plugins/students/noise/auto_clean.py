"""``student.clean=auto``: how many labels look wrong decides how training treats them."""

from __future__ import annotations

from dataclasses import replace

from harness_plugins.students.settings import Settings

LITTLE = 0.15
"""Estimated share of wrong labels below which they are not corrected for: a weak probe finds
about a tenth where there is none (results/LOG.md)."""
PREDICTABLE = 0.05
"""Estimated share below which a probe predicts the labels: their annotator has the same encoder
and makes the probe's own errors (at most 0.044 with a third of the labels wrong; the gold labels
of MR and TREC: 0.1 and more; results/LOG.md)."""
ENOUGH = 2000
"""Fewer labels make the estimate too rough to trust, and gain nothing from a high rate."""
EPOCHS = 3
"""At most, for predictable or few labels, unless ``epochs`` is set."""


def resolve_auto(
    settings: Settings, wrong: float | None, labels: int
) -> tuple[Settings, str | None]:
    """Settings without ``clean=auto``, and one line for the user; others as they are, and None.

    Args:
        wrong: estimated share of wrong labels, in [0, 1]; None: unknown.
        labels: number of labels.
    """
    if settings.clean != "auto":
        return settings, None
    found = "the share of wrong labels could not be estimated"
    if wrong is not None:
        found = f"about {100 * wrong:.0f} % of the labels look wrong (out-of-fold probe)"
    careful = settings.careful_rate or settings.learning_rate
    if wrong is None or wrong >= LITTLE:
        chosen = replace(settings, clean="mixture", learning_rate=careful)
        done, other = "filters them by their loss (mixture)", "all to use all of them"
    else:
        chosen = replace(settings, clean="all")
        done, other = "uses all of them", "mixture to filter them"
        if wrong < PREDICTABLE or labels < ENOUGH:
            few, many = min(settings.fewest_epochs, EPOCHS), min(settings.most_epochs, EPOCHS)
            chosen = replace(chosen, learning_rate=careful, fewest_epochs=few, most_epochs=many)
    rate = f"at learning rate {chosen.learning_rate:g}"
    return chosen, f"student: {found}, so training {done}, {rate}; set student.clean={other}"
