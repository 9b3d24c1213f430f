"""placement.json: which gates stand where and on which evidence, and all that the main job found of it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Literal

from focalseg.configuration import CheckedConfig, setting
from focalseg.errors import SettingError
from focalseg.findings import counted, show_name
from focalseg.records.costs import NOT_MEASURED, CostTable
from focalseg.records.distances import DistanceDifference, DistanceSummary
from focalseg.records.estimate import DiceInterval, Estimate, Interval
from focalseg.records.record import AGAIN, Record, read_record, write_record

PLACEMENT = "placement.json"
SHUT = "shut"
"""The name, among kinds of gates, of a skip where nothing passes. It is no attention: it has no weights and no gamma."""
NONE, ALL, PLACED = "none", "all", "placed"
ARMS = (NONE, ALL, PLACED)
"""Those that every job has, in the order they are shown in."""
ROUNDING = 1e-9
"""By so much a mean of several numbers may lie outside the mean of their bounds."""
MOST_LISTED = 4
"""Trainings whose values are listed one by one."""
_RUN = re.compile(r"runs/[\w-]+/fold_[0-9]+/seed_[0-9]+", re.ASCII)
"""The folder of a training within that of its job."""
Outcome = Literal["helps", "no_difference_shown", "harms"]


@dataclass(frozen=True, kw_only=True)
class SiteDecision(CheckedConfig):
    """What was decided on one site, on which evidence, averaged over trainings, and why.

    removal_cost: Dice lost without it; removal_low, removal_high: its 95 % interval of new validation cases for these very
    trainings, which are mostly two and tell too little of other trainings for an interval. removal_costs: the cost in each
    training, on removal_cases validation cases, with that training's interval of new cases from removal_lows to removal_highs.
    joint_cost: without it and all that were missed less. None or empty: the file was written before these were measured, and
    where removal_cases is empty the interval is another, over trainings as well. shut: a skip where nothing passes, which is no
    module. why: empty where nobody decided, since attention was given.
    """

    site: str
    gate: str
    gamma: float
    removal_cost: float
    spread: float
    kept: bool
    why: str
    removal_low: float | None = None
    removal_high: float | None = None
    joint_cost: float | None = None
    shut: bool = False
    removal_costs: tuple[float, ...] = ()
    removal_lows: tuple[float, ...] = ()
    removal_highs: tuple[float, ...] = ()
    removal_cases: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kept and self.shut:
            raise SettingError("shut was True, and kept too; expected one of the two.")
        for name in ("removal_lows", "removal_highs", "removal_cases"):
            if (count := len(getattr(self, name))) not in (0, len(self.removal_costs)):
                raise SettingError(f"{name} has {count} numbers; expected {len(self.removal_costs)}, as removal_costs has.")
        low, high = self.removal_low, self.removal_high
        if (low, high) == (None, None):
            return
        if low is None or high is None or not low - ROUNDING <= self.removal_cost <= high + ROUNDING:
            reach = f"from removal_low {low} to removal_high {high}"
            raise SettingError(f"removal_cost was {self.removal_cost}, {reach}; expected a mean within its interval.")

    @property
    def removal(self) -> Estimate | None:
        """The cost of removal with its interval, None where it has none."""
        if self.removal_low is None or self.removal_high is None:
            return None
        return Estimate(mean=self.removal_cost, low=self.removal_low, high=self.removal_high)

    @property
    def each_removal(self) -> tuple[Estimate, ...]:
        """The cost of removal in each training with its interval of new cases; none where that was not written down."""
        if not self.removal_lows or not self.removal_highs:
            return ()
        three = zip(self.removal_costs, self.removal_lows, self.removal_highs, strict=True)
        return tuple(Estimate(mean=cost, low=min(low, cost), high=max(high, cost)) for cost, low, high in three)

    @property
    def decision(self) -> Literal["kept", "dropped", "shut"]:
        """In a word."""
        return "shut" if self.shut else "kept" if self.kept else "dropped"


def describe_trainings(values: Sequence[float], *, places: int = 3, cases: int = 0) -> str:
    """What a mean rests on: ` (0.212 and 0.220 in 2 trainings, 40 validation cases)`, of many trainings the least and the
    largest. cases: how many each was measured on, 0 where that is not to be said; then nothing is said of a single training."""
    if len(values) < 2 and not cases:
        return ""
    *rest, last = [f"{value:z.{places}f}" for value in values]
    told = f"{', '.join(rest)} and {last} in "
    if len(values) > MOST_LISTED:
        told = f"{min(values):z.{places}f} to {max(values):z.{places}f} in "
    measured = f", {counted(cases, 'validation case')}" if cases else ""
    return f" ({told if rest else ''}{counted(len(values), 'training')}{measured})"


def describe_share(values: Sequence[float], least: float) -> str:
    """Whether the mean of these reaches the least, and in how many trainings the same holds: `, at least 0.01 in both`, or
    `, less than 0.01 on average, though not in 1 of 2`; of one training the first three words."""
    reached, trainings = sum(value >= least for value in values), len(values)
    enough = fmean(values) >= least
    verdict = f", at least {least}" if enough else f", less than {least}"
    agreeing = reached if enough else trainings - reached
    if trainings == 1:
        return verdict
    if agreeing == trainings:
        return f"{verdict} in {'both' if trainings == 2 else 'all'}"
    return f"{verdict} on average, though not in {trainings - agreeing} of {trainings}"


@dataclass(frozen=True, kw_only=True)
class Placement(CheckedConfig, Record):
    """Which gates stand where. `layout` is what is put into a network."""

    made_by = "`focalseg place`"
    again = "make the placement anew with `focalseg place`"
    indent = 2

    schema: int = 1
    policy: str = ""
    sites: tuple[SiteDecision, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        names = [decision.site for decision in self.sites]
        for number, name in enumerate(names):
            if name in names[:number]:
                raise SettingError(f"sites[{number}].site was {name!r} once more; expected each site once.")

    @property
    def layout(self) -> dict[str, str]:
        """Kind of gate by site, of the kept ones, and of the skips that are shut."""
        return {one.site: SHUT if one.shut else one.gate for one in self.sites if one.kept or one.shut}

    @property
    def examined(self) -> tuple[str, ...]:
        """The sites that were decided on; none where all that are listed are kept or shut, as one by hand may list those."""
        whole = self.policy == "all" or not all(decision.kept or decision.shut for decision in self.sites)
        return tuple(decision.site for decision in self.sites) if whole else ()

    @property
    def modules(self) -> int:
        """How many attention modules are kept."""
        return sum(decision.kept for decision in self.sites)

    def save(self, path: str | Path) -> None:
        """Writes the placement as JSON, for `read_placement` and `focalseg train --attention`."""
        write_record(Path(path), self)

    def __str__(self) -> str:
        header = f"{'site':<12} {'gate':<5} {'gamma':>6} {'removal':>8} {'spread':>7}  decision ({self.policy})"
        lines = (
            f"{one.site:<12} {one.gate:<5} {one.gamma:6.2f} {one.removal_cost:+z8.3f} {one.spread:7.3f}  "
            f"{one.decision}: {one.why}"
            for one in self.sites
        )
        return "\n".join([header, *lines])


def read_placement(path: str | Path) -> Placement:
    """A placement from a file that `Placement.save` or `focalseg place` wrote. Raises SettingError for any other file.

    >>> import focalseg, pathlib, tempfile
    >>> from focalseg.records.evidence import Evidence, SiteEvidence
    >>> site = SiteEvidence(site="bottleneck", gate="se", gamma=1.8, spread=0.3, case_costs=(0.05, 0.07))
    >>> placement = focalseg.decide(Evidence(sites=(site,)), policy="all")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     placement.save(pathlib.Path(folder) / "placement.json")
    ...     focalseg.read_placement(pathlib.Path(folder) / "placement.json") == placement
    True
    """
    return read_record(Placement, Path(path))


@dataclass(frozen=True)
class Collapsed(CheckedConfig):
    """How many of how many trainings ended predicting nothing at all."""

    collapsed: int = setting(at_least=0)
    trainings: int = setting(at_least=0)

    def __str__(self) -> str:
        return f"{self.collapsed} of {self.trainings}"

    @property
    def most(self) -> bool:
        """Whether these are more than half, so that the scores of an arm tell nothing of attention."""
        return 2 * self.collapsed > self.trainings

    @property
    def half(self) -> bool:
        """Whether these are half or more: what is left of a search for sites is then at most as much as what is missing."""
        return self.trainings > 0 and 2 * self.collapsed >= self.trainings


NOTHING_COLLAPSED = Collapsed(0, 0)


@dataclass(frozen=True, kw_only=True)
class ArmSummary(DiceInterval):
    """One arm of the comparison in numbers, its Dice that of all test cases.

    modules, parameters, flops: means over trainings, flops of one image forward. seconds: of a training, by the clock.
    step_seconds: of one step, as `Result` has it; None where not every training measured it. trainings: with folds, one seed of
    every fold. collapsed: trainings that ended predicting nothing, 0 too where they were not counted. both_empty,
    one_empty: predictions with both masks empty (every score 1), and with one of them (every score 0). distances: None where
    they were not measured, as by earlier versions. intervals: of the other scores, by name; earlier versions wrote none.
    """

    iou: float
    precision: float
    recall: float
    modules: int = setting(at_least=0)
    parameters: int = setting(at_least=0)
    flops: int = setting(at_least=0)
    seconds: float
    trainings: int = setting(at_least=0)
    folds: int = setting(1, at_least=0)
    collapsed: int = setting(0, at_least=0)
    cases: int = setting(at_least=0)
    groups: int = setting(at_least=0)
    both_empty: int = setting(at_least=0)
    one_empty: int = setting(at_least=0)
    dice_per_training: tuple[float, ...]
    dice_per_label: Mapping[str, float] = setting()
    step_seconds: float | None = setting(None, at_least=0)
    distances: DistanceSummary | None = None
    intervals: Mapping[str, Interval] = field(default_factory=dict)

    @property
    def collapsed_trainings(self) -> Collapsed:
        """How many of how many trainings, over all folds, ended predicting nothing."""
        return Collapsed(self.collapsed, self.trainings * self.folds)


@dataclass(frozen=True, kw_only=True)
class ArmPair(CheckedConfig):
    """The names of two arms."""

    one: str
    other: str


@dataclass(frozen=True, kw_only=True)
class ArmComparison(DiceInterval, ArmPair):
    """Test Dice of one arm minus that of another.

    p_value goes with the interval; holm_p is that value, adjusted for all that are listed; permutation_p speaks of new cases
    for these trainings. smallest_difference: the true one that such data show in 80 % of studies; None where it is not finite,
    or where the arms are the very same trainings. collapsed: whether most trainings of one of the two ended predicting nothing,
    so that the numbers tell nothing of attention.
    """

    p_value: float | None = setting(None, at_least=0, at_most=1)
    holm_p: float = setting(at_least=0, at_most=1)
    permutation_p: float | None = setting(None, at_least=0, at_most=1)
    smallest_difference: float | None = setting(None, at_least=0)
    collapsed: bool = False


@dataclass(frozen=True, kw_only=True)
class NonInferiority(CheckedConfig):
    """Whether placed is at most margin worse than all. bound: the difference it is at least, with 97.5 % confidence."""

    of: Literal["placed"] = "placed"
    to: Literal["all"] = "all"
    margin: float = setting(at_least=0)
    bound: float
    shown: bool


@dataclass(frozen=True, kw_only=True)
class SeedNoise(CheckedConfig):
    """What the seed alone does to one arm.

    deviation: standard deviation over trainings, within a fold, of the mean score. range_of_difference: 95 % of the differences
    of two single trainings that differ in their seed alone lie within plus and minus this. Both are None for one training.
    trainings: of each fold.
    """

    deviation: float | None = setting(at_least=0)
    range_of_difference: float | None = setting(at_least=0)
    trainings: int = setting(at_least=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("deviation", "range_of_difference"):
            if self.trainings > 1 and getattr(self, name) is None:
                raise SettingError(f"{name} was None of {self.trainings} trainings; expected a finite number.")


@dataclass(frozen=True, kw_only=True)
class FoldSummary(CheckedConfig):
    """What one fold kept (kind of gate by site) and shut, and placed minus none on its test cases."""

    fold: int = setting(at_least=0)
    kept: Mapping[str, str]
    shut: tuple[str, ...]
    difference: DiceInterval


@dataclass(frozen=True, kw_only=True)
class LeanSource(CheckedConfig):
    """The training that the lean network is of."""

    fold: int = setting(at_least=0)
    seed: int = setting(at_least=0)


@dataclass(frozen=True, kw_only=True)
class JobRecord(Placement):
    """The placement that all folds have in common, with all that the main job found.

    difference: placed minus none. comparisons: placed against every other arm, then each of those against none. seed_noise: of
    none. placed_runs: the folders, within the job's, of the trainings of what was placed, over folds and seeds, that of the
    lean network first; empty where the version that wrote it did not say. dead_sites: left out before training, with the
    reason. costs: of the network with all sites. search: the trainings that sites were chosen with, none of none where none
    were counted. files: SHA-256 of the files beside it that are shown with it, by name; empty where the version that wrote it
    kept none. distance_differences: placed and all minus none in NSD, HD95 and ASSD, paired as their Dice is: secondary, since
    the verdict rests on Dice; none where distances were not measured. runs: by arm, the
    folders within the job's of all its trainings, fold after fold; earlier versions wrote none.
    """

    again = AGAIN

    policy: str
    verdict: Outcome
    sentence: str
    difference: DiceInterval
    all_minus_none: DiceInterval
    comparisons: tuple[ArmComparison, ...] = ()
    non_inferiority: NonInferiority | None = None
    search: Collapsed = NOTHING_COLLAPSED
    seed_noise: SeedNoise | None = None
    arms: Mapping[str, ArmSummary]
    folds: tuple[FoldSummary, ...] = ()
    lean: LeanSource | None = None
    placed_runs: tuple[str, ...] = ()
    dead_sites: Mapping[str, str] = field(default_factory=dict)
    costs: CostTable = NOT_MEASURED
    files: Mapping[str, str] = field(default_factory=dict)
    distance_differences: tuple[DistanceDifference, ...] = ()
    runs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        faults = [f"arms.{arm} is missing; expected fields as `name: value`." for arm in ARMS if arm not in self.arms]
        if not faults:
            faults = [*self._misfit_labels(), *self._misfit_names(), *self._misfit_runs()]
        if faults:
            raise SettingError("\n".join(faults))

    def _misfit_labels(self) -> Iterator[str]:
        first = self.arms[NONE].dice_per_label
        for name, arm in self.arms.items():
            if set(arm.dice_per_label) != set(first):
                found, expected = (", ".join(labels)[:80] for labels in (arm.dice_per_label, first))
                yield f"arms.{name}.dice_per_label has the labels {found}; expected those of {NONE}, {expected}."

    def _misfit_runs(self) -> Iterator[str]:
        named = {"placed_runs": self.placed_runs} | {f"runs.{show_name(arm)}": runs for arm, runs in self.runs.items()}
        for name, runs in named.items():
            for number, run in enumerate(runs):
                if not _RUN.fullmatch(run):  # never a way out of the folder of the job
                    yield f"{name}[{number}] was {run[:40]!r}; expected runs/ARM/fold_K/seed_S."

    def _misfit_names(self) -> Iterator[str]:
        sites = [decision.site for decision in self.sites]
        for number, comparison in enumerate(self.comparisons):
            for end in ("one", "other"):
                if (arm := getattr(comparison, end)) not in self.arms:
                    yield f"comparisons[{number}].{end} was {arm[:40]!r}; expected {', '.join(self.arms)[:200]}."
        for number, difference in enumerate(self.distance_differences):
            for end in ("one", "other"):
                if (arm := getattr(difference, end)) not in self.arms:
                    yield f"distance_differences[{number}].{end} was {arm[:40]!r}; expected {', '.join(self.arms)[:200]}."
        for number, fold in enumerate(self.folds):
            for site in (*fold.kept, *fold.shut):
                if site not in sites:
                    yield f"folds[{number}] has the site {site[:40]!r}; expected one of those under sites."
        if self.costs != NOT_MEASURED:
            yield from (f"costs.{fault}" for fault in self.costs.misfit(sites))

    def find_comparison(self, one: str, other: str) -> ArmComparison | None:
        """That of one arm minus the other, None where it was not made."""
        return next((found for found in self.comparisons if (found.one, found.other) == (one, other)), None)
