"""What can be wrong with one mask among seven good ones in a plain folder."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from imagesets.corpus.fault import Make, fault
from imagesets.corpus.image_faults import pixels_missing, turned
from imagesets.corpus.pictures import (
    COUNT,
    HEIGHT,
    PLANTED,
    WIDTH,
    black_and_white,
    draw_image,
    draw_mask,
    encode,
    encode_png_bomb,
    replace,
    write_pictures,
)

Write = Callable[[np.ndarray], bytes]


def mask(write: Write, suffix: str = ".png") -> Make:
    """A folder with one mask as `write` gives it from (H, W) uint8 of 0 and 255."""

    def make(folder: Path) -> Path:
        return replace(write_pictures(folder), "masks", write(black_and_white(PLANTED)), suffix=suffix)

    return make


def alternating(first: Write, second: Write) -> Make:
    """Two labels, one a file, that no table declares; those of the second kind, the fewer, are at fault."""

    def make(folder: Path) -> tuple[Path, ...]:
        write_pictures(folder)
        paths = []
        for number in range(COUNT):
            rarer = number % 3 == 0
            path = replace(folder, "masks", (second if rarer else first)(black_and_white(number)), number=number)
            paths += [path] if rarer else []
        return tuple(paths)

    return make


def resized(values: np.ndarray, way: Image.Resampling = Image.Resampling.BILINEAR) -> np.ndarray:
    """Made smaller and larger again, as an export at another size does."""
    small = Image.fromarray(values).resize((WIDTH // 2 + 1, HEIGHT // 2 + 1), way)
    return np.asarray(small.resize((WIDTH, HEIGHT), way))


def with_core(values: np.ndarray) -> np.ndarray:
    """With a second label, 128, in the left half of the first."""
    labels = values.copy()
    labels[:, : int(np.nonzero(values.any(0))[0].mean())] //= 2
    labels[labels == 127] = 128
    return labels


def resized_in_colour(content: bytes) -> Image.Image:
    """Made smaller and larger again, channel by channel."""
    picture = Image.open(io.BytesIO(content)).convert("RGB")
    return Image.merge("RGB", [Image.fromarray(resized(np.asarray(channel))) for channel in picture.split()])


def three_values(low: int, high: int) -> Write:
    """With a border of `low` around a core of `high`."""

    def write(values: np.ndarray) -> bytes:
        inside = values > 0
        core = inside & np.roll(inside, 1, 0) & np.roll(inside, -1, 0)
        return encode((inside * np.uint8(low) + core * np.uint8(high - low)).astype(np.uint8))

    return write


def one_stray(value: int) -> Write:
    """With a single pixel of that value."""

    def write(values: np.ndarray) -> bytes:
        altered = values.copy()
        altered[0, 0] = value
        return encode(altered)

    return write


def painted(*colours: tuple[int, int, int]) -> Write:
    """Background and foreground in those colours."""

    def write(values: np.ndarray) -> bytes:
        return encode(np.array(colours, np.uint8)[(values > 0).astype(int)])

    return write


def palette(*colours: tuple[int, int, int]) -> Write:
    """Numbers 0 and 1 with a palette of those colours."""

    def write(values: np.ndarray) -> bytes:
        picture = Image.fromarray((values > 0).astype(np.uint8))
        picture.putpalette([part for colour in colours for part in colour])
        return encode(picture)

    return write


def rgba(background: tuple[int, int, int, int], foreground: tuple[int, int, int, int]) -> Write:
    """In those colours with alpha."""
    return lambda values: encode(np.array([background, foreground], np.uint8)[(values > 0).astype(int)])


def numbers(dtype: type, values: tuple[float, ...]) -> Write:
    """A TIFF of that type: background, foreground and the value of one pixel."""

    def write(pixels: np.ndarray) -> bytes:
        labels = np.array(values[:2], dtype)[(pixels > 0).astype(int)]
        if values[2:]:
            labels[0, 0] = values[2]
        return encode(labels, "TIFF")

    return write


def mostly_inverted(values: np.ndarray) -> bytes:
    """Foreground where there is none and none where there is."""
    return encode(255 - values)


def without(part: str) -> Make:
    """One file less in images or masks; the one that is left alone is at fault."""

    def make(folder: Path) -> Path:
        write_pictures(folder)
        (folder / part / f"case_{PLANTED}.png").unlink()
        return folder / ({"images": "masks", "masks": "images"}[part]) / f"case_{PLANTED}.png"

    return make


def mask_beside_the_images(folder: Path) -> Path:
    """A mask by a name of its own among the images."""
    write_pictures(folder)
    path = folder / "images" / f"case_{PLANTED}_mask.png"
    path.write_bytes(encode(black_and_white(PLANTED)))
    return path


def two_pages(values: np.ndarray) -> bytes:
    """The same mask twice in one file."""
    return encode(values, "TIFF", save_all=True, append_images=[Image.fromarray(values)])


def of_size(height: int, width: int) -> Write:
    """Of another size."""
    return lambda _: encode(draw_mask(PLANTED, height, width).astype(np.uint8) * 255)


VOC = ((0, 0, 0), (128, 0, 0))
BLENDED = "in_between not_declared"
COLOURED = "colours_unknown not_declared"

MASK_FAULTS = [
    fault("no mask", "no_mask", without("masks")),
    fault("no image", "no_image", without("images")),
    fault("a mask among the images", "no_mask", mask_beside_the_images, also="unlike"),
    fault("a mask one pixel larger", "sizes_differ", mask(of_size(HEIGHT + 1, WIDTH + 1))),
    fault("a mask one pixel narrower", "sizes_differ", mask(of_size(HEIGHT, WIDTH - 1))),
    fault("a mask of half the size", "sizes_differ", mask(of_size(HEIGHT // 2, WIDTH // 2))),
    fault("a transposed mask", "sizes_differ", mask(lambda values: encode(np.ascontiguousarray(values.T)))),
    fault("a mask turned by EXIF", "turned", mask(turned(6, "PNG")), also="sizes_differ"),
    fault("a mask of no bytes", "empty_file", mask(lambda _: b"")),
    fault("text for a mask", "not_an_image", mask(lambda _: b"0 0 0 1 1 1 0\n" * 40)),
    fault("a mask cut in half", "damaged", mask(lambda values: encode(values)[: len(encode(values)) // 2])),
    fault("a mask with half its rows", "damaged", mask(pixels_missing)),
    fault("a mask of 400 million pixels", "too_large", mask(lambda _: encode_png_bomb(20_000)), also="sizes_differ"),
    fault("a mask of two pages", "several_pages sizes_differ", mask(two_pages, ".tif")),
    # Values
    fault("a mask through JPEG", "in_between", mask(lambda values: encode(values, "JPEG", quality=90), ".jpg")),
    fault("a mask through JPEG and back to PNG", "in_between",
          mask(lambda values: encode(np.asarray(Image.open(io.BytesIO(encode(values, "JPEG", quality=60))))))),
    fault("a mask resized by interpolation", "in_between", mask(lambda values: encode(resized(values)))),
    fault("a mask of 0 and 1 resized by interpolation to 0, 1 and 2", BLENDED, mask(three_values(1, 2))),
    fault("a mask of 0, 1 and 3", BLENDED, mask(three_values(1, 3))),
    fault("one pixel of 254", "in_between", mask(one_stray(254))),
    fault("one pixel of 1 beside 255", BLENDED, mask(one_stray(1))),
    fault("a mask of 85 and 170", BLENDED, mask(lambda values: encode(np.where(values > 0, 170, 85).astype(np.uint8)))),
    fault("labels of 128 and 255 resized by interpolation", "not_declared",
          mask(lambda values: encode(resized(with_core(values))))),
    fault("labels of 128 and 255 through JPEG", "not_declared",
          mask(lambda values: encode(with_core(values), "JPEG", quality=75), ".jpg")),
    fault("a grey photograph", "photograph", mask(lambda _: encode(draw_image(PLANTED).mean(axis=2).astype(np.uint8)))),
    fault("a ramp of 256 values", "photograph",
          mask(lambda _: encode(np.linspace(0, 255, HEIGHT * WIDTH).astype(np.uint8).reshape(HEIGHT, WIDTH)))),
    fault("a 16-bit mask of 0, 257 and 65535", BLENDED, mask(numbers(np.uint16, (0, 65535, 257)), ".tif")),
    fault("a float mask with a half", "in_between not_whole not_declared", mask(numbers(np.float32, (0, 1, 0.5)), ".tif")),
    fault("a float mask with NaN", "not_whole not_finite", mask(numbers(np.float32, (0, 1, np.nan)), ".tif")),
    fault("a float mask with infinity", "not_whole not_finite", mask(numbers(np.float32, (0, 1, np.inf)), ".tif")),
    fault("a mask with a negative value", "not_whole not_declared in_between",
          mask(numbers(np.int32, (0, 1, -1)), ".tif")),
    # Colours
    fault("a red mask among white ones", "colours_unknown", mask(painted((0, 0, 0), (255, 0, 0))), also="colour_mask"),
    fault("a green mask on white", COLOURED, mask(painted((255, 255, 255), (0, 128, 0)))),
    fault("a coloured mask resized by interpolation", "blended",
          mask(lambda values: encode(resized_in_colour(painted((0, 0, 0), (255, 0, 0))(values))))),
    fault("a coloured mask through JPEG", "colours_unknown blended",
          mask(lambda values: encode(Image.open(io.BytesIO(painted((0, 0, 0), (255, 0, 0))(values))), "JPEG"), ".jpg")),
    fault("a palette of black and dark red among white masks", "colours_unknown", mask(palette(*VOC)), also="colour_mask"),
    fault("a CMYK mask", "print_colours colours_unknown",
          mask(lambda values: encode(Image.fromarray(values).convert("CMYK"), "TIFF"), ".tif"), also="colour_mask"),
    fault("a mask that is its alpha channel", "transparent colours_unknown",
          mask(rgba((0, 0, 0, 0), (255, 0, 0, 255))), also="alpha_dropped"),
    fault("black and white in RGB", "colour_mask", mask(painted((0, 0, 0), (255, 255, 255)))),
    fault("0 and 1 in RGB", "colour_mask", mask(painted((0, 0, 0), (1, 1, 1)))),
    fault("black and white in RGBA", "colour_mask alpha_dropped",
          mask(rgba((0, 0, 0, 255), (255, 255, 255, 255))), also="colour_mask alpha_dropped"),
    # Legal, worth knowing
    fault("an empty mask", "empty_mask", mask(lambda values: encode(np.zeros_like(values)))),
    fault("a full mask", "full_mask", mask(lambda values: encode(np.full_like(values, 255))), also="inverted"),
    fault("a full mask of 7", "not_declared", mask(lambda values: encode(np.full_like(values, 7))), also="full_mask inverted"),
    fault("an inverted mask", "inverted", mask(mostly_inverted)),
    fault("a JPEG of 0 and 255 alone named PNG", "wrong_suffix",
          mask(lambda values: encode(np.zeros_like(values), "JPEG")), also="empty_mask"),
    fault("a mask with the image's colours", "photograph", mask(lambda _: encode(draw_image(PLANTED)))),
]  # fmt: skip
"""The list of them."""
