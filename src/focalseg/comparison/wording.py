"""A comparison in sentences: the answer, what the scores cannot tell, and a paragraph for a paper."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from focalseg import __version__
from focalseg.comparison.pairing import Paired
from focalseg.comparison.settings import ComparisonSettings
from focalseg.comparison.systems import System
from focalseg.evaluation.statistics import FEW_GROUPS, ROUNDING
from focalseg.evaluation.wording import describe_intervals
from focalseg.findings import counted, show_name
from focalseg.records.scores.comparison import Better, SystemComparison, show_p

LEVEL = 0.05
"""Of a p-value, below which a difference is usually called significant."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """All that sentences on a comparison are made of. grouped: whether somebody said what belongs together."""

    systems: tuple[System, ...]
    paired: Paired
    settings: ComparisonSettings
    comparisons: tuple[SystemComparison, ...]
    grouped: bool


def describe_pair(pair: SystemComparison, metric: str, better: Better) -> SystemComparison:
    """The same with its sentence: the verdict, the difference, and what could have been seen."""
    one, other = show_name(pair.one), show_name(pair.other)
    score = show_name(metric)
    difference = f"{pair.difference.mean:+z.3f}, 95 % interval {_end(pair.difference.low)} to {_end(pair.difference.high)}"
    measured = f"its {score} minus that of {one} is {difference} ({show_p(pair.p_value)})"
    if pair.silent:
        sentence = (
            f"Not answered: most trainings of {one} or of {other} predict nothing at all, so that {measured} tells nothing."
        )
    elif pair.verdict != "no_difference_shown":
        sentence = f"{other} is {pair.verdict} than {one}: {measured}"
        sentence += "." if better == "higher" else ", and lower is better."
        if pair.p_value >= LEVEL:
            sentence += " Interval and p disagree, as where a few cases differ by far more than the others: take it for open."
        if pair.holm_p >= LEVEL > pair.p_value:
            sentence += f" Adjusted for all comparisons {show_p(pair.holm_p)}: among so many, one such difference may be luck."
    else:
        sentence = f"No difference between {other} and {one} is shown: {measured}. {_describe_reach(pair)}"
    if pair.as_good is not None and not pair.silent:
        margin = f"{pair.as_good.margin:g}"
        shown = "is shown to be" if pair.as_good.shown else "is not shown to be"
        sentence += f" {other} {shown} at most {margin} worse than {one}."
    return replace(pair, sentence=sentence.rstrip())


def describe_all(comparisons: Sequence[SystemComparison]) -> str:
    """The sentences of all comparisons, the first of which the reader looks for."""
    return " ".join(pair.sentence for pair in comparisons)


def _describe_reach(pair: SystemComparison) -> str:
    if pair.difference.low is None or pair.smallest_difference is None:
        same = pair.difference.mean == 0 and pair.p_value == 1.0
        return (
            "They have the very same scores."
            if same and pair.difference.low == 0
            else "All cases are of one group, which tells nothing of others."
        )
    if pair.smallest_difference <= ROUNDING:
        return "Nothing varies from case to case, so that nobody can say what would have been seen."
    return f"Such data show a true difference of {pair.smallest_difference:.3f} in 80 % of studies."


def _end(value: float | None) -> str:
    return "unknown" if value is None else f"{value:z.3f}"


def list_notes(found: Found) -> Iterator[str]:
    """What cannot be known from these scores, and what was left out."""
    paired = found.paired
    trainings = next(iter(paired.tables.values())).shape[0]
    several = len(paired.fold_names) > 1
    if trainings == 1:
        of = " of every fold" if several else ""
        yield (
            f"One training{of} per system: how much another seed would change is not known and not in the interval. "
            "Three trainings or more tell."
        )
    if len(paired.fold_names) == 2:
        yield "Two folds leave one degree of freedom, and so an interval several times as wide; compare one, or three and more."
    groups = len(set(paired.groups))
    if not found.grouped and groups == len(set(paired.cases)):
        yield (
            "No groups are known, so every case counts as independent: where several are of one patient or video, name them "
            "with groups (--groups or --group-pattern), or the interval is too narrow."
        )
    elif groups < FEW_GROUPS:
        yield f"The cases are of {counted(groups, 'group')}: others may differ more than these do."
    for pair in found.comparisons:
        if pair.difference.mean != 0 and pair.smallest_difference is not None and pair.smallest_difference <= ROUNDING:
            yield (
                f"All cases differ by the very same amount between {show_name(pair.other)} and {show_name(pair.one)}, as "
                "measured scores hardly do: an interval without a width tells nothing of other cases."
            )
    for system in found.systems:
        if (silent := sum(training.silent for training in system.trainings)) and not system.mostly_silent:
            yield f"{silent} of the {len(system.trainings)} trainings of {show_name(system.name)} predict nothing at all."
    yield from paired.notes
    yield from _tell_left_out(found)


def _tell_left_out(found: Found) -> Iterator[str]:
    """Why cases were left out, with their number: each of them is named in the record."""
    reasons: dict[tuple[str, str, bool], list[str]] = {}
    for one in found.paired.left_out:
        reasons.setdefault((one.why, one.fold, bool(one.label)), []).append(one.case)
    for (why, fold, label), cases in reasons.items():
        what = "label of a case" if label else "case"
        where = f" of fold {show_name(fold)}" if fold else ""
        number = counted(len(cases), what) if not label else f"{len(cases)} times a label of a case"
        first = ", ".join(map(show_name, cases[:3])) + (", ..." if len(cases) > 3 else "")
        yield f"Left out: {number}{where}, {why} ({first})."


def describe_methods(found: Found) -> str:
    """What was done, as a paper says it."""
    paired, settings = found.paired, found.settings
    trainings, cases = next(iter(paired.tables.values())).shape
    groups, folds = len(set(paired.groups)), len(paired.fold_names)
    of = f" in {counted(groups, 'group')}" if groups < len(set(paired.cases)) else ""
    fold = f", {folds} cross-validation folds" if folds > 1 else ""
    metric, reference = show_name(settings.metric), show_name(found.comparisons[0].one)
    parts = [
        f"{metric} was compared on {counted(cases, 'test case')}{of} with {counted(trainings, 'training')} per system",
        f"{' and fold' if folds > 1 else ''}{fold}, paired by case and by training. ",
        describe_intervals(grouped=bool(of), folds=folds),
    ]
    parts = ["".join(parts)]
    if len(found.comparisons) > 1:
        parts.append(f"p-values of the {len(found.comparisons)} comparisons with {reference} were adjusted (Holm).")
    if settings.margin is not None:
        parts.append(f"Non-inferiority was tested with a margin of {settings.margin:g} (one-sided, 2.5 %).")
    if paired.left_out:
        parts.append("Cases without a score in every system were left out in all of them.")
    parts.append(f"Computed with focalseg {__version__}.")
    return " ".join(parts)
