"""One run, in full: everything that decides its outcome."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import torch

from focalseg.configuration import LARGEST_SEED, CheckedConfig, setting
from focalseg.data.preparation import Preparation
from focalseg.errors import SettingError
from focalseg.losses.schedule import Schedule
from focalseg.losses.unified_focal import UnifiedFocalConfig
from focalseg.networks.unet import UNet, UNetConfig
from focalseg.placement.instrument import fill_sites

Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["32-true", "bf16-mixed"]


@dataclass(frozen=True, kw_only=True)
class TrainingConfig(CheckedConfig):
    """AdamW with a one-cycle learning rate over a fixed number of steps: equal budgets for every arm.

    boundary_schedule: how the loss's boundary_weight grows over the training.
    """

    steps: int = setting(400, at_least=1)
    batch_size: int = setting(12, at_least=1)
    learning_rate: float = setting(5e-3, above=0)
    gamma_learning_rate_factor: float = setting(10.0, at_least=0)
    weight_decay: float = setting(1e-2, at_least=0)
    augmentation: bool = True
    boundary_schedule: Schedule = "constant"
    precision: Precision = "32-true"
    log_every: int = setting(10, at_least=1)
    validate_every: int = setting(100, at_least=1)


@dataclass(frozen=True, kw_only=True)
class RunConfig(CheckedConfig):
    """A network, what it is trained on and how. attention: kind of gate by site."""

    data: str
    fold: int = setting(0, at_least=0)
    seed: int = setting(0, at_least=0, at_most=LARGEST_SEED)
    preparation: Preparation
    network: UNetConfig = field(default_factory=UNetConfig)
    attention: Mapping[str, str] = field(default_factory=dict)
    loss: UnifiedFocalConfig = field(default_factory=UnifiedFocalConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.loss.reduction == "none":
            raise SettingError("loss.reduction was 'none'; a training follows one number: mean or sum.")


def build_network(config: RunConfig) -> UNet:
    """The network of a run, its weights drawn from the run's seed: arms of one seed share the weights of the host."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(config.seed)
        network = UNet.from_config(config.network)
        fill_sites(network, config.attention)
    return network
