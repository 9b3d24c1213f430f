"""The optimiser and its learning rates."""

from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR

from focalseg.hosts.gammas import gamma_parameters, switch_parameters
from focalseg.training.training_config import TrainingConfig


def build_optimiser(network: nn.Module, config: TrainingConfig) -> tuple[AdamW, OneCycleLR]:
    """AdamW in three groups: weights, norms and biases without decay, and gammas without decay at their own higher rate.

    Decay would pull a gamma to 0, which reads as "no attention wanted"; one rate for all leaves it near 1 (a trial of the
    paper's authors moved it by 0.035 in 1140 steps).
    """
    gammas = {id(gamma) for gamma in (*gamma_parameters(network), *switch_parameters(network))}
    weights: list[nn.Parameter] = []
    plain: list[nn.Parameter] = []
    exponents: list[nn.Parameter] = []
    for parameter in network.parameters():
        (exponents if id(parameter) in gammas else weights if parameter.ndim > 1 else plain).append(parameter)
    rate = config.learning_rate
    gamma_rate = rate * config.gamma_learning_rate_factor
    groups = [
        {"params": weights, "lr": rate, "weight_decay": config.weight_decay},
        {"params": plain, "lr": rate, "weight_decay": 0.0},
        {"params": exponents, "lr": gamma_rate, "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    optimiser = AdamW(groups)
    scheduler = OneCycleLR(optimiser, [float(group["lr"]) for group in groups], total_steps=config.steps)  # type: ignore[arg-type]
    return optimiser, scheduler
