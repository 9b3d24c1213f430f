"""What the planes of a TIFF are: channels, slices of a volume, or what cannot be one image.

Each program says it in its own way: ImageJ and OME in the description, microscopes in tags of their own, and some write many
planes behind one directory, so that a reader of directories sees the first alone. tifffile knows these ways; what it reads is
compared here with what the file promises, since it falls back to single pages where the two disagree.
"""

import io
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np

from focalseg.errors import DataError
from focalseg.findings import Finding, counted
from focalseg.imagesets.kinds import KINDS
from focalseg.imagesets.pictures.damage import DamageError
from focalseg.imagesets.pictures.quiet import quietly
from focalseg.imagesets.pictures.tiff import MOST_PAGES

_CHANNELS, _SLICES, _UNMARKED = "CS", "Z", "IQ"
_WITHIN_PAGE = "YXS"
_OTHERS = {"T": "points in time", "R": "regions", "P": "phases", "A": "angles", "M": "mosaic tiles", "V": "views"}
"""Axes of which an image has none, by tifffile's letters, in words."""
_DESCRIBED = {"imagej": "ImageJ", "ome": "OME-XML", "shaped": "JSON", "stk": "MetaMorph", "lsm": "Zeiss LSM"}
"""Descriptions of axes that a file may have, by tifffile's names of them."""
_ONE_DIRECTORY = ("imagej", "shaped", "stk")
"""Kinds of files, by tifffile's names of them, that may have one directory for many planes."""
_SAY_SO = (
    "Say it in the file: in ImageJ by Image > Properties (channels, slices), in Python by tifffile.imwrite with "
    "imagej=True and metadata={'axes': 'CYX'} for channels or 'ZYX' for slices."
)
_DESCRIPTION_MEND = "Export it again; if its pixels are right as they are, save it without that description."


@dataclass(frozen=True, kw_only=True)
class Stack:
    """order (channels, slices): which plane is what. directories: the page that each plane is; none where one holds several.

    hidden: planes follow the one of the only directory, which knows nothing of them. unmarked: nothing says what the planes
    are, and they were taken for slices. series: tifffile's, open, to decode them.
    """

    order: np.ndarray
    directories: tuple[int, ...]
    hidden: bool
    unmarked: bool
    series: Any

    @property
    def planes(self) -> int:
        """How many planes there are, each of them a page or a part of the file that is as large as a page."""
        return self.order.size


@contextmanager
def open_tiff(content: bytes) -> Iterator[Any]:
    """tifffile's view of the bytes of a TIFF; of several files that make one image, no other is opened."""
    import tifffile  # heavy, and of use for TIFF alone

    with quietly():
        file = tifffile.TiffFile(io.BytesIO(content), _multifile=False)
    with file:
        yield file


def read_stack(path: Path, file: Any) -> Stack:
    """What tifffile tells of an open file whose every page is known to be whole.

    Raises DataError for what is not one image or one volume, and for a description that promises what the file does not hold.
    """
    _check_description(file)
    series = _choose_series(path, file)
    _check_kind(path, file, series)
    axes, shape = series.get_axes(False), series.get_shape(False)
    outer = [(letter, size) for letter, size in zip(axes, shape, strict=True) if letter not in _WITHIN_PAGE]
    planes, pages = math.prod(size for _, size in outer), _count_main_pages(file, series)
    promised = _read_promise(file)
    if promised > planes == 1 and pages == 1:
        # An old ImageJ stack: all planes behind one directory, and nothing but their number in the description.
        outer, planes = [("I", promised)], promised
    if planes > MOST_PAGES:
        found = f"has {planes:,} planes, as its description says"
        raise DataError(KINDS["too_large"].at(path, found, expected=f"at most {MOST_PAGES:,}", mend="Cut it into parts."))
    within = math.prod(series.keyframe.shape)
    in_one = math.prod(size for letter, size in zip(axes, shape, strict=True) if letter in _WITHIN_PAGE)
    # Channels may also be the samples of a page, and slices its depth: then a page holds several planes.
    each = within // in_one if in_one and within % in_one == 0 else 0
    if promised > planes or not each or planes % each or (pages > 1 and planes // each != pages):
        raise DataError(_broken_promise(path, max(promised, planes), pages * max(each, 1)))
    hidden = pages == 1 and planes > each
    held = _count_held(file) if series.kind in _ONE_DIRECTORY else pages
    if hidden and planes // each > held:
        raise DataError(_broken_promise(path, planes // each, held))
    return Stack(
        order=_arrange(path, outer),
        directories=_list_directories(path, series) if each == 1 and not hidden else (),
        hidden=hidden,
        unmarked=any(letter in _UNMARKED and size > 1 for letter, size in outer),
        series=series,
    )


def decode_planes(stack: Stack, file: Any) -> np.ndarray:
    """(planes, H, W, samples) as stored, by tifffile, in the order of the file."""
    series, page = stack.series, stack.series.keyframe
    sides = dict(zip(series.get_axes(False), series.get_shape(False), strict=True))
    samples = sides.get("S", 1)
    if stack.hidden:
        kind = page.dtype.newbyteorder(file.byteorder)
        count = stack.planes * sides["Y"] * sides["X"] * samples
        file.filehandle.seek(page.dataoffsets[0])
        stored = np.frombuffer(file.filehandle.read(count * kind.itemsize), kind)
        letters, shape = "P" + page.axes, (-1, *page.shape)
    else:
        stored = series.asarray(maxworkers=1)
        letters, shape = series.get_axes(False), series.get_shape(False)
    stored = stored.reshape(shape)
    if "S" not in letters:
        letters, stored = letters + "S", stored[..., None]
    outer = [at for at, letter in enumerate(letters) if letter not in _WITHIN_PAGE]
    moved = stored.transpose(*outer, *(letters.index(letter) for letter in _WITHIN_PAGE))
    return moved.reshape(stack.planes, sides["Y"], sides["X"], samples)


def note_unmarked(path: Path, slices: int) -> Finding:
    """The note for pages that were taken for slices though nothing says so."""
    return KINDS["unmarked_pages"].at(path, f"has {slices} pages and does not say what they are; they are read as slices")


def refuse_unmarked(path: Path, slices: int, mask: Path) -> Finding:
    """The finding for pages that cannot be slices, since the mask has none, and do not say what else they are."""
    found = f"has {slices} pages that do not say what they are, and its mask is one picture"
    expected = "one picture, or pages that say that they are channels"
    return KINDS["several_pages"].at(path, found, expected=expected, mend=_SAY_SO, others=[mask])


def refuse_mask_pages(mask: Path, slices: int, image: Path) -> Finding:
    """The finding for a mask of several pages beside one picture."""
    found = f"has {slices} pages and its image is one picture"
    expected = "one picture of label numbers"
    mend = (
        "If each page is the mask of a class or of an object, join them into one picture of label numbers (0, 1, 2 ...); if "
        "they are slices, the image needs as many."
    )
    return KINDS["several_pages"].at(mask, found, expected=expected, mend=mend, others=[image])


def _check_description(file: Any) -> None:
    """Raises DamageError for OME-XML with sizes that would have tifffile make lists of any length."""
    if not file.is_ome:
        return
    try:
        root = ET.fromstring(file.ome_metadata or "")  # noqa: S314 - expat bounds what entities may grow to
    except ET.ParseError as error:
        raise DamageError(f"is altered: its OME-XML cannot be read ({error})") from error
    for element in root.iter():
        if element.tag.endswith("Pixels"):
            count = math.prod(_whole(element.get(f"Size{axis}", "1")) for axis in "ZCT")
        elif element.tag.endswith("TiffData"):
            count = max((_whole(text) for text in element.attrib.values()), default=0)
        elif "Start" in element.attrib:
            start, end, step = (float(element.get(name, "1")) for name in ("Start", "End", "Step"))
            count = int(min(abs((end - start) / step), 2.0 * MOST_PAGES)) if step else 2 * MOST_PAGES
        else:
            continue
        if count > MOST_PAGES:
            raise DamageError(f"is altered: its OME-XML speaks of {count:,} planes")


def _whole(text: str) -> int:
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else 0


def _choose_series(path: Path, file: Any) -> Any:
    """The one series of planes; smaller copies of it are passed over. Raises DataError where there are several."""
    try:
        found_series = file.series
    except Exception as error:  # tifffile raises whatever a number or a word in the wrong place leads to
        names = [name for kind, name in _DESCRIBED.items() if getattr(file, f"is_{kind}")]
        if not names:
            raise
        found = f"has a description ({names[0]}) that cannot be read"
        expected = "a description as the program writes it, or none"
        raise DataError(KINDS["damaged"].at(path, found, expected=expected, mend=_DESCRIPTION_MEND)) from error
    kept = [series for series in found_series if not (series.keyframe.is_reduced or series.keyframe.is_subifd)]
    flagged = all(level.keyframe.is_reduced or level.keyframe.is_subifd for series in kept for level in series.levels[1:])
    if len(kept) == 1 and flagged:
        return kept[0]
    if not kept:
        raise DataError(KINDS["several_pages"].at(path, "holds nothing but small copies of an image"))
    every = [_describe(level.keyframe) for series in kept for level in series.levels]
    kinds = list(dict.fromkeys(every))
    found = f"has pages of {' and of '.join(kinds[:3])}" if len(kinds) > 1 else f"holds {len(every)} images"
    raise DataError(KINDS["several_pages"].at(path, found, expected="pages alike, or one"))


def _describe(page: Any) -> str:
    samples = f" of {page.samplesperpixel} samples" if page.samplesperpixel > 1 else ""
    return f"{page.imagewidth} x {page.imagelength} pixels{samples} ({page.dtype or 'of another kind'})"


def _check_kind(path: Path, file: Any, series: Any) -> None:
    """Raises DataError where a description of axes is there and tifffile could make nothing of it."""
    if series.kind not in ("generic", "uniform"):
        return
    for kind, name in _DESCRIBED.items():
        if getattr(file, f"is_{kind}"):
            if promised := _read_promise(file):
                raise DataError(_broken_promise(path, promised, _count_held(file)))
            found = f"has a description ({name}) that does not fit what it holds"
            expected = "all of one image in one file, as the description says"
            raise DataError(KINDS["several_pages"].at(path, found, expected=expected, mend=_DESCRIPTION_MEND))


def _read_promise(file: Any) -> int:
    """The planes that the description of ImageJ or tifffile promises; 0 where it promises none."""
    if file.is_imagej:
        said = file.imagej_metadata or {}
        numbers = [said.get(name, 1) for name in ("channels", "slices", "frames")]
        # Bio-Formats counts the samples of a page among the channels.
        numbers[0] = 1 if numbers[0] == file.pages.first.samplesperpixel else numbers[0]
        if all(isinstance(number, int) for number in (*numbers, said.get("images", 1))):
            return int(max(said.get("images", 1), math.prod(numbers), 0))
    if file.is_shaped and (said := file.shaped_metadata):
        page = file.pages.first
        return int(math.prod(said[0]["shape"]) // max(math.prod(page.shape), 1))
    return 0


def _broken_promise(path: Path, promised: int, held: int) -> Finding:
    found = f"says in its description that it has {counted(promised, 'plane')}, and holds {held}"
    return KINDS["damaged"].at(path, found, expected="as many as it says", mend=_DESCRIPTION_MEND)


def _count_main_pages(file: Any, series: Any) -> int:
    """Pages of the file that are no smaller copies."""
    small = [other for other in file.series if other is not series] + series.levels[1:]
    return len(file.pages) - sum(len(other) for other in small if not other.keyframe.is_subifd)


def _list_directories(path: Path, series: Any) -> tuple[int, ...]:
    """The number of the page that each plane is. Raises DataError where a plane is in another file, or within a page."""
    pages = list(series)
    if any(page is None or page.is_subifd for page in pages):
        found = "says in its description that a part of its planes is elsewhere"
        raise DataError(KINDS["several_pages"].at(path, found, expected="all of one image in one file", mend=_DESCRIPTION_MEND))
    return tuple(page.index for page in pages)


def _count_held(file: Any) -> int:
    """Planes that a file has room for: its pages, or behind the numbers of its only page as many as follow.

    They end where the file does, or where its directory or what this points to begins.
    """
    page = file.pages.first
    if len(file.pages) > 1 or not page.is_final or not page.nbytes:
        return len(file.pages)
    start = page.dataoffsets[0]
    ends = [file.filehandle.size, page.offset, *(tag.valueoffset for tag in page.tags)]
    return int((min(end for end in ends if end > start) - start) // page.nbytes)


def _arrange(path: Path, outer: list[tuple[str, int]]) -> np.ndarray:
    """(channels, slices) numbers of planes. Raises DataError for axes that no image has."""
    several = [(letter, size) for letter, size in outer if size > 1]
    strange = [(letter, size) for letter, size in several if letter not in _CHANNELS + _SLICES + _UNMARKED]
    if strange:
        shown = " and ".join(f"{size} {_OTHERS.get(letter, f'planes along the axis {letter}')}" for letter, size in strange)
        expected, mend = "one image or one volume a file", "Save each of them as a case of its own."
        if strange[0][0] == "T":
            mend += " If they are slices, say so in the file (in ImageJ by Image > Properties)."
        raise DataError(KINDS["several_pages"].at(path, f"has {shown}", expected=expected, mend=mend))
    numbers = np.arange(math.prod(size for _, size in several)).reshape([size for _, size in several])
    letters = [letter for letter, _ in several]
    unsaid = [at for at, letter in enumerate(letters) if letter in _SLICES + _UNMARKED]
    if len(unsaid) > 1:
        shown = " x ".join(str(several[at][1]) for at in unsaid)
        found = f"has {shown} pages and does not say what they are"
        raise DataError(KINDS["several_pages"].at(path, found, expected="one image or one volume a file", mend=_SAY_SO))
    channels = [at for at, letter in enumerate(letters) if letter in _CHANNELS]
    size = math.prod(several[at][1] for at in channels)
    return numbers.transpose(*channels, *unsaid).reshape(size, -1)
