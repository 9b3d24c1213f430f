"""How sure a mean over cases is, when seeds differ and cases come in groups."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

REPLICATES = 4000
SCORE_SPAN, DIFFERENCE_SPAN = (0.0, 1.0), (-1.0, 1.0)
CONFIDENCE = 0.95
ROUNDING = 1e-12


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A mean with its 95 % interval."""

    mean: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half of the interval: about what an observed difference has to exceed to be told from 0."""
        return (self.high - self.low) / 2

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


def estimate_mean(
    scores: np.ndarray, groups: Sequence[str], *, span: tuple[float, float] = (-np.inf, np.inf), seed: int = 0
) -> Estimate:
    """Mean over cases and seeds of scores (S, N), S trainings and N cases in their groups, with a 95 % interval.

    Hierarchical bootstrap: trainings and groups are drawn anew independently, since every training scores the same cases.
    Its percentiles are too narrow for few trainings or groups (with three, a fluke on all three would pass for proof), so
    they are stretched about the mean to the standard error sqrt(V_trainings + V_groups) and to Student's t in place of the
    normal, with Satterthwaite's degrees of freedom. One training: its own noise is unknown and not in the
    interval. One group: nothing tells how groups differ, and the interval is all of span, the range in which a score can lie.
    Source: Cameron, Gelbach and Miller 2011 for the two-way variance, without its correction term, which errs to the wide side.
    """
    scores = np.atleast_2d(np.asarray(scores, dtype=float))
    cases = scores.shape[1]
    if cases != len(groups) or cases == 0:
        raise ValueError(
            f"There are {cases} scores a training and {len(groups)} groups; expected one group a score, at least one."
        )
    mean = float(scores.mean())
    _, membership = np.unique(np.asarray(groups), return_inverse=True)
    sums = np.stack([np.bincount(membership, weights=row) for row in scores])
    sizes = np.bincount(membership).astype(float)
    if not scores.any():
        return Estimate(mean=0.0, low=0.0, high=0.0)
    if len(sizes) == 1:
        return Estimate(mean=mean, low=span[0], high=span[1])
    error, freedom = _standard_error(sums, sizes)
    replicates = _replicate_means(sums, sizes, np.random.default_rng(seed))
    spread = float(replicates.std())
    if error <= ROUNDING or spread <= ROUNDING:
        return Estimate(mean=mean, low=mean, high=mean)
    tails = (1 - CONFIDENCE) / 2
    low, high = np.quantile(replicates - mean, [tails, 1 - tails])
    stretch = _student_over_normal(freedom, tails) * error / spread
    return Estimate(
        mean=mean,
        low=max(float(mean + min(low, 0) * stretch), span[0]),
        high=min(float(mean + max(high, 0) * stretch), span[1]),
    )


def _standard_error(sums: np.ndarray, sizes: np.ndarray) -> tuple[float, float]:
    """Standard error of the mean and its degrees of freedom from sums (S, G) of the groups' scores and their sizes (G,)."""
    trainings, group_count = sums.shape
    total = sizes.sum()
    parts: list[tuple[float, int]] = []
    if trainings > 1:
        parts.append((float((sums.sum(axis=1) / total).var(ddof=1)) / trainings, trainings - 1))
    if group_count > 1:
        group_sums = sums.mean(axis=0)
        residual = group_sums - sizes * group_sums.sum() / total
        parts.append((float((residual**2).sum()) / total**2 * group_count / (group_count - 1), group_count - 1))
    variance = sum(part for part, _ in parts)
    if variance == 0:
        return 0.0, 1.0
    return variance**0.5, variance**2 / sum(part**2 / freedom for part, freedom in parts)


def _replicate_means(sums: np.ndarray, sizes: np.ndarray, random: np.random.Generator) -> np.ndarray:
    trainings, group_count = sums.shape
    training_weights = random.multinomial(trainings, np.full(trainings, 1 / trainings), REPLICATES)
    group_weights = random.multinomial(group_count, np.full(group_count, 1 / group_count), REPLICATES)
    weighted = np.einsum("rs,sg,rg->r", training_weights, sums, group_weights)
    return np.asarray(weighted / (trainings * (group_weights @ sizes)))


def _student_over_normal(freedom: float, tail: float) -> float:
    from scipy import stats  # importing focalseg loads torch and NumPy only

    return float(stats.t.isf(tail, freedom) / stats.norm.isf(tail))
