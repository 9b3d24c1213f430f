"""estimate_standard_error of thousands of simulated studies at once, as benchmarks need it; each group is tested in one fold.

The same formulas over arrays with an axis of studies in front. `check` compares them with the function itself, study by study,
and every benchmark that uses them calls it, so that what is simulated is what focalseg computes.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from focalseg.evaluation.standard_error import LEAST_SHARE, estimate_standard_error

TAIL = 0.025


@dataclass(frozen=True, kw_only=True)
class Studies:
    """sums (R, S, G) of the scores of each group, sizes (G,) of the groups, and the fold (G,) that tests each."""

    sums: np.ndarray
    sizes: np.ndarray
    fold: np.ndarray

    @property
    def means(self) -> np.ndarray:
        """The mean over cases and trainings of every study (R,)."""
        return self.sums.mean(axis=1).sum(axis=1) / self.sizes.sum()

    @property
    def folds(self) -> int:
        """How many folds there are."""
        return int(self.fold.max()) + 1

    def by_fold(self, sums: np.ndarray) -> np.ndarray:
        """Sums (..., G) of groups to those of folds (..., F)."""
        return sums @ (self.fold[:, None] == np.arange(self.folds)).astype(float)


def compute_reaches(studies: Studies, overlap: float = 0.0, tail: float = TAIL) -> np.ndarray:
    """Half the width of the interval of every study (R,), by Student's t."""
    plain, within = _measure_plain(studies, tail)
    if studies.folds == 1:
        return plain
    of_folds, freedom = measure_folds(studies)
    if overlap == 0:
        return np.maximum(plain, stats.t.isf(tail, freedom) * np.sqrt(of_folds))
    share = np.clip(1 - within / of_folds + np.sqrt(1 / (2 * freedom)), LEAST_SHARE, 1)
    shares = studies.by_fold(studies.sizes) / studies.sizes.sum()
    shared = overlap / (1 - overlap) * share * of_folds / (shares**2).sum()
    together = of_folds + shared
    freedom = (together / (of_folds / freedom**0.5 + shared / (2 * freedom / 3) ** 0.5)) ** 2
    return np.maximum(plain, stats.t.isf(tail, freedom) * np.sqrt(together))


def measure_folds(studies: Studies) -> tuple[np.ndarray, float]:
    """V_folds (R,) and its degrees of freedom."""
    sizes = studies.by_fold(studies.sizes)
    return _jackknife(studies.by_fold(studies.sums.mean(axis=1)), sizes), _count_freedom(sizes)


def find_ends(scores: np.ndarray, sizes: tuple[int, ...], folds: int) -> np.ndarray:
    """Ends (R, 2) of the intervals of scores (R, S, N) whose cases stand by group whose groups are dealt to folds in turn."""
    sums = np.add.reduceat(scores, np.concatenate([[0], np.cumsum(sizes)[:-1]]), axis=2)
    studies = Studies(sums=sums, sizes=np.array(sizes, dtype=float), fold=np.arange(len(sizes)) % folds)
    check(studies, 0.0, many=1)
    reach = compute_reaches(studies)
    return np.stack([studies.means - reach, studies.means + reach], axis=1)


def check(studies: Studies, overlap: float, tail: float = TAIL, many: int = 5) -> None:
    """Raises AssertionError where the first few studies have another reach by estimate_standard_error."""
    reaches = compute_reaches(studies, overlap, tail)
    counts = studies.sizes.astype(int)
    groups, folds = np.repeat(np.arange(len(counts)), counts), np.repeat(studies.fold, counts)
    for sums, reach in zip(studies.sums[:many], reaches[:many], strict=True):
        scores = np.repeat(sums / studies.sizes, counts, axis=1)
        told = folds.tolist() if studies.folds > 1 else ()
        expected = estimate_standard_error(scores, groups.tolist(), told, overlap=overlap, tail=tail).reach(tail)
        assert abs(reach / expected - 1) < 1e-6, f"{reach} is not {expected}"


def _measure_plain(studies: Studies, tail: float) -> tuple[np.ndarray, np.ndarray]:
    """The reach of trainings and groups alone (R,), and V_within (R,)."""
    sums, sizes, fold = studies.sums, studies.sizes, studies.fold
    trainings, total, groups = sums.shape[1], sizes.sum(), len(sizes)
    means, fold_sizes = sums.mean(axis=1), studies.by_fold(sizes)
    of_groups, groups_freedom = _jackknife(means, sizes), _count_freedom(sizes)
    fold_means = studies.by_fold(means) / fold_sizes
    apart = (means - sizes * fold_means[:, fold]) / total
    within = (apart**2).sum(axis=1) * groups / (groups - studies.folds) if groups > studies.folds else np.zeros(len(sums))
    if trainings == 1:
        return stats.t.isf(tail, groups_freedom) * np.sqrt(of_groups), within
    shares = fold_sizes / total
    each = studies.by_fold(sums) / fold_sizes
    of_trainings = (each.var(axis=1, ddof=1) * shares**2).sum(axis=1) / trainings
    left = sums - means[:, None] - sizes * (each - fold_means[:, None])[:, :, fold]
    members = np.bincount(fold)
    rest = np.where(members > 1, fold_sizes, np.inf)[fold] - sizes
    jackknives = studies.by_fold((left / rest) ** 2) * (members - 1) / members * shares**2
    interaction = jackknives.sum(axis=(1, 2)) / (trainings * (trainings - 1))
    own = np.maximum(of_trainings - interaction, 0)
    variance, trainings_freedom = of_groups + own, (trainings - 1) / (shares**2).sum()
    freedom = variance**2 / (of_trainings**2 / trainings_freedom + of_groups**2 / groups_freedom)
    freedom = np.maximum(freedom, min(trainings_freedom, groups_freedom))
    return stats.t.isf(tail, freedom) * np.sqrt(variance), within + own


def _jackknife(sums: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    total = sizes.sum()
    changes = (sums - sizes * sums.sum(axis=-1, keepdims=True) / total) / (total - sizes)
    return (changes**2).sum(axis=-1) * (len(sizes) - 1) / len(sizes)


def _count_freedom(sizes: np.ndarray) -> float:
    share = sizes / sizes.sum()
    weight = share / (1 - share) ** 2
    centre = (weight * share).sum()
    return float((weight.sum() - centre) ** 2 / ((weight**2).sum() - 2 * (weight**2 * share).sum() + centre**2))
