"""The whole investigation: curves, maps and effect, and every number of it as plain data."""

from collections.abc import Callable
from dataclasses import dataclass, field, is_dataclass
from typing import Any

import numpy as np

from focalseg.configuration import CheckedConfig
from focalseg.focal_role.curves import Panel, compute_curves
from focalseg.focal_role.effect import Effect, measure_effect
from focalseg.focal_role.maps import FocalMaps, compute_maps
from focalseg.focal_role.trainings import MapBudget, TrainingBudget, plan_trials, run_trials
from focalseg.study.running.local import choose_workers

_SCHEMA = 1
_LINE_EVERY = 4
"""Trainings between two lines of progress."""


@dataclass(frozen=True, kw_only=True)
class FocalBudget(CheckedConfig):
    """What the maps and the trainings may take."""

    maps: MapBudget = field(default_factory=MapBudget)
    trainings: TrainingBudget = field(default_factory=TrainingBudget)


@dataclass(frozen=True, kw_only=True)
class FocalRole:
    """What the focal parameter does, in its three parts."""

    budget: FocalBudget
    curves: tuple[Panel, ...]
    maps: FocalMaps
    effect: Effect


def investigate_focal_role(budget: FocalBudget | None = None, *, tell: Callable[[str], None], workers: int = 0) -> FocalRole:
    """Computes all three parts on the CPU. tell: takes a line whenever there is progress. workers 0: as many as cores.

    The same budget gives the same numbers on the same machine.
    """
    budget = budget or FocalBudget()
    tell(f"maps: training one network with an attention gate, {budget.maps.steps} steps")
    maps = compute_maps(budget.maps)
    count = len(plan_trials(budget.trainings))
    tell(f"effect: {count} trainings of {budget.trainings.steps} steps on phantom:{budget.trainings.phantom}")

    def tell_count(done: int, of: int) -> None:
        if done % _LINE_EVERY == 0 or done == of:
            tell(f"effect: {done} of {of} trainings")

    outcomes = run_trials(budget.trainings, workers=workers or choose_workers(count, "cpu"), tell=tell_count)
    return FocalRole(budget=budget, curves=compute_curves(), maps=maps, effect=measure_effect(outcomes))


def list_numbers(role: FocalRole) -> dict[str, Any]:
    """Every number of the investigation, ready for JSON. Arrays are left out: they are pictures."""
    return {"schema": _SCHEMA, **to_plain(role)}


def to_plain(value: Any) -> Any:
    """Dataclasses and tuples as JSON has them, without arrays."""
    if is_dataclass(value):
        return {name: to_plain(part) for name, part in vars(value).items() if not isinstance(part, np.ndarray)}
    return [to_plain(part) for part in value] if isinstance(value, tuple) else value
