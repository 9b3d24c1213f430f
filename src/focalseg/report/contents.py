"""What a report is made of, read from a folder and not yet shaped for the page."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from focalseg.evaluation.statistics import Estimate
from focalseg.study.runs import CaseScore, RunResult
from focalseg.training.run import RunConfig

Array = np.ndarray


@dataclass(frozen=True, kw_only=True)
class SiteFinding:
    """Evidence on one site. kept: what was decided, None where nothing was decided (a single run)."""

    site: str
    gate: str
    gamma: float
    removal_cost: float
    spread: float
    kept: bool | None = None
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One arm of the comparison in numbers. flops: of one image forward. seconds: a training."""

    name: str
    dice: Estimate
    iou: float
    precision: float
    recall: float
    modules: int
    parameters: int
    flops: int
    seconds: float
    trainings: int
    cases: int
    groups: int
    both_empty: int
    one_empty: int
    dice_per_training: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A quantity at the steps where it was logged, both (N,) float."""

    steps: Array
    values: Array


@dataclass(frozen=True, kw_only=True)
class TrainingLog:
    """The metrics of one training. gammas: the path of the exponent by site."""

    seed: int
    loss: Curve
    validation_dice: Curve
    gammas: Mapping[str, Curve]


@dataclass(frozen=True, kw_only=True)
class SplitSizes:
    """Cases of each part of the data, and whether some cases belong together."""

    training: int
    validation: int
    test: int
    grouped: bool


@dataclass(frozen=True, kw_only=True)
class Example:
    """A test case with its predictions by arm. image (C, H, W); masks (H, W) bool."""

    name: str
    image: Array
    mask: Array
    predictions: Mapping[str, Array]


@dataclass(frozen=True, kw_only=True)
class PlacementContents:
    """A folder of the main job. widths: channels a level, empty where no run's config is there to tell."""

    data: str
    outcome: str
    sentence: str
    policy: str
    difference: Estimate
    all_minus_none: Estimate
    arms: tuple[Arm, ...]
    sites: tuple[SiteFinding, ...]
    widths: tuple[int, ...]
    logs: Mapping[str, tuple[TrainingLog, ...]]
    split: SplitSizes | None
    examples: tuple[Example, ...]
    settings: str

    @property
    def kept(self) -> tuple[SiteFinding, ...]:
        """The sites where attention stays."""
        return tuple(finding for finding in self.sites if finding.kept)

    def arm(self, name: str) -> Arm:
        """The arm of that name, which reading made sure of."""
        return next(arm for arm in self.arms if arm.name == name)


@dataclass(frozen=True, kw_only=True)
class RunContents:
    """A folder of a single run."""

    config: RunConfig
    result: RunResult
    sites: tuple[SiteFinding, ...]
    log: TrainingLog
    examples: tuple[Example, ...]
    settings: str

    def scores_of(self, part: str) -> tuple[CaseScore, ...]:
        """Scores of the validation or the test cases."""
        return self.result.scores_of(part)
