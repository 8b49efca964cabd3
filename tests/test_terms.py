"""Each term of robust training against a direct transcription of its equation in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from harness.data import FloatArray
from harness_plugins.students.noise.estimate import log_shares, unseen_by_words, wrong_labels
from harness_plugins.students.noise.mixture import clean_by_group, clean_by_mixture
from harness_plugins.students.noise.probing import (
    agreeing,
    first_head,
    normalised,
    unseen_by_probes,
)
from harness_plugins.students.training import terms
from harness_plugins.students.training.training_data import confidence_weights
from tests.tiny_encoders import WORDS

RNG = np.random.default_rng(3)
UNITS, CLASSES, WIDTH = 7, 4, 5


def softmax(logits: FloatArray) -> FloatArray:
    powers = np.exp(logits)
    return powers / powers.sum(axis=-1, keepdims=True)


def drawn(*shape: int) -> FloatArray:
    return RNG.normal(size=shape)


def soft_targets() -> FloatArray:
    return softmax(drawn(UNITS, CLASSES))


def test_cross_entropy() -> None:
    logits, targets = drawn(UNITS, CLASSES), soft_targets()
    wanted = [
        -sum(targets[i, c] * np.log(softmax(logits[i])[c]) for c in range(CLASSES))
        for i in range(UNITS)
    ]
    found = terms.cross_entropy(torch.from_numpy(logits), torch.from_numpy(targets))
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-10)


def test_adjusted_cross_entropy() -> None:
    """With shares p the loss is that of probabilities p_c exp(z_c), scaled to sum to 1."""
    logits, targets, shares = drawn(UNITS, CLASSES), soft_targets(), softmax(drawn(CLASSES))
    powers = shares * np.exp(logits)
    wanted = -(targets * np.log(powers / powers.sum(axis=1, keepdims=True))).sum(axis=1)
    given = map(torch.from_numpy, (logits, targets, np.log(shares)))
    np.testing.assert_allclose(terms.adjusted_cross_entropy(*given).numpy(), wanted, rtol=1e-10)


def test_mixed() -> None:
    features, targets, share = drawn(UNITS, WIDTH), soft_targets(), 0.7
    partner = RNG.permutation(UNITS)
    mixed, wanted = terms.mixed(*map(torch.from_numpy, (features, targets, partner)), share)
    for i in range(UNITS):
        j = partner[i]
        np.testing.assert_allclose(mixed[i], share * features[i] + 0.3 * features[j], rtol=1e-10)
        np.testing.assert_allclose(wanted[i], share * targets[i] + 0.3 * targets[j], rtol=1e-10)


def test_consistency() -> None:
    own, varied, temperature = drawn(UNITS, CLASSES), drawn(UNITS, CLASSES), 0.85

    def divergence(p: FloatArray, q: FloatArray) -> float:
        return float(sum(p[c] * np.log(p[c] / q[c]) for c in range(CLASSES)))

    wanted = [
        0.5 * divergence(softmax(varied[i]), softmax(own[i] / temperature))
        + 0.5 * divergence(softmax(own[i]), softmax(varied[i] / temperature))
        for i in range(UNITS)
    ]
    found = terms.consistency(torch.from_numpy(own), torch.from_numpy(varied), temperature)
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-9)


def test_consistency_holds_its_goals_fixed() -> None:
    """stopgrad: with T = 1 and equal arguments nothing moves; the goal itself has no gradient."""
    own = torch.from_numpy(drawn(UNITS, CLASSES)).requires_grad_()
    varied = torch.from_numpy(drawn(UNITS, CLASSES)).requires_grad_()
    terms.consistency(own, varied, 1.0).sum().backward()
    assert own.grad is not None
    # d/dz of KL(fixed p' || softmax(z)) / 2 alone: (softmax(z) - p') / 2
    wanted = (softmax(own.detach().numpy()) - softmax(varied.detach().numpy())) / 2
    np.testing.assert_allclose(own.grad.numpy(), wanted, atol=1e-12)


@pytest.mark.parametrize(
    ("epoch", "length", "weight"),
    [(0, 10, 0), (2.5, 10, 0.25), (10, 10, 1), (31, 10, 1), (0, 0, 1)],
)
def test_ramp_up(epoch: float, length: float, weight: float) -> None:
    assert terms.ramp_up(epoch, length) == pytest.approx(weight)


def test_confidence_weights() -> None:
    confidence = np.asarray([0.5, 0.75, 1.0, 0.51], dtype=np.float32)
    raw = np.asarray([0.05, 0.5, 1.0, 0.05])
    np.testing.assert_allclose(confidence_weights(confidence, 2), raw / raw.mean(), rtol=1e-6)
    assert confidence_weights(np.full(3, np.nan, dtype=np.float32), 2).tolist() == [1, 1, 1]
    of_four = np.asarray([0.25, 0.625, 1.0], dtype=np.float32)  # chance, half-way, sure
    raw = np.asarray([0.05, 0.5, 1.0])
    np.testing.assert_allclose(confidence_weights(of_four, 4), raw / raw.mean(), rtol=1e-6)


def test_the_mixture_parts_small_losses_from_large_ones() -> None:
    losses = np.concatenate([RNG.normal(0.2, 0.05, 300), RNG.normal(2.0, 0.3, 100)]).clip(0)
    clean = clean_by_mixture(losses, 0.7, seed=1)
    assert clean[:300].mean() > 0.97 and clean[300:].mean() < 0.03
    assert np.array_equal(clean, clean_by_mixture(losses, 0.7, seed=1))


@pytest.mark.parametrize("losses", [[], [1.0], [0.5] * 200, [0.1, 2.0, 0.3]])
def test_a_mixture_of_too_little_believes_everything(losses: list[float]) -> None:
    assert clean_by_mixture(np.asarray(losses), 0.7, seed=0).all()


def test_o_is_judged_apart_from_mentions() -> None:
    """One mixture over all would call every mention wrong: their losses are all above O's."""
    outside = np.concatenate([RNG.exponential(0.01, 950), RNG.normal(1.5, 0.1, 50)])
    mentions = np.concatenate([RNG.normal(0.6, 0.05, 80), RNG.normal(2.5, 0.2, 20)])
    losses = np.concatenate([outside, mentions])
    groups = np.repeat([0, 1], [1000, 100])
    together = clean_by_mixture(losses, 0.7, seed=0)
    apart = clean_by_group(losses, groups, 0.7, seed=0)
    assert not together[1000:1080].any()
    assert apart[1000:1080].mean() > 0.9 and not apart[1080:].any()
    assert apart[:950].mean() > 0.9 and not apart[950:1000].any()


def test_labels_that_a_probe_confirms_are_the_right_ones() -> None:
    """Half of one class are given the other's label, so half of that label are wrong, too."""
    truth = RNG.integers(2, size=2000)
    said = np.where(RNG.random(2000) < np.asarray([0.55, 0.1])[truth], 1 - truth, truth)
    features = normalised(np.eye(2, 8)[truth] + RNG.normal(0, 0.3, (2000, 8)))
    fit = features, said, np.ones(2000, dtype=np.float32)
    unseen = unseen_by_probes(*fit, 2)

    def right(**given: Any) -> float:
        head, bias = first_head(*fit, classes=2, penalty=0.03, **given)
        return float(((features @ head.T + bias).argmax(axis=1) == truth).mean())

    assert right(unseen=unseen) > 0.95 > 0.9 > right()


def test_nothing_raises_a_class_that_is_never_named() -> None:
    shares = np.exp(log_shares(np.asarray([0, 0, 0, 1]), 3))
    np.testing.assert_allclose(shares, [0.75, 0.25, 1.0], rtol=1e-6)
    assert not log_shares(np.asarray([], dtype=np.int64), 3).any()


def test_a_class_that_no_probe_confirms_keeps_a_fifth_of_its_labels() -> None:
    labels = np.repeat([0, 1], [40, 10])
    sure = agreeing(np.log(np.full((50, 2), [0.9, 0.1])), labels)
    lifted = agreeing(np.log(np.full((50, 2), [0.7, 0.3])), labels)
    assert (sure[:40].all(), sure[40:].sum()) == (True, 2)
    assert (lifted[:40].sum(), lifted[40:].all()) == (8, True)  # 0.3 is more than one in five


@pytest.mark.parametrize("rate", [0.0, 0.2])
def test_as_many_labels_look_wrong_as_are(rate: float) -> None:
    """Errors at random, in texts whose words and features tell the classes apart."""
    truth = RNG.integers(2, size=400)
    words = [" ".join(RNG.choice(WORDS[10 * one : 10 * one + 10], 6)) for one in truth]
    said = np.where(RNG.random(400) < rate, 1 - truth, truth)
    features = normalised(np.eye(2, 8)[truth] + RNG.normal(0, 0.3, (400, 8)))
    probes = unseen_by_probes(features, said, np.ones(400, dtype=np.float32), 2)
    found = wrong_labels(
        probes.log_probabilities, unseen_by_words(words, said, 2), said, doubted=0.5
    )
    assert found.least <= found.most == pytest.approx((said != truth).mean(), abs=0.05)
    assert found.likely == 0.5  # the annotator's doubts go beyond
