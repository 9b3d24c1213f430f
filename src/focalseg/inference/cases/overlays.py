"""Predictions as pictures to look at: labels tinted and outlined on the image."""

import numpy as np

_COLOURS = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (213, 94, 0), (204, 121, 167), (0, 114, 178))
"""Told apart by all kinds of sight (Okabe and Ito 2008), beside grey. Further labels repeat them."""
_TINT = 0.35
_LONGEST_SIDE = 2048
"""Pixels of an overlay: it is to be looked at, and the mask has the others."""


def draw_overlay(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """image (C, *spatial) of any number type, labels (*spatial) -> (H, W, 3) uint8: labels tinted, their borders full.

    Of a volume the slice with the most foreground is drawn, or the middle one, its front up. At most 2048 pixels a side.
    """
    if labels.ndim == 3:
        counts = np.count_nonzero(labels, axis=(1, 2))
        chosen = int(counts.argmax()) if counts.any() else len(counts) // 2
        image, labels = image[:, chosen, ::-1], labels[chosen, ::-1]
    step = -(-max(labels.shape) // _LONGEST_SIDE)
    image, labels = image[:, ::step, ::step], labels[::step, ::step]
    picture = _show(image)
    for number in np.unique(labels[labels > 0]).tolist():
        colour = np.array(_COLOURS[(number - 1) % len(_COLOURS)], np.float32)
        own = labels == number
        inner = own & ~_find_border(own)
        picture[inner] = (1 - _TINT) * picture[inner] + _TINT * colour
        picture[own & ~inner] = colour
    drawn: np.ndarray = picture.round().astype(np.uint8)
    return drawn


def _show(image: np.ndarray) -> np.ndarray:
    """(C, H, W) -> (H, W, 3) float32 from 0 to 255: three channels as colours, else the mean of all in grey."""
    pixels = image.astype(np.float32) if len(image) == 3 else image.mean(axis=0, keepdims=True, dtype=np.float32)
    if image.dtype != np.uint8:
        low, high = np.percentile(pixels, [1, 99])
        pixels = ((pixels - low) / max(float(high - low), 1e-12)).clip(0, 1) * 255
    colours = pixels if len(pixels) == 3 else np.repeat(pixels, 3, axis=0)
    return np.ascontiguousarray(np.moveaxis(colours, 0, -1))


def _find_border(mask: np.ndarray) -> np.ndarray:
    """(H, W) bool: pixels of a mask that have one outside of it beside them."""
    padded = np.pad(mask, 1)
    inside: np.ndarray = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    border: np.ndarray = mask & ~inside
    return border
