"""What a site is worth once the noise of its removal cost is counted: shrinkage over the sites of a network.

A removal cost is a mean over validation cases. It would be another one with other groups of cases, other trainings, another
fold. `measure_noise` finds how much from the evidence itself, and `weigh_costs` shrinks the costs of all sites together: where
they vary no more than noise does, all are taken for nothing; one that stands out keeps nearly all that was measured.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from focalseg.evaluation.statistics import estimate_standard_error
from focalseg.evaluation.student import normal_quantile, student_tail

SCALES = (0.02, 0.04, 0.08, 0.16, 0.32)
"""Standard deviations, in Dice, that the worth of sites which are worth something may have; their mixture is fitted."""
NULL_WEIGHT = 1.0
"""As many sites without any worth are taken to have been seen before, so that a few noisy costs do not pass for worth. What more
or fewer do is in benchmarks/results/null_verdicts.md."""
POOLED_FREEDOM = 20.0
"""Degrees of freedom that noise between trainings and folds has from all sites together, beside a site's own. With two trainings
a site's own has one: a training that never learned to use a site would pass for noise, and its needed site would be lost."""
UNKNOWN_RATIO, UNKNOWN_FREEDOM = 2.0, 3.0
"""Variance of a cost over that due to groups alone where nothing tells: trainings vary as much as groups do. It counts as much
as three sites with two trainings do, so that one or two sites, of which a training learned little, are not taken for noise."""
_LEAST_TAIL = 1e-15
_EXACT = 1e-9
"""The standard error of what does not vary at all."""


@dataclass(frozen=True, kw_only=True)
class CostTable:
    """One cost as the folds measured it. folds: of each fold (trainings, cases); groups: of each fold that of every case."""

    folds: tuple[np.ndarray, ...]
    groups: tuple[tuple[str, ...], ...]

    @property
    def mean(self) -> float:
        """Over all cases of all folds, each the mean over its trainings."""
        return float(self.by_case.mean())

    @property
    def by_case(self) -> np.ndarray:
        """The mean over the trainings of its fold, for every case, fold after fold."""
        return np.concatenate([table.mean(axis=0) for table in self.folds])


@dataclass(frozen=True, kw_only=True)
class Noise:
    """How sure a cost is. of_groups: variance due to groups of cases; freedom: its degrees of freedom. ratio: variance with
    trainings and folds over that of groups alone, None where nothing tells; ratio_freedom: its degrees of freedom."""

    of_groups: float
    freedom: float
    ratio: float | None
    ratio_freedom: float


@dataclass(frozen=True, kw_only=True)
class Worth:
    """What a site is worth in Dice. measured: its cost, with a standard error of so many degrees of freedom. expected: the mean
    of what it is worth after shrinkage, of which 95 % lies from low to high. probability: that it is worth the price."""

    measured: float
    error: float
    freedom: float
    expected: float
    low: float
    high: float
    probability: float

    @property
    def exact(self) -> bool:
        """Whether no noise is known, as of a single case: what was measured is taken at its word."""
        return self.error <= _EXACT

    def pays(self, price: float) -> bool:
        """Whether it is expected to be worth the price, and is so more likely than not."""
        return self.expected >= price and self.probability >= 1 / 2


def measure_noise(costs: CostTable) -> Noise:
    """The noise of a mean cost, from its groups, trainings and folds.

    Several folds: the jackknife over folds holds all that strikes one, its trainings too. One fold: what its trainings differ
    by. One group in all: its cases stand for groups; one case alone tells no noise, and is taken at its word.
    """
    row = costs.by_case[np.newaxis]
    names = [name for groups in costs.groups for name in groups]
    if len(set(names)) == 1:
        names = list(map(str, range(len(names))))
    if len(names) == 1 or float(np.ptp(row)) <= _EXACT:
        return Noise(of_groups=0.0, freedom=1.0, ratio=None, ratio_freedom=0.0)
    groups = estimate_standard_error(row, names)
    variance = groups.error**2
    ratio, freedom = None, 0.0
    if len(costs.folds) > 1:
        of_fold = [str(number) for number, table in enumerate(costs.folds) for _ in range(table.shape[1])]
        folds = estimate_standard_error(row, of_fold)
        ratio, freedom = folds.error**2 / variance, folds.freedom
    elif (trainings := len(costs.folds[0])) > 1:
        means = costs.folds[0].mean(axis=1)
        ratio, freedom = 1 + float(means.var(ddof=1)) / trainings / variance, trainings - 1.0
    return Noise(of_groups=variance, freedom=groups.freedom, ratio=ratio, ratio_freedom=freedom)


def find_errors(costs: Mapping[str, CostTable]) -> dict[str, tuple[float, float]]:
    """The standard error of each cost, and its degrees of freedom.

    Noise of trainings and folds is taken to be in proportion to that of groups, a proportion that sites share: the median over
    sites, which one site that a training failed to learn does not move, weighted against a site's own. Moderated variances,
    Smyth 2004; the proportion, and the median in place of a fit, are ours.
    """
    noises = {name: measure_noise(table) for name, table in costs.items()}
    of_one_fold = all(len(table.folds) == 1 for table in costs.values())
    shared = _share_ratio([noise for noise in noises.values() if noise.ratio is not None], least=float(of_one_fold))
    found = {}
    for name, noise in noises.items():
        own, freedom = (noise.ratio or 0.0), noise.ratio_freedom
        ratio = max(1.0, (POOLED_FREEDOM * shared + freedom * own) / (POOLED_FREEDOM + freedom))
        error = max(math.sqrt(noise.of_groups * ratio), _EXACT)
        found[name] = (error, min(noise.freedom, POOLED_FREEDOM + freedom) if noise.of_groups else math.inf)
    return found


def _share_ratio(noises: Sequence[Noise], *, least: float) -> float:
    """The ratio that sites share: its median, where a site weighs as its degrees of freedom. least: the part without noise,
    which is that of groups where there is one fold."""
    # The median of chi squared over its degrees of freedom, by Wilson and Hilferty, lies below its mean, which is 1.
    known = [
        (least + ((noise.ratio or 0.0) - least) / (1 - 2 / (9 * max(noise.ratio_freedom, 1.0))) ** 3, noise.ratio_freedom)
        for noise in noises
    ]
    known = sorted([*known, (UNKNOWN_RATIO, UNKNOWN_FREEDOM)])
    half, reached = sum(weight for _, weight in known) / 2, 0.0
    for ratio, weight in known:
        reached += weight
        if reached >= half:
            return max(1.0, ratio)
    return UNKNOWN_RATIO


def weigh_costs(costs: Mapping[str, CostTable], price: float, *, null_weight: float = NULL_WEIGHT) -> dict[str, Worth]:
    """What each of these is worth, shrunk together. price: what it has to be worth.

    A mixture of nothing at all and of normal distributions of several scales is fitted to all costs and their errors, with as
    many nothings before as null_weight says (adaptive shrinkage, Stephens 2017). Student's errors are turned into normal ones
    that are as unlikely.
    """
    if not costs:
        return {}
    errors = find_errors(costs)
    means = np.array([table.mean for table in costs.values()])
    normal = np.array([_find_normal_error(mean, *errors[name]) for name, mean in zip(costs, means, strict=True)])
    shares = _fit_shares(means, normal, null_weight)
    found = {}
    for number, name in enumerate(costs):
        mean = float(means[number])
        if normal[number] <= _EXACT:
            chance = float(mean >= price)
            found[name] = Worth(
                measured=mean, error=_EXACT, freedom=math.inf, expected=mean, low=mean, high=mean, probability=chance
            )
            continue
        likely = _responsibilities(means[number : number + 1], normal[number : number + 1], shares)[0]
        shrink = np.array([scale**2 / (scale**2 + normal[number] ** 2) for scale in (0.0, *SCALES)])
        centres, spreads = mean * shrink, normal[number] * np.sqrt(shrink)
        found[name] = Worth(
            measured=mean,
            error=errors[name][0],
            freedom=errors[name][1],
            expected=float(likely @ centres),
            low=_find_quantile(likely, centres, spreads, 0.025),
            high=_find_quantile(likely, centres, spreads, 0.975),
            probability=_exceed(likely, centres, spreads, price),
        )
    return found


def find_chance_below(mean: float, error: float, freedom: float, bound: float) -> float:
    """The chance that a cost is below a bound, by its own noise alone: nothing is shrunk towards what is hoped for."""
    if error <= _EXACT:
        return float(mean < bound)
    distance = (bound - mean) / error
    tail = student_tail(min(freedom, 1e6), abs(distance))
    return 1 - tail if distance > 0 else tail


def _find_normal_error(mean: float, error: float, freedom: float) -> float:
    """The normal standard error at which a mean is as many errors from 0 as Student's t makes it unlikely."""
    if mean == 0 or error <= _EXACT or math.isinf(freedom):
        return error
    tail = student_tail(freedom, abs(mean) / error)
    return error if tail >= 0.49 else abs(mean) / normal_quantile(max(tail, _LEAST_TAIL))


def _responsibilities(means: np.ndarray, errors: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """How likely each cost is of nothing, and of each scale, (costs, 1 + scales)."""
    variance = np.square((0.0, *SCALES)) + errors[:, np.newaxis] ** 2
    logs = np.log(np.maximum(shares, 1e-300)) - (np.log(variance) + means[:, np.newaxis] ** 2 / variance) / 2
    weights = np.exp(logs - logs.max(axis=1, keepdims=True))
    found: np.ndarray = weights / weights.sum(axis=1, keepdims=True)
    return found


def _fit_shares(means: np.ndarray, errors: np.ndarray, null_weight: float) -> np.ndarray:
    """The share of nothing and of each scale among the sites, by expectation and maximisation."""
    shares = np.full(1 + len(SCALES), 1 / (1 + len(SCALES)))
    for _ in range(200):
        counts = _responsibilities(means, errors, shares).sum(axis=0)
        counts[0] += null_weight
        after = counts / counts.sum()
        if np.abs(after - shares).max() < 1e-6:
            break
        shares = after
    return shares


def _exceed(likely: np.ndarray, centres: np.ndarray, spreads: np.ndarray, bound: float) -> float:
    """The chance that a draw of the mixture is at least the bound."""
    above = [
        float(centre >= bound) if spread == 0 else math.erfc((bound - centre) / spread / math.sqrt(2)) / 2
        for centre, spread in zip(centres, spreads, strict=True)
    ]
    return float(likely @ np.array(above))


def _find_quantile(likely: np.ndarray, centres: np.ndarray, spreads: np.ndarray, share: float) -> float:
    """What so large a share of the mixture lies below, by bisection."""
    low, high = float((centres - 10 * spreads).min()), float((centres + 10 * spreads).max())
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if 1 - _exceed(likely, centres, spreads, middle) < share else (low, middle)
    return (low + high) / 2


def pool_costs(tables: Sequence[tuple[int, Sequence[float], Sequence[str]]]) -> CostTable:
    """One cost from several trainings: of each its fold, the cost of every case, and the groups of the cases."""
    folds = sorted({fold for fold, _, _ in tables})
    rows = {fold: [np.asarray(costs, dtype=float) for own, costs, _ in tables if own == fold] for fold in folds}
    groups = {fold: tuple(next(names for own, _, names in tables if own == fold)) for fold in folds}
    return CostTable(folds=tuple(np.stack(rows[fold]) for fold in folds), groups=tuple(groups[fold] for fold in folds))
