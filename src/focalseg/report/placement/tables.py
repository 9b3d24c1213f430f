"""The tables of a job: its arms, for a spreadsheet and for LaTeX, and every test score of every training."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from focalseg.comparison.reading.runs import list_arm
from focalseg.comparison.tables import CI, escape_latex, lay_latex, show_latex
from focalseg.records.distances import DISTANCE_SCORES, DistanceSummary
from focalseg.records.escapes import format_table
from focalseg.records.estimate import Interval
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


def format_arms(record: JobRecord, arms: Mapping[str, ArmSummary]) -> str:
    """One line per arm as CSV: every score with its 95 % interval, what the network is and costs, and its Dice minus that of
    the plain network. Empty: not known."""
    intervals = [f"{score}{end}" for score in _SCORES for end in ("", "_low", "_high")]
    rows: list[list[object]] = [["arm", *intervals, "tolerance", "unit", *_COUNTS, *_MINUS_NONE]]
    for name, arm in arms.items():
        row: list[object] = [name]
        for score in _SCORES:
            found = _find_score(arm, score)
            row += [found.mean, found.low, found.high] if isinstance(found, Interval) else [found, None, None]
        row += [arm.distances.tolerance, arm.distances.unit] if arm.distances else [None, None]
        row += [getattr(arm, count) for count in _COUNTS]
        pair = record.find_comparison(name, NONE)
        row += [pair.dice, pair.low, pair.high, pair.p_value, pair.holm_p] if pair else [None] * len(_MINUS_NONE)
        rows.append(["" if cell is None else cell for cell in row])
    return format_table(rows)


def _find_score(arm: ArmSummary, score: str) -> Interval | float | None:
    """A score of an arm by name, with its interval where there is one; None where it was not measured."""
    if score == "dice":
        return Interval(mean=arm.dice, low=arm.low, high=arm.high)
    if score in DISTANCE_SCORES:
        return getattr(arm.distances, score, None)
    alone: float = getattr(arm, score)
    return arm.intervals.get(score, alone)


def format_latex_arms(arms: Mapping[str, ArmSummary]) -> str:
    """The arms as a LaTeX table that needs no package: Dice and distances with their intervals, modules and parameters."""
    measured = common_measure(arms)
    header = ["Attention", f"Dice {CI}"]
    if measured:
        unit = escape_latex(measured.unit)
        header += [rf"NSD at {measured.tolerance:g}\,{unit} {CI}", f"HD95, {unit} {CI}", f"ASSD, {unit} {CI}"]
    return lay_latex([*header, "Modules", "Parameters"], _list_latex(arms, measured))


def _list_latex(arms: Mapping[str, ArmSummary], measured: DistanceSummary | None) -> Iterator[list[str]]:
    for name, arm in arms.items():
        row = [escape_latex(name_arm(name)), show_latex(Interval(mean=arm.dice, low=arm.low, high=arm.high))]
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
