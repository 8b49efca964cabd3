"""AdamW by torch's fused kernel, as ``torch.optim.AdamW`` calls it.

That class loads torch's compiler at its first step: two seconds and 100 MB, for nothing here.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch

BETAS = (0.9, 0.999)
EPSILON = 1e-8


class AdamW:
    """Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019.

    Biases and layer norms do not decay. Each parameter has a gradient in every step, or in none.

    Args:
        parameters: float32; frozen ones are left out.
        decay: of the weights, per step and unit of the rate.

    Attributes:
        state: all that steps change but the parameters: the number of steps, a scalar, then the
            two moving averages of each parameter.
    """

    def __init__(self, parameters: Iterable[torch.nn.Parameter], decay: float) -> None:
        trained = [one for one in parameters if one.requires_grad]
        self._steps = torch.zeros((), device=trained[0].device)
        self._moments = [(one, torch.zeros_like(one), torch.zeros_like(one)) for one in trained]
        self._decay = decay
        moments = [one for _, *both in self._moments for one in both]
        self.state: tuple[torch.Tensor, ...] = (self._steps, *moments)

    @torch.no_grad()
    def step(self, rate: torch.Tensor | float) -> None:
        """Take a step on the parameters that have a gradient.

        Args:
            rate: a number, or on a GPU a scalar there, which a CUDA graph reads.
        """
        self._steps.add_(1)
        for decayed in (False, True):
            group = [own for own in self._moments if (own[0].ndim > 1) == decayed]
            group = [own for own in group if own[0].grad is not None]
            if not group:
                continue
            parameters, means, squares = zip(*group, strict=True)
            torch._fused_adamw_(
                list(parameters),
                [own.grad for own in parameters],
                list(means),
                list(squares),
                [],
                [self._steps] * len(group),
                lr=rate,
                beta1=BETAS[0],
                beta2=BETAS[1],
                weight_decay=self._decay if decayed else 0.0,
                eps=EPSILON,
                amsgrad=False,
                maximize=False,
            )

    def forget_gradients(self) -> None:
        """Free the gradients."""
        for parameter, *_ in self._moments:
            parameter.grad = None
