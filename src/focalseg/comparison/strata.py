"""Systems on each kind of case: those that have the object, and those that lack it."""

import math
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any

from focalseg.comparison.basis import Basis
from focalseg.comparison.pairing import Paired, pair_systems
from focalseg.comparison.systems import Counted, System
from focalseg.errors import DataError
from focalseg.evaluation.failures import bound_failures, bound_share
from focalseg.evaluation.significance import Difference, measure_difference
from focalseg.evaluation.statistics import estimate_mean
from focalseg.records.estimate import Estimate
from focalseg.records.outcome.claims import TAIL
from focalseg.records.outcome.strata import (
    LEFT_EMPTY,
    MISSED,
    WITH_OBJECT,
    ArmStratum,
    Stratum,
    StratumDifference,
    StratumName,
    name_pair,
)

_Labels = Mapping[str, Counted]


def _tell_left_empty(labels: _Labels) -> dict[str, float]:
    """Of a case without any of the labels whether nothing was predicted at all; the same for every label."""
    value = math.nan if any(one.true for one in labels.values()) else float(not any(one.predicted for one in labels.values()))
    return dict.fromkeys(labels, value)


_VALUES: dict[StratumName, Callable[[_Labels], dict[str, float]]] = {
    WITH_OBJECT: lambda labels: {label: one.dice if one.true else math.nan for label, one in labels.items()},
    MISSED: lambda labels: {label: float(one.dice == 0) if one.true else math.nan for label, one in labels.items()},
    LEFT_EMPTY: _tell_left_empty,
}
"""Of the labels of a case, nan where one is not of the kind. A case has the mean over those of its labels that are."""


def are_counted(systems: Sequence[System]) -> bool:
    """Whether it is known of every label of every case whether the case has it and whether it was found."""
    return all(training.counted for system in systems for training in system.trainings)


def lack_object(systems: Sequence[System]) -> bool:
    """Whether any label of any case is known to be absent from the true mask."""
    return any(one.true == 0 for one in _list_counted(systems))


def have_object(systems: Sequence[System]) -> bool:
    """Whether any label of any case is known to be there."""
    return any(one.true for one in _list_counted(systems))


def _list_counted(systems: Sequence[System]) -> list[Counted]:
    trainings = (training for system in systems for training in system.trainings)
    return [one for training in trainings for labels in training.counted.values() for one in labels.values()]


def select_stratum(systems: Sequence[System], name: StratumName) -> tuple[System, ...]:
    """The systems with the scores of that kind of case alone: its Dice, or 1 and 0 for yes and no."""
    return tuple(_replace_scores(system, _VALUES[name]) for system in systems)


def select_all_cases(systems: Sequence[System], empty: str) -> tuple[System, ...]:
    """The systems with the Dice of all cases. empty: the policy for a label that a case lacks and that was left empty."""
    value = {"zero": 0.0, "leave-out": math.nan}.get(empty, 1.0)

    def take(labels: _Labels) -> dict[str, float]:
        return {label: value if one.true == one.predicted == 0 else one.dice for label, one in labels.items()}

    return tuple(_replace_scores(system, take) for system in systems)


def _replace_scores(system: System, take: Callable[[_Labels], dict[str, float]]) -> System:
    trainings = (
        replace(training, scores={case: take(labels) for case, labels in training.counted.items()})
        for training in system.trainings
    )
    return replace(system, trainings=tuple(trainings))


def find_strata(
    systems: Sequence[System],
    groups: Mapping[str, str] | None,
    basis: Basis,
    *,
    known: Mapping[StratumName | None, tuple[Paired, Mapping[str, Difference]]],
) -> dict[StratumName, Stratum]:
    """The strata that have any case; none where it is not known which cases have the object. known: what was compared already,
    which is not computed twice."""
    if not are_counted(systems):
        return {}
    twins = frozenset(system.name for system in systems[1:] if _list_whole(system) == _list_whole(systems[0]))
    found = {
        name: _measure_stratum(known[name][0], basis, known[name][1])
        if name in known
        else find_stratum(select_stratum(systems, name), groups, basis, share=name != WITH_OBJECT, twins=twins)
        for name in _VALUES
    }
    return {name: stratum for name, stratum in found.items() if stratum is not None}


def find_stratum(
    systems: Sequence[System],
    groups: Mapping[str, str] | None,
    basis: Basis,
    *,
    share: bool = False,
    twins: Set[str] = frozenset(),
) -> Stratum | None:
    """What systems with the scores of one kind of case reach, and differ by from the first; None where no case has any. share,
    twins: as `_measure_stratum` has them."""
    try:
        paired = pair_systems(systems, groups)
    except DataError:  # no case of that kind that all systems have, which is no fault of the tables
        return None
    return _measure_stratum(paired, basis, share=share, twins=twins)


def _list_whole(system: System) -> list[tuple[object, ...]]:
    """All that was counted of a system: two with the very same are one network twice, mostly."""
    return [
        (number, case, label, one.true, one.predicted, None if math.isnan(one.dice) else one.dice)
        for number, training in enumerate(system.trainings)
        for case, labels in training.counted.items()
        for label, one in labels.items()
    ]


def _measure_stratum(
    paired: Paired,
    basis: Basis,
    differences: Mapping[str, Difference] | None = None,
    *,
    share: bool = False,
    twins: Set[str] = frozenset(),
) -> Stratum:
    """The same of tables that are paired. differences: those from the first system, by the others, where they are known.
    share: whether every score says yes or no, of which none in a few groups does not mean none in others. twins: systems with
    the very scores of the first, which differ in no group whatever."""
    reference, *others = paired.tables
    within = share or all(table.min() >= 0 and table.max() <= 1 for table in paired.tables.values())
    span = (0.0, 1.0) if within else (-math.inf, math.inf)
    reach = (span[0] - span[1], span[1] - span[0])
    told: dict[str, Any] = {"folds": paired.folds, "overlap": basis.overlap}
    if differences is None:
        differences = {
            name: measure_difference(
                paired.tables[name], paired.tables[reference], paired.groups, span=reach, tail=basis.tail, **told
            )
            for name in others
        }
    groups = len(set(paired.groups))
    unseen = bound_failures(0, groups, tail=TAIL) if share else 0.0
    cases = len(set(paired.cases))

    def bound(found: Estimate, unseen: float, span: tuple[float, float]) -> dict[str, Any]:
        return bound_share(found, groups=groups, unseen=unseen, span=span)

    means = {name: estimate_mean(table, paired.groups, span=span, **told) for name, table in paired.tables.items()}
    return Stratum(
        arms={name: ArmStratum(**bound(mean, unseen, span), cases=cases) for name, mean in means.items()},
        differences={
            name_pair(name, reference): StratumDifference(
                **bound(found.estimate, 0.0 if name in twins else unseen, reach), cases=cases, p_value=found.p_value
            )
            for name, found in differences.items()
        },
        groups=groups,
    )
