"""What a policy may ask before it decides, and what it answers in the end.

A policy is a generator: `evidence = yield Probe("dropout")` waits until that question has its answer, and what the policy
returns is its choice. Who drives it decides where the answers come from: trainings, a table of scores, evidence at hand.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from focalseg.records.evidence import Evidence

Given = TypeVar("Given")
Returned = TypeVar("Returned")
Layout = Mapping[str, str]
"""Kind of gate by site."""
SMALLEST_WORTH = 0.01
"""Dice that a site, or a set of them, has to be worth: the margin of "as good as", fixed beforehand."""


@dataclass(frozen=True, kw_only=True)
class Search:
    """What a policy starts from. everywhere: the layout with a gate at every site where attention could do something, in the
    order of the network. seed: for policies that draw."""

    everywhere: Layout
    seed: int = 0


@dataclass(frozen=True)
class Probe:
    """Asks for the evidence of trainings, one or more, with a gate at every site and their exponents under that regime of
    `REGIMES`. The answer is a tuple of Evidence."""

    exponents: str


@dataclass(frozen=True)
class Score:
    """Asks for the validation Dice of each layout, trained by itself. Test data is out of reach.

    The answer is an array (trainings, cases) per layout, whose rows and columns are alike for all layouts. The row of a
    training that ended predicting nothing is nan: it tells nothing of the layout.
    """

    layouts: Sequence[Layout]


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What a policy decided. reasons: why, in a few words, by site, for every candidate. shut: skips where nothing shall pass.

    evidence: what it was decided on, where that was evidence on sites.
    """

    kept: tuple[str, ...]
    reasons: Mapping[str, str]
    shut: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()


Course = Generator[Probe | Score, Any, Choice]
"""A policy at work: it gives questions, is sent their answers, and returns its choice."""


def ask(course: Generator[Given, Any, Returned], answer: Any = None) -> Given | Returned:
    """What a policy, or another generator, gives next once it has this answer to its last question; in the end what it
    returns."""
    try:
        return course.send(answer)
    except StopIteration as end:
        returned: Returned = end.value
        return returned


def follow(
    course: Course,
    *,
    probe: Callable[[str], tuple[Evidence, ...]],
    score: Callable[[Sequence[Layout]], Sequence[np.ndarray]],
) -> Choice:
    """The choice of a policy whose every question is answered at once. probe, score: the answers, by exponents and layouts."""
    step = ask(course)
    while not isinstance(step, Choice):
        step = ask(course, probe(step.exponents) if isinstance(step, Probe) else score(step.layouts))
    return step


def mean_dice(scores: Sequence[np.ndarray]) -> list[float]:
    """Mean validation Dice of each layout over the trainings that collapsed for none of them; where there is no such training,
    of each over its own that did not, and 0 where all of them did. scores: as `Score` is answered."""
    told = np.array([~np.isnan(rows).any(axis=1) for rows in scores])
    shared = told.all(axis=0)
    rows_of = [shared if shared.any() else own for own in told]
    return [float(one[rows].mean()) if rows.any() else 0.0 for one, rows in zip(scores, rows_of, strict=True)]


def choose_leanest(layouts: Sequence[Layout], dice: Sequence[float]) -> int:
    """Which of the layouts is the leanest that is as good as the best: within 0.01 Dice of it. Of those with as few sites the
    better one."""
    good = [number for number, value in enumerate(dice) if value >= max(dice) - SMALLEST_WORTH]
    return min(good, key=lambda number: (len(layouts[number]), -dice[number]))
