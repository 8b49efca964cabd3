"""How careful training is, by how many labels seem to be wrong."""

from __future__ import annotations

from dataclasses import replace

from harness_plugins.students.settings import Settings

LITTLE = 0.15
"""Share of wrong labels, as estimated, under which labels are not corrected for: a weak probe
sees about a tenth where there is none (results/LOG.md)."""
FORESEEN = 0.05
"""The same, under which the labels are what a probe would have said: an annotator with the same
encoder, whose errors are the probe's own (at most 0.044 with a third of the labels wrong; the
gold labels of MR and TREC: 0.1 and more; results/LOG.md)."""
ENOUGH = 2000
"""Labels, for so few of which the estimate is too rough to trust and a high rate gains nothing."""
EPOCHS = 3
"""At most, for labels that are foreseen or few, unless their number is given."""


def judged(settings: Settings, wrong: float | None, labels: int) -> Settings:
    """The settings where ``clean`` is ``auto``, made up by what was found; others as they are.

    Args:
        settings: may leave it to what was found.
        wrong: estimated share of wrong labels, in [0, 1]; None: unknown.
        labels: how many there are.
    """
    if settings.clean != "auto":
        return settings
    careful = settings.careful_rate or settings.learning_rate
    if wrong is None or wrong >= LITTLE:
        return replace(settings, clean="mixture", learning_rate=careful)
    if wrong >= FORESEEN and labels >= ENOUGH:
        return replace(settings, clean="all")
    return replace(
        settings,
        clean="all",
        learning_rate=careful,
        fewest_epochs=min(settings.fewest_epochs, EPOCHS),
        most_epochs=min(settings.most_epochs, EPOCHS),
    )


def said_of(settings: Settings, wrong: float | None, labels: int) -> str | None:
    """What a user should know of that, on one line; None: nothing was left to it."""
    if settings.clean != "auto":
        return None
    chosen = judged(settings, wrong, labels)
    if wrong is None:
        found = "how many labels are wrong could not be estimated"
    elif wrong < FORESEEN:
        found = "a linear probe foresees nearly all labels"
    else:
        found = f"about {100 * wrong:.0f} % of the labels look wrong to a linear probe"
    how = "all are learnt" if chosen.clean == "all" else "a mixture parts them"
    return f"student: {found}: {how}, at a rate of {chosen.learning_rate:g} (student.clean=auto)"
