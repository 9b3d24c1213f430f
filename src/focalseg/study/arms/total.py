"""The total effect: what attention everywhere gains on validation cases, and whether the sites that are kept account for it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean

import numpy as np

from focalseg.placement.policies.questions import SMALLEST_WORTH, Choice, choose_leanest
from focalseg.placement.total import judge_total, pool_joint_costs
from focalseg.placement.worth import CostTable, pool_costs
from focalseg.records.outcome.claims import TotalEffect
from focalseg.records.placement import ALL, NONE, Placement
from focalseg.records.splits import measure_overlap_of
from focalseg.study.arms.design import Design, Plans
from focalseg.study.arms.search import TrainedSearch
from focalseg.study.running.runs import VALIDATION, RunPlan, RunResult, read_result

JUDGED_BY_TOTAL = ("removal", "removal_from_all")
"""Policies that look for single sites that are needed at the end. The others do what their names say."""


@dataclass(frozen=True)
class TotalEffects:
    """What whole layouts gain over the plain network. known: the finished runs of each fold by arm."""

    design: Design
    known: Sequence[Plans]
    _results: dict[Path, RunResult] = field(default_factory=dict, repr=False)
    """Those that were read: every fold asks for those of nearly all."""

    def reconsider(self, placement: Placement, choice: Choice, search: TrainedSearch) -> Placement:
        """The same placement with the total effect beside it; where the sites that it keeps do not account for that effect, the
        whole kind of gate that gains most in place of it, the leanest of those within 0.01 Dice.

        The folds whose evidence may take part in the decision of this one are those whose validation scores may.
        """
        folds = [search.trainer.split.fold, *(other.trainer.split.fold for other in search.others)]
        gain = self.measure_gain(ALL, folds)
        if gain is None:
            return placement
        splits = [trainer.split for trainer in self.design.trainers if trainer.split.fold in folds]
        overlap = measure_overlap_of(splits, search.trainer.groups)
        total = judge_total(gain, pool_joint_costs(choice), price=SMALLEST_WORTH, overlap=overlap)
        placement = replace(placement, total_effect=total)
        return placement if total.explained else self._place_whole(placement, folds, total)

    def measure_gain(self, arm: str, folds: Sequence[int]) -> CostTable | None:
        """The validation Dice of an arm minus that of the plain network, on cases with the object, training by training; None
        where no pair of trainings is left that both predict something."""
        tables = []
        for trainer, arms in zip(self.design.trainers, self.known, strict=True):
            if trainer.split.fold not in folds:
                continue
            for one, other in zip(arms[arm], arms[NONE], strict=True):
                with_gates, plain = self._read(one), self._read(other)
                if not with_gates.collapsed and not plain.collapsed:
                    gain = _score_objects(with_gates) - _score_objects(plain)
                    tables.append((trainer.split.fold, gain.tolist(), _list_groups(plain)))
        return pool_costs(tables) if tables else None

    def _read(self, plan: RunPlan) -> RunResult:
        if plan.folder not in self._results:
            self._results[plan.folder] = read_result(plan.folder)
        return self._results[plan.folder]

    def _place_whole(self, placement: Placement, folds: Sequence[int], total: TotalEffect) -> Placement:
        """The placement with a gate at every site of one arm, which is one that was trained to compare with."""
        everywhere = dict(self.design.everywhere)
        layouts = {
            arm: layout for arm, layout in self.design.layouts.items() if layout and layout.items() <= everywhere.items()
        }
        gains = {arm: gain.mean for arm in layouts if arm in self.known[0] and (gain := self.measure_gain(arm, folds))}
        gains.setdefault(ALL, total.mean)
        arms = list(gains)
        chosen = arms[choose_leanest([layouts[arm] for arm in arms], [gains[arm] for arm in arms])]
        layout = layouts[chosen]
        whole = "at every site" if chosen == ALL else f"of the kind {chosen} wherever it fits"
        told = f"attention {whole} gains {gains[chosen]:z.3f} Dice on validation cases, which no single site accounts for"
        sites = [
            replace(one, kept=one.site in layout, shut=False, why=f"{one.why}; but {told}" if one.site in layout else one.why)
            for one in placement.sites
        ]
        return replace(placement, sites=tuple(sites))


def agree_on_total(totals: Sequence[TotalEffect | None]) -> TotalEffect | None:
    """The total effect of all folds: the mean of theirs, explained where it is in more than half of them."""
    known = [total for total in totals if total is not None]
    if not known:
        return None
    lows, highs = [total.low for total in known], [total.high for total in known]
    return TotalEffect(
        mean=fmean(total.mean for total in known),
        low=None if None in lows else fmean(low for low in lows if low is not None),
        high=None if None in highs else fmean(high for high in highs if high is not None),
        explained=2 * sum(total.explained for total in known) > len(known),
    )


def _list_groups(result: RunResult) -> list[str]:
    """The groups of the validation cases that `_score_objects` scores."""
    scores = result.scores_of(VALIDATION)
    return [score.group for score in scores if score.true_pixels] or [score.group for score in scores]


def _score_objects(result: RunResult) -> np.ndarray:
    """Validation Dice of every case with an object, the mean over the labels that it has, (cases,); where no case has one, the
    Dice of all."""
    scores = result.scores_of(VALIDATION)
    found = [
        fmean(overlap.dice for overlap in score.overlaps.values() if overlap.true_pixels)
        for score in scores
        if score.true_pixels
    ]
    return np.array(found or [score.dice for score in scores])
