"""The standard error of a mean over trainings, groups and folds, of what there is and of what there could be."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from focalseg.evaluation.student import student_quantile
from focalseg.records.outcome.claims import TAIL

LEAST_SHARE = 1 / 3
"""Of the spread between folds that share training groups, at least this is taken to be their training sets'."""
_TWO = 1.5  # anything below is one, whatever rounding made of it


@dataclass(frozen=True, kw_only=True)
class StandardError:
    """Standard error of a mean over trainings and groups, and the degrees of freedom that it has been found with."""

    error: float
    freedom: float

    def reach(self, tail: float = TAIL) -> float:
        """Half the width of the interval that leaves out tail on each side, by Student's t."""
        return student_quantile(self.freedom, tail) * self.error


def estimate_standard_error(
    scores: np.ndarray, groups: Sequence[str], folds: Sequence[int] = (), *, overlap: float = 0.0, tail: float = TAIL
) -> StandardError:
    """Standard error of the mean of scores (S, N) over new trainings and new groups, with its degrees of freedom.

    Its square is V_groups + max(V_trainings - V_interaction, 0): V_groups is the jackknife over groups, V_trainings the
    variance of the trainings' means over S, and V_interaction what chance does for each training and group alone, which both
    of them hold and which counts once. Degrees of freedom by Satterthwaite, S - 1 for trainings and those of Bell and
    McCaffrey for groups (their number less one when they are of one size, fewer when some are large), and never below the
    lesser of the two. One training: V_groups alone. One group: error inf, with one degree of freedom.

    folds (N,): which fold tested each case. Every fold has trainings of its own, so that V_trainings and V_interaction are
    pooled from within the folds, with (S - 1) F degrees of freedom when folds are of one size. With two folds and more there is
    a second error, of new folds as well, and the one with the wider interval is taken, tail left out on each side: few folds
    that happen to agree are no proof that folds do. Its square is V_folds + V_shared + max(V_groups - V_cells, 0), a cell being
    a group in a fold: V_folds, the jackknife over folds with Bell and McCaffrey's degrees of freedom, holds all that strikes a
    fold, its trainings and its groups too, and the last part is nothing unless several folds test the same groups.

    overlap: the mean share of training groups that two folds have in common, from 0 and below 1. What a training set does is
    then common to the folds by this share r, and strikes their mean without showing between them:

        V_shared = F r / (1 - r) * share * V_folds
        share    = 1 - V_within / V_folds + sqrt(1 / (2 f)), from LEAST_SHARE to 1

    share is the part of the spread between folds, f its degrees of freedom, that V_within, the noise of groups and trainings
    within folds, does not explain, and half a standard error of that spread more; benchmarks/coverage_overlap.py shows what
    the two numbers do. Neighbouring folds share more than others where a part validates in turn: V_shared has two thirds of f.
    Sources: Cameron, Gelbach and Miller 2011, the two-way variance, its correction term from the residuals of the two-way
    analysis of variance; Bell and McCaffrey 2002; MacKinnon, Nielsen and Webb 2023 for the jackknife; Satterthwaite 1946;
    Nadeau and Bengio 2003 for the question of overlap, whose answer, 1 / k + n_test / n_train, is too narrow where training
    sets matter. Raises ValueError for an overlap out of range.
    """
    if not 0 <= overlap < 1:
        raise ValueError(f"The overlap of folds is {overlap}; expected a share from 0 and below 1.")
    table, membership = read_table(scores, groups)
    if not table.any():
        return StandardError(error=0.0, freedom=1.0)
    if membership.max() == 0:
        return StandardError(error=np.inf, freedom=1.0)
    return _combine(_split_variance(table, membership, folds), overlap, tail)


def expect_standard_error(
    scores: np.ndarray,
    groups: Sequence[str] | Sequence[int],
    folds: Sequence[int] = (),
    *,
    overlap: float = 0.0,
    overlap_then: float | None = None,
    times_trainings: float = 1.0,
    times_groups: float = 1.0,
    times_folds: float = 1.0,
) -> StandardError:
    """The standard error to be expected of so many times the trainings, groups and folds, varying as scores (S, N) do.

    The parts of estimate_standard_error shrink with what they are of: V_interaction with trainings and groups, V_trainings
    without it with the trainings of all folds, V_groups without it with the groups. More folds test the same cases. What
    V_within does not explain of V_folds shrinks with folds and with groups, of which training sets are made, and not with
    trainings. overlap: of the folds as they are; overlap_then: of the folds to be, the same where it is None. One training:
    times_trainings changes nothing, since nobody knows its part; fewer than two to be leave their part out. Raises ValueError
    for fewer than two groups.
    """
    expect = plan_standard_error(scores, groups, folds, overlap=overlap)
    return expect(times_trainings, times_groups, times_folds, overlap if overlap_then is None else overlap_then)


def plan_standard_error(
    scores: np.ndarray, groups: Sequence[str] | Sequence[int], folds: Sequence[int] = (), *, overlap: float = 0.0
) -> Callable[[float, float, float, float], StandardError]:
    """expect_standard_error for many questions: of times_trainings, times_groups, times_folds and the overlap then."""
    table, membership = read_table(scores, groups)
    if membership.max() == 0:
        raise ValueError("All cases are of one group, which tells nothing of others; expected two groups or more.")
    parts = _split_variance(table, membership, folds)
    return lambda *times: _combine(_shrink_parts(parts, overlap, *times), times[-1], TAIL)


def _shrink_parts(parts: "_Parts", overlap: float, trainings: float, groups: float, folds: float, then: float) -> "_Parts":
    """The parts to be expected of so many times the trainings, groups and folds, and of another overlap then."""

    def shrink(part: float, times: float) -> float:
        crossed = min(parts.of_interaction, part)
        return (part - crossed) / times + crossed / (trainings * groups)

    within_groups, within_trainings = shrink(parts.within_groups, groups), parts.within_trainings / (trainings * folds)
    within, excess = parts.within_groups + parts.within_trainings, 0.0
    if parts.of_folds > within:
        excess = (parts.of_folds - within) / (folds * groups) * (1 - then) / (1 - overlap)
    # Folds that happen to vary by less than what is within them are expected to go on doing so.
    of_folds = min(parts.of_folds / within, 1.0) * (within_groups + within_trainings) + excess if within else excess
    # Of one training nobody knows what trainings differ by, and of one fold what folds do.
    alone, several = parts.trainings * trainings < _TWO, parts.folds * folds >= _TWO
    known = parts.of_trainings is not None and not alone
    return _Parts(
        trainings=parts.trainings * trainings,
        of_trainings=shrink(parts.of_trainings, trainings * folds) if known and parts.of_trainings is not None else None,
        of_groups=shrink(parts.of_groups, groups),
        of_interaction=parts.of_interaction / (trainings * groups),
        groups_freedom=(parts.groups_freedom + 1) * groups - 1,
        folds=parts.folds * folds if several else 1.0,
        of_folds=of_folds,
        folds_freedom=(parts.folds_freedom + 1) * folds - 1,
        within_groups=within_groups,
        within_trainings=within_trainings if known else 0.0,
        crossed=parts.crossed / groups,
    )


@dataclass(frozen=True, kw_only=True)
class _Parts:
    """Variances of a mean over trainings, groups and folds, as estimate_standard_error has them.

    of_trainings: None for one. folds: 1 over the sum of their squared shares of the cases, their number where they are of one
    size. within_groups, within_trainings: the two parts of V_within. crossed: of groups that several folds test.
    """

    trainings: float
    of_trainings: float | None
    of_groups: float
    of_interaction: float
    groups_freedom: float
    folds: float = 1.0
    of_folds: float = 0.0
    folds_freedom: float = 0.0
    within_groups: float = 0.0
    within_trainings: float = 0.0
    crossed: float = 0.0


def _combine(parts: _Parts, overlap: float, tail: float) -> StandardError:
    """The wider of the error of trainings and groups and that of folds."""
    standard = _add_parts(parts)
    if parts.folds == 1:
        return standard
    shared, freedom = _share_folds(parts, overlap)
    of_folds = _satterthwaite(
        parts.of_folds + shared + parts.crossed, (parts.of_folds + shared, freedom), (parts.crossed, parts.groups_freedom)
    )
    return max((standard, of_folds), key=lambda one: one.reach(tail))


def _share_folds(parts: _Parts, overlap: float) -> tuple[float, float]:
    """V_shared, and the degrees of freedom of V_folds + V_shared."""
    freedom = parts.folds_freedom
    if overlap == 0 or parts.of_folds == 0:
        return 0.0, freedom
    share = 1 - (parts.within_groups + parts.within_trainings) / parts.of_folds + (1 / (2 * freedom)) ** 0.5
    shared = parts.folds * overlap / (1 - overlap) * min(max(share, LEAST_SHARE), 1.0) * parts.of_folds
    # Both hang on the one spread between folds, so that their standard errors add up, not their squares.
    relative = (parts.of_folds / freedom**0.5 + shared / (freedom * 2 / 3) ** 0.5) / (parts.of_folds + shared)
    return shared, 1 / relative**2


def _add_parts(parts: _Parts) -> StandardError:
    if parts.of_trainings is None:
        return StandardError(error=parts.of_groups**0.5, freedom=parts.groups_freedom)
    variance = parts.of_groups + max(parts.of_trainings - parts.of_interaction, 0.0)
    freedom = (parts.trainings - 1) * parts.folds
    return _satterthwaite(variance, (parts.of_trainings, freedom), (parts.of_groups, parts.groups_freedom))


def _satterthwaite(variance: float, *parts: tuple[float, float]) -> StandardError:
    """parts: variances that make up the whole, each with its degrees of freedom; those of the whole are never fewer."""
    if variance == 0:
        return StandardError(error=0.0, freedom=1.0)
    freedom = variance**2 / sum(part**2 / of_part for part, of_part in parts)
    return StandardError(error=variance**0.5, freedom=max(freedom, min(of_part for _, of_part in parts)))


def _split_variance(table: np.ndarray, membership: np.ndarray, folds: Sequence[int]) -> _Parts:
    """Of scores (S, N) whose groups have these numbers (N,), of two at least."""
    trainings = len(table)
    sums, sizes = sum_by(table, membership)
    fold_of_case = read_table(table, folds or [0] * table.shape[1])[1]
    fold_sums, fold_sizes = sum_by(table, fold_of_case)
    shares = fold_sizes / fold_sizes.sum()
    cells = (membership * len(shares) + fold_of_case).tolist()
    cell_sums, cell_sizes = sum_by(table, number_names(cells))
    fold_of_cell = np.array(sorted(set(cells))) % len(shares)
    of_trainings, of_interaction = None, 0.0
    if trainings > 1:
        of_trainings = float(((fold_sums / fold_sizes).var(axis=0, ddof=1) * shares**2).sum()) / trainings
        deviations = cell_sums - cell_sums.mean(axis=0)
        of_interaction = sum(_jackknife_in_folds(row, cell_sizes, fold_of_cell) for row in deviations)
        of_interaction /= trainings * (trainings - 1)
    plain = _Parts(
        trainings=trainings,
        of_trainings=of_trainings,
        of_groups=_jackknife_variance(sums.mean(axis=0), sizes),
        of_interaction=of_interaction,
        groups_freedom=_groups_freedom(sizes),
    )
    if len(shares) == 1:
        return plain
    means = cell_sums.mean(axis=0)
    own = len(cell_sizes) == len(sizes)  # every group is tested in one fold
    return replace(
        plain,
        folds=float(1 / (shares**2).sum()),
        of_folds=_jackknife_variance(fold_sums.mean(axis=0), fold_sizes),
        folds_freedom=_groups_freedom(fold_sizes),
        within_groups=_measure_within(means, cell_sizes, fold_of_cell) if own else 0.0,
        within_trainings=max((of_trainings or 0.0) - of_interaction, 0.0),
        crossed=max(plain.of_groups - _jackknife_variance(means, cell_sizes), 0.0),
    )


def _measure_within(sums: np.ndarray, sizes: np.ndarray, folds: np.ndarray) -> float:
    """Variance that groups give the mean by how they differ from those in their fold; 0 where none has another beside it.

    sums, sizes, folds (G,): of every group. Pooled over folds, so that one with a single group tells nothing and counts.
    """
    number_of_folds = int(folds.max()) + 1
    if len(sizes) == number_of_folds:
        return 0.0
    means = np.bincount(folds, weights=sums) / np.bincount(folds, weights=sizes)
    apart = (sums - sizes * means[folds]) / sizes.sum()
    return float((apart**2).sum()) * len(sizes) / (len(sizes) - number_of_folds)


def _jackknife_in_folds(sums: np.ndarray, sizes: np.ndarray, folds: np.ndarray) -> float:
    """Variance of the mean over cases when cells (C,) are drawn anew within their folds (C,); one alone there has none."""
    own = np.bincount(folds, weights=sizes)
    number_of_cells = np.bincount(folds)
    means = np.bincount(folds, weights=sums) / own
    rest = np.where(number_of_cells > 1, own, np.inf)[folds] - sizes
    changes = (sums - sizes * means[folds]) / rest
    variances = np.bincount(folds, weights=changes**2) * (number_of_cells - 1) / number_of_cells
    return float((variances * (own / own.sum()) ** 2).sum())


def read_table(scores: np.ndarray, groups: Sequence[str] | Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """The scores as (S, N), and the number of the group of each case (N,). Raises ValueError where these are not as many."""
    table = np.atleast_2d(np.asarray(scores, dtype=float))
    cases = table.shape[1]
    if cases != len(groups) or cases == 0:
        raise ValueError(
            f"There are {cases} scores a training and {len(groups)} groups or folds; expected one a score, at least one."
        )
    return table, number_names(groups)


def number_names(names: Sequence[Any]) -> np.ndarray:
    """Names (N,) as numbers from 0, in the order of the names. Five times as fast as np.unique of texts."""
    place = {name: count for count, name in enumerate(sorted(set(names)))}
    return np.array([place[name] for name in names])


def sum_by(table: np.ndarray, membership: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sums of scores (S, N) over each group (S, G), and the sizes of the groups (G,). Folds and cells are groups as well."""
    sums = np.stack([np.bincount(membership, weights=row) for row in table])
    return sums, np.bincount(membership).astype(float)


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
