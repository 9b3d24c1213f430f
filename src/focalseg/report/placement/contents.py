"""What a report is made of, read from a folder and not yet shaped for the page."""

from collections.abc import Mapping
from dataclasses import dataclass

from focalseg.evaluation.verdict import Collapses, Footing
from focalseg.hosts.building import NetworkConfig
from focalseg.records.costs import CostTable
from focalseg.records.estimate import NonInferiority
from focalseg.records.outcome.strata import LEFT_EMPTY, WITH_OBJECT_DICE
from focalseg.records.placement import ALL, ARMS, NONE, PLACED, ArmComparison, ArmSummary, JobRecord
from focalseg.records.site_decision import SiteDecision
from focalseg.records.splits import Splits
from focalseg.report.overlays import Array
from focalseg.report.placement.cases import CaseDice
from focalseg.study.outcome.wording import describe_failures
from focalseg.study.running.runs import RunResult
from focalseg.training.run import RunConfig

UNMEASURED = "what it is worth was not measured"
"""The reason that is given for a site of which gamma alone is known."""

_ALIKE = 0.0005
"""Of two differences that are the same in three digits."""


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
class Example:
    """A test case with its predictions by arm. image (C, H, W); masks (H, W) uint8 labels. dice: of all that counts, by arm.

    slices: of a volume, which slice this is and how many there are. role: why it is shown, empty in a file of before that was
    written down.
    """

    name: str
    image: Array
    mask: Array
    predictions: Mapping[str, Array]
    dice: Mapping[str, float]
    slices: tuple[int, int] | None = None
    role: str = ""


@dataclass(frozen=True, kw_only=True)
class PlacementContents:
    """A folder of the main job. network: None where no run's config is there to tell.

    probes: the trainings that the evidence comes from, those of all attention where there were no others; regime: that of their
    exponents, empty where no run is there to tell. probed: whether there were others. cases: the test cases with their Dice in
    the plain network and in what stands beside it; none where trainings left no scores. element: what an image is made of.
    """

    data: str
    record: JobRecord
    network: NetworkConfig | None
    logs: Mapping[str, tuple[TrainingLog, ...]]
    probes: tuple[TrainingLog, ...]
    regime: str
    probed: bool
    splits: Splits | None
    examples: tuple[Example, ...]
    settings: str
    cases: tuple[CaseDice, ...] = ()
    element: str = "pixel"

    @property
    def arms(self) -> Mapping[str, ArmSummary]:
        """Every arm, those of `ARMS` first."""
        return {name: self.record.arms[name] for name in dict.fromkeys((*ARMS, *self.record.arms))}

    @property
    def plain(self) -> bool:
        """Whether the placed network is the plain one, in every fold."""
        return is_plain(self.record)

    @property
    def shown(self) -> str:
        """The arm that the answer is about: what was placed or, where that is the plain network, attention everywhere."""
        return ALL if self.plain else PLACED

    @property
    def lost(self) -> frozenset[str]:
        """The arms that nothing can be said of, since most of their trainings ended predicting nothing."""
        return frozenset(name for name, arm in self.arms.items() if arm.collapsed_trainings.most)

    @property
    def of_object(self) -> str:
        """What the endpoint is of, as it follows the word Dice; nothing where that is the mean over all cases."""
        if self.record.endpoint != WITH_OBJECT_DICE:
            return ""
        if LEFT_EMPTY in self.record.strata:
            return " on cases with the object"
        return " of the labels that a case has" if self.mean_differs else ""

    @property
    def overlap(self) -> float:
        """The share of training groups that two folds have in common, as far as the claim heeds it."""
        return self.record.overlap if self.record.claim == "new_data" else 0.0

    @property
    def mean_differs(self) -> bool:
        """Whether the verdict's difference is another than that of the mean over all cases."""
        whole = self.record.difference_all_cases
        return whole is not None and not self.plain and abs(whole.dice - self.record.difference.dice) >= _ALIKE

    @property
    def unanswered(self) -> str:
        """Why the trainings answer nothing, empty where they answer."""
        rests_on = (NONE,) if self.plain else (NONE, PLACED)  # the trainings of the plain network count once
        arms = {name: self.arms[name].collapsed_trainings for name in rests_on}
        return describe_failures(Collapses(arms=arms, search=self.record.search))

    @property
    def smallest_difference(self) -> float | None:
        """The true difference placed - none that such data show in 80 % of studies; None where nothing tells."""
        comparison = self.record.find_comparison(PLACED, NONE)
        return comparison.smallest_difference if comparison and not comparison.collapsed else None

    @property
    def telling(self) -> tuple[ArmComparison, ...]:
        """The comparisons of arms that did not collapse; all of them where the page is the record of a failure anyway."""
        comparisons = self.record.comparisons
        telling = () if self.unanswered else tuple(one for one in comparisons if not one.collapsed)
        return telling or comparisons

    @property
    def claim(self) -> NonInferiority | None:
        """Whether placed is as good as all, None where nothing can be said of it."""
        comparison = self.record.find_comparison(PLACED, ALL)
        return None if self.unanswered or (comparison and comparison.collapsed) else self.record.non_inferiority

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the foreground labels."""
        return tuple(self.arms[NONE].dice_per_label)

    def name_lost(self, comparison: ArmComparison) -> list[str]:
        """Those of the two arms most of whose trainings ended predicting nothing."""
        return [name for name in (comparison.one, comparison.other) if self.arms[name].collapsed_trainings.most]


def is_plain(record: JobRecord) -> bool:
    """Whether what a job placed is the plain network, in every fold."""
    return not (record.layout or any(fold.kept or fold.shut for fold in record.folds))


@dataclass(frozen=True, kw_only=True)
class RunContents:
    """A folder of a single run. sites: the evidence on each, as decisions that nobody took. standing: the same sites with their
    gamma alone, where no case was left to gather evidence on. footing: of its score. steps: how its training went. untested:
    why there is no score, empty where there is one. cases: how many it was trained on, None where nothing tells. card: whether
    a model card is beside it.
    """

    config: RunConfig
    result: RunResult
    sites: tuple[SiteDecision, ...]
    standing: tuple[SiteDecision, ...]
    costs: CostTable
    log: TrainingLog
    examples: tuple[Example, ...]
    settings: str
    footing: Footing
    steps: str
    untested: str
    cases: int | None
    card: bool
