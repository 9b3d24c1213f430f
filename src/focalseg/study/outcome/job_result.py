"""All that a finished job has to say, computed from its test scores when it is first asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from focalseg.evaluation.significance import Comparison, Difference, decide_non_inferiority
from focalseg.evaluation.verdict import UNKNOWN_FOOTING, Footing
from focalseg.placement.policies.questions import SMALLEST_WORTH
from focalseg.records.estimate import Estimate, NonInferiority
from focalseg.records.outcome.claims import ONE_LOOK, Claim, Looks
from focalseg.records.outcome.strata import LEFT_EMPTY, MISSED, StratumName
from focalseg.records.placement import ALL, NONE, PLACED, Collapsed, Placement
from focalseg.study.outcome.claims import Family, Pair, Precision, adjust_family, compare, measure
from focalseg.study.outcome.stacking import Arms, Results, list_results
from focalseg.study.outcome.strata import CaseTable, StratumScores, read_table, read_tuned_table
from focalseg.study.outcome.stratified import is_varied
from focalseg.study.presets import WIDER


@dataclass(frozen=True, kw_only=True)
class JobResult:
    """All that a finished job has to say. folds: the number of each; placements: theirs; agreed: the placement of all of them.

    candidates: how many sites could hold attention. search: how many of how many trainings that sites were chosen with
    collapsed. footing: what is known besides of what the answer rests on. overlap: the mean share of training groups that two
    folds have in common, as `measure_overlap_of` gives it; claim: whom intervals speak for, and whether they heed the overlap.
    looks: how often these scores were looked at, this time included.
    """

    arms: Arms
    folds: tuple[int, ...]
    placements: tuple[Placement, ...]
    agreed: Placement
    candidates: int
    search: Collapsed
    footing: Footing = UNKNOWN_FOOTING
    overlap: float = 0.0
    claim: Claim = "new_data"
    looks: Looks = ONE_LOOK

    @property
    def precision(self) -> Precision:
        """How intervals of differences are made."""
        return Precision(overlap=self.overlap if self.claim == "new_data" else 0.0, tail=self.looks.tail)

    @cached_property
    def for_this_set(self) -> "JobResult":
        """The same results with intervals that speak for this data set alone."""
        return replace(self, claim="data_set")

    @cached_property
    def table(self) -> CaseTable:
        """The test scores of all arms at 0.5."""
        return read_table(self.arms)

    @cached_property
    def tuned_table(self) -> CaseTable | None:
        """The same at tuned thresholds; None where some training was scored at 0.5 alone."""
        return read_tuned_table(self.arms)

    @cached_property
    def endpoint(self) -> StratumScores:
        """What the verdict, the comparisons and "as good" rest on."""
        return self.table.score_endpoint()

    @property
    def pairs(self) -> list[Pair]:
        """Placed against every other arm, the plain network first; then each of those against the plain network."""
        others = [arm for arm in self.arms if arm not in (NONE, PLACED)]
        return [(PLACED, NONE), *((PLACED, arm) for arm in others), *((arm, NONE) for arm in others)]

    @cached_property
    def comparisons(self) -> dict[Pair, Comparison]:
        """Of the endpoint, of all `pairs`."""
        return {pair: compare(self.endpoint, *pair, self.precision) for pair in self.pairs}

    @property
    def asked(self) -> Pair:
        """The pair that the answer is about: placed and none or, where these are the very same trainings, all and none."""
        twins = self.table.twins
        return (ALL, NONE) if twins[PLACED] == twins[NONE] else (PLACED, NONE)

    @cached_property
    def strata(self) -> dict[StratumName, Difference]:
        """How these two differ in misses, and in images left empty, where either is not alike on all cases."""
        scores = {name: self.table.score(name) for name in (MISSED, LEFT_EMPTY)}
        return {
            name: measure(found, *self.asked, self.precision)
            for name, found in scores.items()
            if found.cases and is_varied(found, self.asked)
        }

    @cached_property
    def family(self) -> Family:
        """The p-values of all that the job may claim, adjusted for one another."""
        return adjust_family(self.comparisons, self.strata, self.table.twins)

    @property
    def adjusted(self) -> Mapping[Pair, float]:
        """The adjusted p-value of every comparison."""
        return self.family.pairs

    @cached_property
    def lost(self) -> dict[str, Collapsed]:
        """The arms that no comparison says anything of, since most of their trainings collapsed: how many of how many."""
        collapsed = {arm: count_collapsed(folds) for arm, folds in self.arms.items()}
        return {arm: share for arm, share in collapsed.items() if share.most}

    @cached_property
    def as_good_as_all(self) -> NonInferiority:
        """Placed beside all; nothing is shown by trainings that collapsed."""
        found = self._hold_against_margin(self.comparisons[PLACED, ALL])
        return replace(found, shown=found.shown and not {PLACED, ALL} & self.lost.keys())

    @cached_property
    def wider_bound(self) -> float | None:
        """What the wider plain network is at least better by than the placed one; None without that arm."""
        if WIDER not in self.arms:
            return None
        return self._hold_against_margin(measure(self.endpoint, WIDER, PLACED, self.precision)).bound

    def _hold_against_margin(self, found: Difference) -> NonInferiority:
        return decide_non_inferiority(
            found.estimate, margin=SMALLEST_WORTH, failing=found.failing, groups=found.groups, tail=self.looks.tail
        )

    @cached_property
    def over_all(self) -> Estimate:
        """Placed minus none in the mean Dice over all cases."""
        return measure(self.table.score_all(), PLACED, NONE, self.precision).estimate

    @property
    def folds_with_attention(self) -> list[int]:
        """The places of the folds that placed something, or shut something."""
        return [number for number, placement in enumerate(self.placements) if placement.layout]

    @cached_property
    def where_placed(self) -> Estimate | None:
        """Placed minus none over the folds that placed something; None where all or none of them did."""
        placed = self.folds_with_attention
        if not 0 < len(placed) < len(self.placements):
            return None
        scores = self.endpoint.take_folds(placed)
        return measure(scores, PLACED, NONE, self.precision).estimate if scores.names else None

    def list_thresholds(self) -> dict[str, tuple[float, ...]]:
        """The tuned threshold of every training, by arm; none where an arm has one that was not tuned."""
        thresholds = {arm: [result.threshold for result in list_results(folds)] for arm, folds in self.arms.items()}
        return {arm: tuple(one for one in found if one is not None) for arm, found in thresholds.items() if None not in found}


def count_collapsed(folds: Results) -> Collapsed:
    """How many of how many trainings of an arm ended predicting nothing."""
    results = list_results(folds)
    return Collapsed(sum(result.collapsed for result in results), len(results))
