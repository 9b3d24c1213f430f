"""A comparison in sentences: the answer, what the scores cannot tell, and a paragraph for a paper."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from focalseg import __version__
from focalseg.comparison.basis import Adjusted, Basis, describe_basis
from focalseg.comparison.disagreement import describe_strata
from focalseg.comparison.pairing import Paired
from focalseg.comparison.settings import ComparisonSettings
from focalseg.comparison.systems import System
from focalseg.evaluation.statistics import FEW_GROUPS, ROUNDING
from focalseg.evaluation.wording import describe_intervals
from focalseg.findings import counted, show_name
from focalseg.records.estimate import Interval
from focalseg.records.outcome.strata import Stratum, StratumName
from focalseg.records.scores.comparison import SystemComparison, show_p


@dataclass(frozen=True, kw_only=True)
class Found:
    """All that sentences on a comparison are made of. grouped: whether somebody said what belongs together."""

    systems: tuple[System, ...]
    paired: Paired
    settings: ComparisonSettings
    comparisons: tuple[SystemComparison, ...]
    grouped: bool
    basis: Basis
    adjusted: Adjusted
    counted: bool

    @property
    def trainings(self) -> int:
        """Of every system and fold."""
        return len(next(iter(self.paired.tables.values())))


def describe_pair(
    pair: SystemComparison, settings: ComparisonSettings, basis: Basis, strata: Mapping[StratumName, Stratum]
) -> SystemComparison:
    """The same with its sentence: the verdict, the difference, what could have been seen, and where kinds of cases disagree."""
    one, other = show_name(pair.one), show_name(pair.other)
    score, better = show_name(settings.metric), settings.better
    difference = f"{pair.difference.mean:+z.3f}, {_interval(pair.difference, basis)}"
    measured = f"its {score} minus that of {one} is {difference} ({show_p(pair.p_value)})"
    if pair.silent:
        sentence = (
            f"Not answered: most trainings of {one} or of {other} predict nothing at all, so that {measured} tells nothing."
        )
    elif pair.verdict != "no_difference_shown":
        sentence = f"{other} is {pair.verdict} than {one}: {measured}"
        sentence += "." if better == "higher" else ", and lower is better."
    else:
        sentence = f"No difference between {other} and {one} is shown: {measured}. {_describe_open(pair, basis)}"
    if not pair.silent:
        sentence = " ".join(filter(None, (sentence, _describe_as_good(pair), describe_strata(pair, strata, basis))))
    return replace(pair, sentence=sentence.rstrip())


def _describe_open(pair: SystemComparison, basis: Basis) -> str:
    """Why nothing is shown: p where the interval lies clear of 0, else how far such data reach."""
    low, high = pair.difference.low, pair.difference.high
    if low is None or high is None or low <= 0 <= high:
        return _describe_reach(pair)
    if pair.p_value >= basis.looks.level:
        return "Interval and p disagree, as where a few cases differ by far more than the others."
    return f"Adjusted for all comparisons {show_p(pair.holm_p)}: among so many, one such difference may be luck."


def _describe_as_good(pair: SystemComparison) -> str:
    """Whether it is at most the margin worse, and how many groups might be lost of which none here shows it."""
    found = pair.as_good
    if found is None:
        return ""
    shown = "is shown to be" if found.shown else "is not shown to be"
    sentence = f"{show_name(pair.other)} {shown} at most {found.margin:g} worse than {show_name(pair.one)}"
    if found.failing_at_most is None or found.groups is None:
        return f"{sentence}."
    most = f"so that up to {100 * found.failing_at_most:.1f} % of them may be"
    if pair.verdict == "better" and not found.shown:
        return f"But {show_name(pair.other)} may lose some groups altogether: {found.failing} of {found.groups} here, {most}."
    return f"{sentence}: {found.failing} of {counted(found.groups, 'group')} are lost altogether, {most}."


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


def _interval(found: Interval, basis: Basis) -> str:
    return f"{100 * (1 - basis.looks.level):.4g} % interval{basis.scope} {_end(found.low)} to {_end(found.high)}"


def list_notes(found: Found) -> Iterator[str]:
    """What cannot be known from these scores, and what was left out."""
    paired, trainings = found.paired, found.trainings
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
    if not found.counted:
        yield (
            "Which cases lack the object is not known, so that objects that were missed and false alarms are not told apart: "
            "a table with dice, true_pixels and predicted_pixels tells."
        )
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
    trainings, cases = found.trainings, len(paired.cases)
    groups, folds = len(set(paired.groups)), len(paired.fold_names)
    of = f" in {counted(groups, 'group')}" if groups < len(set(paired.cases)) else ""
    fold = f", {folds} cross-validation folds" if folds > 1 else ""
    metric, reference = show_name(settings.metric), show_name(found.comparisons[0].one)
    parts = [
        f"{metric} was compared on {counted(cases, 'test case')}{of} with {counted(trainings, 'training')} per system",
        f"{' and fold' if folds > 1 else ''}{fold}, paired by case and by training. ",
        describe_intervals(grouped=bool(of), folds=folds),
    ]
    parts = ["".join(parts), describe_basis(found.basis, folds)]
    level = f"{found.basis.looks.level:.3g}"
    parts.append(f"A difference counts as shown where its interval lies clear of 0 and p is below {level}")
    if found.adjusted.family > 1:
        what = (
            "all that its job could claim" if found.adjusted.of_job else f"{found.adjusted.family} claims against {reference}"
        )
        parts[-1] += f", adjusted for {what} (Holm)"
    parts[-1] += "."
    if settings.margin is not None:
        parts.append(f"Non-inferiority was tested with a margin of {settings.margin:g} (one-sided, 2.5 %).")
        if any(pair.as_good and pair.as_good.failing_at_most is not None for pair in found.comparisons):
            parts.append("It includes the exact upper bound on groups that are lost altogether (Clopper and Pearson 1934).")
    if paired.left_out:
        parts.append("Cases without a score in every system were left out in all of them.")
    parts.append(f"Computed with focalseg {__version__}.")
    return " ".join(filter(None, parts))
