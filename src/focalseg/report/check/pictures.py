"""Cases of a set as small pictures with their outlines: the extremes, those with notes, and images that are nearly the same."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from focalseg.errors import DataError
from focalseg.imagesets.case import Case, Dataset
from focalseg.imagesets.kinds import KINDS
from focalseg.imagesets.masks import find_foreground
from focalseg.imagesets.survey.summary import CaseSummary
from focalseg.imagesets.survey.survey import Survey
from focalseg.report.check.record import Duplicate, list_duplicates
from focalseg.report.check.wording import describe_pair
from focalseg.report.overlays import Array, encode_image, trace_labels, trace_void

_LONGEST_SIDE = 208
"""Pixels of a small picture in the page."""
MOST_NOTED, MOST_OF_A_KIND, MOST_PAIRS = 12, 2, 8
_PAIRED = ("identical", "near_duplicate", "leak")
"""Kinds whose findings are about two images, which are shown side by side."""


@dataclass(frozen=True, kw_only=True)
class CasePicture:
    """A case as shown. caption: why. outlines: one SVG path per label, in pixels of the picture, void: that of what nobody
    judged; slices: of a volume."""

    name: str
    caption: str
    width: int
    height: int
    data: str
    outlines: tuple[str, ...]
    void: str
    slices: tuple[int, int] | None


@dataclass(frozen=True, kw_only=True)
class CheckPictures:
    """extremes: by share of foreground. noted: cases with findings. pairs: images that are the same or nearly so, and how."""

    extremes: tuple[CasePicture, ...]
    noted: tuple[CasePicture, ...]
    pairs: tuple[tuple[str, CasePicture, CasePicture], ...]


def draw_check(dataset: Dataset, survey: Survey) -> CheckPictures:
    """The pictures of a survey; a case that can no longer be read is left out."""
    labels = len(survey.labels)

    def draw(case: CaseSummary, caption: str) -> CasePicture | None:
        try:
            return _draw_case(dataset.read_case(case.number), caption, labels)
        except DataError:
            return None

    by_name = {case.name: case for case in survey.cases}
    pairs = []
    for pair in choose_pairs(list_duplicates(survey)):
        one, other = (draw(by_name[name], "") for name in pair.cases)
        if one and other:
            pairs.append((describe_pair(pair), one, other))
    extremes, noted = (
        tuple(picture for case, caption in chosen if (picture := draw(case, caption)))
        for chosen in (choose_extremes(survey.cases), choose_noted(survey))
    )
    return CheckPictures(extremes=extremes, noted=noted, pairs=tuple(pairs))


def choose_extremes(cases: Sequence[CaseSummary]) -> list[tuple[CaseSummary, str]]:
    """The cases with the least, the median and the most foreground, among those that have any."""
    ranked = sorted((case for case in cases if case.foreground > 0), key=lambda case: case.foreground)
    # Of one case or two, a place has several captions and keeps the last.
    captions = {len(ranked) - 1: "most", len(ranked) // 2: "median", 0: "least"}
    return [(ranked[place], caption) for place, caption in sorted(captions.items())] if ranked else []


def choose_pairs(pairs: Sequence[Duplicate]) -> list[Duplicate]:
    """A few pairs: identical ones first, then those across groups, the nearest first. Neighbours in a group are no news."""
    news = [pair for pair in pairs if pair.identical or not pair.same_group]
    return sorted(news, key=lambda pair: (not pair.identical, -pair.correlation))[:MOST_PAIRS]


def choose_noted(survey: Survey) -> list[tuple[CaseSummary, str]]:
    """Readable cases that a finding is about which needs a look, a few of each kind, errors first; the caption says which."""
    by_file = {file: case for case in survey.cases for file in (case.file, case.mask_file)}
    kinds: dict[int, list[str]] = {}
    taken: Counter[str] = Counter()
    for finding in survey.findings:
        case = by_file.get(finding.file)
        if case is None or finding.quiet or finding.kind in _PAIRED:
            continue
        if case.number in kinds or (taken[finding.kind] < MOST_OF_A_KIND and len(kinds) < MOST_NOTED):
            titles = kinds.setdefault(case.number, [])
            if KINDS[finding.kind].title not in titles:
                titles.append(KINDS[finding.kind].title)
                taken[finding.kind] += 1
    by_number = {case.number: case for case in survey.cases}
    return [(by_number[number], "; ".join(titles)) for number, titles in kinds.items()]


def _draw_case(case: Case, caption: str, labels: int) -> CasePicture:
    """A case with the outlines of that many labels; of a volume the slice with the most foreground, or the middle one."""
    image, mask, slices = take_slice(case)
    height, width = mask.shape
    shrink = min(1.0, _LONGEST_SIDE / max(height, width))
    size = (max(round(width * shrink), 1), max(round(height * shrink), 1))
    return CasePicture(
        name=case.name,
        caption=caption,
        width=size[0],
        height=size[1],
        data=encode_image(image, size),
        outlines=trace_labels(mask, labels, size),
        void=trace_void(mask, size),
        slices=slices,
    )


def take_slice(case: Case) -> tuple[Array, Array, tuple[int, int] | None]:
    """image (C, H, W) and mask (H, W) to show, and which slice of how many they are of a volume."""
    if case.mask.ndim == 2:
        return case.image, case.mask, None
    foreground = np.count_nonzero(find_foreground(case.mask), axis=(1, 2))
    chosen = int(foreground.argmax()) if foreground.any() else len(foreground) // 2
    return case.image[:, chosen], case.mask[chosen], (chosen, len(foreground))
