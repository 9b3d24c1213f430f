"""Systems compared: every one with the first, from their scores on the same cases."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from focalseg.comparison.as_good import find_as_good
from focalseg.comparison.basis import Adjusted, Basis, adjust, find_basis
from focalseg.comparison.coverage import describe_coverage
from focalseg.comparison.endpoint import choose_endpoint
from focalseg.comparison.known_metrics import is_distance, name_metric
from focalseg.comparison.pairing import Paired, pair_systems
from focalseg.comparison.settings import ComparisonSettings
from focalseg.comparison.strata import are_counted, find_strata, find_stratum, select_all_cases
from focalseg.comparison.systems import WHOLE, System, Training, align_labels, check_systems
from focalseg.comparison.wording import Found, describe_all, describe_methods, describe_pair, list_notes
from focalseg.errors import DataError, SettingError
from focalseg.evaluation.needed import count_needed_cases, count_needed_trainings
from focalseg.evaluation.significance import Difference, measure_difference
from focalseg.evaluation.statistics import ROUNDING, estimate_mean, measure_seed_noise
from focalseg.findings import counted, show_name, show_value
from focalseg.records.estimate import Estimate, as_interval
from focalseg.records.outcome.claims import Claim
from focalseg.records.scores.comparison import (
    Better,
    CaseDifference,
    ComparisonRecord,
    Needed,
    SystemComparison,
    SystemSummary,
    SystemVerdict,
)

Scores = Mapping[str, float] | Sequence[Mapping[str, float]] | np.ndarray | Sequence[Sequence[float]]
"""Of one system: by case; or a list of these, one per training; or (trainings, cases) numbers."""
EXTREMES = 5
"""Cases that differ most, in each comparison."""


def compare(  # noqa: PLR0913 - each is a setting of its own
    systems: Mapping[str, Scores],
    *,
    groups: Mapping[str, str] | None = None,
    folds: Mapping[str, str | int] | None = None,
    cases: Sequence[str] = (),
    better: Better = "higher",
    margin: float | None = None,
    difference: float | None = None,
    metric: str = "score",
    span: tuple[float, float] | None = None,
    claim: Claim | None = None,
) -> ComparisonRecord:
    """Compares systems with the first of them, paired by case and by training; prints as the answer with all that it rests on.

    systems: by name, the scores of each: a mapping from case to score; several of these, one per training (seed); or an array
    (trainings, cases) with `cases` naming its columns. Trainings that share no case are folds of a cross-validation: their
    cases stand side by side, and the interval knows that they were tested by different networks. A score that is nan is
    left out in all systems, and named. folds: by case, for tables that hold several folds in a row. groups: by case, what
    belongs together, such as the patient; a case alone otherwise. better, margin, span: as in `ComparisonSettings`; with a
    margin it is also told whether a system is at most so much worse, with a difference how many trainings or cases would show
    that one. claim: whom the intervals speak for: `new_data` like these, for which folds that share what they were trained on
    make them wider, or this `data_set`. Source of the statistics: docs/statistics.md.

    Raises SettingError for settings out of range, DataError for scores that cannot be compared, with every fault.

    >>> import focalseg
    >>> plain = {"a": 0.81, "b": 0.74, "c": 0.90, "d": 0.66, "e": 0.79, "f": 0.71}
    >>> gated = {case: dice + gain for (case, dice), gain in zip(plain.items(), [0.03, 0.05, 0.02, 0.06, 0.04, 0.04])}
    >>> found = focalseg.compare({"plain": plain, "gated": gated}, metric="Dice")
    >>> found.comparisons[0].verdict, round(found.comparisons[0].difference.mean, 3)
    ('better', 0.04)
    """
    settings = ComparisonSettings(
        metric=name_metric(metric), better=better, margin=margin, difference=difference, span=span, claim=claim
    )
    if not isinstance(systems, Mapping):
        raise SettingError(f"systems was {show_value(systems)}; expected a mapping from the name of a system to its scores.")
    named = None if folds is None else take_names("folds", folds)
    read = [_take_system(str(name), scores, tuple(map(str, cases)), named) for name, scores in systems.items()]
    known = None if groups is None else take_names("groups", groups)
    return compare_systems(read, settings, groups=known).record


@dataclass(frozen=True, kw_only=True)
class Compared:
    """What a comparison found, and the scores that it rests on."""

    record: ComparisonRecord
    paired: Paired


def compare_systems(
    systems: Sequence[System],
    settings: ComparisonSettings,
    *,
    groups: Mapping[str, str] | None = None,
    notes: Sequence[str] = (),
) -> Compared:
    """The same from systems as they were read. notes: what is known besides of their scores, told with the other notes."""
    _check_names(systems)
    systems, label_notes = align_labels(systems)
    chosen = choose_endpoint(systems, settings)
    settings = chosen.settings
    check_systems(chosen.systems, better=settings.better)
    paired = chosen.keep_told(pair_systems(chosen.systems, groups))
    basis = find_basis(systems, len(paired.fold_names), settings.claim)
    span = settings.span or _find_span(paired, settings)
    differences = _measure(paired, basis, span)
    strata = find_strata(systems, groups, basis, known={chosen.stratum: (paired, differences)})
    adjusted = adjust(systems, differences, strata, chosen.stratum, basis)
    comparisons = tuple(
        describe_pair(pair, settings, basis, adjusted.strata)
        for pair in _judge_all(systems, differences, paired, settings, basis, adjusted)
    )
    found = Found(
        systems=tuple(systems),
        paired=paired,
        settings=settings,
        comparisons=comparisons,
        grouped=groups is not None,
        basis=basis,
        adjusted=adjusted,
        counted=are_counted(systems),
    )
    whole = find_stratum(select_all_cases(systems, settings.empty), groups, basis) if chosen.partial else None
    record = ComparisonRecord(
        metric=settings.metric,
        better=settings.better,
        reference=systems[0].name,
        sentence=describe_all(comparisons),
        comparisons=comparisons,
        systems={name: _summarise(table, paired, span, basis) for name, table in paired.tables.items()},
        left_out=paired.left_out,
        notes=(*notes, *label_notes, *chosen.notes, *list_notes(found)),
        methods=describe_methods(found),
        coverage=describe_coverage(trainings=found.trainings, folds=len(paired.fold_names)),
        empty=settings.empty,
        endpoint=chosen.endpoint,
        strata={str(name): stratum for name, stratum in adjusted.strata.items()},
        all_cases=whole,
        claim=basis.claim,
        overlap=basis.overlap,
        looks=basis.looks,
        family=adjusted.family,
    )
    return Compared(record=record, paired=paired)


def _take_system(name: str, scores: Any, cases: tuple[str, ...], folds: Mapping[str, str] | None) -> System:
    """A system from what a caller gives for one. Raises DataError for what is no scores."""
    if isinstance(scores, Mapping):
        scores = [scores]
    several = isinstance(scores, Sequence) and bool(scores) and all(isinstance(one, Mapping) for one in scores)
    tables: Sequence[Mapping[Any, Any]] = scores if several else _take_array(name, scores, cases)
    trainings = []
    for number, table in enumerate(tables):
        numbers = {str(case): {WHOLE: _take_number(name, case, score)} for case, score in table.items()}
        if len(numbers) < len(table):
            raise DataError(f"{show_name(name)}: two of the cases of training {number} have the same name; expected one each.")
        for fold, part in _divide(name, numbers, folds).items():
            trainings.append(Training(scores=part, fold=fold, seed=str(number) if folds is not None else ""))
    return System(name=name, trainings=tuple(trainings))


def take_names(what: str, names: Any) -> dict[str, str]:
    """Names by case, such as groups, from what a caller gives. Raises SettingError for anything but a mapping."""
    if not isinstance(names, Mapping):
        raise SettingError(f"{what} was {show_value(names)}; expected a mapping from case to its name.")
    return {str(case): str(name) for case, name in names.items()}


def _take_array(name: str, scores: Any, cases: tuple[str, ...]) -> list[dict[str, Any]]:
    expected = "a mapping from case to score, a list of these, or (trainings, cases) numbers with `cases` naming the columns"
    try:
        table = np.atleast_2d(np.asarray(scores, dtype=float))
    except (TypeError, ValueError) as error:
        raise DataError(f"{show_name(name)}: the scores are {show_value(scores)}; expected {expected}.") from error
    if table.ndim != 2 or table.shape[1] != len(cases) or len(set(cases)) != len(cases):
        raise DataError(
            f"{show_name(name)}: the scores have shape {np.shape(scores)} and `cases` {len(set(cases))} different names; "
            f"expected {expected}."
        )
    return [dict(zip(cases, row.tolist(), strict=True)) for row in table]


def _take_number(name: str, case: object, score: Any) -> float:
    try:
        if isinstance(score, str | bytes):
            raise TypeError
        return float(score)
    except (TypeError, ValueError, OverflowError) as error:
        where = f"{show_name(name)}: case {show_name(str(case))}"
        raise DataError(f"{where} has the score {show_value(score)}; expected a number.") from error


def _divide(name: str, scores: dict[str, dict[str, float]], folds: Mapping[str, str] | None) -> dict[str, Any]:
    """The scores of one table by fold."""
    if folds is None:
        return {"": scores}
    if lacking := [case for case in scores if case not in folds]:
        raise DataError(f"{show_name(name)}: case {show_name(lacking[0])} has no fold; expected one for every case in `folds`.")
    parts: dict[str, Any] = {}
    for case, score in scores.items():
        parts.setdefault(folds[case], {})[case] = score
    return parts


def _check_names(systems: Sequence[System]) -> None:
    if len(systems) < 2:
        number = counted(len(systems), "system")
        raise SettingError(f"{number} to compare; expected two or more, the first of which is the reference. Give another.")
    names = [system.name for system in systems]
    if "" in names:
        raise SettingError("A system has an empty name; expected one to call it by. Name it.")
    if twice := [name for name in names if names.count(name) > 1]:
        raise SettingError(f"Two systems are named {show_value(twice[0])}; expected a name of its own for each.")


def _find_span(paired: Paired, settings: ComparisonSettings) -> tuple[float, float]:
    """A share lies between 0 and 1; a distance is at least 0, and how far it can reach nobody knows."""
    least, largest = (float(find(list(map(find, paired.tables.values())))) for find in (np.min, np.max))
    if settings.better == "higher":
        return (0.0, 1.0) if least >= 0 and largest <= 1 else (-math.inf, math.inf)
    return (0.0 if least >= 0 and is_distance(settings.metric) else -math.inf, math.inf)


def _measure(paired: Paired, basis: Basis, span: tuple[float, float]) -> dict[str, Difference]:
    """By name of every system but the first, its scores minus those of the first."""
    reference, *others = paired.tables
    reach = span[1] - span[0]
    return {
        name: measure_difference(
            paired.tables[name],
            paired.tables[reference],
            paired.groups,
            paired.folds,
            span=(-reach, reach),
            overlap=basis.overlap,
            tail=basis.tail,
        )
        for name in others
    }


def _judge_all(
    systems: Sequence[System],
    differences: Mapping[str, Difference],
    paired: Paired,
    settings: ComparisonSettings,
    basis: Basis,
    adjusted: Adjusted,
) -> Iterator[SystemComparison]:
    """The comparisons without their sentences."""
    silent = {system.name for system in systems if system.mostly_silent}
    reference = systems[0].name
    for name, found in differences.items():
        yield SystemComparison(
            one=reference,
            other=name,
            verdict="no_difference_shown"
            if silent & {reference, name}
            else _judge(found.estimate, adjusted.p_values[name], settings.better, basis),
            difference=as_interval(found.estimate),
            p_value=found.p_value,
            holm_p=adjusted.p_values[name],
            smallest_difference=found.smallest_difference if math.isfinite(found.smallest_difference) else None,
            sentence="",
            as_good=find_as_good(found, name, paired, settings, basis),
            needed=_find_needed(reference, name, found, paired, settings, basis),
            silent=bool(silent & {reference, name}),
            extremes=_find_extremes(reference, name, paired),
        )


def _judge(difference: Estimate, holm_p: float, better: Better, basis: Basis) -> SystemVerdict:
    """As `place` does: the interval has to lie clear of 0, and p, adjusted for all comparisons, below the level."""
    if difference.low <= 0 <= difference.high or abs(difference.mean) <= ROUNDING or holm_p >= basis.looks.level:
        return "no_difference_shown"
    return "better" if (difference.low > 0) == (better == "higher") else "worse"


def _find_needed(
    reference: str, name: str, found: Difference, paired: Paired, settings: ComparisonSettings, basis: Basis
) -> tuple[Needed, ...]:
    """For the difference that was asked for, and for the one that was found and the margin, where these data would not show
    them in 80 % of studies."""
    if not math.isfinite(found.smallest_difference):
        return ()
    given = [one for one in (settings.difference, settings.margin) if one is not None]
    targets = dict.fromkeys((*given, abs(found.estimate.mean)))
    table = paired.tables[name] - paired.tables[reference]
    return tuple(
        Needed(
            difference=target,
            trainings=count_needed_trainings(table, paired.groups, paired.folds, target, overlap=basis.overlap),
            cases=count_needed_cases(table, paired.groups, paired.folds, target, overlap=basis.overlap),
        )
        for target in targets
        if 0 < target < found.smallest_difference or target == settings.difference
    )


def _find_extremes(reference: str, name: str, paired: Paired) -> tuple[CaseDifference, ...]:
    one, other = (paired.tables[system].mean(axis=0) for system in (reference, name))
    order = np.argsort(-np.abs(other - one), kind="stable")[:EXTREMES]
    return tuple(
        CaseDifference(
            case=paired.cases[number],
            group=paired.groups[number],
            fold=paired.fold_names[paired.folds[number]],
            one=float(one[number]),
            other=float(other[number]),
        )
        for number in order.tolist()
        if one[number] != other[number]
    )


def _summarise(table: np.ndarray, paired: Paired, span: tuple[float, float], basis: Basis) -> SystemSummary:
    """A system alone, of which nothing is claimed: its interval is one of 95 % however often it was looked at."""
    found = estimate_mean(table, paired.groups, folds=paired.folds, span=span, overlap=basis.overlap)
    interval = as_interval(found)
    noise = measure_seed_noise(table, paired.folds)
    return SystemSummary(
        mean=interval.mean,
        low=interval.low,
        high=interval.high,
        cases=table.shape[1],
        groups=len(set(paired.groups)),
        folds=len(paired.fold_names),
        trainings=table.shape[0],
        seed_noise=noise if noise.trainings > 1 else None,
    )
