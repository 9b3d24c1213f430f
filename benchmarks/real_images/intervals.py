"""Strata with 95 % intervals from the scores per case, in the form that placement.json has them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from focalseg.evaluation.significance import measure_difference
from focalseg.evaluation.statistics import Estimate, estimate_mean
from focalseg.records.outcome.claims import TAIL
from real_images.cases import sort_arms
from real_images.strata import STRATA, Part, list_values, measure_rescue

Found = dict[str, dict[str, Any]]


def measure_strata(parts: Mapping[str, Part], *, overlap: float, tail: float = TAIL) -> Found:
    """Every stratum that some case takes part in: of each arm `value`, `low`, `high`, `cases`; of each pair the first three.

    Pairs: placed with every other arm, then each of those with none. overlap: the mean share of training groups that two folds
    have in common. tail: what an interval leaves out on each side.
    """
    found: Found = {}
    for stratum in STRATA:
        tables = {arm: _table(part, stratum) for arm, part in parts.items()}
        if not tables or not tables[next(iter(tables))][0].size:
            continue
        arms = {}
        for arm, (scores, groups, folds) in tables.items():
            estimate = estimate_mean(scores, groups, folds=folds, span=(0.0, 1.0), overlap=overlap, tail=tail)
            arms[arm] = {**show(estimate), "cases": scores.shape[1]}
        differences = {}
        for one, other in list_pairs(parts):
            (first, groups, folds), second = tables[one], tables[other][0]
            difference = measure_difference(first, second, groups, folds, overlap=overlap, tail=tail)
            differences[f"{one} - {other}"] = show(difference.estimate)
        found[stratum] = {"arms": arms, "differences": differences}
    return found


def measure_rescues(parts: Mapping[str, Part]) -> dict[str, dict[str, float]]:
    """Of every pair the two summands of the difference in Dice with the object: `rescued` and `others`."""
    return {f"{one} - {other}": dict(zip(("rescued", "others"), measure_rescue(parts[one], parts[other]), strict=True))
            for one, other in list_pairs(parts)}  # fmt: skip


def list_pairs(arms: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Placed with every other arm, where it is there, then each of those with none."""
    others = [arm for arm in sort_arms(arms) if arm not in ("none", "placed")]
    placed = [("placed", arm) for arm in ("none", *others)] if "placed" in arms else []
    return placed + [(arm, "none") for arm in others]


def show(estimate: Estimate) -> dict[str, float]:
    """An estimate as placement.json has it."""
    return {"value": float(estimate.mean), "low": float(estimate.low), "high": float(estimate.high)}


def share_training(folds: int) -> float:
    """The mean share of training groups that two of the folds have in common.

    Fold f tests part f and validates on the next one. Two folds that are neighbours, a share 2 / (folds - 1) of all pairs,
    leave out three parts together, others four; of the folds - 2 parts of one the other then has folds - 3 or folds - 4.
    """
    return max(folds - 3, 0) / (folds - 1)


def _table(part: Part, stratum: str) -> tuple[np.ndarray, list[str], list[int]]:
    """Scores (trainings, cases), the folds side by side and row s some training of each; group and fold of every column."""
    values = list_values(part, stratum)
    blocks, groups, columns = [], [], []
    for fold in sorted({fold for fold, _, _ in values}):
        seeds = sorted({seed for number, seed, _ in values if number == fold})
        cases = sorted({case for number, _, case in values if number == fold})
        blocks.append(np.array([[values[fold, seed, case] for case in cases] for seed in seeds]))
        groups += [part[fold, seeds[0], case].group for case in cases]
        columns += [fold] * len(cases)
    return (np.concatenate(blocks, axis=1) if blocks else np.empty((0, 0))), groups, columns
