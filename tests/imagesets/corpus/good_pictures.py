"""Good sets of pictures of every legal kind: none of them may be refused, nor noted for anything but what is declared."""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin

from imagesets.corpus.pictures import (
    black_and_white,
    draw_image,
    draw_mask,
    encode,
    encode_mask,
    encode_png,
    join_chunks,
    split_chunks,
    write_pictures,
)

Case = tuple[str, bytes, str, bytes]
"""File names and contents of an image and its mask."""
Truth = Callable[[int], np.ndarray]


@dataclass(frozen=True)
class GoodSet:
    """make: writes the set and gives the notes it has to get, kinds by file. masks: the truth, by the name of the case."""

    name: str
    masks: dict[str, np.ndarray] = field(repr=False)
    make: Callable[[Path], dict[Path, set[str]]] = field(repr=False)


def plain(name: str, cases: list[Case], notes: dict[str, set[str]] | None = None, truth: Truth = draw_mask) -> GoodSet:
    """A plain folder of those files. notes: kinds by path within the folder. truth: the mask of a case by its place."""

    def make(folder: Path) -> dict[Path, set[str]]:
        for part in ("images", "masks"):
            (folder / part).mkdir(parents=True)
        for image_name, image, mask_name, mask in cases:
            (folder / "images" / image_name).write_bytes(image)
            (folder / "masks" / mask_name).write_bytes(mask)
        return {folder / path: kinds for path, kinds in (notes or {}).items()}

    return GoodSet(name, {case[0].rpartition(".")[0]: truth(number) for number, case in enumerate(cases)}, make)


def usual_masks(count: int) -> dict[str, np.ndarray]:
    """Those of `write_pictures`."""
    return {f"case_{number}": draw_mask(number) for number in range(count)}


def save(pixels: np.ndarray | Image.Image, file_format: str, mode: str = "", **options: Any) -> bytes:
    """In another mode first where one is given."""
    picture = Image.fromarray(pixels) if isinstance(pixels, np.ndarray) else pixels
    return encode(picture.convert(mode) if mode else picture, file_format, **options)


def colour_files(number: int) -> Iterator[tuple[str, bytes]]:
    """Every way to write an 8-bit colour picture: suffix and content."""
    pixels = draw_image(number)
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "cut at 3 o'clock, \u2300 4 mm", zip=True)
    upright = Image.Exif()
    upright[0x0112] = 1
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    chunks = split_chunks(encode(pixels))
    yield ".png", encode(pixels, compress_level=0)
    yield ".png", encode_png(pixels, depth=8, interlaced=True)
    yield ".png", encode(pixels, pnginfo=text, dpi=(96, 96), icc_profile=profile)
    yield ".png", encode(pixels, exif=upright)
    yield ".png", join_chunks([part for kind, data in chunks for part in halves(kind, data)])
    yield (
        ".png",
        join_chunks([chunks[0], (b"gAMA", struct.pack(">I", 45455)), (b"tIME", bytes([7, 232, 5, 6, 1, 2, 3])), *chunks[1:]]),
    )
    yield ".png", encode(Image.fromarray(pixels).quantize(64))
    yield ".PNG", encode(pixels)
    yield ".jpg", encode(pixels, "JPEG", quality=95)
    yield ".jpeg", encode(pixels, "JPEG", progressive=True, quality=80)
    yield ".JPG", encode(pixels, "JPEG", subsampling=0, quality=100, optimize=True)
    yield ".JPEG", encode(pixels, "JPEG", exif=upright, icc_profile=profile, restart_marker_rows=1)
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits", "jpeg"):
        yield ".tif", encode(pixels, "TIFF", compression=compression)
    yield ".tiff", encode(pixels, "TIFF", strip_size=256)
    yield ".TIF", encode(pixels, "TIFF", compression="tiff_lzw", tiffinfo={317: 2})
    yield ".TIFF", encode(pixels, "TIFF", big_tiff=True)
    yield ".bmp", encode(pixels, "BMP")
    yield ".BMP", encode(Image.fromarray(pixels).quantize(32), "BMP")
    yield ".gif", encode(Image.fromarray(pixels).quantize(200), "GIF")
    yield ".jpg", encode(pixels, "MPO", save_all=True, append_images=[Image.fromarray(draw_image(number + 500))])
    yield ".png", join_chunks([chunks[0], (b"tRNS", b"\0\xff\0\xfe\0\xfd"), *chunks[1:]])


def halves(kind: bytes, data: bytes) -> list[tuple[bytes, bytes]]:
    """A chunk of pixels in two."""
    return [(kind, data[:100]), (kind, data[100:])] if kind == b"IDAT" else [(kind, data)]


def mask_files(number: int) -> Iterator[tuple[str, bytes]]:
    """Every way to write a mask of one label: suffix and content."""
    mask, white = draw_mask(number), black_and_white(number)
    whole = mask.astype(np.uint8)
    two_colours = Image.fromarray(whole)
    two_colours.putpalette([0, 0, 0, 255, 255, 255])
    other_way_round = Image.fromarray(1 - whole)
    other_way_round.putpalette([255, 255, 255, 0, 0, 0])
    yield ".png", encode(white)
    yield ".png", encode(whole)
    yield ".png", encode(mask)
    yield ".png", encode(two_colours)
    yield ".png", encode(two_colours, bits=1)
    yield ".png", encode(other_way_round, bits=1)
    yield ".png", encode(whole.astype(np.uint16) * 65535)
    yield ".png", encode(whole.astype(np.uint16) * 257)
    yield ".png", encode_png(white, depth=8, interlaced=True)
    yield ".PNG", encode(white)
    yield ".tif", encode(white, "TIFF", compression="tiff_lzw")
    yield ".tiff", encode(mask, "TIFF", compression="group4")
    yield ".tiff", encode(mask, "TIFF", compression="group4", tiffinfo={262: 0})
    yield ".TIF", encode(whole.astype(np.float32), "TIFF")
    yield ".tif", encode(whole.astype(np.uint16), "TIFF")
    yield ".tif", encode(whole.astype(np.int32), "TIFF")
    yield ".bmp", encode(white, "BMP")
    yield ".bmp", encode(mask, "BMP")
    yield ".gif", encode(white, "GIF")


def every_colour_file() -> GoodSet:
    """A case for each way to write a colour picture, each with one of the ways to write a mask in turn."""
    count = len(list(colour_files(0)))
    ways = len(list(mask_files(0)))
    cases = []
    for number in range(count):
        suffix, image = list(colour_files(number))[number]
        mask_suffix, mask = list(mask_files(number))[number % ways]
        cases.append((f"way_{number}{suffix}", image, f"way_{number}{mask_suffix}", mask))
    return plain("colour in every format and masks in every coding", cases)


def one_value_sets() -> Iterator[GoodSet]:
    """Masks of 0 and one other value, the same in all."""
    for value in (2, 7, 128, 200):
        cases = [
            (f"a{number}.png", encode(draw_image(number)), f"a{number}.png", encode(draw_mask(number) * np.uint8(value)))
            for number in range(5)
        ]
        yield plain(f"masks of 0 and {value}", cases)


def grey(numbers: range) -> Iterator[tuple[int, np.ndarray]]:
    """Grey pictures by number."""
    for number in numbers:
        yield number, draw_image(number)[..., 0]


def grey_set() -> GoodSet:
    """8-bit grey, a third of it with an opaque alpha channel."""
    cases, notes = [], {}
    for number, pixels in grey(range(12)):
        name = f"scan_{number}.png"
        if number % 3 == 0:
            picture = Image.fromarray(pixels)
            picture.putalpha(255)
            cases.append((name, encode(picture), name, encode_mask(number)))
            notes[f"images/{name}"] = {"alpha_dropped"}
        else:
            suffix, file_format = ((".png", "PNG"), (".jpg", "JPEG"))[number % 3 - 1]
            cases.append((f"scan_{number}{suffix}", encode(pixels, file_format), name, encode_mask(number)))
    return plain("grey, with and without an opaque alpha", cases, notes)


def opaque_set() -> GoodSet:
    """RGBA that is opaque, with alpha-free masks."""
    cases, notes = [], {}
    for number in range(6):
        picture = Image.fromarray(draw_image(number))
        picture.putalpha(255)
        suffix = (".png", ".tif")[number % 2]
        cases.append(
            (f"a{number}{suffix}", encode(picture, ("PNG", "TIFF")[number % 2]), f"a{number}.png", encode_mask(number))
        )
        notes[f"images/a{number}{suffix}"] = {"alpha_dropped"}
    return plain("opaque RGBA", cases, notes)


def wide_set() -> GoodSet:
    """16-bit grey in PNG and TIFF, of either order of bytes."""
    cases = []
    for number, pixels in grey(range(12)):
        wide = pixels.astype(np.uint16) * 200 + number
        suffix, content = (
            (".png", encode(wide)),
            (".tif", encode(wide, "TIFF", compression="tiff_lzw")),
            (".png", encode_png(wide, depth=16, interlaced=True)),
            (".tif", big_endian_tiff(wide)),
        )[number % 4]
        cases.append((f"deep_{number}{suffix}", content, f"deep_{number}.png", encode_mask(number)))
    return plain("16-bit grey", cases)


def big_endian_tiff(pixels: np.ndarray) -> bytes:
    """A TIFF in Motorola's order of bytes: (H, W) uint16."""
    height, width = pixels.shape
    data = pixels.astype(">u2").tobytes()
    entries = [(256, width), (257, height), (258, 16), (259, 1), (262, 1), (273, 8), (277, 1), (278, height), (279, len(data))]
    directory = b"".join(struct.pack(">HHII", tag, 4, 1, value) for tag, value in entries)
    return b"MM\0*" + struct.pack(">I", 8 + len(data)) + data + struct.pack(">H", len(entries)) + directory + bytes(4)


def float_set() -> GoodSet:
    """Floats in TIFF, negative ones among them."""
    cases = [
        (f"f{number}.tif", encode(pixels.astype(np.float32) / 100 - 1, "TIFF"), f"f{number}.png", encode_mask(number))
        for number, pixels in grey(range(6))
    ]
    return plain("floats", cases)


def sizes_set() -> GoodSet:
    """Every image of a size of its own."""
    sizes = [(16 + 3 * number, 70 - 2 * number) for number in range(24)]
    cases = [
        (f"s{number}.png", encode(draw_image(number, *size)), f"s{number}.png", encode(draw_mask(number, *size)))
        for number, size in enumerate(sizes)
    ]
    return plain("mixed sizes", cases, truth=lambda number: draw_mask(number, *sizes[number]))


def empty_set() -> GoodSet:
    """A third without foreground."""
    cases, notes = [], {}
    for number in range(12):
        mask = black_and_white(number) * (number % 3 > 0)
        cases.append((f"e{number}.png", encode(draw_image(number)), f"e{number}.png", encode(mask.astype(np.uint8))))
        if number % 3 == 0:
            notes[f"masks/e{number}.png"] = {"empty_mask"}
    return plain("empty masks among others", cases, notes, truth=lambda number: draw_mask(number) & (number % 3 > 0))


NAMES = [
    "Müller, Änne", "ünïcødé", "患者一", "пациент 7", "مريض", "δοκιμή", "한글", "หมอ", "cafe\u0301", "症例\u3000九",
    "with blank", "two  blanks", " leading", "trailing ", "\N{MICROSCOPE}",
    "\N{SMILING FACE WITH SUNGLASSES}\N{THUMBS UP SIGN}",
    "it's", 'a "quoted" name', "back`tick", "$(touch x)", "a;b", "a&b", "a|b", "<img src=x onerror=alert(1)>", "100%", "#1",
    "a=b", "a,b", "{x}", "[0]", "(1)", "-rf", "--out", "~home", "dots..", "a.b.c", "a..b", "@at", "!bang", "?mark",
    "star*", "c:drive", "back\\slash", "NUL", "case_mask", "x" * 240, "ä" * 100, "case.nii", "0", "007", "1e5", "None",
]  # fmt: skip
"""Names that hurt, all of them legal."""


def stacks_set() -> GoodSet:
    """TIFFs of ten pages, a volume each, and masks of as many."""
    numbers = [range(20 * case, 20 * case + 10) for case in range(6)]
    cases = [
        (
            f"stack_{case}.tif",
            stack([draw_image(n)[..., 0] for n in pages]),
            f"stack_{case}.tif",
            stack([black_and_white(n) for n in pages]),
        )
        for case, pages in enumerate(numbers)
    ]
    notes = {f"images/{case[0]}": {"unmarked_pages"} for case in cases}
    return plain("stacks of pages", cases, notes, truth=lambda case: np.stack([draw_mask(number) for number in numbers[case]]))


def stack(pages: list[np.ndarray]) -> bytes:
    """A TIFF of them."""
    first, *others = map(Image.fromarray, pages)
    return encode(first, "TIFF", save_all=True, append_images=others, compression="tiff_lzw")


def names_set() -> GoodSet:
    """A case for each of the names."""
    cases = [
        (f"{name}.png", encode(draw_image(number)), f"{name}.png", encode_mask(number)) for number, name in enumerate(NAMES)
    ]
    return plain("names of every kind", cases)


def company_set() -> GoodSet:
    """With the files that come along: hidden ones, thumbnails' tables, notes, empty folders."""
    count = 8

    def make(folder: Path) -> dict[Path, set[str]]:
        write_pictures(folder, count)
        for part in ("images", "masks"):
            (folder / part / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
            (folder / part / "._case_1.png").write_bytes(b"\0\5\26\7\0\2\0\0Mac OS X")
            (folder / part / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0")
            (folder / part / "desktop.ini").write_text("[.ShellClassInfo]")
            (folder / part / "notes.txt").write_text("case 3 is odd")
            (folder / part / "README.md").write_text("# from the clinic")
        (folder / "README.md").write_text("# from the clinic")
        (folder / "LICENSE").write_text("CC BY 4.0")
        (folder / ".git").mkdir()
        (folder / "scripts").mkdir()
        return {}

    return GoodSet("files beside", usual_masks(count), make)


def linked_set() -> GoodSet:
    """Links that stay in the folder."""
    count = 6

    def make(folder: Path) -> dict[Path, set[str]]:
        write_pictures(folder, count)
        (folder / "originals").mkdir()
        for number in range(0, count, 2):
            path = folder / "images" / f"case_{number}.png"
            path.rename(folder / "originals" / path.name)
            path.symlink_to(Path("..") / "originals" / path.name)
        return {}

    return GoodSet("links within the folder", usual_masks(count), make)


def picture_sets() -> list[GoodSet]:
    """All of them."""
    return [
        every_colour_file(),
        *one_value_sets(), grey_set(), opaque_set(), wide_set(), float_set(), sizes_set(), empty_set(), names_set(),
        company_set(), linked_set(), stacks_set(),
    ]  # fmt: skip
