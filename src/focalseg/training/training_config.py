"""How one network is trained, as settings."""

from dataclasses import dataclass, field
from typing import Literal

from focalseg.configuration import CheckedConfig, setting
from focalseg.errors import SettingError
from focalseg.feeding.augmentation_config import AugmentationConfig
from focalseg.losses.schedule import Schedule
from focalseg.placement.exponents import REGIMES

_MOST_CHANGE = 10.0
"""Of a gamma in a step: learning_rate times gamma_learning_rate_factor. Gammas are about 1."""
Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "32-true", "bf16-mixed"]


@dataclass(frozen=True, kw_only=True)
class TrainingConfig(CheckedConfig):
    """AdamW with a one-cycle learning rate over a fixed number of steps: equal budgets for every arm.

    foreground_share: share of the patches that are drawn about a pixel of foreground, where images are cut into patches.
    boundary_schedule: how the loss's boundary_weight grows over the training. exponents: the regime under which the gammas
    train, one of `REGIMES`. precision: auto is bf16-mixed (weights and loss in float32, convolutions in bfloat16)
    where the processor computes in bfloat16, else 32-true. validate_every: where it would not validate near the middle and near
    four fifths, it does so besides, so that it can be told whether it still learned at its end. early_stopping_patience: the
    training ends once so many validations in a row brought no Dice above the best one before; nothing: it takes all its steps.
    keep_best: the weights that are kept are those of the best validation, not those of the last step.
    """

    steps: int = setting(400, at_least=1, at_most=10_000_000)
    batch_size: int = setting(12, at_least=1, at_most=4096)
    learning_rate: float = setting(5e-3, at_least=1e-9, at_most=1)
    gamma_learning_rate_factor: float = setting(10.0, at_least=0, at_most=10_000)
    weight_decay: float = setting(1e-2, at_least=0, at_most=10)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    foreground_share: float = setting(1 / 3, at_least=0, at_most=1)
    boundary_schedule: Schedule = "constant"
    exponents: str = "free"
    precision: Precision = "auto"
    log_every: int = setting(10, at_least=1)
    validate_every: int = setting(100, at_least=1)
    early_stopping_patience: int | None = setting(None, at_least=1)
    keep_best: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        REGIMES.check(self.exponents)
        if self.watches_validation and self.exponents != TrainingConfig.exponents:
            raise SettingError(
                f"exponents was {self.exponents!r}, given with early_stopping_patience or keep_best; expected "
                f"{TrainingConfig.exponents!r}, since a regime needs all its steps and the weights that they end with. Leave "
                "one of the two out."
            )
        if (change := self.learning_rate * self.gamma_learning_rate_factor) > _MOST_CHANGE:
            raise SettingError(
                f"gamma_learning_rate_factor was {self.gamma_learning_rate_factor:g}, by which a step may change a gamma by "
                f"{change:g}; expected at most {_MOST_CHANGE:g}. Lower it, or learning_rate."
            )

    @property
    def watches_validation(self) -> bool:
        """Whether validation cases decide when it ends or which weights it keeps."""
        return self.keep_best or self.early_stopping_patience is not None


def refuse_validation(training: TrainingConfig) -> None:
    """Raises SettingError where a training on all data is to be decided by validation cases, of which it has none."""
    if training.watches_validation:
        name = "keep_best" if training.keep_best else "early_stopping_patience"
        raise SettingError(
            f"training.{name} was {getattr(training, name)}, given with --all-data; expected one of the two, since a training "
            "on all cases has none left to validate on. Leave one of them out."
        )
