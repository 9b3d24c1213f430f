"""Where kinds of cases say what the one figure does not: what a system does better on some of them, and worse on others."""

from collections.abc import Iterator, Mapping

from focalseg.comparison.basis import Basis
from focalseg.findings import show_name
from focalseg.records.outcome.strata import LEFT_EMPTY, MISSED, STRATA, WITH_OBJECT, Stratum, StratumDifference, StratumName
from focalseg.records.scores.comparison import SystemComparison
from focalseg.records.scores.emptiness import show_stratum

_DOES: dict[StratumName, tuple[str, str]] = {
    WITH_OBJECT: ("segments objects better", "segments objects worse"),
    MISSED: ("finds more objects", "finds fewer objects"),
    LEFT_EMPTY: ("raises fewer false alarms", "raises more false alarms"),
}
"""What a system does that is better on a kind of case, and one that is worse."""


def describe_strata(pair: SystemComparison, strata: Mapping[StratumName, Stratum], basis: Basis) -> str:
    """That kinds of cases disagree, or that one shows a difference where the metric shows none; else nothing."""
    good, bad = (list(_list_shown(pair, strata, basis, gains=gains)) for gains in (True, False))
    name = show_name(pair.other)
    if good and bad:
        return f"But kinds of cases disagree: {name} {' and '.join(good)}, and {' and '.join(bad)}."
    if pair.verdict == "no_difference_shown" and (shown := [*good, *bad]):
        return f"But by kind of case {name} {' and '.join(shown)}."
    return ""


def _list_shown(pair: SystemComparison, strata: Mapping[StratumName, Stratum], basis: Basis, *, gains: bool) -> Iterator[str]:
    """What is shown on the kinds of cases where the other system is better, or on those where it is worse, with its figure."""
    for name in STRATA:
        found = strata[name].find(pair.other, pair.one) if name in strata else None
        if found is not None and (gain := _find_gain(name, found, basis)) and (gain > 0) == gains:
            what = "missed altogether " if name == MISSED else "left empty " if name == LEFT_EMPTY else ""
            yield f"{_DOES[name][0 if gains else 1]} ({what}{show_stratum(found, signs=True)})"


def _find_gain(name: StratumName, found: StratumDifference, basis: Basis) -> int:
    """1 where it is shown to be better, -1 worse, 0 neither: by the interval, and by p, adjusted for all that are looked at."""
    if found.holm_p is None or found.holm_p >= basis.looks.level:
        return 0
    return -found.sign if name == MISSED else found.sign
