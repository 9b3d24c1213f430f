"""Images whose intensities are unlike those of the other cases: of another scale, negatives, channels in another order.

What is usual is told by medians over the cases and by median absolute deviations from them, which a few odd cases do not move.
The numbers below were set on five public sets (1,437 images and volumes) and the twelve built-in ones. As they are, these give
notes on four MR volumes that are on other scales and on 13 of 447 micrographs, dark on bright where most are bright on dark.
What was multiplied by 250 or divided by 255 is found in all of them, negatives and swapped channels wherever a set tells bright
from dark and red from blue, which pictures of noise do not.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from focalseg.findings import Finding
from focalseg.imagesets.kinds import KINDS
from focalseg.imagesets.survey.summary import CaseSummary

_FEWEST_FOR_SCALE, _FEWEST_FOR_LOOKS = 4, 12
"""Cases of a kind without which nobody knows what is usual: of their scale, and of their looks."""
_SIGMA = 1.4826
"""Standard deviation of a normal distribution in units of its median absolute deviation."""
_FOUR_FIFTHS = 1.2816
"""Standard deviations of a normal distribution within which four of five lie."""
_RATIO, _CERTAIN_RATIO, _RATIO_SIGMAS = 8.0, 100.0, 6.0
"""How many times the usual contrast is odd: 8 where cases are alike, more where they differ, 100 in any set."""
_OFFSET, _CERTAIN_OFFSET, _OFFSET_SIGMAS = 2.0, 50.0, 8.0
"""How far a mean may lie from the usual one, in standard deviations within a usual case; likewise."""
_FAR, _NEAR, _TIMES = 3.0, 3.0, 2.0
"""Looks are odd beyond 3 sigmas, and explained by a change after which they are below 3 and half as odd or less."""
_MOST_SIGMAS = 20.0
"""What one property counts at most, so that a single one does not outweigh all others."""
_MOST_LOOKED_AT = 1000
"""Small pictures that the usual picture is made of."""
_MOST_ORDERED = 4
"""Channels of which every other order is tried; there are 23 of four."""

_TOPS = {"uint8": 255.0, "uint16": 65535.0}
"""What black and white add up to, by number type."""
_OWN_NEGATIVE, _NEGATIVE = "inverted within its own range", "inverted"

Floats = NDArray[np.float64]


def find_odd_intensities(cases: Sequence[CaseSummary]) -> list[Finding]:
    """Notes on images whose intensities are far from those of the other cases with as many channels and axes."""
    kinds: dict[tuple[int, int], list[CaseSummary]] = {}
    for case in cases:
        kinds.setdefault((len(case.size), case.channels), []).append(case)
    return [finding for alike in kinds.values() if len(alike) >= _FEWEST_FOR_SCALE for finding in _look_at(alike)]


def _look_at(cases: Sequence[CaseSummary]) -> Iterator[Finding]:
    """The notes on cases with as many channels and axes."""
    means = np.array([case.mean for case in cases])
    deviations = np.array([case.standard_deviation for case in cases])
    usual = np.median(deviations, axis=0)
    for case, row in zip(cases, deviations, strict=True):
        dead = [channel for channel in range(case.channels) if row[channel] == 0 < usual[channel]]
        if row.any():  # an image of one intensity altogether is noted as such
            for channel in dead:
                found = f"has the intensity {case.minimum[channel]:g} in every pixel of channel {channel + 1}"
                yield KINDS["constant"].at(case.file, found, expected="a channel that varies, as in other cases")
    explained = {finding.file: finding for finding in _find_odd_looks(cases)}
    yield from explained.values()
    odd = _find_odd_scales(cases, means, deviations)
    yield from (
        _describe_scale(cases, means, odd, number, channel)
        for number, channel in odd.items()
        if cases[number].file not in explained
    )


# Scales


def _find_odd_scales(cases: Sequence[CaseSummary], means: Floats, deviations: Floats) -> dict[int, int]:
    """The cases, by number, that are on another scale than most, with the channel that shows it most.

    Eight bits are a scale by themselves, within which a dark image and a bright one may both be as they should: there an
    offset has to be one that no picture has.
    """
    varying = deviations > 0
    odd = np.zeros(means.shape)
    for channel in range(means.shape[1]):
        seen = varying[:, channel]
        if np.count_nonzero(seen) < _FEWEST_FOR_SCALE:
            continue
        logs = np.log(deviations[seen, channel])
        usual = np.exp(np.median(logs))
        ratios = np.abs(logs - np.median(logs))
        most = np.clip(_RATIO_SIGMAS * _sigma(ratios), np.log(_RATIO), np.log(_CERTAIN_RATIO))
        offsets = np.abs(means[seen, channel] - np.median(means[seen, channel])) / usual
        eight_bits = all(case.dtype == "uint8" for case in cases)
        least = _CERTAIN_OFFSET if eight_bits else _OFFSET
        farthest = np.clip(_OFFSET_SIGMAS * _sigma(offsets), least, _CERTAIN_OFFSET)
        odd[seen, channel] = np.maximum(ratios / most, offsets / farthest)
    return {int(number): int(odd[number].argmax()) for number in np.flatnonzero((odd > 1).any(axis=1))}


def _describe_scale(cases: Sequence[CaseSummary], means: Floats, odd: dict[int, int], number: int, channel: int) -> Finding:
    """The note on a case on another scale, with the figures by which a person knows what happened."""
    case = cases[number]
    others = [other for other in range(len(cases)) if other not in odd] or [*range(len(cases))]
    usual = float(np.median([cases[other].standard_deviation[channel] for other in others]))
    ratio = case.standard_deviation[channel] / usual if usual else 1.0
    times = f"{_show(ratio)} times" if ratio >= 1 else f"1/{_show(1 / ratio)} of"
    where = f" in channel {channel + 1}" if case.channels > 1 else ""
    low, high = (_show(extreme(means[others, channel])) for extreme in (np.min, np.max))
    found = f"has a mean of {_show(means[number, channel])} and {times} the usual contrast{where}"
    return KINDS["off_scale"].at(case.file, found, expected=f"a mean from {low} to {high}, as in the other cases")


# Looks


@dataclass(frozen=True, kw_only=True)
class _Looks:
    """What tells a picture from its negative and its channels from one another, of N cases.

    means (N, C), logs (N, C): of standard deviations. skew (N,): of the small picture, the cube root of its third moment.
    likeness (N,): correlation with the usual picture of the set.
    """

    means: Floats
    logs: Floats
    skew: Floats
    likeness: Floats

    def list_properties(self) -> Floats:
        """(N, properties): all of these and, since the brightness of all channels goes together, differences of channels."""
        pairs = itertools.combinations(range(self.means.shape[1]), 2)
        between = [values[:, one] - values[:, other] for one, other in pairs for values in (self.means, self.logs)]
        return np.column_stack([self.means, self.logs, self.skew, self.likeness, *between])


def _find_odd_looks(cases: Sequence[CaseSummary]) -> Iterator[Finding]:
    """Notes on pictures that look far more like the others once they are inverted, or their channels reordered."""
    cases = [case for case in cases if all(case.standard_deviation)]
    if len(cases) < _FEWEST_FOR_LOOKS:
        return
    looks = _measure_looks(cases)
    properties = looks.list_properties()
    middle = np.median(properties, axis=0)
    distances = np.abs(properties - middle)
    # Likeness and skew have long tails; where four of five cases lie says more of these than where half of them do.
    sigmas = np.maximum(_sigma(distances), np.quantile(distances, 0.8, axis=0) / _FOUR_FIFTHS)
    sigmas = np.maximum(sigmas, 1e-3 * np.maximum(np.abs(middle), 1))

    def measure_oddity(of: Floats, among: NDArray[np.bool_]) -> Floats:
        """(N,): how many sigmas cases lie from what is usual, over some of the properties."""
        apart = np.minimum(np.abs(of - middle) / sigmas, _MOST_SIGMAS)[:, among]
        return np.asarray(np.sqrt((apart**2).mean(axis=1)))

    best: dict[int, tuple[float, str]] = {}
    for name, changed in _list_changes(cases, looks).items():
        others = changed.list_properties()
        altered = (others != properties).any(axis=0)  # what a change leaves as it is tells nothing of it
        if not altered.any():
            continue
        before, after = measure_oddity(properties, altered), measure_oddity(others, altered)
        for number in np.flatnonzero((before > _FAR) & (after < _NEAR) & (after * _TIMES <= before)).tolist():
            best[number] = min(best.get(number, (np.inf, "")), (float(after[number]), name))
    for number, (_, name) in sorted(best.items()):
        yield _describe_looks(cases[number], name)


def _measure_looks(cases: Sequence[CaseSummary]) -> _Looks:
    """The looks of cases of one kind."""
    pictures = [case.signature.ravel() for case in cases]
    usual = np.median(pictures[:: 1 + (len(pictures) - 1) // _MOST_LOOKED_AT], axis=0)
    usual = usual - usual.mean()
    length = max(float(np.linalg.norm(usual)), 1e-9) * np.sqrt(usual.size)
    return _Looks(
        means=np.array([case.mean for case in cases]),
        logs=np.log([case.standard_deviation for case in cases]),
        skew=np.cbrt([(picture.astype(float) ** 3).mean() for picture in pictures]),
        likeness=np.array([float(picture @ usual) for picture in pictures]) / length,
    )


def _list_changes(cases: Sequence[CaseSummary], looks: _Looks) -> dict[str, _Looks]:
    """How the same pictures would look as negatives, by their own range or that of their type, and with channels reordered."""
    own = [min(case.minimum) + max(case.maximum) for case in cases]
    of_type = [_TOPS.get(case.dtype, end) for case, end in zip(cases, own, strict=True)]
    changes = {
        name: _Looks(means=np.array(ends)[:, None] - looks.means, logs=looks.logs, skew=-looks.skew, likeness=-looks.likeness)
        for name, ends in ((_OWN_NEGATIVE, own), (_NEGATIVE, of_type))
    }
    channels = looks.means.shape[1]
    orders = itertools.permutations(range(channels)) if channels <= _MOST_ORDERED else iter(())
    for order in itertools.islice(orders, 1, None):  # the first is the one they have
        shown = ", ".join(str(channel + 1) for channel in order)
        changes[shown] = _Looks(
            means=looks.means[:, order], logs=looks.logs[:, order], skew=looks.skew, likeness=looks.likeness
        )
    return changes


def _describe_looks(case: CaseSummary, change: str) -> Finding:
    """The note on a picture that is explained by a change: a negative, or channels in that order."""
    if change in (_NEGATIVE, _OWN_NEGATIVE):
        return KINDS["negative"].at(case.file, "looks like a negative: bright where other cases are dark")
    found = f"fits the other cases with its channels in the order {change}"
    return KINDS["channels_swapped"].at(case.file, found)


def _sigma(distances: Floats) -> Floats:
    """A standard deviation that a few odd cases do not move, from distances to the median."""
    return np.asarray(_SIGMA * np.median(distances, axis=0))


def _show(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
