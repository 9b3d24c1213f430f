"""Whether a system is at most a margin worse than another, complete failures included that no case here happens to show."""

import math

from focalseg.comparison.basis import Basis
from focalseg.comparison.known_metrics import is_share
from focalseg.comparison.pairing import Paired
from focalseg.comparison.settings import ComparisonSettings
from focalseg.evaluation.failures import count_failing
from focalseg.evaluation.significance import Difference, decide_non_inferiority
from focalseg.records.estimate import Estimate
from focalseg.records.scores.comparison import AsGood


def find_as_good(found: Difference, name: str, paired: Paired, settings: ComparisonSettings, basis: Basis) -> AsGood | None:
    """The answer for a system by its difference from the first; None where nobody asked.

    A share may be lost altogether: how many groups that happens to, beyond those that were seen, has an exact bound, which the
    answer keeps to as well. A distance, or a score on a scale of its own, knows no such loss, and the interval alone decides.
    """
    if settings.margin is None:
        return None
    gain, whole = found.estimate, _find_whole(paired, settings)
    if settings.better == "lower":
        gain = Estimate(mean=-gain.mean, low=-gain.high, high=-gain.low)
    failing = None
    if whole is not None:
        first = next(iter(paired.tables.values()))
        failing = count_failing((paired.tables[name] - first) / whole, paired.groups)
    shown = decide_non_inferiority(
        gain,
        margin=settings.margin,
        failing=failing,
        groups=None if failing is None else found.groups,
        worst=whole or 1.0,
        tail=basis.tail,
    )
    return AsGood(
        margin=shown.margin,
        bound=shown.bound if math.isfinite(shown.bound) else None,
        shown=shown.shown,
        failing=failing,
        groups=shown.groups,
        failing_at_most=shown.failing_at_most,
    )


def _find_whole(paired: Paired, settings: ComparisonSettings) -> float | None:
    """What may be lost of a score: 1 of a share, 100 of one in percent, None where nobody knows."""
    if settings.better == "lower":
        return None
    largest = max(float(table.max()) for table in paired.tables.values())
    least = min(float(table.min()) for table in paired.tables.values())
    if least < 0 or largest > 100:
        return None
    return 1.0 if largest <= 1 else 100.0 if is_share(settings.metric) else None
