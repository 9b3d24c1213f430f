"""Keep what was still open when pressing the exponents harder began to hurt."""

from statistics import fmean

from focalseg.placement.policies.questions import SMALLEST_WORTH, Choice, Course, Probe, Search
from focalseg.records.evidence import Evidence, PathPoint


def choose_by_gamma_path(search: Search) -> Course:
    """Of each training, the fewest sites open at a point of the path that is within 0.01 Dice of its best; of several
    trainings, what most of them kept."""
    evidence: tuple[Evidence, ...] = yield Probe("path")
    stayed = [leanest_point(training.path).open for training in evidence]
    shares = {name: fmean(name in names for names in stayed) for name in search.everywhere}
    reasons = {
        name: f"it was open at the leanest good point of {share * len(stayed):.0f} of {len(stayed)} paths"
        for name, share in shares.items()
    }
    return Choice(kept=tuple(name for name, share in shares.items() if share >= 1 / 2), reasons=reasons, evidence=evidence)


def leanest_point(path: tuple[PathPoint, ...]) -> PathPoint:
    """The point with the fewest open sites whose Dice is within 0.01 of the best on the path; the last of them."""
    best = max(point.dice for point in path)
    good = [point for point in path if point.dice >= best - SMALLEST_WORTH]
    return min(reversed(good), key=lambda point: len(point.open))
