"""The optimiser and its learning rates."""

from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR

from focalseg.hosts.gammas import parameter_groups
from focalseg.training.training_config import TrainingConfig


def build_optimiser(network: nn.Module, config: TrainingConfig) -> tuple[AdamW, OneCycleLR]:
    """AdamW in the groups of `parameter_groups`, each with a one-cycle rate whose peak is the group's own."""
    groups = parameter_groups(
        network,
        config.learning_rate,
        weight_decay=config.weight_decay,
        gamma_factor=config.gamma_learning_rate_factor,
    )
    optimiser = AdamW(groups)
    scheduler = OneCycleLR(optimiser, [group["lr"] for group in groups], total_steps=config.steps)
    return optimiser, scheduler
