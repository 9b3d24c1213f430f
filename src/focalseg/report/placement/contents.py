"""What a report is made of, read from a folder and not yet shaped for the page."""

from collections.abc import Mapping
from dataclasses import dataclass

from focalseg.evaluation.significance import NonInferiority
from focalseg.evaluation.statistics import Estimate, SeedNoise
from focalseg.evaluation.verdict import Collapsed, Collapses
from focalseg.hosts.building import NetworkConfig
from focalseg.hosts.costs import CostTable
from focalseg.report.overlays import Array
from focalseg.study.arms.design import ALL, NONE, PLACED
from focalseg.study.outcome.wording import describe_failures
from focalseg.study.running.runs import RunResult
from focalseg.study.running.scores import CaseScore
from focalseg.training.run import RunConfig


@dataclass(frozen=True, kw_only=True)
class SiteFinding:
    """Evidence on one site. removal: its cost with the interval; joint_cost: as in `SiteDecision`; None where they were not
    measured. kept: what was decided, None where nothing was decided (a single run). shut: a skip where nothing is to pass."""

    site: str
    gate: str
    gamma: float
    removal_cost: float
    spread: float
    removal: Estimate | None = None
    joint_cost: float | None = None
    kept: bool | None = None
    shut: bool = False
    why: str = ""

    @property
    def decision(self) -> str:
        """kept, dropped or shut; empty where nothing was decided."""
        if self.kept is None:
            return ""
        return "shut" if self.shut else "kept" if self.kept else "dropped"


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One arm of the comparison in numbers. flops: of one image forward. seconds: a training. trainings: with folds, one seed
    of every fold. collapsed: trainings that ended predicting nothing, 0 too where they were not counted."""

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
    folds: int = 1
    collapsed: int = 0

    @property
    def share_collapsed(self) -> Collapsed:
        """How many of how many trainings ended predicting nothing."""
        return Collapsed(self.collapsed, self.trainings * self.folds)


@dataclass(frozen=True, kw_only=True)
class ArmComparison:
    """Test Dice of one arm minus that of another. holm_p: adjusted for all comparisons of the folder. smallest_difference: the
    true one that such data show in 80 % of studies, None where there is none. collapsed: whether most trainings of one of the
    two ended predicting nothing, so that the numbers tell nothing of attention."""

    one: str
    other: str
    difference: Estimate
    holm_p: float
    smallest_difference: float | None
    collapsed: bool = False


@dataclass(frozen=True, kw_only=True)
class FoldFinding:
    """What one fold kept (kind of gate by site) and shut, and placed minus none on its test cases."""

    fold: int
    kept: Mapping[str, str]
    shut: tuple[str, ...]
    difference: Estimate


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A quantity at the steps where it was logged, both (N,) float."""

    steps: Array
    values: Array


@dataclass(frozen=True, kw_only=True)
class TrainingLog:
    """The metrics of one training. fold: None where its folder names none. gammas: the path of the exponent by site."""

    seed: int
    fold: int | None
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
    None in a folder made before costs were measured. dead_sites: left out before training, with the reason. comparisons,
    non_inferiority (of placed to all), seed_noise (of none), folds: empty or None in a folder made before there were any.
    search: of the trainings that sites were chosen with, how many of how many ended predicting nothing; none of none where they
    were not counted.
    probes: the trainings that the evidence comes from, those of all attention where there were no others; regime: that of their
    exponents, empty where no run is there to tell. probed: whether there were others."""

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
    comparisons: tuple[ArmComparison, ...]
    non_inferiority: NonInferiority | None
    seed_noise: SeedNoise | None
    search: Collapsed
    folds: tuple[FoldFinding, ...]
    logs: Mapping[str, tuple[TrainingLog, ...]]
    probes: tuple[TrainingLog, ...]
    regime: str
    probed: bool
    split: SplitSizes | None
    examples: tuple[Example, ...]
    settings: str

    @property
    def kept(self) -> tuple[SiteFinding, ...]:
        """The sites where attention stays."""
        return tuple(finding for finding in self.sites if finding.decision == "kept")

    @property
    def shut(self) -> tuple[SiteFinding, ...]:
        """The skips where nothing is to pass."""
        return tuple(finding for finding in self.sites if finding.decision == "shut")

    @property
    def plain(self) -> bool:
        """Whether the placed network is the plain one, in every fold."""
        return not (self.kept or self.shut or any(fold.kept or fold.shut for fold in self.folds))

    @property
    def unanswered(self) -> str:
        """Why the trainings answer nothing, empty where they answer."""
        rests_on = (NONE,) if self.plain else (NONE, PLACED)  # the trainings of the plain network count once
        return describe_failures(
            Collapses(arms={name: self.arm(name).share_collapsed for name in rests_on}, search=self.search)
        )

    @property
    def smallest_difference(self) -> float | None:
        """The true difference placed - none that such data show in 80 % of studies; None where nothing tells."""
        comparison = self.find_comparison(PLACED, NONE)
        return comparison.smallest_difference if comparison and not comparison.collapsed else None

    @property
    def telling(self) -> tuple[ArmComparison, ...]:
        """The comparisons of arms that did not collapse; all of them where the page is the record of a failure anyway."""
        telling = () if self.unanswered else tuple(one for one in self.comparisons if not one.collapsed)
        return telling or self.comparisons

    @property
    def claim(self) -> NonInferiority | None:
        """Whether placed is as good as all, None where nothing can be said of it."""
        comparison = self.find_comparison(PLACED, ALL)
        return None if self.unanswered or (comparison and comparison.collapsed) else self.non_inferiority

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the foreground labels."""
        return tuple(self.arms[0].dice_per_label)

    def arm(self, name: str) -> Arm:
        """The arm of that name, which reading made sure of."""
        return next(arm for arm in self.arms if arm.name == name)

    def find_comparison(self, one: str, other: str) -> ArmComparison | None:
        """That of one arm minus the other, None where it was not made."""
        return next((found for found in self.comparisons if (found.one, found.other) == (one, other)), None)

    def name_lost(self, comparison: ArmComparison) -> list[str]:
        """Those of the two arms most of whose trainings ended predicting nothing."""
        return [name for name in (comparison.one, comparison.other) if self.arm(name).share_collapsed.most]


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
