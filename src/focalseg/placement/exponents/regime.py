"""The regime under which exponents train; this one leaves them free."""

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from focalseg.hosts.attachment import attention_sites
from focalseg.hosts.gammas import project_gammas

Replacement = Literal["mean", "host"]
"""What stands in for a site that is taken away: the mean of its coefficients, a channel each, or nothing, as in the host."""
WARM_UP = 0.4
"""Share of a training in which exponents are free before a regime sets in, so that gates learn what they are good for.

From the first step on, site dropout kept gates that are needed from being learned in half of short trainings, and the price of
hard concrete switches in nearly all of them (the task "one site" of benchmarks/placement.py).
"""


class Regime:
    """Exponents learn as every other weight does, and are kept from falling below 0.

    A training calls these in the order they stand in, each step. A regime keeps nothing of its own from one step to the next:
    what it needs is in the network, in the optimiser, or follows from the step, and a training resumes to the same bits.

    replacement: what stands in for a site that is taken away afterwards, which is the nearest to what the network has learned
    to do without. witnesses_path: whether the log of a training, site after site shut off, is evidence.
    witnesses_probability: whether how often each site would be on is. mixes_networks: whether sites come and go from step to
    step, so that the running statistics of norms belong to no network with all sites, and have to be found anew before it is
    scored; a network that has learned well would else predict nothing.
    """

    replacement: ClassVar[Replacement] = "mean"
    witnesses_path: ClassVar[bool] = False
    witnesses_probability: ClassVar[bool] = False
    mixes_networks: ClassVar[bool] = False

    def __init__(self, network: nn.Module, *, steps: int, seed: int) -> None:
        """steps: of the whole training. seed: of the training."""
        self.network, self.steps, self.seed = network, steps, seed
        self.filled = attention_sites(network)

    def has_set_in(self, step: int) -> bool:
        """Whether a step is beyond those in which exponents are free."""
        return step >= WARM_UP * self.steps

    def begin_step(self, step: int) -> None:
        """Before the network sees the batch of a step, counted from 0."""

    def penalty(self, step: int) -> Tensor | None:  # noqa: ARG002
        """What is added to the loss of a step, a scalar, if anything."""
        return None

    def take_gradients(self, step: int) -> None:
        """After the backward pass, before the optimiser moves the weights."""

    def end_step(self, step: int, optimiser: torch.optim.Optimizer) -> bool:  # noqa: ARG002
        """After the optimiser moved the weights. Whether something happened that the log should show with a validation."""
        project_gammas(self.network, optimiser)
        return False

    def begin_validation(self) -> None:
        """Before the network is scored."""

    def finish(self) -> dict[str, float]:
        """After the last step, once: what was added for the training is taken out. The open probability by site, if there is
        one."""
        return {}
