"""placement.json: which gates stand where and on which evidence, and all that the main job found of it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from focalseg.configuration import CheckedConfig, setting
from focalseg.errors import SettingError
from focalseg.findings import show_name
from focalseg.records import names
from focalseg.records.costs import NOT_MEASURED, CostTable
from focalseg.records.distances import DistanceDifference, DistanceSummary
from focalseg.records.estimate import DiceInterval, Interval, NonInferiority, SeedNoise
from focalseg.records.outcome.claims import ONE_LOOK, Claim, Looks, TotalEffect
from focalseg.records.outcome.strata import (
    ALL_CASES_DICE,
    STRATA,
    Endpoint,
    LabelStrata,
    Rescue,
    SizeStratum,
    Stratum,
    Tuned,
    list_arms,
)
from focalseg.records.record import AGAIN, Record, read_record, write_record
from focalseg.records.site_decision import SiteDecision

PLACEMENT, NONE, ALL, PLACED, ARMS = names.PLACEMENT, names.NONE, names.ALL, names.PLACED, names.ARMS
SHUT = "shut"
"""The name, among kinds of gates, of a skip where nothing passes. It is no attention: it has no weights and no gamma."""
_RUN = re.compile(r"runs/[\w-]+/fold_[0-9]+/seed_[0-9]+", re.ASCII)
"""The folder of a training within that of its job."""
Outcome = Literal["helps", "no_difference_shown", "harms"]


@dataclass(frozen=True, kw_only=True)
class Placement(CheckedConfig, Record):
    """Which gates stand where. `layout` is what is put into a network. total_effect: what all attention does on validation
    cases; None where it was not asked."""

    made_by = "`focalseg place`"
    again = "make the placement anew with `focalseg place`"
    indent = 2

    schema: int = 1
    policy: str = ""
    sites: tuple[SiteDecision, ...]
    total_effect: TotalEffect | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        placed = [decision.site for decision in self.sites]
        for number, name in enumerate(placed):
            if name in placed[:number]:
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
class FoldSummary(CheckedConfig):
    """What one fold kept (kind of gate by site) and shut, and placed minus none on its test cases."""

    fold: int = setting(at_least=0)
    kept: Mapping[str, str]
    shut: tuple[str, ...]
    difference: DiceInterval


@dataclass(frozen=True, kw_only=True)
class ThisSet(CheckedConfig):
    """The answer for the data set alone, whose training groups are taken as they are. Fields as in `JobRecord`; p_value and
    holm_p are of placed minus none."""

    verdict: Outcome
    difference: DiceInterval
    all_minus_none: DiceInterval
    p_value: float | None = setting(None, at_least=0, at_most=1)
    holm_p: float = setting(at_least=0, at_most=1)


@dataclass(frozen=True, kw_only=True)
class LeanSource(CheckedConfig):
    """The training that the lean network is of."""

    fold: int = setting(at_least=0)
    seed: int = setting(at_least=0)


@dataclass(frozen=True, kw_only=True)
class JobRecord(Placement):
    """The placement that all folds have in common, with all that the main job found.

    endpoint: the score that the verdict rests on, and with it difference, all_minus_none, comparisons and non_inferiority:
    `dice_with_object`, the mean Dice over the labels that a case has, of the cases that have any; `dice`, that of all cases, in
    which one without the object counts 1 where it was left empty and 0 else, where no case has the object and in files of
    earlier versions. difference: placed minus none; difference_all_cases: that of `dice`, None in those files.
    difference_where_placed: of the endpoint, over the folds that placed something, None where all or none of them did.
    comparisons: placed against every other arm, then each of those against none. strata: by the names of `STRATA`; by_label:
    the same of every label, where there are several; by_size: Dice by terciles of the object's size. rescue: of the pairs in
    comparisons that are minus none. tuned: the endpoint at thresholds tuned on validation cases. looks: at these scores.
    overlap: the mean share of training groups that two folds have in common, which the intervals are corrected for where the
    claim is `new_data`; this_set: the answer without that correction, for the data set alone, None where it changes nothing.
    seed_noise: of none. lean: the training that the lean network is of. runs: by arm, the folders within
    the job's of its trainings, fold after fold and by seed; two arms may share some. placed_runs: in files of earlier versions,
    which wrote no runs, those of what was placed, that of the lean network first; `list_placed` gives them of either.
    dead_sites: left out before training, with the reason. costs: of the network with all sites. search: the trainings that
    sites were chosen with, none of none where none were counted. files: SHA-256 of the files beside it that are shown with it,
    by name; empty where the version that wrote it kept none. distance_differences: placed and all minus none in NSD, HD95 and
    ASSD, paired as their Dice is: secondary, since the verdict rests on Dice; none where distances were not measured.
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
    endpoint: Endpoint = ALL_CASES_DICE
    difference_all_cases: DiceInterval | None = None
    difference_where_placed: DiceInterval | None = None
    strata: Mapping[str, Stratum] = field(default_factory=dict)
    by_label: tuple[LabelStrata, ...] = ()
    by_size: tuple[SizeStratum, ...] = ()
    rescue: tuple[Rescue, ...] = ()
    tuned: Tuned | None = None
    looks: Looks = ONE_LOOK
    overlap: float = setting(0.0, at_least=0, at_most=1)
    claim: Claim = "data_set"
    this_set: ThisSet | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        faults = [f"arms.{arm} is missing; expected fields as `name: value`." for arm in ARMS if arm not in self.arms]
        if not faults:
            faults = [*self._misfit_labels(), *self._misfit_names(), *self._misfit_runs(), *self._misfit_strata()]
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

    def _misfit_strata(self) -> Iterator[str]:
        by_label = {f"by_label.{show_name(one.label)}": one.strata for one in self.by_label}
        for place, strata in ({"strata": self.strata} | by_label).items():
            for name, stratum in strata.items():
                if name not in STRATA:
                    yield f"{place} has the stratum {show_name(name)[:40]!r}; expected {', '.join(STRATA)}."
                if wrong := [arm for arm in list_arms(stratum) if arm not in self.arms]:
                    yield f"{place}.{show_name(name)} has the arm {wrong[0][:40]!r}; expected {', '.join(self.arms)[:200]}."

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

    def list_placed(self) -> tuple[str, ...]:
        """The folders within the job's of the trainings of what was placed, that of the lean network first; none where the
        version that wrote the record did not say."""
        if PLACED not in self.runs:
            return self.placed_runs
        lean = f"/fold_{self.lean.fold}/seed_{self.lean.seed}" if self.lean else ""
        return tuple(sorted(self.runs[PLACED], key=lambda run: not run.endswith(lean)))

    def find_comparison(self, one: str, other: str) -> ArmComparison | None:
        """That of one arm minus the other, None where it was not made."""
        return next((found for found in self.comparisons if (found.one, found.other) == (one, other)), None)
