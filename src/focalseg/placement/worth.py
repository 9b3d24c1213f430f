"""What a site is worth once the noise of its removal cost is counted: shrinkage over the sites of a network.

A removal cost is a mean over validation cases. It would be another one with other groups of cases, other trainings, another
fold. `measure_noise` finds how much from the evidence itself, and `weigh_costs` shrinks the costs of all sites together: where
they vary no more than noise does, all are taken for nothing; one that stands out keeps nearly all that was measured.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from focalseg.evaluation.standard_error import estimate_standard_error
from focalseg.evaluation.student import normal_quantile, student_tail

SCALES = (0.02, 0.04, 0.08, 0.16, 0.32)
"""Standard deviations, in Dice, that the worth of sites which are worth something may have; their mixture is fitted."""
NULL_WEIGHT = 1.0
"""As many sites without any worth are taken to have been seen before, so that a few noisy costs do not pass for worth."""
GROUPS_FREEDOM, OTHERS_FREEDOM = 8.0, 20.0
"""Degrees of freedom that noise between groups, and between trainings and folds, has from all sites together, beside a site's
own. With two trainings a site's own has one: a site that one of them never learned to use would pass for noise, and be lost."""
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
    def cases(self) -> int:
        """How many cases, over all folds."""
        return sum(table.shape[1] for table in self.folds)

    @property
    def by_case(self) -> np.ndarray:
        """The mean over the trainings of its fold, for every case, fold after fold."""
        return np.concatenate([table.mean(axis=0) for table in self.folds])


@dataclass(frozen=True, kw_only=True)
class _Share:
    """How many times a variance a nearer look makes it: as one site tells it, with so many degrees of freedom."""

    ratio: float
    freedom: float


UNKNOWN = _Share(ratio=2.0, freedom=3.0)
"""What trainings and folds do where nothing tells: as much as groups. It counts as much as three sites with two trainings do:
one or two sites, of which a training learned little, are then not taken for noise."""


@dataclass(frozen=True, kw_only=True)
class Noise:
    """How sure a cost is. of_cases: the variance of its mean were cases independent. groups: times that for cases that come in
    groups; others: times that again for trainings and folds. The last two are None where nothing tells."""

    of_cases: float
    groups: _Share | None = None
    others: _Share | None = None


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
    by. One group in all: its cases stand for groups. One case alone, or cases that do not differ, tell no noise, and are
    taken at their word.
    """
    row = costs.by_case[np.newaxis]
    cases = row.shape[1]
    names = [name for groups in costs.groups for name in groups]
    if cases == 1 or float(np.ptp(row)) <= _EXACT:
        return Noise(of_cases=0.0)
    of_cases = float(row.var(ddof=1)) / cases
    grouped = 1 < len(set(names)) < cases
    by_group = estimate_standard_error(row, names if grouped else list(map(str, range(cases))))
    variance = by_group.error**2
    return Noise(
        of_cases=of_cases,
        groups=_Share(ratio=variance / of_cases, freedom=by_group.freedom),
        others=_compare_others(costs, variance),
    )


def _compare_others(costs: CostTable, of_groups: float) -> _Share | None:
    """Variance with trainings and folds over that of groups. of_groups: the latter."""
    if len(costs.folds) > 1:
        of_fold = [str(number) for number, table in enumerate(costs.folds) for _ in range(table.shape[1])]
        folds = estimate_standard_error(costs.by_case[np.newaxis], of_fold)
        return _Share(ratio=folds.error**2 / of_groups, freedom=folds.freedom)
    if (trainings := len(costs.folds[0])) > 1:
        between = float(costs.folds[0].mean(axis=1).var(ddof=1)) / trainings
        return _Share(ratio=1 + between / of_groups, freedom=trainings - 1.0)
    return None


def find_errors(costs: Mapping[str, CostTable]) -> dict[str, tuple[float, float]]:
    """The standard error of each cost, and its degrees of freedom.

    Sites share how many times larger groups, and then trainings and folds, make the noise of cases: a few groups and two
    trainings tell it of one site with few degrees of freedom. It is the median over sites, which one site that a training
    failed to learn does not move, weighted against a site's own. Moderated variances, Smyth 2004; that they are in proportion
    to the noise of cases, and the median in place of a fit, are ours.
    """
    noises = {name: measure_noise(table) for name, table in costs.items()}
    least = float(all(len(table.folds) == 1 for table in costs.values()))  # of one fold, the part of groups is in it for sure
    of_groups = _find_shared([noise.groups for noise in noises.values() if noise.groups])
    of_others = _find_shared([noise.others for noise in noises.values() if noise.others] + [UNKNOWN], least=least)
    found = {}
    for name, noise in noises.items():
        if noise.groups is None:
            found[name] = (_EXACT, math.inf)
            continue
        grouped = _moderate(noise.groups, of_groups, GROUPS_FREEDOM)
        others = _moderate(noise.others or _Share(ratio=0.0, freedom=0.0), of_others, OTHERS_FREEDOM)
        variance = noise.of_cases * max(grouped.ratio, 1.0) * max(others.ratio, 1.0)  # by luck alone they may look smaller
        found[name] = (
            max(math.sqrt(variance), _EXACT),
            min(grouped.freedom, others.freedom, max(costs[name].cases - 1.0, 1.0)),
        )
    return found


def _moderate(own: _Share, shared: float, weight: float) -> _Share:
    """A site's own ratio beside the one that all share, which weighs as so many degrees of freedom."""
    freedom = own.freedom + weight
    return _Share(ratio=(own.freedom * own.ratio + weight * shared) / freedom, freedom=freedom)


def _find_shared(shares: Sequence[_Share], *, least: float = 0.0) -> float:
    """The ratio that sites share: its median, where a site weighs as its degrees of freedom. least: the part without noise."""
    if not shares:
        return 1.0
    # The median of chi squared over its degrees of freedom, by Wilson and Hilferty, lies below its mean, which is 1.
    known = sorted(
        (least + (share.ratio - least) / (1 - 2 / (9 * max(share.freedom, 1.0))) ** 3, share.freedom) for share in shares
    )
    half, reached = sum(weight for _, weight in known) / 2, 0.0
    for ratio, weight in known:
        reached += weight
        if reached >= half:
            return ratio
    return known[-1][0]


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
        likely = _responsibilities(means[number : number + 1], normal[number : number + 1], shares)[0].tolist()
        shrink = [scale**2 / (scale**2 + float(normal[number]) ** 2) for scale in (0.0, *SCALES)]
        centres, spreads = [mean * one for one in shrink], [float(normal[number]) * math.sqrt(one) for one in shrink]
        found[name] = Worth(
            measured=mean,
            error=errors[name][0],
            freedom=errors[name][1],
            expected=sum(share * centre for share, centre in zip(likely, centres, strict=True)),
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


def _exceed(likely: Sequence[float], centres: Sequence[float], spreads: Sequence[float], bound: float) -> float:
    """The chance that a draw of the mixture is at least the bound."""
    # Plain numbers: NumPy takes ten times as long for six of them.
    return sum(
        share * (float(centre >= bound) if spread == 0 else math.erfc((bound - centre) / spread / math.sqrt(2)) / 2)
        for share, centre, spread in zip(likely, centres, spreads, strict=True)
    )


def _find_quantile(likely: Sequence[float], centres: Sequence[float], spreads: Sequence[float], share: float) -> float:
    """What so large a share of the mixture lies below, by bisection."""
    reach = 10 * max(spreads)
    low, high = min(centres) - reach, max(centres) + reach
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if 1 - _exceed(likely, centres, spreads, middle) < share else (low, middle)
    return (low + high) / 2


def pool_costs(tables: Sequence[tuple[int, Sequence[float], Sequence[str]]]) -> CostTable:
    """One cost from several trainings: of each its fold, the cost of every case, and the groups of the cases."""
    folds = sorted({fold for fold, _, _ in tables})
    rows = {fold: [np.asarray(costs, dtype=float) for own, costs, _ in tables if own == fold] for fold in folds}
    groups = {fold: tuple(next(names for own, _, names in tables if own == fold)) for fold in folds}
    return CostTable(folds=tuple(np.stack(rows[fold]) for fold in folds), groups=tuple(groups[fold] for fold in folds))
