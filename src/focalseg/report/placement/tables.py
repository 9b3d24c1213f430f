"""The tables of a job: its arms, for a spreadsheet and for LaTeX, and every test score of every training."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from focalseg.comparison.reading.runs import list_arm
from focalseg.comparison.tables import CI, escape_latex, lay_latex, show_latex
from focalseg.records.distances import DISTANCE_SCORES, DistanceSummary
from focalseg.records.escapes import format_table
from focalseg.records.estimate import Interval
from focalseg.records.outcome.strata import LEFT_EMPTY, MISSED, STRATA, WITH_OBJECT, StratumValue
from focalseg.records.placement import NONE, ArmSummary, JobRecord
from focalseg.records.result import RESULT
from focalseg.records.scores.evaluation import TITLES
from focalseg.report.placement.naming import name_arm
from focalseg.study.running.runs import CASES, TEST, read_result
from focalseg.study.running.scores import SCORES, list_rows

ARMS_CSV, ARMS_TEX, CASES_CSV = "arms.csv", "arms.tex", "cases.csv"
OVERLAPS = ("dice", "iou", "precision", "recall")
_SCORES = (*OVERLAPS, *DISTANCE_SCORES)
_COUNTS = (
    "modules", "parameters", "flops", "trainings", "folds", "cases", "groups", "both_empty", "one_empty", "collapsed",
)  # fmt: skip
_MINUS_NONE = ("minus_none", "minus_none_low", "minus_none_high", "p_value", "holm_p")
_ENDS = ("", "_low", "_high")
_SHARES = (MISSED, LEFT_EMPTY)


def format_arms(record: JobRecord, arms: Mapping[str, ArmSummary]) -> str:
    """One line per arm as CSV: every score with its interval, what the network is and costs, and its endpoint, which the
    verdict rests on, minus that of the plain network. `dice` is of all cases; `with_object`, `missed` and `left_empty` are of
    the strata of these names. Empty: not known."""
    intervals = [f"{score}{end}" for score in _SCORES for end in _ENDS]
    rows: list[list[object]] = [["arm", *intervals, "tolerance", "unit", *_COUNTS, "endpoint", *_MINUS_NONE, *_NAMES]]
    for name, arm in arms.items():
        row: list[object] = [name]
        for score in _SCORES:
            found = _find_score(arm, score)
            row += [found.mean, found.low, found.high] if isinstance(found, Interval) else [found, None, None]
        row += [arm.distances.tolerance, arm.distances.unit] if arm.distances else [None, None]
        row += [getattr(arm, count) for count in _COUNTS]
        pair = record.find_comparison(name, NONE)
        row.append(record.endpoint)
        row += [pair.dice, pair.low, pair.high, pair.p_value, pair.holm_p] if pair else [None] * len(_MINUS_NONE)
        row += _list_strata(record, name)
        rows.append(["" if cell is None else cell for cell in row])
    return format_table(rows)


_NAMES = (
    *(f"{name}{end}" for name in STRATA for end in (*_ENDS, "_cases")),
    *(f"{name}_minus_none{end}" for name in _SHARES for end in _ENDS),
    *(f"tuned{end}" for end in _ENDS),
)


def _list_strata(record: JobRecord, arm: str) -> list[object]:
    """What an arm reaches on each kind of case and at tuned thresholds, in the columns of `_NAMES`."""
    row: list[object] = []
    for name in STRATA:
        found = record.strata[name].arms.get(arm) if name in record.strata else None
        row += [*_list_ends(found), found.cases if found else None]
    for name in _SHARES:
        row += _list_ends(record.strata[name].find(arm, NONE) if name in record.strata else None)
    return row + _list_ends(record.tuned.arms.get(arm) if record.tuned else None)


def _list_ends(found: StratumValue | None) -> list[object]:
    return [found.value, found.low, found.high] if found else [None] * len(_ENDS)


def _find_score(arm: ArmSummary, score: str) -> Interval | float | None:
    """A score of an arm by name, with its interval where there is one; None where it was not measured."""
    if score == "dice":
        return Interval(mean=arm.dice, low=arm.low, high=arm.high)
    if score in DISTANCE_SCORES:
        return getattr(arm.distances, score, None)
    alone: float = getattr(arm, score)
    return arm.intervals.get(score, alone)


def format_latex_arms(record: JobRecord, arms: Mapping[str, ArmSummary]) -> str:
    """The arms as a LaTeX table that needs no package: the scores on each kind of case and distances with their intervals,
    modules and parameters."""
    measured = common_measure(arms)
    header = ["Attention", *_name_latex_scores(record)]
    if measured:
        unit = escape_latex(measured.unit)
        header += [rf"NSD at {measured.tolerance:g}\,{unit} {CI}", f"HD95, {unit} {CI}", f"ASSD, {unit} {CI}"]
    return lay_latex([*header, "Modules", "Parameters"], _list_latex(record, arms, measured))


def _name_latex_scores(record: JobRecord) -> list[str]:
    """The columns of Dice and of the shares: where every case has the object, Dice on those is that of all."""
    shares = [f"{_LATEX_SHARES[name]} {CI}" for name in _SHARES if name in record.strata]
    if LEFT_EMPTY not in record.strata or WITH_OBJECT not in record.strata:
        return [f"Dice {CI}", *shares]
    return [f"Dice with the object {CI}", *shares, f"Dice, all cases {CI}"]


_LATEX_SHARES = {MISSED: r"Missed, \%", LEFT_EMPTY: r"Left empty, \%"}


def _show_latex_scores(record: JobRecord, name: str, arm: ArmSummary) -> list[str]:
    """The cells of those columns."""
    every = show_latex(Interval(mean=arm.dice, low=arm.low, high=arm.high))
    shares = [_show_latex_share(record.strata[kind].arms.get(name)) for kind in _SHARES if kind in record.strata]
    if LEFT_EMPTY not in record.strata or WITH_OBJECT not in record.strata:
        return [every, *shares]
    found = record.strata[WITH_OBJECT].arms.get(name)
    return ["" if found is None else show_latex(Interval(mean=found.value, low=found.low, high=found.high)), *shares, every]


def _show_latex_share(found: StratumValue | None) -> str:
    """A share in percent with its interval."""
    if found is None:
        return ""
    value, low, high = ("unknown" if end is None else f"${100 * end:.1f}$" for end in (found.value, found.low, found.high))
    return f"{value} [{low}, {high}]"


def _list_latex(record: JobRecord, arms: Mapping[str, ArmSummary], measured: DistanceSummary | None) -> Iterator[list[str]]:
    for name, arm in arms.items():
        row = [escape_latex(name_arm(name)), *_show_latex_scores(record, name, arm)]
        if measured and arm.distances:
            row += [show_latex(found) for _, found in arm.distances.list_scores()]
        yield [*row, str(arm.modules), f"{arm.parameters:,}".replace(",", r"\,")]


def common_measure(arms: Mapping[str, ArmSummary]) -> DistanceSummary | None:
    """The distances of the first arm, whose tolerance and unit are those of all; None where they are not, or some have none."""
    measured = [arm.distances for arm in arms.values() if arm.distances is not None]
    kinds = {(one.tolerance, one.unit) for one in measured}
    return measured[0] if len(measured) == len(arms) and len(kinds) == 1 else None


def format_test_scores(folder: Path, record: JobRecord, arms: Mapping[str, ArmSummary]) -> str | None:
    """Every test score of every training of every arm as CSV, a line per label of a case, which `focalseg compare` reads.

    None where a training is no longer there. Raises SettingError for one that was altered.
    """
    rows: list[list[object]] = [["system", "fold", "seed", "case", "group", "label", *SCORES]]
    for name, arm in arms.items():
        runs = list_arm(folder, record, name)
        there = [run for run in runs if (run / RESULT).is_file() and (run / CASES).is_file()]
        if len(there) != arm.trainings * arm.folds:
            return None
        for run in runs:
            fold, seed = run.parent.name.removeprefix("fold_"), run.name.removeprefix("seed_")
            for score in read_result(run).scores_of(TEST):
                rows += [[name, fold, seed, case, group, *others] for case, group, _, *others in list_rows(score)]
    return format_table(rows)


def define_distances(measured: DistanceSummary) -> dict[str, str]:
    """What each distance is, in a sentence without its end."""
    unit = measured.unit
    return {
        TITLES["nsd"]: f"normalised surface Dice, the share of both surfaces that lies within {measured.reach} of the other",
        TITLES["hd95"]: f"the larger of the two directed 95th percentiles of the distances between the surfaces, in {unit}",
        TITLES["assd"]: f"the mean distance over both surfaces laid together, in {unit}",
    }
