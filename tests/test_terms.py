"""Each term of robust training against a direct transcription of its equation in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.data import FloatArray
from harness_plugins.students.noise.mixture import clean_by_group, clean_by_mixture
from harness_plugins.students.noise.probing import linear_probe
from harness_plugins.students.noise.transition import estimate_transition
from harness_plugins.students.training import terms
from harness_plugins.students.training.training_data import confidence_weights

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


def test_forward_cross_entropy() -> None:
    logits, targets, transition = drawn(UNITS, CLASSES), soft_targets(), softmax(drawn(4, 4))
    wanted = []
    for i in range(UNITS):
        said = [
            sum(softmax(logits[i])[true] * transition[true, j] for true in range(CLASSES))
            for j in range(CLASSES)
        ]
        wanted.append(-sum(targets[i, j] * np.log(said[j]) for j in range(CLASSES)))
    found = terms.forward_cross_entropy(*map(torch.from_numpy, (logits, targets, transition)))
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-10)


def test_the_gradient_of_forward_correction_is_that_of_the_posterior() -> None:
    """What the docstring promises: softmax(z) minus p(true | text, said)."""
    logits = torch.from_numpy(drawn(1, CLASSES)).requires_grad_()
    transition = softmax(drawn(4, 4))
    target = torch.eye(CLASSES, dtype=torch.float64)[[2]]
    terms.forward_cross_entropy(logits, target, torch.from_numpy(transition)).sum().backward()
    believed = softmax(logits.detach().numpy()[0])
    posterior = believed * transition[:, 2]
    posterior /= posterior.sum()
    assert logits.grad is not None
    np.testing.assert_allclose(logits.grad.numpy()[0], believed - posterior, atol=1e-12)


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


def test_confusions_are_estimated_from_labels_alone() -> None:
    """Lopsided errors, classes that a model tells apart well: the matrix is found again."""
    truth = RNG.integers(3, size=6000)
    transition = np.asarray([[0.5, 0.4, 0.1], [0.05, 0.9, 0.05], [0.0, 0.2, 0.8]])
    said = np.asarray([RNG.choice(3, p=transition[true]) for true in truth])
    features = np.eye(3)[truth] + RNG.normal(0, 0.3, (6000, 3))
    half = np.arange(6000) < 3000
    head, bias = linear_probe(features[half], said[half], np.ones(3000), classes=3, penalty=1e-4)
    logits = features[~half] @ head.T + bias
    found = estimate_transition(np.log(softmax(logits)), said[~half])
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(found, transition, atol=0.09)


def test_a_probe_that_knows_the_confusions_sees_through_them() -> None:
    truth = RNG.integers(2, size=4000)
    transition = np.asarray([[0.4, 0.6], [0.2, 0.8]], dtype=np.float32)
    said = np.asarray([RNG.choice(2, p=transition[true]) for true in truth])
    features = (np.eye(2)[truth] + RNG.normal(0, 0.3, (4000, 2))).astype(np.float32)

    def right(matrix: FloatArray | None) -> float:
        head, bias = linear_probe(
            features, said, np.ones(4000), classes=2, penalty=1e-4, transition=matrix
        )
        return float(((features @ head.T + bias).argmax(axis=1) == truth).mean())

    assert right(None) < 0.6
    assert right(transition) > 0.95
