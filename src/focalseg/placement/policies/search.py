"""What a policy may ask for before it decides, and what it answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from focalseg.records.evidence import Evidence

Layout = Mapping[str, str]
"""Kind of gate by site."""
SMALLEST_WORTH = 0.01
"""Dice that a site, or a set of them, has to be worth: the margin of "as good as", fixed beforehand."""


class Search(Protocol):
    """Answers a policy's questions with trainings, whose number is the price of the policy. Test data is out of its reach."""

    @property
    def candidates(self) -> Layout:
        """Every site where attention could do something, with the gate tried there, in the order of the network."""

    @property
    def seed(self) -> int:
        """For policies that draw."""

    def probe(self, exponents: str) -> Sequence[Evidence]:
        """Evidence of trainings, one or more, of all candidates at once, their exponents under that regime of `REGIMES`."""

    def score(self, layouts: Sequence[Layout]) -> Sequence[np.ndarray]:
        """Validation Dice (trainings, cases) of each layout, trained by itself; rows and columns are alike for all layouts.

        The row of a training that ended predicting nothing is nan: it tells nothing of the layout.
        """


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What a policy decided. reasons: why, in a few words, by site, for every candidate. shut: skips where nothing shall pass.

    evidence: what it was decided on, where that was evidence on sites.
    """

    kept: tuple[str, ...]
    reasons: Mapping[str, str]
    shut: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()


def mean_dice(search: Search, layouts: Sequence[Layout]) -> list[float]:
    """Mean validation Dice of each layout over the trainings that collapsed for none of them; where there is no such training,
    of each over its own that did not, and 0 where all of them did."""
    scores = search.score(layouts)
    told = np.array([~np.isnan(rows).any(axis=1) for rows in scores])
    shared = told.all(axis=0)
    rows_of = [shared if shared.any() else own for own in told]
    return [float(one[rows].mean()) if rows.any() else 0.0 for one, rows in zip(scores, rows_of, strict=True)]


def choose_leanest(search: Search, layouts: Sequence[Layout]) -> tuple[int, list[float]]:
    """Which of the layouts is the leanest that is as good as the best, and the mean validation Dice of each.

    As good: within 0.01 Dice of the best. Of layouts with as few sites the better one.
    """
    dice = mean_dice(search, layouts)
    good = [number for number, value in enumerate(dice) if value >= max(dice) - SMALLEST_WORTH]
    return min(good, key=lambda number: (len(layouts[number]), -dice[number])), dice
