"""How sure a mean over cases is, when seeds differ and cases come in groups."""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np

from focalseg.evaluation.standard_error import estimate_standard_error, read_table, sum_by
from focalseg.evaluation.student import normal_quantile, student_quantile
from focalseg.records.estimate import Estimate, SeedNoise
from focalseg.records.outcome.claims import TAIL

_DRAWS, _ORDERS = 4000, 10
REPLICATES = _DRAWS * _ORDERS
SCORE_SPAN, DIFFERENCE_SPAN = (0.0, 1.0), (-1.0, 1.0)
ROUNDING = 1e-12
FEW_GROUPS = 6
"""Fewer groups than these make an interval more than 1.4 times as wide as many would, by Student's t alone."""
_BATCH = 500  # draws made at a time, so that ten thousand groups fit into memory
_FEW_ENOUGH_TO_KEEP = 500  # groups, whose draws take 16 MB


def estimate_mean(
    scores: np.ndarray,
    groups: Sequence[str],
    *,
    folds: Sequence[int] = (),
    span: tuple[float, float] = (-np.inf, np.inf),
    seed: int = 0,
    overlap: float = 0.0,
    tail: float = TAIL,
) -> Estimate:
    """Mean over cases and seeds of scores (S, N), S trainings and N cases in their groups, with a 95 % interval.

    Hierarchical bootstrap: trainings and groups are drawn anew independently, since every training scores the same cases. The
    cases of a group come with it, in the cluster bootstrap's way: its sum carries their noise, and drawing them again would
    count it twice. The percentiles are too narrow for few trainings or groups (with three, a fluke on all three would pass for
    proof), so they are stretched about the mean to the standard error of estimate_standard_error and to Student's t in place
    of the normal. One training: its own noise is unknown and not in the interval, which then speaks of new cases for this
    training. Two groups: their draws have three values and no shape to go by, so the interval is Student's. One group: nothing
    tells how groups differ, and the interval is all of span, the range in which a score can lie.

    Folds: their scores stand side by side along the cases, row s holding seed s of every fold; folds (N,) says which fold
    tested each case, empty where all are of one. All that a fold tests shares what was trained on and what was placed, and the
    interval is then the wider of two, see estimate_standard_error. Of one fold it speaks of that fold's training set alone.
    overlap: the mean share of training groups that two folds have in common. With it the interval speaks of new data sets like
    this one; at 0 it speaks of this data set, where folds share anything.

    tail: what it leaves out on each side, less where one looks more than once (evaluation.spending). The percentiles' shape is
    then that of 95 %, and Student's t of tail its reach: percentiles further out would hang on a few replicates.
    benchmarks/coverage.py measures how often the interval holds the truth. Sources: Davison and Hinkley 1997, section 3.8, for
    drawing groups whole; Cameron, Gelbach and Miller 2011 for two ways of clustering.
    """
    table, membership = read_table(scores, groups)
    sums, sizes = sum_by(table, membership)
    mean = float(table.mean())
    if not table.any():
        return Estimate(mean=0.0, low=0.0, high=0.0)
    if len(sizes) == 1:
        return Estimate(mean=mean, low=span[0], high=span[1])
    standard = estimate_standard_error(table, groups, folds, overlap=overlap, tail=tail)
    replicates = _replicate_means(sums, sizes, seed)
    spread = float(replicates.std())
    if standard.error <= ROUNDING or spread <= ROUNDING:
        return Estimate(mean=mean, low=mean, high=mean)
    if len(sizes) == 2:
        high = standard.reach(tail)
        low = -high
    else:
        stretch = standard.reach(tail) / (normal_quantile(TAIL) * spread)
        apart = np.sort(replicates - mean)
        low, high = (_find_quantile(apart, share) * stretch for share in (TAIL, 1 - TAIL))
    return Estimate(mean=mean, low=max(mean + min(low, 0.0), span[0]), high=min(mean + max(high, 0.0), span[1]))


def measure_seed_noise(scores: np.ndarray, folds: Sequence[int] = ()) -> SeedNoise:
    """How much the mean over cases of one arm's scores (S, N) varies from training to training, everything else the same.

    range_of_difference is the prediction interval for the difference of two further trainings, t(0.975, S - 1) * sqrt(2) *
    deviation: a difference of two single trainings that is no larger may be luck. folds (N,): which fold tested each case; a
    training is of one fold, so that the variance is the mean of those within the F folds, with (S - 1) F degrees of freedom.
    """
    table = np.atleast_2d(np.asarray(scores, dtype=float))
    sums, sizes = sum_by(*read_table(table, folds or [0] * table.shape[1]))
    trainings = len(table)
    if trainings == 1:
        return SeedNoise(deviation=None, range_of_difference=None, trainings=1)
    deviation = float((sums / sizes).var(axis=0, ddof=1).mean()) ** 0.5
    quantile = student_quantile((trainings - 1) * len(sizes), TAIL)
    return SeedNoise(deviation=deviation, range_of_difference=quantile * 2**0.5 * deviation, trainings=trainings)


def _replicate_means(sums: np.ndarray, sizes: np.ndarray, seed: int) -> np.ndarray:
    """Means of REPLICATES draws of as many trainings and groups as there are, with replacement."""
    trainings, groups = sums.shape
    random = np.random.default_rng([seed, 1])
    # Drawing is most of the work, so a draw serves _ORDERS times, the groups standing in another order each time: which group
    # is drawn how often is then another matter, and the noise of the percentiles is that of as many draws.
    orders = [random.permutation(groups) for _ in range(_ORDERS)]
    sums_in_orders = np.concatenate([sums[:, order] for order in orders]).T
    sizes_in_orders = np.stack([sizes[order] for order in orders], axis=1)
    means = []
    for counts in (_draw_once if groups <= _FEW_ENOUGH_TO_KEEP else _draw_batches)(groups, seed):
        totals = (counts @ sums_in_orders).reshape(-1, trainings)
        drawn = _draw_counts(len(totals), trainings, random)
        means.append(np.einsum("ij,ij->i", totals, drawn) / (trainings * (counts @ sizes_in_orders).ravel()))
    return np.concatenate(means)


def _find_quantile(values: np.ndarray, share: float) -> float:
    """What that share of sorted values (N,) lies below, between two of them in proportion."""
    # np.quantile gives the same to the last digit, and would load numpy.ma, which takes 0.02 of the half second that
    # `focalseg compare` has.
    low, part = divmod(share * (len(values) - 1), 1)
    below, above = float(values[int(low)]), float(values[min(int(low) + 1, len(values) - 1)])
    return below + (above - below) * part if part < 0.5 else above - (above - below) * (1 - part)


def _draw_batches(groups: int, seed: int) -> Iterator[np.ndarray]:
    """How often each group is drawn, batch by batch."""
    random = np.random.default_rng(seed)
    for _ in range(_DRAWS // _BATCH):
        yield _draw_counts(_BATCH, groups, random)


@lru_cache(maxsize=2)
def _draw_once(groups: int, seed: int) -> tuple[np.ndarray, ...]:
    """The same, kept: the arms of a study and their differences are drawn alike."""
    return tuple(_draw_batches(groups, seed))


def _draw_counts(draws: int, things: int, random: np.random.Generator) -> np.ndarray:
    """How often each of so many things is drawn, (draws, things) float. Ten times as fast as Generator.multinomial."""
    drawn = random.integers(0, things, (draws, things)) + things * np.arange(draws)[:, None]
    return np.bincount(drawn.ravel(), minlength=draws * things).reshape(draws, things).astype(float)
