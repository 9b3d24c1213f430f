"""Scores of several systems side by side: the same trainings and the same cases of all of them, and what had no partner."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from focalseg.comparison.systems import System, Training, order_naturally, split_folds
from focalseg.errors import DataError
from focalseg.findings import counted, show_name, show_value
from focalseg.records.scores.comparison import LeftOut

_Key = tuple[str, str]
"""Fold and case; the fold is empty where no case is tested in two of them."""
_Row = Mapping[_Key, Mapping[str, float]]
"""One training of every fold, side by side: scores by case and label."""


@dataclass(frozen=True, kw_only=True)
class Paired:
    """tables: scores (S, N) of each system by name, S trainings on N cases. cases, groups, folds: of each case, N of each.

    fold_names: of the folds by number, those of the reference, "" where there is one. notes: what was given up to pair them.
    """

    tables: Mapping[str, np.ndarray]
    cases: tuple[str, ...]
    groups: tuple[str, ...]
    folds: tuple[int, ...]
    fold_names: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]


def pair_systems(systems: Sequence[System], groups: Mapping[str, str] | None = None) -> Paired:
    """The scores that all systems have, cases in the order of the first, fold by fold.

    groups: by case; by default what the systems know of them, and a case alone otherwise. Trainings are paired by seed where
    all have the same, by their order otherwise. Raises DataError where no case is left, for cases without a group where
    groups are given, and where systems contradict one another on a group.
    """
    folds = {system.name: split_folds(system) for system in systems}
    repeated = any(_repeats_cases(parts) for parts in folds.values())
    first = folds[systems[0].name]
    known = first if len(first) > 1 else next((parts for parts in folds.values() if len(parts) > 1), first)
    if repeated and (foldless := [name for name, parts in folds.items() if len(parts) == 1 and len(known) > 1]):
        raise DataError(
            f"{show_name(foldless[0])} names no folds, where others test the same case in several; expected the fold of every "
            "score. Add it, or compare one fold of each."
        )
    fold_of = {
        _key(name, case, repeated): number
        for number, (name, trainings) in enumerate(known.items())
        for training in trainings
        for case in training.scores
    }
    rows, notes = _choose_trainings(folds, repeated)
    notes += _tell_other_folds(folds, known, repeated)
    everywhere = dict.fromkeys(key for table in rows.values() for row in table for key in row)
    left_out: list[LeftOut] = []
    names, order = tuple(known), systems[0].labels
    labels = {
        key: _find_common_labels(key, rows, order, left_out, fold=names[fold_of[key]] if key in fold_of else key[0])
        for key in everywhere
    }
    chosen = [key for key in everywhere if labels[key]]
    if not chosen:
        raise DataError(_no_common_case(systems))
    chosen.sort(key=lambda key: fold_of.get(key, -1))  # keeps the order within a fold
    return Paired(
        tables={
            name: np.array([[_average(row[key], labels[key]) for key in chosen] for row in table])
            for name, table in rows.items()
        },
        cases=tuple(case for _, case in chosen),
        groups=_find_groups([case for _, case in chosen], systems, groups),
        folds=tuple(fold_of[key] for key in chosen),
        fold_names=names,
        left_out=tuple(left_out),
        notes=tuple(notes),
    )


def _key(fold: str, case: str, repeated: bool) -> _Key:
    return (fold if repeated else "", case)


def _repeats_cases(folds: Mapping[str, Sequence[Training]]) -> bool:
    """Whether a case is tested in several folds, as those of an official test part are."""
    seen: set[str] = set()
    for trainings in folds.values():
        cases = {case for training in trainings for case in training.scores}
        if not seen.isdisjoint(cases):
            return True
        seen |= cases
    return False


def _choose_trainings(
    folds: Mapping[str, Mapping[str, Sequence[Training]]], repeated: bool
) -> tuple[dict[str, list[_Row]], list[str]]:
    """Of every system as many trainings of each fold as all have, by seed where that leaves as many; and what was dropped."""
    count = min(len(trainings) for parts in folds.values() for trainings in parts.values())
    common = _find_common_seeds(folds)
    if any(len(seeds) < count for seeds in common.values()):  # by their seeds fewer would be left than by their order
        common = {}
    rows: dict[str, list[_Row]] = {}
    notes = []
    for name, parts in folds.items():
        taken = {
            fold: sorted((one for one in trainings if one.seed in common[fold]), key=lambda one: order_naturally(one.seed))
            if common
            else list(trainings)[:count]
            for fold, trainings in parts.items()
        }
        rows[name] = [
            {
                _key(fold, case, repeated): scores
                for fold, trainings in taken.items()
                for case, scores in trainings[number].scores.items()
            }
            for number in range(count)
        ]
        given = sum(map(len, parts.values()))
        if dropped := given - count * len(parts):
            notes.append(
                f"{counted(dropped, 'training')} of {show_name(name)} left out, since not every fold and system has so many."
            )
    return rows, notes


def _find_common_seeds(folds: Mapping[str, Mapping[str, Sequence[Training]]]) -> dict[str, set[str]]:
    """By the name of a fold the seeds that every system has a training of there; none where any training names no seed.

    A training belongs to its fold, and other folds may well have other seeds: where all systems have the same folds, each fold
    is looked at by itself.
    """
    seeds = {name: {fold: {one.seed for one in parts[fold]} for fold in parts} for name, parts in folds.items()}
    if any("" in found for parts in seeds.values() for found in parts.values()):
        return {}
    first = next(iter(seeds.values()))
    if all(parts.keys() == first.keys() for parts in seeds.values()):
        return {fold: set.intersection(*(parts[fold] for parts in seeds.values())) for fold in first}
    everywhere = set.intersection(*(found for parts in seeds.values() for found in parts.values()))
    return {fold: everywhere for parts in seeds.values() for fold in parts}


def _tell_other_folds(
    folds: Mapping[str, Mapping[str, Sequence[Training]]], known: Mapping[str, Sequence[Training]], repeated: bool
) -> list[str]:
    """That systems were split in another way than the one whose folds the intervals know."""
    if len(known) == 1:
        return []

    def divide(parts: Mapping[str, Sequence[Training]]) -> dict[_Key, str]:
        return {
            _key(fold, case, repeated): fold for fold, trainings in parts.items() for one in trainings for case in one.scores
        }

    expected = divide(known)
    notes = []
    for name, parts in folds.items():
        found = divide(parts)
        pairs = {(expected[key], fold) for key, fold in found.items() if key in expected}
        if len(parts) == 1:
            notes.append(f"{show_name(name)} names no folds: those of the others are taken to be its own.")
        elif len(pairs) != len({one for one, _ in pairs}) or len(pairs) != len({other for _, other in pairs}):
            notes.append(
                f"{show_name(name)} was split into other folds than the first system that has some: the cases are paired all "
                "the same, and the intervals know those folds alone."
            )
    return notes


def _find_common_labels(
    key: _Key, rows: Mapping[str, Sequence[_Row]], labels: Sequence[str], left_out: list[LeftOut], *, fold: str
) -> tuple[str, ...]:
    """The labels of a case that every training of every system has a score of. What has none is added to left_out."""
    _, case = key
    lacking = [name for name, table in rows.items() if not any(key in row for row in table)]
    partly = [name for name, table in rows.items() if name not in lacking and not all(key in row for row in table)]
    if lacking or partly:
        names = ", ".join(map(show_name, lacking or partly))
        why = f"not in {names}" if lacking else f"not in every training of {names}"
        left_out.append(LeftOut(case=case, why=why, fold=fold))
        return ()
    without = {
        label: [name for name, table in rows.items() if any(math.isnan(row[key].get(label, math.nan)) for row in table)]
        for label in labels
    }
    found = tuple(label for label in labels if not without[label])
    for label in labels:
        if without[label] and (found or label == labels[0]):
            why = f"no score in {', '.join(map(show_name, without[label]))}"
            left_out.append(LeftOut(case=case, why=why, fold=fold, label=label if found else ""))
    return found


def _average(scores: Mapping[str, float], labels: Sequence[str]) -> float:
    """The score of a case: the mean over its labels, summed in their order as `average_labels` does."""
    return float(sum(scores[label] for label in labels) / len(labels))


def _find_groups(cases: Sequence[str], systems: Sequence[System], groups: Mapping[str, str] | None) -> tuple[str, ...]:
    """What every case belongs to."""
    if groups is not None:
        if lacking := list(dict.fromkeys(case for case in cases if case not in groups)):
            raise DataError(
                f"{counted(len(lacking), 'case')} of {len(set(cases))} without a group: {_list_few(lacking)}; expected a group "
                "for every case. Add them to the groups; a case alone is a group of its own name."
            )
        return tuple(groups[case] for case in cases)
    known: dict[str, str] = {}
    for system in systems:
        for case, group in system.groups.items():
            if known.setdefault(case, group) != group:
                raise DataError(
                    f"{show_name(system.name)}: case {show_name(case)} is of the group {show_value(group)}, and of "
                    f"{show_value(known[case])} elsewhere; expected one group. Give the right ones with --groups."
                )
    return tuple(known.get(case, case) for case in cases)


def _no_common_case(systems: Sequence[System]) -> str:
    def list_cases(system: System) -> Iterator[str]:
        return (case for training in system.trainings for case in training.scores)

    examples = "; ".join(f"{show_name(system.name)} has {_list_few(list(list_cases(system))[:2])}" for system in systems)
    return (
        f"The systems have no case in common with a score in all of them: {examples}. Expected the same names of cases. Rename "
        "those of one, or give tables of the same test cases."
    )


def _list_few(names: Sequence[str], most: int = 4) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(show_name, names[:most])) + more
