"""The settings of the Unified Focal loss, and what they come to for a number of classes."""

from dataclasses import dataclass
from typing import Literal

from focalseg.configuration import CheckedConfig, setting
from focalseg.errors import SettingError

Form = Literal["asymmetric", "symmetric"]
Reduction = Literal["mean", "sum", "none"]


@dataclass(frozen=True, kw_only=True)
class Arms:
    """The loss for a given number of classes. Tuples hold one number per class, the background first.

    overlap_gammas, pixel_gammas: the exponents of the arms, 0 where the form leaves a class alone.
    overlap_weights: overlap_weight * class weight / classes.
    pixel_weights: (1 - overlap_weight) * class weight * delta for a foreground, * (1 - delta) for the background.
    """

    delta: float
    overlap_gammas: tuple[float, ...]
    pixel_gammas: tuple[float, ...]
    overlap_weights: tuple[float, ...]
    pixel_weights: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class UnifiedFocalConfig(CheckedConfig):
    """Settings of the Unified Focal loss, with the defaults of Yeung et al. 2022; `UnifiedFocalLoss` says what each does."""

    form: Form = "asymmetric"
    overlap_weight: float = setting(0.5, at_least=0, at_most=1)
    delta: float = setting(0.6, above=0, below=1)
    gamma: float = setting(0.5, at_least=0)
    boundary_weight: float = setting(0.0, at_least=0)
    boundary_gamma: float = setting(1.0, at_least=0)
    boundary_radius: float | None = setting(None, above=0)
    ignore_index: int | None = None
    class_weights: tuple[float, ...] | None = setting(None, at_least=0)
    reduction: Reduction = "mean"
    spacing_mm: tuple[float, ...] | None = setting(None, above=0)
    check_target: bool = True
    check_logits: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.gamma >= 1 and self.overlap_weight > 0:
            raise SettingError(
                f"gamma was {self.gamma}; below 1 was expected while overlap_weight is above 0, "
                "since the overlap arm takes the power 1 - gamma."
            )

    def arms(self, classes: int) -> Arms:
        """The loss for this many classes, the background included. Raises SettingError for another number of class weights."""
        given = (1.0,) if self.class_weights is None else self.class_weights
        if len(given) not in {1, classes}:
            raise SettingError(f"class_weights has {len(given)} numbers; logits of {classes} classes need one, or one a class.")
        weights = given * classes if len(given) == 1 else given
        symmetric, foregrounds = self.form == "symmetric", classes - 1
        gamma, plain = float(self.gamma), 0.0
        deltas = (1 - self.delta, *[self.delta] * foregrounds)
        return Arms(
            delta=self.delta,
            overlap_gammas=(gamma if symmetric else plain, *[gamma] * foregrounds),
            pixel_gammas=(gamma, *[gamma if symmetric else plain] * foregrounds),
            overlap_weights=tuple(self.overlap_weight * weight / classes for weight in weights),
            pixel_weights=tuple(
                (1 - self.overlap_weight) * weight * delta for weight, delta in zip(weights, deltas, strict=True)
            ),
        )
