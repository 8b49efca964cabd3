"""Registers the built-in selectors, one name a role, and the presets that combine them.

A selector is a function in this folder and one line of ``SELECTORS``: role/name, module and
function, what follows the colon of its spec, a summary.
"""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from harness import hookimpl

if TYPE_CHECKING:
    from harness.hookspecs import Register
    from harness.protocols import SelectorPreset, SelectorRequest
    from harness_plugins.selectors.options import Argument

SELECTORS: tuple[tuple[str, str, Argument | None, str], ...] = (
    ("initial/random", "initial.random", "amount", "at random: :SHARE or :NUMBER"),
    ("initial/diverse", "initial.diverse", "amount",
     "far from each other by the packaged encoder: :SHARE or :NUMBER"),
    ("trust/small-loss", "trust.small_loss", "share",
     "per class the smallest losses (the paper): :SHARE"),
    ("trust/agreeing-small-loss", "trust.agreeing_small_loss", "share",
     "as many of each class, but none that the student contradicts: :SHARE"),
    ("trust/reference-small-loss", "trust.reference_small_loss", "share",
     "a share of those in each class that the student repeats (the paper's code): :SHARE"),
    ("trust/fraction", "trust.fraction", "share",
     "the smallest losses of the whole pool: :SHARE"),
    ("trust/mixture", "label_noise.mixture", "threshold",
     "small losses by a mixture of two Gaussians: :THRESHOLD"),
    ("trust/confident-learning", "label_noise.confident_learning", None,
     "where confident learning finds no label error"),
    ("trust/agreement", "trust.agreement", None, "where student and annotator agree"),
    ("trust/confidence", "trust.confidence", "threshold",
     "where the student is sure: :THRESHOLD"),
    ("trust/all", "trust.all_answered", None, "every answered example"),
    ("trust/none", "trust.none", None, "no example: nothing to show either"),
    ("trust/random", "trust.random", "share", "a random share of each class: :SHARE"),
    ("trust/oracle", "trust.Oracle", "share",
     "as many of each class, all right by the gold labels (supervised): :SHARE"),
    ("demonstrations/k-medoids", "prototypes.k_medoids", "number",
     "medoids of each class in the student's space (the paper): :NUMBER,retrieval=HOW"),
    ("demonstrations/k-means", "prototypes.k_means", "number",
     "the nearest to each centroid of a class (the paper's code): :NUMBER"),
    ("demonstrations/confident", "prototypes.confident", "number",
     "those of each class that the student is most sure of: :NUMBER"),
    ("demonstrations/uncertain", "prototypes.uncertain", "number",
     "those of each class that it is least sure of: :NUMBER"),
    ("demonstrations/diverse", "prototypes.diverse", "number",
     "those of each class that are farthest from each other: :NUMBER"),
    ("demonstrations/random", "prototypes.random", "number",
     "random trusted examples, random ones to each example: :NUMBER"),
    ("query/untrusted", "query.untrusted", None, "all that is not trusted, largest loss first"),
    ("query/all", "query.everything", None, "everything again"),
    ("query/none", "query.none", None, "nothing"),
    ("query/random", "query.random", "share", "a random share of the untrusted: :SHARE"),
    ("query/least-confidence", "query.least_confidence", None,
     "the untrusted, least probable prediction first"),
    ("query/margin", "query.margin", None, "the untrusted, smallest lead of the first class first"),
    ("query/entropy", "query.entropy", None, "the untrusted, largest entropy first"),
    ("query/bald", "query.Bald", "number",
     "the untrusted, most disputed between passes with dropout first (BALD): :PASSES"),
    ("query/core-set", "diversity.core_set", None,
     "the untrusted, farthest from all before first"),
    ("query/badge", "diversity.badge", None, "the untrusted, uncertain and different (BADGE)"),
    ("query/cal", "contrast.cal", None,
     "the untrusted, most unlike their trusted neighbours first (CAL)"),
)  # fmt: skip

PRESETS = (
    ("freeal", "agreeing-small-loss", "k-medoids", "FreeAL with our own rule of small loss"),
    ("freeal-paper", "small-loss", "k-medoids", "FreeAL as the paper writes it"),
    ("freeal-reference", "reference-small-loss", "k-means", "FreeAL as its code does it"),
    ("all", "all", "k-medoids", "believe the student everywhere (plain self-training)"),
    ("random", "random", "random", "random trust and demonstrations: what selection is worth"),
)
"""Each asks again all that is not trusted; the first one is the default."""


@hookimpl
def harness_register_selectors(register: Register) -> None:
    """Trust, demonstrations, query; and presets of one each."""
    for name, where, takes, summary in SELECTORS:
        register(name, partial(_made, where, takes), summary=summary)
    for name, trust, demonstrations, summary in PRESETS:
        make = partial(_preset, trust, demonstrations)
        register(f"preset/{name}", make, summary=summary, default=name == PRESETS[0][0])


def _preset(trust: str, demonstrations: str, request: SelectorRequest) -> SelectorPreset:
    from harness.protocols import SelectorPreset

    request.spec.no_argument()
    request.spec.check_options()
    return SelectorPreset(trust, demonstrations, "untrusted")


def _made(where: str, takes: Argument | None, request: SelectorRequest) -> Any:
    """The function with what the spec sets; those that pick demonstrations are put to work."""
    from harness_plugins.selectors.demonstrations import ClassWise
    from harness_plugins.selectors.options import argument

    module, _, name = where.partition(".")
    function = getattr(import_module(f"harness_plugins.selectors.{module}"), name)
    if module == "prototypes":
        return ClassWise.of(function, request)
    made = argument(request.spec, takes)
    return function(**made) if isinstance(function, type) else partial(function, **made)
