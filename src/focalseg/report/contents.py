"""What a report is made of, read from a folder and not yet shaped for the page."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from focalseg.evaluation.statistics import Estimate
from focalseg.networks.building import NetworkConfig
from focalseg.placement.costs import CostTable
from focalseg.study.runs import RunResult
from focalseg.study.scores import CaseScore
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
    dice_per_label: Mapping[str, float]


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
    """A test case with its predictions by arm. image (C, H, W); masks (H, W) uint8 labels. dice: of the whole case, by arm.

    slices: of a volume, which slice this is and how many there are.
    """

    name: str
    image: Array
    mask: Array
    predictions: Mapping[str, Array]
    dice: Mapping[str, float]
    slices: tuple[int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class PlacementContents:
    """A folder of the main job. network: None where no run's config is there to tell. costs: of the network with all sites,
    None in a folder made before costs were measured. dead_sites: left out before training, with the reason."""

    data: str
    outcome: str
    sentence: str
    policy: str
    difference: Estimate
    all_minus_none: Estimate
    arms: tuple[Arm, ...]
    sites: tuple[SiteFinding, ...]
    network: NetworkConfig | None
    costs: CostTable | None
    dead_sites: Mapping[str, str]
    logs: Mapping[str, tuple[TrainingLog, ...]]
    split: SplitSizes | None
    examples: tuple[Example, ...]
    settings: str

    @property
    def kept(self) -> tuple[SiteFinding, ...]:
        """The sites where attention stays."""
        return tuple(finding for finding in self.sites if finding.kept)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the foreground labels."""
        return tuple(self.arms[0].dice_per_label)

    def arm(self, name: str) -> Arm:
        """The arm of that name, which reading made sure of."""
        return next(arm for arm in self.arms if arm.name == name)


@dataclass(frozen=True, kw_only=True)
class RunContents:
    """A folder of a single run. costs: None without attention, and in a folder made before costs were measured."""

    config: RunConfig
    result: RunResult
    sites: tuple[SiteFinding, ...]
    costs: CostTable | None
    log: TrainingLog
    examples: tuple[Example, ...]
    settings: str

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the foreground labels."""
        return self.config.labels

    def scores_of(self, part: str) -> tuple[CaseScore, ...]:
        """Scores of the validation or the test cases."""
        return self.result.scores_of(part)
