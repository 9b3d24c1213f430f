"""Masks from pictures: which pixel values, or which colours, are which label."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from focalseg.errors import DataError
from focalseg.findings import Finding, counted, plural
from focalseg.imagesets.areas import END, Between, count_values, explain_between, find_areas, find_second_levels
from focalseg.imagesets.kinds import KINDS
from focalseg.imagesets.masks import VOID, MaskCoding, can_be_rounded, code_labels
from focalseg.imagesets.pictures.blends import FEWEST_BLENDED, explain_strange_colours, find_main_colours
from focalseg.imagesets.pictures.headers import COLOUR_MODES
from focalseg.imagesets.pictures.pages import Page, check_opaque, read_numbers
from focalseg.imagesets.pictures.reading import read_pages

_SHOWN = 6
_LARGEST_SMALL_NUMBER = 31
"""Values up to this are numbers of labels; larger ones are greys."""
_JPEG_NEAR = 0.95
"""The share of a JPEG mask's pixels that are near black or white, at least."""
_MOST_COLOURS = 100
"""A mask that was resized or saved as JPEG may have more, but then most of its pixels have few; a photograph's have not."""
_MOSTLY, _MOSTLY_NEAR = 0.6, 0.75
"""The least shares of pixels that have the colours of areas, or colours near the main ones, in a mask."""
MOST_TINT = 24
"""The largest difference between the channels of a grey picture that was saved as a JPEG in colour."""
_TABLE_MEND = "Write a table labels.csv with label,value beside the masks, or keep one label."
_VOID_MEND = f" What nobody judged is declared by a line such as void,{VOID}."
_MOSTLY_AREAS = 0.95
"""The least share of the pixels that are not 0 that is in areas, where these are numbered objects."""
_INSTANCE_MEND = (
    "Where they number objects of one kind, save the mask with 1 for all of them; else write a table labels.csv with "
    "label,value beside the masks."
)
_BOTH_MEND = (
    "Export the mask again at its own size and as PNG, or resize it by the nearest pixel; and write a table labels.csv with "
    "label,{column} beside the masks, or keep one label."
)
_LARGEST_WHOLE_NUMBER = 1 << 24
_GREY_STEP = 0x010101
_COLOURS = 3


@dataclass(frozen=True, kw_only=True)
class MaskPixels:
    """A mask before its labels are known: numbers, colours (0xRRGGBB), or both where a palette has them. (*spatial) each.

    full: the largest number that fits; bits of a sample beyond 16 have none. lossy: whether it is from a JPEG.
    """

    path: Path
    numbers: np.ndarray | None
    colours: np.ndarray | None
    full: int
    lossy: bool = False


class CodedMask(NamedTuple):
    """labels (H, W), or (D, H, W) for several pages, uint8, 0 the background; notes about the file.

    mark: where nothing declares what stands for foreground, what does in this file, such as 255 or #FF0000; else empty.
    """

    labels: np.ndarray
    notes: tuple[Finding, ...]
    mark: str = ""


def read_mask(path: Path, coding: MaskCoding) -> CodedMask:
    """The labels of a file.

    By the coding's colours, else by its values, else above half where it says so, else one label: 0 and one other value.
    Raises DataError for values or colours that mean nothing, and for whatever keeps a file from being read as an image.
    """
    taken = read_pages(path, _take_pixels)
    notes = taken.notes
    if _is_grey_in_channels(taken.table):
        notes += (KINDS["colour_mask"].at(path, "is grey, saved in colour"),)
    elif len(taken.table) > 1:
        found, expected = f"has {len(taken.table)} channels", "one channel of label numbers"
        mend = "If each channel is the mask of a class, join them into one picture of label numbers (0, 1, 2 ...)."
        raise DataError(KINDS["several_pages"].at(path, found, expected=expected, mend=mend))
    pages = taken.table[0]
    coded = _code_pixels(pages[0] if len(pages) == 1 else _join(pages), coding)
    return coded._replace(notes=tuple(dict.fromkeys(notes + coded.notes)))


def _is_grey_in_channels(table: Sequence[Sequence[MaskPixels]]) -> bool:
    """Whether a mask is grey of 16 bits that was saved in colour: red, green and blue are channels then, and the same."""
    first, *others = table
    pairs = [(pixels.numbers, one.numbers) for row in others for pixels, one in zip(row, first, strict=True)]
    return len(table) == _COLOURS and all(
        one is not None and other is not None and np.array_equal(one, other) for one, other in pairs
    )


def _code_pixels(pixels: MaskPixels, coding: MaskCoding) -> CodedMask:
    """The labels of decoded pixels. Raises DataError for values or colours that mean nothing."""
    if coding.colours:
        return CodedMask(_code_colours(pixels, coding), ())
    if coding.values:
        numbers, notes = _find_numbers(pixels)
        return CodedMask(code_labels(pixels.path, _check_whole(pixels.path, numbers), coding), notes)
    if pixels.colours is not None and (pixels.numbers is not None or not _is_grey(pixels.colours)):
        return _code_one_colour(pixels, pixels.colours)
    numbers, notes = _find_numbers(pixels)
    whole = _check_whole(pixels.path, numbers)
    if coding.threshold and pixels.full:
        labels, more = _threshold(pixels.path, whole, pixels.full)
        return CodedMask(labels, notes + more)
    return CodedMask(_code_one_label(pixels, whole), notes, _mark(int(whole.max())))


def _take_pixels(page: Page) -> tuple[MaskPixels, tuple[Finding, ...]]:
    notes = check_opaque(page)
    image, numbers, colours = page.image, None, None
    if image.mode not in COLOUR_MODES:
        numbers = read_numbers(page)
        if image.mode == "L" and page.bits < 8:
            # Pillow stretches 2 and 4 bits to 255; the labels are what was stored.
            numbers = numbers // np.uint8(255 // (2**page.bits - 1))
    else:
        rgb = np.asarray(image if image.mode == "RGB" else image.convert("RGB")).astype(np.uint32)
        colours = rgb[..., 0] << 16 | rgb[..., 1] << 8 | rgb[..., 2]
        if image.mode in ("P", "PA"):
            numbers = np.asarray(image if image.mode == "P" else image.getchannel(0))
    bits = 8 if image.mode in COLOUR_MODES else page.bits
    full = 2**bits - 1 if bits <= 16 else 0
    lossy = image.format == "JPEG"
    return MaskPixels(path=page.path, numbers=numbers, colours=colours, full=full, lossy=lossy), notes


def _join(pages: Sequence[MaskPixels]) -> MaskPixels:
    numbers = [page.numbers for page in pages if page.numbers is not None]
    colours = [page.colours for page in pages if page.colours is not None]
    return replace(pages[0], numbers=np.stack(numbers) if numbers else None, colours=np.stack(colours) if colours else None)


def _code_colours(pixels: MaskPixels, coding: MaskCoding) -> np.ndarray:
    colours, declared = pixels.colours, f", as {coding.table} says" if coding.table else ""
    if colours is None:
        if pixels.numbers is None or not 0 < pixels.full < 256:
            found, expected = "holds numbers of more than 8 bits", "colours" + declared
            raise DataError(KINDS["not_declared"].at(pixels.path, found, expected=expected, mend="Export it in colour."))
        colours = pixels.numbers.astype(np.uint32) * (255 // pixels.full) * _GREY_STEP
    known = {red << 16 | green << 8 | blue: label for (red, green, blue), label in coding.colours.items()}
    found_colours, places, counts = np.unique(colours, return_inverse=True, return_counts=True)
    numbers = dict(zip(found_colours.tolist(), counts.tolist(), strict=True))
    if strange := {colour: count for colour, count in numbers.items() if colour not in known}:
        if fault := explain_strange_colours(pixels.path, colours, strange, list(known), coding.table):
            raise DataError(fault)
        shown = _list_first(strange)
        expected = ", ".join(map(_name, known)) + declared
        raise DataError(KINDS["not_declared"].at(pixels.path, f"holds {shown}", expected=expected))
    labels: np.ndarray = np.array([known[colour] for colour in numbers], np.uint8)[places.reshape(colours.shape)]
    return labels


def _find_numbers(pixels: MaskPixels) -> tuple[np.ndarray, tuple[Finding, ...]]:
    """The numbers of a grey or a palette mask, and of a colour mask whose channels are the same."""
    if pixels.numbers is not None:
        return pixels.numbers, ()
    colours = pixels.colours if pixels.colours is not None else np.zeros(0, np.uint32)
    if not _is_grey(colours):
        raise DataError(_list_colours(pixels.path, colours))
    return (colours & 255).astype(np.uint8), (KINDS["colour_mask"].at(pixels.path, "is grey, saved in colour"),)


def _check_whole(path: Path, numbers: np.ndarray) -> np.ndarray:
    """Numbers as whole ones of any type. Raises DataError for others, and for negative ones."""
    if numbers.dtype.kind == "u":
        return numbers
    strange = (numbers < 0) | (numbers > _LARGEST_WHOLE_NUMBER) | (numbers != np.rint(numbers))
    if strange.any():
        values = np.unique(numbers[strange])
        shown = ", ".join(f"{value:g}" for value in values[:_SHOWN]) + (" and more" if len(values) > _SHOWN else "")
        raise DataError(KINDS["not_whole"].at(path, f"holds {shown}", repairable=can_be_rounded(numbers)))
    whole: np.ndarray = numbers.astype(np.int64)
    return whole


def _threshold(path: Path, values: np.ndarray, full: int) -> tuple[np.ndarray, tuple[Finding, ...]]:
    """Labels whose foreground is above half of the full scale. A mask of 0 and 1 alone is taken as it is."""
    if int(values.max()) <= 1:
        return _foreground(values), ()
    stray = np.count_nonzero((values != 0) & (values != full))
    if stray and (labels := _find_areas_between(values, full)):
        said = f"holds areas of {', '.join(map(str, (0, *labels, full)))}"
        raise DataError(KINDS["not_declared"].at(path, said, expected=f"0 and {full}", mend=_TABLE_MEND))
    found = f"has {stray:,} {'pixel that is' if stray == 1 else 'pixels that are'} neither 0 nor {full}"
    expected, mend = f"0 and {full}", f"Nothing need be done: what is above {full // 2} counts."
    notes = (KINDS["thresholded"].at(path, found, expected=expected, mend=mend),) if stray else ()
    return _foreground(values > full // 2), notes


def _find_areas_between(values: np.ndarray, full: int) -> tuple[int, ...]:
    """Values between 0 and full that form areas, as a label does that a threshold would melt into another."""
    margin = full * END / 255
    areas = {*find_areas(values, (values > margin) & (values < full - margin)), *find_second_levels(values)}
    return tuple(sorted(areas - {0, full}))


def _code_one_label(pixels: MaskPixels, values: np.ndarray) -> np.ndarray:
    low, high = values.min(), values.max()
    between = (values != low) & (values != high)
    if low in (0, high) and not between.any():
        return _foreground(values)
    raise DataError(_explain_greys(pixels, values, int(low), int(high)))


def _explain_greys(pixels: MaskPixels, values: np.ndarray, low: int, high: int) -> Finding:
    """The finding for more values than those of one label: further labels, edges that were blended, or an image."""
    path, found = pixels.path, count_values(values)[0]
    shown = ", ".join(str(int(value)) for value in found[:_SHOWN]) + (" and more" if len(found) > _SHOWN else "")
    one_label = "0 and one other value"
    all_white = low >= high * (1 - END / 255) and len(found) > 2
    if high <= _LARGEST_SMALL_NUMBER or len(found) <= 2:
        void = high == VOID and len(found) > 2 and int(found[-2]) <= _LARGEST_SMALL_NUMBER
        mend = _TABLE_MEND + _VOID_MEND * void
        return KINDS["not_declared"].at(path, f"holds {shown}", expected=f"{one_label}, or a table labels.csv", mend=mend)
    between = explain_between(values, lossy=pixels.lossy)
    if between.reason == "labels":
        return _tell_labels(path, found, between, shown)
    if between.reason == "image" and _are_instances(values):
        said = f"holds {len(found)} different values that each form an area, as the numbers of single objects do"
        return KINDS["not_declared"].at(path, said, expected=f"{one_label}, or a table labels.csv", mend=_INSTANCE_MEND)
    if between.reason == "image" and not all_white:
        said = f"holds {len(found)} different values and looks like a photograph"
        return KINDS["photograph"].at(path, said, expected=one_label)
    if low > high * END / 255 and not all_white:
        return KINDS["not_declared"].at(
            path, f"holds {shown}", expected=f"{one_label}, or a table labels.csv", mend=_TABLE_MEND
        )
    share = f"{between.pixels:,} of {values.size:,} pixels ({between.pixels / values.size:.2%})"
    said = f"has {share} between {low} and {high}, as of JPEG or resizing"
    if pixels.lossy and between.near >= _JPEG_NEAR:
        near = "all" if between.near == 1 else f"{min(between.near, 0.999):.1%}"
        said = f"is a JPEG mask: {near} of its pixels are within {END} of 0 or {high}, as a mask of one label is"
    return KINDS["in_between"].at(path, said, expected=one_label)


def _are_instances(values: np.ndarray) -> bool:
    """Whether nearly all that is not 0 is in areas of one number each, with nothing blended between them."""
    foreground = values != 0
    areas = find_areas(values, foreground)
    return bool(areas) and np.isin(values, areas).sum() >= _MOSTLY_AREAS * foreground.sum()


def _tell_labels(path: Path, found: np.ndarray, between: Between, shown: str) -> Finding:
    """The finding for several labels that nothing declares, alone or with what resizing left between them."""
    ends = [int(found[0]), int(found[-1])]
    labels = sorted({*ends, *between.labels})
    void = ends[1] == VOID and labels[-2] <= _LARGEST_SMALL_NUMBER
    expected, mend = "0 and one other value, or a table labels.csv", _TABLE_MEND + _VOID_MEND * void
    if len(labels) < len(found):
        among = ", ".join(map(str, labels))
        shown = f"areas of {among}, and {len(found) - len(labels)} other values at their edges, as of JPEG or resizing"
        mend = _BOTH_MEND.format(column="value")
    return KINDS["not_declared"].at(path, f"holds {shown}", expected=expected, mend=mend)


def _code_one_colour(pixels: MaskPixels, colours: np.ndarray) -> CodedMask:
    """Labels of a palette or colour mask of one label: black is background, one other colour is foreground."""
    found = np.unique(colours)
    if pixels.numbers is not None and len(np.unique(pixels.numbers)) > len(found):
        used, names = np.unique(pixels.numbers), ", ".join(map(_name, found[:_SHOWN].tolist()))
        said = f"uses {len(used)} palette entries of {counted(len(found), 'colour')} ({names})"
        mend = "Export label numbers, or a colour for each label."
        raise DataError(KINDS["colours_unknown"].at(pixels.path, said, mend=mend))
    if len(found) > 1 and _is_grey(found):
        grey = (colours & 255).astype(np.uint8)
        return CodedMask(_code_one_label(pixels, grey), (), _mark(int(grey.max())))
    if len(found) > 2 and _measure_tint(found) <= MOST_TINT:
        grey = _take_luminance(colours)
        raise DataError(_explain_greys(pixels, grey, int(grey.min()), int(grey.max())))
    if len(found) > 2 or (len(found) == 2 and found[0] != 0):
        raise DataError(_list_colours(pixels.path, colours))
    notes: tuple[Finding, ...] = ()
    if not _is_grey(found):
        said = f"is black and {_name(int(found[-1]))}" if len(found) > 1 else f"is all {_name(int(found[0]))}"
        notes = (KINDS["colour_mask"].at(pixels.path, said, mend="Nothing need be done: what is not black is foreground."),)
    mark = _mark(int(found[-1] & 255)) if _is_grey(found) else _name(int(found[-1]))
    return CodedMask(_foreground(colours), notes, mark)


def _list_colours(path: Path, colours: np.ndarray) -> Finding:
    """The finding for colours that mean nothing, the most frequent ones named; for a photograph, that it is one."""
    found, counts = np.unique(colours, return_counts=True)
    areas = find_areas(colours, np.ones(colours.shape, bool))
    covered = int(counts[np.isin(found, areas)].sum())
    if len(found) > _MOST_COLOURS and covered < _MOSTLY * colours.size:
        main, near = find_main_colours(dict(zip(found.tolist(), counts.tolist(), strict=True)))
        if len(main) > 1 and near >= _MOSTLY_NEAR * colours.size:
            shown = f"about {', '.join(map(_name, main))} in {near / colours.size:.1%} of its pixels"
            said = f"holds {len(found):,} different colours, {shown}, as of a mask in colours through JPEG"
            return KINDS["blended"].at(path, said, mend=_BOTH_MEND.format(column="colour"))
        said = f"holds {len(found):,} different colours and looks like a photograph"
        return KINDS["photograph"].at(path, said, expected="black and one other colour")
    order = np.argsort(-counts, kind="stable")
    numbers = dict(zip(found[order].tolist(), counts[order].tolist(), strict=True))
    others = len(found) - len(areas)
    if len(areas) < 2 or others < FEWEST_BLENDED or covered < _MOSTLY * colours.size:
        return KINDS["colours_unknown"].at(path, f"holds {_list_first(numbers)}")
    among = _list_first({colour: count for colour, count in numbers.items() if colour in set(areas)})
    rest = f"{colours.size - covered:,} pixels ({1 - covered / colours.size:.2%}) of {others:,} other colours at their edges"
    said = f"holds areas of {among}, and {rest}, as of JPEG or resizing"
    mend = KINDS["blended"].mend if len(areas) == 2 and 0 in areas else _BOTH_MEND.format(column="colour")
    return KINDS["blended"].at(path, said, mend=mend)


def _list_first(pixels: Mapping[int, int]) -> str:
    """The first colours with their numbers of pixels, and the number of the others."""
    shown = ", ".join(
        f"{_name(colour)} ({count:,} {plural(count, 'pixel')})" for colour, count in itertools.islice(pixels.items(), _SHOWN)
    )
    return shown + (f" and {counted(len(pixels) - _SHOWN, 'more colour')}" if len(pixels) > _SHOWN else "")


def _measure_tint(colours: np.ndarray) -> int:
    """The largest difference between two channels of a colour."""
    channels = np.stack([colours >> 16, colours >> 8 & 255, colours & 255]).astype(np.int64)
    return int(np.ptp(channels, axis=0).max())


def _take_luminance(colours: np.ndarray) -> np.ndarray:
    """Colours as grey, by the weights of ITU-R 601-2 that Pillow has, to the bit."""
    red, green, blue = colours >> 16, colours >> 8 & 255, colours & 255
    grey: np.ndarray = ((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16).astype(np.uint8)
    return grey


def _is_grey(colours: np.ndarray) -> bool:
    return bool((colours == (colours & 255) * _GREY_STEP).all())


def _mark(value: int) -> str:
    return str(value) if value else ""


def _name(colour: int) -> str:
    return f"#{colour:06X}"


def _foreground(values: np.ndarray) -> np.ndarray:
    """Labels that are 1 where the values are not 0."""
    foreground: np.ndarray = (values != 0).view(np.uint8)
    return foreground
