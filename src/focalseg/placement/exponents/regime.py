"""The regime under which exponents train; this one leaves them free."""

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from focalseg.hosts.attachment import attention_sites
from focalseg.hosts.gammas import project_gammas

Replacement = Literal["mean", "host"]
"""What stands in for a site that is taken away: the mean of its coefficients per channel, or nothing, as in the host."""
WARM_UP = 0.4
"""The share of a training in which exponents are free before a regime sets in, so that gates learn what they are good for.

From the first step on, site dropout kept gates that are needed from being learned in half of short trainings, and the price of
hard concrete switches in nearly all of them (the task "one site" of benchmarks/placement.py).
"""


class Regime:
    """Exponents learn as every other weight does, and are kept from falling below 0.

    A training calls these in the order they stand in, each step. A regime keeps nothing of its own from one step to the next:
    what it needs is in the network, in the optimiser, or follows from the step, and a training resumes to the same bits.

    replacement: what stands in for a site that is taken away afterwards: the nearest to what the network has learned to work
    without. witnesses_path: whether the log of the training, in which site after site leaves, is evidence.
    witnesses_probability: whether the probability of each site to be on is evidence. mixes_networks: whether sites come and go
    from step to step. The running statistics of norms then belong to a mixture of networks and have to be estimated anew before
    the network is scored, or one that has learned well may predict nothing.
    """

    replacement: ClassVar[Replacement] = "mean"
    witnesses_path: ClassVar[bool] = False
    witnesses_probability: ClassVar[bool] = False
    mixes_networks: ClassVar[bool] = False

    def __init__(self, network: nn.Module, *, steps: int, seed: int) -> None:
        """steps: how many the whole training has. seed: that of the training."""
        self.network, self.steps, self.seed = network, steps, seed
        self.filled = attention_sites(network)

    def has_set_in(self, step: int) -> bool:
        """Whether a step, counted from 0, comes after those in which exponents are free."""
        return step >= WARM_UP * self.steps

    def begin_step(self, step: int) -> None:
        """Called before the network sees the batch of a step, counted from 0."""

    def penalty(self, step: int) -> Tensor | None:  # noqa: ARG002
        """A scalar that is added to the loss of a step, or None."""
        return None

    def take_gradients(self, step: int) -> None:
        """Called after the backward pass, before the optimiser moves the weights."""

    def end_step(self, step: int, optimiser: torch.optim.Optimizer) -> bool:  # noqa: ARG002
        """Called after the optimiser moved the weights. Whether something happened that a validation should put in the log."""
        project_gammas(self.network, optimiser)
        return False

    def begin_validation(self) -> None:
        """Called before the network is scored."""

    def finish(self) -> dict[str, float]:
        """Called once after the last step: takes out what was added for the training, and returns the open probability of each
        site if there is one."""
        return {}
