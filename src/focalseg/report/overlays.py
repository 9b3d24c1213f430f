"""Predictions laid over images: a PNG of the image, and outlines as paths that stay sharp at any size."""

import base64
import io

import numpy as np
from PIL import Image

from focalseg.imagesets.masks import VOID

Array = np.ndarray

LONGEST_SIDE = 384
"""Pixels of a picture in the page; larger images are shrunk, or the page would weigh more than the report is worth."""


def encode_image(image: Array, size: tuple[int, int]) -> str:
    """(C, H, W) of any number type -> PNG of (width, height) as a data URI. Three channels are colour, others averaged."""
    pixels = image if image.shape[0] in (1, 3) else image.mean(axis=0, keepdims=True)
    if pixels.dtype != np.uint8:
        pixels = _stretch(pixels)
    picture = Image.fromarray(np.ascontiguousarray(pixels[0] if len(pixels) == 1 else np.moveaxis(pixels, 0, -1)))
    if picture.size != size:
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def trace_outline(mask: Array) -> str:
    """(H, W) bool -> SVG path along the edges between pixels inside and outside, in pixels. Empty for an empty mask."""
    padded = np.pad(mask, 1)
    horizontal = _find_runs(padded[1:, 1:-1] != padded[:-1, 1:-1])
    vertical = _find_runs((padded[1:-1, 1:] != padded[1:-1, :-1]).T)
    across = [f"M{start} {line}h{length}" for line, start, length in horizontal]
    down = [f"M{line} {start}v{length}" for line, start, length in vertical]
    return "".join(across + down)


def trace_labels(mask: Array, labels: int, size: tuple[int, int]) -> tuple[str, ...]:
    """The outline of each label of a mask (H, W), in pixels of the picture of (width, height)."""
    return tuple(trace_outline(_shrink_mask(mask == label, size)) for label in range(1, labels + 1))


def trace_void(mask: Array, size: tuple[int, int]) -> str:
    """The outline of what nobody judged of a mask (H, W), in pixels of the picture of (width, height); empty for nothing."""
    return trace_outline(_shrink_mask(mask == VOID, size))


def _find_runs(edges: Array) -> list[tuple[int, int, int]]:
    """(lines, positions) bool -> line, start and length of every unbroken run along a line."""
    change = np.diff(np.pad(edges, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    lines, starts = np.nonzero(change == 1)
    _, ends = np.nonzero(change == -1)
    return list(zip(lines.tolist(), starts.tolist(), (ends - starts).tolist(), strict=True))


def _shrink_mask(mask: Array, size: tuple[int, int]) -> Array:
    """Shrinks a mask: a pixel is true where at least half of it is; a mask that fits already is returned as it is."""
    if mask.shape == size[::-1]:
        return mask
    shares = Image.fromarray(mask.astype(np.uint8) * 255).resize(size, Image.Resampling.BOX)
    return np.asarray(shares) >= 128


def _stretch(pixels: Array) -> Array:
    """Stretches the 1st to 99th percentile to uint8; pixels that are not finite become black."""
    values = pixels.astype(np.float64)
    finite = values[np.isfinite(values)]
    low, high = np.percentile(finite, [1, 99]) if finite.size else (0.0, 1.0)
    scaled = (np.nan_to_num(values, nan=low, posinf=high, neginf=low) - low) / max(high - low, 1e-12)
    return (scaled.clip(0, 1) * 255).astype(np.uint8)
