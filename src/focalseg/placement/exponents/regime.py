"""The regime under which exponents train; this one leaves them free."""

import torch
from torch import Tensor, nn

from focalseg.placement.gammas import project_gammas
from focalseg.placement.sites import attention_sites


class Regime:
    """Exponents learn as every other weight does, and are kept from falling below 0.

    A training calls these in the order they stand in, each step, so that a regime holds no state of its own: what it needs is
    in the network, in the optimiser, or follows from the step, and a training resumes to the same bits.
    """

    def __init__(self, network: nn.Module, *, steps: int, seed: int) -> None:
        """steps: of the whole training. seed: of the training."""
        self.network, self.steps, self.seed = network, steps, seed
        self.filled = attention_sites(network)

    def begin_step(self, step: int) -> None:
        """Before the network sees the batch of a step, counted from 0."""

    def penalty(self) -> Tensor | None:
        """What is added to the loss, a scalar, if anything."""
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
