"""A lesion in a breast ultrasound image, drawn: bands of tissue under correlated speckle, with the shadows sound casts.

Lengths in pixels grow with the frame; echo is the mean brightness of tissue before speckle, from 0 to 1. Areas follow
BUSI: where there is a lesion, a mean of 9 % of the frame and a median of 6 %; one image in six is of a normal breast.
"""

from dataclasses import dataclass

import numpy as np

from focalseg.imagesets.phantoms.canvas import (
    Array,
    brightness_to_uint8,
    coordinates,
    ellipse_offsets,
    irregular_outline,
    lattice_noise,
    skewed_fraction,
)

_SHARE_NORMAL = 1 / 6
_SHARE_WITH_TWO = 0.05
AREA_MEDIAN, AREA_MEAN, AREA_LIMITS = 0.056, 0.091, (0.004, 0.45)
_BRIGHTEST_REFERENCE = 0.38  # a lesion stays hypoechoic even amid the brightest gland
_SPECKLE_PIXELS_AT_96 = (0.60, 1.05)  # half-width of the beam along depth and across it
# Skin, fat, gland, fat behind the gland, muscle, chest wall: depth at which each begins and its mean echo.
_BAND_DEPTHS = np.array([0.0, 0.05, 0.09, 0.27, 0.33, 0.62, 0.70, 0.84, 1.0])
_BAND_ECHOES = np.array([0.62, 0.52, 0.20, 0.22, 0.40, 0.34, 0.18, 0.20, 0.06])


@dataclass(frozen=True, kw_only=True)
class _LesionKind:
    """What one family of lesions looks like; a pair is the range to draw from."""

    share: float  # of all lesions
    echo: tuple[float, float]  # relative to the tissue around it
    wideness: tuple[float, float]  # width over height
    roughness: tuple[float, float]  # of the outline, as a factor on HARMONICS
    edge: tuple[float, float]  # width of the border as a share of the radius
    behind: tuple[float, float]  # echo below the lesion relative to elsewhere: above 1 enhanced, below 1 shadow


_HARMONICS = np.array([0.06, 0.07, 0.05, 0.04, 0.03, 0.03, 0.03, 0.03])
_SOLID = _LesionKind(
    share=0.55, echo=(0.20, 0.50), wideness=(1.2, 2.1), roughness=(0.2, 0.9), edge=(0.08, 0.25), behind=(0.8, 1.4)
)
_CYST = _LesionKind(
    share=0.15, echo=(0.03, 0.12), wideness=(1.0, 1.6), roughness=(0.1, 0.5), edge=(0.06, 0.12), behind=(1.3, 1.8)
)
_SPICULATED = _LesionKind(
    share=0.30, echo=(0.10, 0.38), wideness=(0.7, 1.3), roughness=(1.1, 1.9), edge=(0.2, 0.5), behind=(0.3, 0.9)
)
_KINDS = (_SOLID, _CYST, _SPICULATED)


def draw_ultrasound(random: np.random.Generator, size: int) -> tuple[Array, Array]:
    """A B-mode image, (1, size, size) uint8, and its lesions, (size, size) bool, empty in one image of six."""
    echo = _layer_tissue(random, size)
    mask = np.zeros((size, size), bool)
    count = 0 if random.random() < _SHARE_NORMAL else 1 + (random.random() < _SHARE_WITH_TWO)
    for _ in range(count):
        echo, lesion = _place_lesion(random, echo)
        mask |= lesion
    echo = _cast_shadows(random, echo)
    depth_of_speckle = random.uniform(0.40, 0.65)  # compounding scanners average some of it away
    image = echo * (1 + depth_of_speckle * (_correlated_speckle(random, size) - 1))
    return brightness_to_uint8(_compress(image))[None], mask


def _compress(image: Array) -> Array:
    """Echo to displayed brightness, (size, size) 0 to about 1: the scanner's logarithm, which lifts weak echoes."""
    displayed: Array = np.log1p(3 * np.maximum(image, 0)) / np.log(4)
    return displayed


def _layer_tissue(random: np.random.Generator, size: int) -> Array:
    """Mean echo of a breast without lesions, (size, size): wavy bands, bright fibres along and across them."""
    from scipy import ndimage  # as in canvas

    rows, columns = coordinates(size)
    tilt = random.normal(0, 0.06) * (columns / size - 0.5)
    wave = 0.025 * lattice_noise(random, size, (size / 2, size / 3)) + 0.008 * lattice_noise(random, size, (size / 6, size / 8))
    depth = rows / size
    warped = depth + (tilt + wave) * np.clip(depth / 0.2, 0, 1)  # the probe holds the skin flat
    stretch = random.uniform(0.75, 1.3)
    echoes = _BAND_ECHOES * np.exp(random.normal(0, 0.18, len(_BAND_ECHOES)))
    echo: Array = np.interp(warped, _BAND_DEPTHS * np.array([1, 1] + [stretch] * 7), echoes)
    fibres = np.stack([lattice_noise(random, size, (size / 40, size / wide)) for wide in (5, 8)])
    position = np.clip(warped * size, 0, size - 1)
    bent = [ndimage.map_coordinates(layer, [position, columns], order=1, mode="nearest") for layer in fibres]
    coarse = lattice_noise(random, size, (size / 7, size / 5))
    below_skin = np.clip((depth - 0.06) / 0.05, 0, 1)
    echo *= 1 + below_skin * (0.30 * bent[0] + 0.20 * coarse).clip(-0.65, 1.2)
    ligaments = np.exp(-((lattice_noise(random, size, (size / 9, size / 5)) / 0.12) ** 2)) * np.clip(0.5 + coarse, 0, 1)
    septa = (np.clip(np.maximum(bent[0], bent[1]) - 1.1, 0, 1.5) + 0.5 * ligaments) * random.uniform(0.15, 0.5)
    echo += below_skin * septa * np.clip(1.1 - depth, 0, 1)
    echo = np.maximum(_fade_with_depth(random, echo, depth), 0.02)
    return echo


def _fade_with_depth(random: np.random.Generator, echo: Array, depth: Array) -> Array:
    """Echo after attenuation that the scanner's gain does not quite undo, (size, size)."""
    path = np.clip(depth - random.uniform(0.3, 0.6), 0, 1)  # beyond the depth up to which the gain makes up for the loss
    faded: Array = echo * random.uniform(0.8, 1.25) * np.exp(-random.uniform(0.0, 2.2) * path)
    return faded


def _place_lesion(random: np.random.Generator, echo: Array) -> tuple[Array, Array]:
    """Echo with one lesion put in, (size, size), and the lesion, (size, size) bool."""
    size = len(echo)
    kind = _KINDS[random.choice(len(_KINDS), p=[kind.share for kind in _KINDS])]
    radius = size * np.sqrt(skewed_fraction(random, AREA_MEDIAN, AREA_MEAN, AREA_LIMITS) / np.pi)
    wideness = random.uniform(*kind.wideness)
    radii = radius / np.sqrt(wideness), radius * np.sqrt(wideness)
    centre = (
        random.uniform(0.14 * size + 0.75 * radii[0], max(0.60 * size, 0.15 * size + 0.8 * radii[0])),
        random.uniform(0.1 * size + 0.5 * radii[1], 0.9 * size - 0.5 * radii[1]),
    )
    offsets = ellipse_offsets(size, centre, radii, random.normal(0, 0.2))
    distance = irregular_outline(random, offsets, _HARMONICS * random.uniform(*kind.roughness))
    distance += 0.04 * lattice_noise(random, size, (size / 24, size / 24))
    weight = 1 / (1 + np.exp(np.clip((distance - 1) / (0.35 * random.uniform(*kind.edge)), -50, 50)))
    level = min(echo[distance <= 1].mean(), _BRIGHTEST_REFERENCE) * random.uniform(*kind.echo)
    inner = level * (1 + 0.25 * lattice_noise(random, size, (size / 12, size / 10)))
    rim = random.uniform(0, 0.35) * np.exp(-(((distance - 1.15) / 0.12) ** 2)) * (distance > 1)
    below = np.clip((offsets[0] - 0.4) * 2, 0, 1) * np.exp(-np.maximum(offsets[0], 0) * random.uniform(0.1, 0.5))
    column = np.exp(-((offsets[1] / 0.8) ** 4))
    around = echo * (1 + rim) * (1 + (random.uniform(*kind.behind) - 1) * below * column)
    return around + weight * (np.maximum(inner, 0.01) - around), distance <= 1


def _cast_shadows(random: np.random.Generator, echo: Array) -> Array:
    """Echo with dark lobules of fat and up to three dark columns, as ligaments and poor contact cast, (size, size)."""
    size = len(echo)
    rows, columns = coordinates(size)
    fat = np.clip((lattice_noise(random, size, (size / 14, size / 8)) - 0.9) * 2, 0, 1)
    shaded: Array = echo * (1 - random.uniform(0.1, 0.6) * fat * (rows > 0.08 * size))
    for _ in range(random.integers(0, 4)):
        width, start = random.uniform(0.03, 0.10) * size, random.uniform(0.02, 0.6) * size
        middle = random.uniform(0, size) + random.normal(0, 0.15) * (rows - start)
        column = np.exp(-(((columns - middle) / width) ** 2))
        shaded *= 1 - random.uniform(0.2, 0.7) * column * np.clip((rows - start) / (0.2 * size), 0, 1)
    sides = random.uniform(0, 0.6, 2)
    across = columns / size
    shaded *= 1 - sides[0] * np.exp(-((across / 0.12) ** 2)) - sides[1] * np.exp(-(((1 - across) / 0.12) ** 2))
    return shaded


def _correlated_speckle(random: np.random.Generator, size: int) -> Array:
    """Amplitude of a sum of echoes with random phase, Rayleigh with mean 1, (size, size), as wide as the beam."""
    from scipy import ndimage  # as in canvas

    beam = [max(width * size / 96, 0.3) for width in _SPECKLE_PIXELS_AT_96]
    phasor = [ndimage.gaussian_filter(random.standard_normal((size, size)), beam, mode="wrap") for _ in range(2)]
    amplitude: Array = np.hypot(*phasor)
    amplitude /= amplitude.mean()
    return amplitude
