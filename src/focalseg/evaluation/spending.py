"""Looking more than once: how much of the error each look may spend, so that all of them together keep to it."""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from focalseg.evaluation.student import normal_quantile, normal_tail

LEAST_TAIL = 1e-12
_REACH = 8.0  # standard deviations, beyond which nothing is left
_PLACES = 401


def spend_error(fraction: float, *, error: float = 0.025) -> float:
    """How much of the one-sided error may be spent up to this fraction of the information, above 0 and at most 1.

    2 (1 - Phi(z(error / 2) / sqrt(fraction))): next to nothing early, all of it at 1. Source: Lan and DeMets 1983, the spending
    function of O'Brien and Fleming's type.
    """
    if not 0 < fraction <= 1:
        raise ValueError(f"The fraction of the information is {fraction}; expected one above 0 and at most 1.")
    return 2 * normal_tail(normal_quantile(error / 2) / fraction**0.5)


def find_tails(fractions: Sequence[float], *, error: float = 0.025, spent: Sequence[float] | None = None) -> tuple[float, ...]:
    """The one-sided error, tail, of each look, given at which fractions of the information one looked and looks now.

    fractions: rising, the last at most 1, planned or not: the tail of a look depends on those before it alone. An interval that
    leaves out tail on each side may be claimed from at every look, and the chance of one false claim or more is error on each
    side. Where looks hold more of the information than said, being more alike, it is less. Never below LEAST_TAIL, where no
    claim is possible. spent: what all looks up to each may spend together, rising, instead of what `spend_error` gives; what it
    follows must not be what was found. Sources: Lan and DeMets 1983; Armitage, McPherson and Rowe 1969 for the integration.
    """
    if not fractions or any(later <= earlier for earlier, later in pairwise((0.0, *fractions))) or fractions[-1] > 1:
        raise ValueError(f"The fractions of the information are {list(fractions)}; expected rising ones above 0 and up to 1.")
    goals = [spend_error(fraction, error=error) for fraction in fractions] if spent is None else list(spent)
    tails: list[float] = []
    so_far, before = 0.0, 0.0
    # What is followed is the sum of the data so far, a Brownian motion at time `fraction`: its density, below the boundaries.
    places, density = np.zeros(1), np.ones(1)
    for fraction, goal in zip(fractions, goals, strict=True):
        deviation = (fraction - before) ** 0.5
        may_spend = goal - so_far
        boundary = _find_boundary(places, density, deviation, may_spend)
        tails.append(max(normal_tail(boundary / fraction**0.5), LEAST_TAIL))
        reached = np.linspace(min(-_REACH * fraction**0.5, boundary - 1), boundary, _PLACES)
        apart = (reached[:, None] - places) / deviation
        density = (np.exp(-apart * apart / 2) @ density) / (deviation * (2 * np.pi) ** 0.5) * _weigh(reached)
        places, so_far, before = reached, goal, fraction
    return tuple(tails)


def _find_boundary(places: np.ndarray, density: np.ndarray, deviation: float, may_spend: float) -> float:
    """What the sum exceeds next with a probability of may_spend, having been at places (P,) with these probabilities (P,)."""
    low, high = -_REACH, 4 * _REACH
    for _ in range(80):
        middle = (low + high) / 2
        exceeds = math.fsum(
            one * normal_tail((middle - place) / deviation)
            for place, one in zip(places.tolist(), density.tolist(), strict=True)
        )
        low, high = (middle, high) if exceeds > may_spend else (low, middle)
    return high


def _weigh(places: np.ndarray) -> np.ndarray:
    """Simpson's weights of evenly spaced places (P,), an odd number."""
    weights = np.full(len(places), 2.0)
    weights[1::2] = 4.0
    weights[[0, -1]] = 1.0
    weights *= (places[1] - places[0]) / 3
    return weights
