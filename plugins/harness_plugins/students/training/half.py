"""A bfloat16 copy of an encoder: a GPU computes with it, the float32 weights take the steps."""

from __future__ import annotations

import copy

import torch

from harness_plugins.bert import Bert
from harness_plugins.students.encoder.device import autocasts
from harness_plugins.students.encoder.heads import Classifier, Standard


def half_copy(model: Classifier) -> HalfCopy | None:
    """None on a CPU, where bfloat16 does not pay, and for other encoders than ``Bert``: there
    autocast casts."""
    where = next(model.parameters()).device.type
    if where != "cuda" or not autocasts() or isinstance(model, Standard):
        return None
    return HalfCopy(model) if isinstance(model.base_model, Bert) else None


class HalfCopy:
    """The same model, but for its encoder's weights and all that is computed with them.

    Autocast casts each weight and most activations wherever they are used, which is half of the
    kernels of a step. Micikevicius et al., "Mixed Precision Training", ICLR 2018, section 3.1.
    Gradients of several parts of a batch add up in bfloat16.

    Attributes:
        model: shares its head with the model that it is made of.
    """

    def __init__(self, model: Classifier) -> None:
        encoder = copy.deepcopy(model.base_model).to(torch.bfloat16)
        self.model: Classifier = copy.copy(model)
        self.model._modules = {**model._modules, "base_model": encoder}
        pairs = zip(model.base_model.parameters(), encoder.parameters(), strict=True)
        trained = [(own, half) for own, half in pairs if own.requires_grad]
        self._weights = [own for own, _ in trained]
        self._halves = [half for _, half in trained]
        self._gradients = [torch.zeros_like(own) for own in self._weights]

    @torch.no_grad()
    def read_weights(self) -> None:
        """Take over what the last step has changed, and forget gradients of one that failed."""
        for half in self._halves:
            half.grad = None
        torch._foreach_copy_(self._halves, self._weights)

    @torch.no_grad()
    def hand_over_gradients(self) -> None:
        """Give the float32 weights the gradients of the copy, which forgets them."""
        torch._foreach_copy_(self._gradients, [half.grad for half in self._halves])
        for own, half, gradient in zip(self._weights, self._halves, self._gradients, strict=True):
            own.grad, half.grad = gradient, None
