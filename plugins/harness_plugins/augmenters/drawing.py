"""What augmenters that draw have in common: a rate in the spec, a generator an example."""

from __future__ import annotations

import hashlib

import numpy as np

from harness.errors import CommandError
from harness.specs import Spec


def generator(seed: int, id_: str) -> np.random.Generator:
    """Seeded by the example, so that its variant is the same in every pool and order."""
    digest = hashlib.sha256(id_.encode()).digest()
    return np.random.default_rng([seed, int.from_bytes(digest[:8], "big")])


def rate_of(spec: Spec, default: float, option: str | None = None) -> float:
    """A share in the argument (``name:0.2``) or in an option.

    Raises:
        CommandError: if it is not a number in [0, 1], or an argument of 0.
    """
    text = spec.argument if option is None else spec.options.get(option)
    if text is None:
        return default
    try:
        rate = float(text)
    except ValueError:
        rate = -1.0
    if not 0 <= rate <= 1 or (option is None and rate == 0):
        where = f"{option}={text}" if option else text
        above = "above 0 and at most 1" if option is None else "from 0 to 1"
        raise CommandError(f"{spec}: {where!r} is not a share {above}, such as {spec.name}:0.2")
    return rate
