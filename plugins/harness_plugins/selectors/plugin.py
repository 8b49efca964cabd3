"""Registers the built-in selectors, one name a role, and the presets that combine them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import hookimpl

if TYPE_CHECKING:
    from harness.hookspecs import Register
    from harness.protocols import (
        DemonstrationSelector,
        QuerySelector,
        SelectorRequest,
        TrustSelector,
    )


@hookimpl
def harness_register_selectors(register: Register) -> None:
    """Trust, demonstrations, query; and the presets ``freeal``, ``all``, ``random``."""
    from harness.protocols import SelectorPreset

    register("trust/small-loss", _small_loss, summary="per class the smallest losses: :FRACTION")
    register("trust/all", _trust_all, summary="every answered example")
    register("trust/random", _trust_random, summary="a random share of each class: :FRACTION")
    register(
        "demonstrations/k-medoids",
        _k_medoids,
        summary="medoids of each class in the student's space, nearest per class: :NUMBER",
    )
    register(
        "demonstrations/random",
        _random_demonstrations,
        summary="random trusted examples, random ones to each example: :NUMBER",
    )
    register("query/untrusted", _untrusted, summary="all that is not trusted, largest loss first")
    register("query/all", _query_all, summary="everything again")
    register("query/random", _query_random, summary="a random share of the untrusted: :FRACTION")
    register("query/none", _query_none, summary="nothing")
    register(
        "preset/freeal",
        lambda request: SelectorPreset("small-loss", "k-medoids", "untrusted"),
        summary="FreeAL: small loss, k-medoids, ask the untrusted",
        default=True,
    )
    register(
        "preset/all",
        lambda request: SelectorPreset("all", "k-medoids", "untrusted"),
        summary="believe the student everywhere (plain self-training)",
    )
    register(
        "preset/random",
        lambda request: SelectorPreset("random", "random", "untrusted"),
        summary="random trust, random demonstrations: what selection is worth",
    )


def _small_loss(request: SelectorRequest) -> TrustSelector:
    from harness_plugins.selectors.trust import SmallLoss

    return SmallLoss.from_request(request)


def _trust_all(request: SelectorRequest) -> TrustSelector:
    from harness_plugins.selectors.trust import TrustAll

    return TrustAll.from_request(request)


def _trust_random(request: SelectorRequest) -> TrustSelector:
    from harness_plugins.selectors.trust import RandomTrust

    return RandomTrust.from_request(request)


def _k_medoids(request: SelectorRequest) -> DemonstrationSelector:
    from harness_plugins.selectors.demonstrations import KMedoids

    return KMedoids.from_request(request)


def _random_demonstrations(request: SelectorRequest) -> DemonstrationSelector:
    from harness_plugins.selectors.demonstrations import RandomDemonstrations

    return RandomDemonstrations.from_request(request)


def _untrusted(request: SelectorRequest) -> QuerySelector:
    from harness_plugins.selectors.query import Untrusted

    return Untrusted.from_request(request)


def _query_all(request: SelectorRequest) -> QuerySelector:
    from harness_plugins.selectors.query import QueryAll

    return QueryAll.from_request(request)


def _query_random(request: SelectorRequest) -> QuerySelector:
    from harness_plugins.selectors.query import RandomQuery

    return RandomQuery.from_request(request)


def _query_none(request: SelectorRequest) -> QuerySelector:
    from harness_plugins.selectors.query import QueryNone

    return QueryNone.from_request(request)
