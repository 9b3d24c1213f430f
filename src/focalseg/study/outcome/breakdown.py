"""What the difference that a job's answer is about is made of."""

from collections.abc import Sequence
from statistics import fmean

from focalseg.evaluation.breakdown import Breakdown, Price, Shares
from focalseg.evaluation.verdict import decide_sign
from focalseg.imagesets.masks import FOREGROUND
from focalseg.records.estimate import Estimate
from focalseg.records.outcome.strata import LEFT_EMPTY, MISSED, StratumName
from focalseg.records.placement import NONE, PLACED
from focalseg.study.outcome.claims import measure
from focalseg.study.outcome.job_result import JobResult
from focalseg.study.outcome.stacking import list_results
from focalseg.study.outcome.stratified import is_calibration, measure_rescue

_MEANINGLESS = (FOREGROUND, "mask", "label", "object", "target")
"""Names of labels that do not say what is looked for."""


def break_down(results: JobResult) -> Breakdown:
    """Of placed minus none or, where nothing was placed, of all minus none."""
    table, agreed = results.table, results.agreed
    return Breakdown(
        thing=_name_thing(table.labels),
        some_lack_it=table.has_empty and bool(table.holds.any()),
        none_has_it=not table.holds.any(),
        over_all=results.over_all,
        missed=_share(results, MISSED),
        left_empty=_share(results, LEFT_EMPTY),
        rescue=measure_rescue(table, *results.asked) if table.holds.any() else None,
        tuned=_find_calibration(results),
        where_placed=results.where_placed,
        empty_folds=len(results.placements) - len(results.folds_with_attention),
        total=agreed.total_effect,
        sites={site.site: site.gate for site in agreed.sites if site.kept},
        alike=all(placement.layout == agreed.layout for placement in results.placements),
        price=_measure_price(results),
    )


def _name_thing(labels: Sequence[str]) -> str:
    """What the object is called: by its label where there is one that says so, else an object."""
    told = len(labels) == 1 and labels[0].isalpha() and labels[0].lower() not in _MEANINGLESS
    return labels[0] if told else "object"


def _share(results: JobResult, stratum: StratumName) -> Shares | None:
    """A share of cases in both arms; None where the two do not differ in it at all, or where no case is of that kind."""
    difference = results.strata.get(stratum)
    if difference is None:
        return None
    scores = results.table.score(stratum)
    attended, plain = (float(scores.arms[arm].mean()) for arm in results.asked)
    sign = decide_sign(difference.estimate, holm_p=results.family.strata[stratum], level=results.looks.level)
    return Shares(attended=attended, plain=plain, sign=sign)


def _find_calibration(results: JobResult) -> Estimate | None:
    """The difference at tuned thresholds, where the one at 0.5 is not shown there, or less than half of it is left."""
    if results.tuned_table is None:
        return None
    scores = results.tuned_table.score_endpoint()
    tuned = measure(scores, *results.asked, results.precision).estimate
    return tuned if is_calibration(results.comparisons[results.asked].estimate, tuned) else None


def _measure_price(results: JobResult) -> Price | None:
    """Of the placed network beside the plain one; None where they are the same."""
    if results.asked != (PLACED, NONE):
        return None
    placed, none = (list_results(results.arms[arm]) for arm in (PLACED, NONE))
    steps = [[one.step_seconds for one in arm if one.step_seconds] for arm in (placed, none)]
    measured = all(steps) and len(steps[0]) == len(placed) and len(steps[1]) == len(none)
    plain = fmean(one.parameters for one in none)
    return Price(
        parameters=fmean(one.parameters for one in placed) / plain if plain else 1.0,
        seconds=fmean(one for one in steps[0] if one) / fmean(one for one in steps[1] if one) if measured else None,
    )
