"""What a check found, as plain data: the set's fingerprint, and the one JSON object of `check --json` and check.json."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from focalseg.imagesets.survey.summary import CaseSummary
from focalseg.imagesets.survey.survey import Survey

_SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class Spread:
    """The spread of a quantity over cases."""

    lowest: float
    median: float
    highest: float


@dataclass(frozen=True, kw_only=True)
class LabelShare:
    """One label. cases: how many hold it. mean: its share of a case's pixels, over all. where_present: over its holders."""

    label: str
    cases: int
    mean: float
    where_present: Spread | None


@dataclass(frozen=True, kw_only=True)
class Duplicate:
    """Two cases whose images are the same, or nearly so. correlation: of their small versions.

    moved: how one lies in the other. same_group: whether they belong together anyway, as neighbouring frames of a video do.
    """

    cases: tuple[str, str]
    identical: bool
    correlation: float
    moved: str
    same_group: bool


@dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """What a set is like. sizes, spacing_mm: along each axis of the images, over the cases with as many axes as most.

    intensities: by channel, over the cases with as many channels as most; mean and standard deviation count each case alike.
    foreground: share of the judged pixels of a case that have any label. void: share of its pixels that nobody judged, where
    there are any in the set. parts: cases by their place in the official split.
    """

    sizes: tuple[Spread, ...]
    distinct_sizes: int
    spacing_mm: tuple[Spread, ...] | None
    channels: dict[str, int]
    number_types: dict[str, int]
    intensities: dict[str, tuple[float, ...]]
    labels: tuple[LabelShare, ...]
    foreground: Spread | None
    void: Spread | None
    empty_masks: tuple[str, ...]
    groups: int
    largest_group: int
    parts: dict[str, int]
    duplicates: tuple[Duplicate, ...]
    observer_dice: float | None


def measure_fingerprint(survey: Survey) -> Fingerprint:
    """The fingerprint of the cases that could be read; without any, its counts are 0 and the rest is empty."""
    cases = survey.cases
    alike = _most_alike(cases, lambda case: len(case.size))
    spaced = [case for case in alike if case.spacing_mm is not None]
    groups = Counter(survey.groups.get(case.name, case.group) for case in cases)
    return Fingerprint(
        sizes=_spread_axes([case.size for case in alike]),
        distinct_sizes=len({case.size for case in cases}),
        spacing_mm=_spread_axes([case.spacing_mm for case in spaced if case.spacing_mm]) if spaced else None,
        channels={str(channels): count for channels, count in Counter(case.channels for case in cases).most_common()},
        number_types=dict(Counter(case.dtype for case in cases).most_common()),
        intensities=_measure_intensities(_most_alike(cases, lambda case: case.channels)),
        labels=tuple(_measure_label(name, number, cases) for number, name in enumerate(survey.labels, start=1)),
        foreground=_spread([case.foreground for case in cases]) if cases else None,
        void=_spread([case.void_pixels / (case.void_pixels + case.judged_pixels) for case in cases]) if survey.void else None,
        empty_masks=tuple(case.name for case in cases if not any(case.label_pixels[1:])),
        groups=len(groups),
        largest_group=max(groups.values(), default=0),
        parts=dict(Counter(case.part or "free" for case in cases)) if any(case.part for case in cases) else {},
        duplicates=list_duplicates(survey),
        observer_dice=survey.observer_dice,
    )


def record_check(survey: Survey) -> dict[str, Any]:
    """The object that `--json` prints: strict JSON, what is not finite as null. cases: those that could be read."""
    fingerprint = measure_fingerprint(survey)
    record: dict[str, Any] = _clean(
        {
            "schema": _SCHEMA,
            "data": survey.source,
            "layout": survey.layout,
            "cases": len(survey.cases),
            "groups": fingerprint.groups,
            "labels": list(survey.labels),
            "errors": [asdict(finding) for finding in survey.errors],
            "notes": [asdict(finding) for finding in survey.notes],
            "fingerprint": asdict(fingerprint),
        }
    )
    return record


def list_duplicates(survey: Survey) -> tuple[Duplicate, ...]:
    """The pairs of a survey by the names of their cases."""
    ends = [(survey.cases[pair.first], survey.cases[pair.second], pair) for pair in survey.pairs]
    return tuple(
        Duplicate(
            cases=(one.name, other.name),
            identical=pair.identical,
            correlation=pair.correlation,
            moved=pair.moved,
            same_group=one.group == other.group,
        )
        for one, other, pair in ends
    )


def _share_of(case: CaseSummary, label: int) -> float:
    """Share of a case's judged pixels that have the label of that number."""
    return case.label_pixels[label] / max(case.judged_pixels, 1) if label < len(case.label_pixels) else 0.0


def _most_alike(cases: Sequence[CaseSummary], kind: Callable[[CaseSummary], int]) -> list[CaseSummary]:
    """The cases of the most frequent kind."""
    most = Counter(map(kind, cases)).most_common(1)
    return [case for case in cases if kind(case) == most[0][0]]


def _spread(values: Sequence[float]) -> Spread:
    return Spread(lowest=float(min(values)), median=float(np.median(values)), highest=float(max(values)))


def _spread_axes(rows: Sequence[tuple[float, ...]]) -> tuple[Spread, ...]:
    return tuple(_spread(axis) for axis in zip(*rows, strict=True))


def _measure_label(name: str, number: int, cases: Sequence[CaseSummary]) -> LabelShare:
    shares = [_share_of(case, number) for case in cases]
    held = [share for share in shares if share > 0]
    return LabelShare(
        label=name,
        cases=len(held),
        mean=float(np.mean(shares)) if shares else 0.0,
        where_present=_spread(held) if held else None,
    )


def _measure_intensities(cases: Sequence[CaseSummary]) -> dict[str, tuple[float, ...]]:
    if not cases:
        return {}
    means = np.array([case.mean for case in cases])
    deviations = np.array([case.standard_deviation for case in cases])
    mean = means.mean(axis=0)
    # The variance of a mixture: the mean of the variances and the variance of the means.
    deviation = np.sqrt((deviations**2).mean(axis=0) + means.var(axis=0))
    return {
        "minimum": tuple(np.min([case.minimum for case in cases], axis=0).tolist()),
        "maximum": tuple(np.max([case.maximum for case in cases], axis=0).tolist()),
        "mean": tuple(mean.tolist()),
        "standard_deviation": tuple(deviation.tolist()),
    }


def _clean(value: Any) -> Any:
    """The value with lists for tuples and None for what JSON cannot hold."""
    if isinstance(value, dict):
        return {key: _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
