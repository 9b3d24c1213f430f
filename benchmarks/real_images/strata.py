"""What follows from the scores per case, in plain Python: a second source for every mean that a job reports.

A case has the object where a label of it has true pixels. Strata: `with_object`, the Dice of cases that have it, each the mean
over the labels that it has; `missed`, the share of those on which nothing of the object was found (no pixel in common);
`left_empty`, the share of cases without it on which nothing was predicted; `all_cases`, the mean Dice of all.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from real_images.cases import Row

STRATA = ("with_object", "missed", "left_empty", "all_cases")
Key = tuple[int, int, str]
"""Fold, seed and case: what two arms are paired by."""


@dataclass(frozen=True, kw_only=True)
class Scored:
    """One case in one training. with_object, missed: None where the case lacks the object; left_empty: where it has it."""

    group: str
    with_object: float | None
    missed: float | None
    left_empty: float | None
    all_cases: float


Part = Mapping[Key, Scored]
"""One arm, taken apart."""


def take_apart(rows: Iterable[Row], *, tuned: bool = False) -> dict[str, Part]:
    """Every arm by case and training. tuned: at the tuned thresholds; no arm where a score lacks them."""
    found: dict[str, dict[Key, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if tuned and row.tuned_dice is None:
            return {}
        found[row.arm][row.fold, row.seed, row.case].append(row)
    return {arm: {key: _score(labels, tuned=tuned) for key, labels in keys.items()} for arm, keys in found.items()}


def _score(labels: Sequence[Row], *, tuned: bool) -> Scored:
    dice = {row.label: row.tuned_dice if tuned else row.dice for row in labels}
    pixels = [row.tuned_predicted_pixels if tuned else row.predicted_pixels for row in labels]
    present = [dice[row.label] for row in labels if row.true_pixels > 0]
    return Scored(
        group=labels[0].group,
        with_object=fmean(present) if present else None,
        missed=fmean(value == 0 for value in present) if present else None,
        left_empty=None if present else float(not any(pixels)),
        all_cases=fmean(dice.values()),
    )


def list_values(part: Part, stratum: str) -> dict[Key, float]:
    """The values of a stratum by case and training, without the cases that take no part in it."""
    values = {key: getattr(scored, stratum) for key, scored in part.items()}
    return {key: value for key, value in values.items() if value is not None}


def average(part: Part, stratum: str) -> float | None:
    """Mean over cases and trainings, None where no case takes part."""
    values = list_values(part, stratum)
    return fmean(values.values()) if values else None


def count_cases(part: Part, stratum: str) -> int:
    """How many different cases take part."""
    return len({case for _, _, case in list_values(part, stratum)})


def subtract(one: Part, other: Part, stratum: str) -> dict[Key, float]:
    """Paired differences. Raises ValueError where the arms do not have the same cases and trainings."""
    first, second = list_values(one, stratum), list_values(other, stratum)
    if first.keys() != second.keys():
        raise ValueError(f"The arms differ in their cases or trainings, such as {min(first.keys() ^ second.keys())}.")
    return {key: first[key] - second[key] for key in first}


def measure_rescue(one: Part, other: Part) -> tuple[float, float]:
    """How much of the difference in Dice with the object comes from cases that one of the two missed and the other did not.

    Two summands of the difference: that of those cases, and that of all others.
    """
    changes = subtract(one, other, "with_object")
    rescued = [change for key, change in changes.items() if one[key].missed != other[key].missed]
    whole = sum(changes.values()) / len(changes)
    part = sum(rescued) / len(changes)
    return part, whole - part
