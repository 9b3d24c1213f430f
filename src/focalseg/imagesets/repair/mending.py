"""Mends a copy of one faulty file: pictures through Pillow, volumes by their header's bytes."""

import gzip
import io
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import nibabel
import numpy as np
from PIL import Image, ImageOps

from focalseg.errors import DataError
from focalseg.findings import counted
from focalseg.imagesets.areas import END, explain_between
from focalseg.imagesets.masks import ROUNDED, MaskCoding
from focalseg.imagesets.pictures import reading as pictures
from focalseg.imagesets.pictures.headers import COLOUR_MODES
from focalseg.imagesets.pictures.masks import MOST_TINT
from focalseg.imagesets.pictures.reading import FORMAT_SUFFIXES

FULL, WIDE = 255, 65535
_HALF = 127
"""A mask that goes up to 255 is foreground above this."""
_GZIP_MAGIC = b"\x1f\x8b"
_GREY_MODES = ("1", "L", "I;16")
_EIGHT_BITS = ("1", "L", "LA", "La")


Background = Literal["black", "white"]
"""What a picture with transparent pixels is laid on."""


class CannotMendError(Exception):
    """What keeps a file from being mended, as a verb phrase that continues its name."""


@dataclass(frozen=True, kw_only=True)
class Usual:
    """What most pictures of a set are: channels and number type."""

    channels: int
    dtype: str


@dataclass(frozen=True, kw_only=True)
class Mended:
    """A corrected file: its content, the suffix that its name must have, and what was done, by kind."""

    content: bytes
    suffix: str
    done: dict[str, str]


def mend_picture(
    path: Path, kinds: Collection[str], coding: MaskCoding | None, usual: Usual | None, background: Background | None = None
) -> Mended:
    """The picture with these kinds of finding mended. coding: that of a mask, None for an image.

    background: what transparent pixels are laid on; None where nobody says. Raises CannotMendError where it would take a guess.
    """
    content = path.read_bytes()
    encoded = pictures.sniff(content)
    steps = {kind: step for kind, step in _PICTURE_STEPS.items() if kind in kinds}
    if encoded and not steps and not set(kinds) & {"unlike", "transparent"}:
        suffix = path.suffix if path.suffix.lower() in FORMAT_SUFFIXES[encoded] else FORMAT_SUFFIXES[encoded][0]
        return Mended(content=content, suffix=suffix, done={"wrong_suffix": f"named by its content, {encoded}"})
    if (steps or "transparent" in kinds) and not pictures.gives_all(content):
        raise CannotMendError("has pages, channels or 16 bits a colour, which are not written anew")
    with Image.open(io.BytesIO(content), formats=tuple(FORMAT_SUFFIXES)) as file:
        done: dict[str, str] = {}
        picture: Image.Image = file
        if "transparent" in kinds:
            picture, done["transparent"] = _lay_on(picture, background), f"laid on {background}"
        for kind, (what, apply) in steps.items():
            picture, done[kind] = apply(picture, coding), what
    if "unlike" in kinds:
        picture, done["unlike"] = _convert_to_usual(path, usual)
    lossless = encoded in ("PNG", "TIFF") or (encoded == "BMP" and picture.mode in ("L", "RGB"))
    suffix = path.suffix if lossless and path.suffix.lower() in FORMAT_SUFFIXES[encoded] else ".png"
    return Mended(content=_encode(picture, suffix), suffix=suffix, done=done)


def _encode(picture: Image.Image, suffix: str) -> bytes:
    """The pixels alone, encoded without loss: no EXIF note on orientation, no colour profile."""
    picture.load()
    picture = picture.copy()
    picture.info = {}
    picture.getexif().clear()
    buffer = io.BytesIO()
    picture.save(buffer, format=next(name for name, suffixes in FORMAT_SUFFIXES.items() if suffix.lower() in suffixes))
    return buffer.getvalue()


def _lay_on(picture: Image.Image, background: Background | None) -> Image.Image:
    """A picture with transparent pixels -> what is seen of it on a ground of one colour.

    Raises CannotMendError where none is given, or where numbers would be squeezed into 8 bits.
    """
    if background is None:
        raise CannotMendError("has transparent pixels, and no --background black or white was given to lay it on")
    if picture.mode not in (*_EIGHT_BITS, *COLOUR_MODES):
        raise CannotMendError("has transparent pixels of more than 8 bits")
    grey = picture.mode in _EIGHT_BITS
    colours = (picture.convert("LA") if picture.mode == "La" else picture).convert("RGBA")
    ground = Image.new("RGBA", picture.size, background)
    return Image.alpha_composite(ground, colours).convert("L" if grey else "RGB")


def _drop_alpha(picture: Image.Image) -> Image.Image:
    """Grey with alpha -> grey, all else with alpha -> RGB. Raises CannotMendError where a pixel is not opaque."""
    colours = picture.convert("RGBA")
    if (np.asarray(colours)[..., 3] != FULL).any():
        raise CannotMendError("has pixels that are transparent")
    return picture.convert("L" if picture.mode == "LA" else "RGB")


def _convert_to_grey(picture: Image.Image) -> Image.Image:
    """A picture whose channels are equal -> one of them."""
    channels = np.asarray(picture.convert("RGB"))
    if (channels != channels[..., :1]).any():
        raise CannotMendError("has colours")
    return Image.fromarray(np.ascontiguousarray(channels[..., 0]))


def _threshold_at_half(picture: Image.Image, coding: MaskCoding | None) -> Image.Image:
    """A mask of one label -> 255 above half of what it goes up to, else 0. Raises CannotMendError for what is hardly a mask."""
    if coding is None or coding.labels is None or len(coding.labels) != 1 or coding.values or coding.colours:
        raise CannotMendError("may hold several labels, and a value between two of them tells neither")
    if picture.mode not in _GREY_MODES and np.ptp(np.asarray(picture.convert("RGB")).astype(int), axis=-1).max() > MOST_TINT:
        raise CannotMendError("has colours, which tell more than one label")
    values = np.asarray(picture if picture.mode in _GREY_MODES else picture.convert("L"))
    highest = int(values.max(initial=0))
    if len(np.unique(values)) > 2 and int(values.min()) < (1 - END / FULL) * highest:
        between = explain_between(values, lossy=picture.format == "JPEG")
        if between.reason == "labels":
            areas = ", ".join(map(str, between.labels))
            raise CannotMendError(f"may hold several labels, since it has areas of {areas} between 0 and {highest}")
        if between.reason == "image":
            raise CannotMendError("has values between those of the labels as an image has")
    half = _HALF if _HALF < highest <= FULL else highest / 2
    return Image.fromarray(np.where(values > half, FULL, 0).astype(np.uint8))


_PICTURE_STEPS: dict[str, tuple[str, Callable[[Image.Image, MaskCoding | None], Image.Image]]] = {
    "turned": ("turned upright", lambda picture, _: ImageOps.exif_transpose(picture)),
    "print_colours": ("converted to RGB", lambda picture, _: picture.convert("RGB")),
    "alpha_dropped": ("alpha channel left out", lambda picture, _: _drop_alpha(picture)),
    "colour_mask": ("saved as grey", lambda picture, _: _convert_to_grey(picture)),
    "in_between": ("set to 255 above half, to 0 below", _threshold_at_half),
    "not_whole": ("rounded to whole numbers", lambda picture, _: Image.fromarray(_round_labels(np.asarray(picture)))),
}
"""What the log says and how it is done, by the kind that is mended, in the order of the steps."""


def _convert_to_usual(path: Path, usual: Usual | None) -> tuple[Image.Image, str]:
    """An image with the channels and number type of most, and what was done. Raises CannotMendError for other differences."""
    try:
        image, _ = pictures.read_image(path)
    except DataError as error:
        raise CannotMendError("cannot be read as it is") from error
    if usual is None:
        raise CannotMendError("cannot be compared with other images")
    done = []
    if len(image) != usual.channels:
        if len(image) == 1 and usual.channels == 3:
            image = np.repeat(image, 3, axis=0)
            done.append("grey converted to colour")
        elif len(image) == 3 and usual.channels == 1 and (image == image[:1]).all():
            image = image[:1]
            done.append("colour without colours converted to grey")
        else:
            has, do = counted(len(image), "channel"), "does" if len(image) == 1 else "do"
            raise CannotMendError(f"has {has}, which {do} not convert to {usual.channels} without loss")
    if str(image.dtype) != usual.dtype:
        if image.dtype == np.uint16 and usual.dtype == "uint8":
            image = np.round(image / (WIDE / FULL)).astype(np.uint8)
            done.append(f"16 bits converted to 8 ({WIDE} becomes {FULL})")
        elif image.dtype == np.uint8 and usual.dtype == "uint16":
            image = image.astype(np.uint16) * (WIDE // FULL)
            done.append(f"8 bits converted to 16 ({FULL} becomes {WIDE})")
        else:
            raise CannotMendError(f"has {image.dtype} pixels, which do not convert to {usual.dtype}")
    if image.dtype == np.uint16 and len(image) == 3:
        raise CannotMendError("would have to be saved in colour with 16 bits a channel")
    pixels = image[0] if len(image) == 1 else np.ascontiguousarray(image.transpose(1, 2, 0))
    return Image.fromarray(pixels), ", ".join(done)


def mend_volume(path: Path, kinds: Collection[str]) -> Mended:
    """The NIfTI file with these kinds of finding mended; voxels and extensions keep their bytes, but for rounded labels.

    Raises CannotMendError where it would take a guess.
    """
    content = path.read_bytes()
    packed = content.startswith(_GZIP_MAGIC)
    raw = gzip.decompress(content) if packed else content
    suffix = ".nii.gz" if packed else ".nii"
    header, size = _read_header(raw)
    done: dict[str, str] = {}
    start = int(header["vox_offset"])
    voxels = raw[start:]
    if "two_places" in kinds:
        header.set_qform(header.get_sform(), code=int(header["sform_code"]))
        if not np.allclose(header.get_qform(), header.get_sform(), atol=1e-3):
            raise CannotMendError("has a sform with a shear, which no qform can say")
        done["two_places"] = "qform set to the sform"
    if "fourth_axis" in kinds:
        header["dim"][0], header["dim"][4:] = 3, 1
        done["fourth_axis"] = "fourth axis of length 1 dropped"
    if "not_whole" in kinds:
        labels = _round_labels(np.asanyarray(nibabel.load(path).dataobj))  # type: ignore[attr-defined]
        header.set_data_dtype(np.uint8)
        header["scl_slope"], header["scl_inter"] = 1, 0
        voxels = labels.tobytes(order="F")
        done["not_whole"] = "rounded to whole numbers"
    if not done and "wrong_suffix" in kinds:
        return Mended(content=content, suffix=suffix, done={"wrong_suffix": "named by its content, NIfTI"})
    if not done:
        raise CannotMendError("is unlike the others in a way that no conversion mends")
    mended = header.binaryblock + raw[size:start] + voxels
    return Mended(content=gzip.compress(mended, mtime=0) if packed else mended, suffix=suffix, done=done)


def _round_labels(values: np.ndarray) -> np.ndarray:
    """(*spatial) of any number type -> the whole numbers within 0.01 of them, uint8. Raises CannotMendError for others."""
    nearest = np.round(values.astype(np.float64))
    off = np.abs(values - nearest)
    if not (off <= ROUNDED).all():
        raise CannotMendError(f"holds values up to {np.nanmax(off):.2g} away from a whole number, or none at all")
    if nearest.min(initial=0) < 0 or nearest.max(initial=0) > FULL:
        raise CannotMendError(f"holds values outside of 0 to {FULL}")
    return nearest.astype(np.uint8)


def _read_header(raw: bytes) -> tuple[Any, int]:
    """The header of NIfTI 1 or 2, nothing reset in it, and its length in bytes."""
    for kind in (nibabel.Nifti1Header, nibabel.Nifti2Header):
        size = kind.template_dtype.itemsize
        if int.from_bytes(raw[:4], "little") == size or int.from_bytes(raw[:4], "big") == size:
            return kind.from_fileobj(io.BytesIO(raw), check=False), size  # type: ignore[no-untyped-call]
    raise CannotMendError("has no NIfTI header")
