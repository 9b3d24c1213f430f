"""Maps of one image as pictures: pixels through a colour map, the true outline drawn over them."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.colors import to_hex

from focalseg.focal_role.maps import FactorMap, FocalMaps, GradientMap, WeightMap
from focalseg.report.overlays import Array, encode_image, trace_outline

_RAMP = "magma"
_BRIGHTEST_SHARE = 0.998
"""The brightest two pixels in a thousand are shown alike, or a single one would darken all the rest."""
_ROOT = 0.5
"""Power law of the colours of gradients, which span decades: four times the gradient is twice the brightness."""


MapPicture = tuple[str, str, tuple[str, ...]]
"""One map as it is shown: its gamma, a PNG as data URI, and what was measured on it, one line per measure."""


def draw_subject(maps: FocalMaps) -> dict[str, Any]:
    """The image that the maps belong to, both outlines as SVG paths. width and height, in pixels, are those of every map."""
    subject = maps.subject
    height, width = subject.mask.shape
    return {
        "width": width,
        "height": height,
        "data": encode_image(subject.image, (width, height)),
        "truth": trace_outline(subject.mask),
        "predicted": trace_outline(subject.predicted),
    }


def draw_gradients(maps: Sequence[GradientMap]) -> tuple[MapPicture, ...]:
    """Draws the gradients of one arm on one scale, so that a loss with smaller gradients is darker."""
    top = max(float(np.quantile(one.pixels, _BRIGHTEST_SHARE)) for one in maps)
    return tuple(
        _draw_map(
            one.gamma,
            (one.pixels / top) ** _ROOT,
            f"{one.on_foreground:.0%} foreground",
            f"{one.on_wrong:.0%} errors",
            f"size {one.total:.2f}",
        )
        for one in maps
    )


def draw_factors(maps: Sequence[FactorMap]) -> tuple[MapPicture, ...]:
    """Draws coefficient^gamma on a scale from 0 to 1."""
    return tuple(
        _draw_map(one.gamma, one.pixels, f"{one.foreground:.2f} inside", f"{one.background:.2f} outside") for one in maps
    )


def draw_weights(maps: Sequence[WeightMap], beta: float) -> tuple[MapPicture, ...]:
    """Draws the weight W on a scale from 1 to 1 + beta."""
    return tuple(
        _draw_map(one.gamma, (one.pixels - 1) / beta, f"{one.near_border:.0%} at the border", f"mean {one.mean:.2f}")
        for one in maps
    )


def colour_pixels(pixels: Array) -> str:
    """(H, W) in [0, 1], clipped, through the colour map -> PNG as a data URI."""
    colours = mpl.colormaps[_RAMP](np.clip(pixels, 0, 1), bytes=True)
    height, width = pixels.shape
    return encode_image(np.moveaxis(np.asarray(colours)[..., :3], -1, 0), (width, height))


def list_ramp() -> list[str]:
    """Colours along the map, dark end first, for a key."""
    return [to_hex(mpl.colormaps[_RAMP](number / 8)) for number in range(9)]


def _draw_map(gamma: float, pixels: Array, *caption: str) -> MapPicture:
    return f"{gamma:g}", colour_pixels(pixels), caption
