"""Splits that keep together what belongs together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from focalseg.errors import DataError


@dataclass(frozen=True, kw_only=True)
class Split:
    """Names of the cases of one fold. No group has cases in two of the three."""

    fold: int
    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]


def split_by_group(names: Sequence[str], groups: Sequence[str], *, folds: int = 5, seed: int = 0) -> tuple[Split, ...]:
    """`folds` splits in which every case is tested once, and validated once, in another fold.

    Groups are shuffled by the seed, then dealt largest first to the part that holds the fewest cases.
    Raises DataError when there are fewer groups than folds.
    """
    members: dict[str, list[str]] = {}
    for name, group in zip(names, groups, strict=True):
        members.setdefault(group, []).append(name)
    if len(members) < folds:
        raise DataError(
            f"The data has {len(names)} cases in {len(members)} groups that stay together; {folds} folds need {folds} groups. "
            "Add cases of other groups or ask for fewer folds (split.folds, at least 3)."
        )
    parts = _deal(members, folds, np.random.default_rng(seed))
    order = {name: number for number, name in enumerate(names)}
    ordered = [tuple(sorted(part, key=order.__getitem__)) for part in parts]
    splits = []
    for fold in range(folds):
        validation = (fold + 1) % folds
        training = [name for part in range(folds) if part not in (fold, validation) for name in ordered[part]]
        splits.append(
            Split(
                fold=fold,
                train=tuple(sorted(training, key=order.__getitem__)),
                validation=ordered[validation],
                test=ordered[fold],
            )
        )
    return tuple(splits)


def _deal(members: Mapping[str, list[str]], folds: int, random: np.random.Generator) -> list[list[str]]:
    shuffled = [list(members)[number] for number in random.permutation(len(members))]
    parts: list[list[str]] = [[] for _ in range(folds)]
    for group in sorted(shuffled, key=lambda group: -len(members[group])):
        min(parts, key=len).extend(members[group])
    return parts
