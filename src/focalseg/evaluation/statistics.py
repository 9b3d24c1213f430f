"""How sure a mean over cases is, when seeds differ and cases come in groups."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from focalseg.evaluation.student import normal_quantile, student_quantile
from focalseg.records.estimate import Estimate, SeedNoise

REPLICATES = 4000
SCORE_SPAN, DIFFERENCE_SPAN = (0.0, 1.0), (-1.0, 1.0)
TAIL = 0.025
"""What an interval leaves out on each side."""
ROUNDING = 1e-12
FEW_GROUPS = 6
"""Fewer groups than these make an interval more than 1.4 times as wide as many would, by Student's t alone."""
_BATCH = 500  # replicates drawn at a time, so that ten thousand groups fit into memory
_FEW_ENOUGH_TO_KEEP = 500  # groups, whose draws take 16 MB


@dataclass(frozen=True, kw_only=True)
class StandardError:
    """Standard error of a mean over trainings and groups, and the degrees of freedom that it has been found with."""

    error: float
    freedom: float


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
    benchmarks/coverage.py measures how often the interval holds the truth. Sources: Davison and Hinkley 1997, section 3.8, for
    drawing groups whole; Cameron, Gelbach and Miller 2011 for two ways of clustering.
    """
    table, sums, sizes = _sum_groups(scores, groups)
    mean = float(table.mean())
    if not table.any():
        return Estimate(mean=0.0, low=0.0, high=0.0)
    if len(sizes) == 1:
        return Estimate(mean=mean, low=span[0], high=span[1])
    standard = estimate_standard_error(table, groups, folds, overlap=overlap)
    replicates = _replicate_means(sums, sizes, seed)
    spread = float(replicates.std())
    if standard.error <= ROUNDING or spread <= ROUNDING:
        return Estimate(mean=mean, low=mean, high=mean)
    if len(sizes) == 2:
        high = student_quantile(standard.freedom, tail) * standard.error
        low = -high
    else:
        # The shape is that of the percentiles of 95 %: those further out would hang on a few replicates.
        stretch = student_quantile(standard.freedom, tail) / normal_quantile(TAIL) * standard.error / spread
        apart = np.sort(replicates - mean)
        low, high = (_find_quantile(apart, share) * stretch for share in (TAIL, 1 - TAIL))
    return Estimate(mean=mean, low=max(mean + min(low, 0.0), span[0]), high=min(mean + max(high, 0.0), span[1]))


def estimate_standard_error(
    scores: np.ndarray, groups: Sequence[str], folds: Sequence[int] = (), *, overlap: float = 0.0
) -> StandardError:
    """Standard error of the mean of scores (S, N) over new trainings and new groups, with its degrees of freedom.

    Its square is V_groups + max(V_trainings - V_interaction, 0): V_groups is the jackknife over groups, V_trainings the
    variance of the trainings' means over S, and V_interaction what chance does for each training and group alone, which both
    of them hold and which counts once. Degrees of freedom by Satterthwaite, S - 1 for trainings and those of Bell and
    McCaffrey for groups (their number less one when they are of one size, fewer when some are large), and never below the
    lesser of the two. One training: V_groups alone. One group: error inf, with one degree of freedom.

    folds (N,): which fold tested each case. With two folds and more there is a second error, of new folds as well, and the one
    that gives the wider 95 % interval is taken. Its square is V_folds + max(V_groups - V_cells, 0), a cell being a group in a
    fold: V_folds, the jackknife over folds with Bell and McCaffrey's degrees of freedom, holds all that strikes a fold, its
    trainings and its groups too, and what is added is nothing unless several folds test the same groups. The wider one, since
    few folds that happen to agree are no proof that folds do.
    Sources: Cameron, Gelbach and Miller 2011, the two-way variance, its correction term from the residuals of the two-way
    analysis of variance; Bell and McCaffrey 2002; MacKinnon, Nielsen and Webb 2023 for the jackknife; Satterthwaite 1946.
    """
    table, sums, sizes = _sum_groups(scores, groups)
    if not table.any():
        return StandardError(error=0.0, freedom=1.0)
    if len(sizes) == 1:
        return StandardError(error=np.inf, freedom=1.0)
    standard = _standard_error(sums, sizes)
    if len(set(folds)) < 2:
        return standard
    of_folds = _standard_error_of_folds(table, groups, folds)
    # Folds that share what they were trained on differ by less than new data sets would.
    widened = StandardError(error=of_folds.error * (1 + len(set(folds)) * overlap / 2) ** 0.5, freedom=of_folds.freedom)
    both = (standard, widened)
    return max(both, key=lambda one: _student_over_normal(one.freedom) * one.error)


def measure_seed_noise(scores: np.ndarray, folds: Sequence[int] = ()) -> SeedNoise:
    """How much the mean over cases of one arm's scores (S, N) varies from training to training, everything else the same.

    range_of_difference is the prediction interval for the difference of two further trainings, t(0.975, S - 1) * sqrt(2) *
    deviation: a difference of two single trainings that is no larger may be luck. folds (N,): which fold tested each case; a
    training is of one fold, so that the variance is the mean of those within the F folds, with (S - 1) F degrees of freedom.
    """
    table = np.atleast_2d(np.asarray(scores, dtype=float))
    _, sums, sizes = _sum_groups(table, folds or [0] * table.shape[1])
    trainings = len(table)
    if trainings == 1:
        return SeedNoise(deviation=None, range_of_difference=None, trainings=1)
    deviation = float((sums / sizes).var(axis=0, ddof=1).mean()) ** 0.5
    quantile = _student_quantile((trainings - 1) * len(sizes))
    return SeedNoise(deviation=deviation, range_of_difference=quantile * 2**0.5 * deviation, trainings=trainings)


def _sum_groups(scores: np.ndarray, groups: Sequence[str] | Sequence[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The scores as (S, N), their sums over each group (S, G), and the sizes of the groups (G,). Folds are groups as well."""
    table = np.atleast_2d(np.asarray(scores, dtype=float))
    cases = table.shape[1]
    if cases != len(groups) or cases == 0:
        raise ValueError(
            f"There are {cases} scores a training and {len(groups)} groups or folds; expected one a score, at least one."
        )
    names: set[Any] = set(groups)
    number = {name: place for place, name in enumerate(sorted(names))}  # five times as fast as np.unique of texts
    membership = np.array([number[group] for group in groups])
    sums = np.stack([np.bincount(membership, weights=row) for row in table])
    return table, sums, np.bincount(membership).astype(float)


def _standard_error_of_folds(table: np.ndarray, groups: Sequence[str], folds: Sequence[int]) -> StandardError:
    """Standard error of the mean of scores (S, N) over new folds, of at least two, and new groups."""
    means = table.mean(axis=0)
    of_folds, folds_freedom = _jackknife(means, folds)
    of_groups, groups_freedom = _jackknife(means, groups)
    of_cells, _ = _jackknife(means, [f"{fold} {group}" for fold, group in zip(folds, groups, strict=True)])
    crossed = max(of_groups - of_cells, 0.0)
    return _satterthwaite(of_folds + crossed, (of_folds, folds_freedom), (crossed, groups_freedom))


def _standard_error(sums: np.ndarray, sizes: np.ndarray) -> StandardError:
    """estimate_standard_error from sums (S, G) of at least two groups' scores and their sizes (G,)."""
    return _add_parts(_split_variance(sums, sizes))


@dataclass(frozen=True, kw_only=True)
class _Parts:
    """Variances of a mean over trainings and groups, as estimate_standard_error has them. of_trainings: None for one."""

    trainings: float
    of_trainings: float | None
    of_groups: float
    of_interaction: float
    groups_freedom: float


def _split_variance(sums: np.ndarray, sizes: np.ndarray) -> _Parts:
    trainings = len(sums)
    of_trainings, of_interaction = None, 0.0
    if trainings > 1:
        of_trainings = float((sums.sum(axis=1) / sizes.sum()).var(ddof=1)) / trainings
        deviations = sums - sums.mean(axis=0)
        of_interaction = sum(_jackknife_variance(row, sizes) for row in deviations) / (trainings * (trainings - 1))
    return _Parts(
        trainings=trainings,
        of_trainings=of_trainings,
        of_groups=_jackknife_variance(sums.mean(axis=0), sizes),
        of_interaction=of_interaction,
        groups_freedom=_groups_freedom(sizes),
    )


def _add_parts(parts: _Parts) -> StandardError:
    if parts.of_trainings is None:
        return StandardError(error=parts.of_groups**0.5, freedom=parts.groups_freedom)
    variance = parts.of_groups + max(parts.of_trainings - parts.of_interaction, 0.0)
    return _satterthwaite(variance, (parts.of_trainings, parts.trainings - 1.0), (parts.of_groups, parts.groups_freedom))


def expect_standard_error(
    scores: np.ndarray, groups: Sequence[str] | Sequence[int], *, times_trainings: float = 1.0, times_groups: float = 1.0
) -> StandardError:
    """The standard error to be expected of so many times the trainings and groups, which vary as those of scores (S, N) do.

    The parts of estimate_standard_error shrink with what they are of: V_interaction with both, V_trainings without it with the
    trainings, V_groups without it with the groups. One training: times_trainings changes nothing, since nobody knows its part.
    Raises ValueError for fewer than two groups.
    """
    _, sums, sizes = _sum_groups(scores, groups)
    if len(sizes) < 2:
        raise ValueError("All cases are of one group, which tells nothing of others; expected two groups or more.")
    parts = _split_variance(sums, sizes)

    def shrink(part: float, times: float) -> float:
        crossed = min(parts.of_interaction, part)
        return (part - crossed) / times + crossed / (times_trainings * times_groups)

    return _add_parts(
        _Parts(
            trainings=parts.trainings * times_trainings,
            of_trainings=None if parts.of_trainings is None else shrink(parts.of_trainings, times_trainings),
            of_groups=shrink(parts.of_groups, times_groups),
            of_interaction=parts.of_interaction / (times_trainings * times_groups),
            groups_freedom=(parts.groups_freedom + 1) * times_groups - 1,
        )
    )


def _satterthwaite(variance: float, *parts: tuple[float, float]) -> StandardError:
    """parts: variances that make up the whole, each with its degrees of freedom; those of the whole are never fewer."""
    if variance == 0:
        return StandardError(error=0.0, freedom=1.0)
    freedom = variance**2 / sum(part**2 / of_part for part, of_part in parts)
    return StandardError(error=variance**0.5, freedom=max(freedom, min(of_part for _, of_part in parts)))


def _jackknife(scores: np.ndarray, groups: Sequence[str] | Sequence[int]) -> tuple[float, float]:
    """Variance of the mean of scores (N,) when groups are drawn anew, and its degrees of freedom."""
    _, sums, sizes = _sum_groups(scores, groups)
    return _jackknife_variance(sums[0], sizes), _groups_freedom(sizes)


def _jackknife_variance(sums: np.ndarray, sizes: np.ndarray) -> float:
    """Variance of the mean over cases when groups are drawn anew: each group left out in turn. sums and sizes (G,)."""
    total = sizes.sum()
    changes = (sums - sizes * sums.sum() / total) / (total - sizes)
    return float((changes**2).sum()) * (len(sizes) - 1) / len(sizes)


def _groups_freedom(sizes: np.ndarray) -> float:
    """Degrees of freedom of the jackknife over groups of these sizes (G,), were the cases independent.

    tr(M)^2 / tr(M^2), Bell and McCaffrey 2002, M the matrix of the jackknife as a quadratic form of independent sums; written
    out for a mean, where every trace is a sum over groups. G - 1 for groups of one size.
    """
    share = sizes / sizes.sum()
    weight = share / (1 - share) ** 2
    centre = (weight * share).sum()
    trace = weight.sum() - centre
    return float(trace**2 / ((weight**2).sum() - 2 * (weight**2 * share).sum() + centre**2))


def _replicate_means(sums: np.ndarray, sizes: np.ndarray, seed: int) -> np.ndarray:
    """Means of REPLICATES draws of as many trainings and groups as there are, with replacement."""
    trainings, groups = sums.shape
    draw = _draw_once if groups <= _FEW_ENOUGH_TO_KEEP else _draw_batches
    return np.concatenate(
        [
            ((training_counts @ sums) * group_counts).sum(axis=1) / (trainings * (group_counts @ sizes))
            for training_counts, group_counts in draw(trainings, groups, seed)
        ]
    )


def _find_quantile(values: np.ndarray, share: float) -> float:
    """What that share of sorted values (N,) lies below, between two of them in proportion."""
    # np.quantile gives the same to the last digit, and would load numpy.ma, which takes 0.02 of the half second that
    # `focalseg compare` has.
    low, part = divmod(share * (len(values) - 1), 1)
    below, above = float(values[int(low)]), float(values[min(int(low) + 1, len(values) - 1)])
    return below + (above - below) * part if part < 0.5 else above - (above - below) * (1 - part)


def _draw_batches(trainings: int, groups: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """How often each training and each group is drawn, batch by batch."""
    random = np.random.default_rng(seed)
    for _ in range(REPLICATES // _BATCH):
        yield _draw_counts(trainings, random), _draw_counts(groups, random)


@lru_cache(maxsize=2)
def _draw_once(trainings: int, groups: int, seed: int) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """The same, kept: the arms of a study and their differences are drawn alike, and drawing is most of the work."""
    return tuple(_draw_batches(trainings, groups, seed))


def _draw_counts(number: int, random: np.random.Generator) -> np.ndarray:
    """How often each of a number of things is drawn, (BATCH, number) float. Ten times as fast as Generator.multinomial."""
    drawn = random.integers(0, number, (_BATCH, number)) + number * np.arange(_BATCH)[:, None]
    return np.bincount(drawn.ravel(), minlength=_BATCH * number).reshape(_BATCH, number).astype(float)


def _student_over_normal(freedom: float) -> float:
    return _student_quantile(freedom) / normal_quantile(TAIL)


def _student_quantile(freedom: float) -> float:
    return student_quantile(freedom, TAIL)
