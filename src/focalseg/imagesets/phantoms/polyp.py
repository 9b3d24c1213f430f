"""A polyp in a colonoscopy frame, drawn: a lit dome on folded mucosa, seen through the black surround of the endoscope.

Lengths in pixels grow with the frame; brightness and colour from 0 to 1. Area and number follow CVC-ClinicDB: a mean of
9 % of the frame, a median of 7 %, mostly one polyp, and seldom one that its colour alone tells from mucosa.
"""

import numpy as np

from focalseg.imagesets.phantoms.canvas import (
    Array,
    brightness_to_uint8,
    coordinates,
    ellipse_offsets,
    irregular_outline,
    lattice_noise,
    skewed_fraction,
    smooth_noise,
)

AREA_MEDIAN, AREA_MEAN, AREA_LIMITS = 0.069, 0.090, (0.012, 0.42)
_SHARE_WITH_TWO = 0.08
_SHARE_WITH_DEBRIS = 0.25
_MUCOSA_COLOURS = np.array([[0.86, 0.56, 0.49], [0.90, 0.58, 0.36], [0.74, 0.62, 0.45], [0.78, 0.42, 0.37]])
_DEBRIS_COLOUR = np.array([0.85, 0.66, 0.16])
_NEARER_THAN_WALL = 0.55  # light on a polyp that stands in front of the dark lumen
_DEEPER_IN_SHADE = np.array([-0.10, 0.12, 0.22])  # blood absorbs green and blue, so what is dark is also redder


def draw_polyp(random: np.random.Generator, size: int) -> tuple[Array, Array]:
    """A colonoscopy frame, (3, size, size) uint8 red, green, blue, and its polyps, (size, size) bool, never empty."""
    view, seen = _draw_view(random, size)
    count = 1 + (random.random() < _SHARE_WITH_TWO)
    polyps = [_place_polyp(random, size, count) for _ in range(count)]
    distance = np.minimum.reduce(polyps)
    light = np.clip(random.normal(0, 0.35, 2), -0.5, 0.5)  # the lamp's offset from the camera, along rows and columns
    brightness = _illuminate_lumen(random, distance) * _shade_relief(random, distance, light)
    brightness *= 1 - 0.5 * _draw_contact_shadow(distance, light)
    colour = _paint_mucosa(random, distance)
    tinted = brightness * (1 - _DEEPER_IN_SHADE[:, None, None] * (1 - brightness))
    frame = colour * tinted + _draw_highlights(random, distance, light)
    frame += random.normal(0, 0.012, frame.shape)
    return brightness_to_uint8(np.maximum(frame, 0) * view + 0.02), (distance <= 1) & seen


def _draw_view(random: np.random.Generator, size: int) -> tuple[Array, Array]:
    """Light the endoscope passes, (size, size) from 0 to 1, and where it does, bool: a rectangle with cut corners."""
    rows, columns = (np.abs(axis - (size - 1) / 2) / size for axis in coordinates(size))
    half_height, half_width = random.uniform(0.45, 0.49), random.uniform(0.40, 0.48)
    cut = (half_height + half_width) * random.uniform(0.76, 0.88)
    edge = np.minimum(np.minimum(half_height - rows, half_width - columns), (cut - rows - columns) * np.sqrt(0.5))
    vignette = 1 - random.uniform(0.5, 1.6) * (rows**2 + columns**2)
    return np.clip(edge * size + 0.5, 0, 1) * np.maximum(vignette, 0.55), edge >= 0


def _place_polyp(random: np.random.Generator, size: int, count: int) -> Array:
    """Distance to a roundish outline in the view, (size, size), 1 on the rim; `count` of them share an area."""
    radius = size * np.sqrt(skewed_fraction(random, AREA_MEDIAN, AREA_MEAN, AREA_LIMITS) / count / np.pi)
    elongation = np.exp(abs(random.normal(0, 0.18)))
    reach = max(0.40 * size - 0.8 * radius, 0.05 * size)  # a large polyp has to lie near the middle to be seen
    distance, direction = reach * np.sqrt(random.random()), random.uniform(0, 2 * np.pi)
    centre = size / 2 + distance * np.cos(direction), size / 2 + distance * np.sin(direction)
    radii = radius * np.sqrt(elongation), radius / np.sqrt(elongation)
    harmonics = random.uniform(0.2, 1) * np.array([0.05, 0.08, 0.05, 0.03])
    return irregular_outline(random, ellipse_offsets(size, centre, radii, random.uniform(0, np.pi)), harmonics)


def _illuminate_lumen(random: np.random.Generator, distance: Array) -> Array:
    """Light on the tube's wall without relief, (size, size): dark down the lumen, glaring nearby, ringed by folds.

    Each ring is a fold seen against the lumen: bright from its crest outwards, black just behind the crest. A polyp
    hides the folds behind it.
    """
    size = len(distance)
    direction, far = random.uniform(0, 2 * np.pi), random.uniform(0.05, 0.75)
    lumen = (0.5 + far * np.sin(direction)) * size, (0.5 + far * np.cos(direction)) * size
    stretch = np.exp(random.normal(0, 0.2))
    radii = 0.5 * size * stretch, 0.5 * size / stretch
    waver = np.array([0.12, 0.08, 0.04, 0.02])
    depth = irregular_outline(random, ellipse_offsets(size, lumen, radii, random.uniform(0, np.pi)), waver)
    wall: Array = 1 - random.uniform(0.75, 0.95) * np.exp(-((depth / random.uniform(0.35, 0.6)) ** 2))
    wall = np.where(distance < 1, np.maximum(wall, _NEARER_THAN_WALL), wall)
    glare = random.choice([0.2, 0.3, 1.2]) * np.clip(depth - random.uniform(0.7, 1.3), 0, 1)
    phase = random.uniform(1.6, 3.2) * np.log(depth + 0.15) + 0.12 * lattice_noise(random, size, (size / 6, size / 6))
    behind_crest = np.mod(phase + random.random(), 1)
    fold = 0.5 - behind_crest * np.clip((1 - behind_crest) * 12, 0, 1)
    strength = np.clip(0.35 + 0.35 * lattice_noise(random, size, (size / 4, size / 4)), 0, 0.9)
    uneven = 1 + 0.12 * lattice_noise(random, size, (size / 3, size / 3))
    seen_folds = 1 + strength * fold * np.clip((distance - 0.95) * 6, 0, 1)
    wall = np.clip(random.uniform(0.75, 1.05) * wall * seen_folds * uneven + glare, 0.03, 1.5)
    return wall


def _shade_relief(random: np.random.Generator, distance: Array, light: Array) -> Array:
    """Factor by which slopes of polyps and mucosa brighten or darken them, (size, size) about 1: Lambert's cosine."""
    size = len(distance)
    radius = np.sqrt((distance <= 1).sum() / np.pi) + 1
    dome = np.maximum(1 - distance**2, 0) ** random.uniform(0.6, 1.0)
    height = random.uniform(0.35, 0.8) * radius * dome
    height += 0.006 * size * lattice_noise(random, size, (size / 14, size / 14))
    height += 0.0012 * size * lattice_noise(random, size, (size / 32, size / 32))
    down, right = np.gradient(height)
    cosine: Array = (1 - down * light[0] - right * light[1]) / np.sqrt(1 + 0.7 * (down**2 + right**2))
    cosine = np.maximum(cosine, 0.15)  # the tube's walls light even what faces away from the lamp
    return cosine


def _draw_contact_shadow(distance: Array, light: Array) -> Array:
    """Shadow that polyps cast on the mucosa away from the lamp, (size, size) from 0 to 1."""
    down, right = np.gradient(distance)
    steepness = np.maximum(np.hypot(down, right), 1e-6)
    away = -(down * light[0] + right * light[1]) / steepness
    shadow: Array = np.clip(away + 0.15, 0, 1) * np.exp(-np.maximum(distance - 1, 0) * 7) * (distance > 1)
    return shadow


def _paint_mucosa(random: np.random.Generator, distance: Array) -> Array:
    """Colour under white light, (3, size, size): mucosa with small vessels, polyps redder or paler, at times debris."""
    size = len(distance)
    shares = random.dirichlet(np.full(len(_MUCOSA_COLOURS), 0.6))
    mucosa = (shares @ _MUCOSA_COLOURS)[:, None, None]
    redder = random.normal(0.3, 0.6)
    shift = 1 + redder * np.array([0.03, -0.16, -0.14]) + random.normal(0, 0.03, 3)
    edge = np.clip((1.03 - distance) / random.uniform(0.06, 0.25), 0, 1)
    patches = 1 + np.array([0.03, 0.10, 0.10])[:, None, None] * lattice_noise(random, size, (size / 7, size / 7))
    colour: Array = mucosa * patches * (1 + (shift[:, None, None] - 1) * edge)
    vessels = np.exp(-((lattice_noise(random, size, (size / 12, size / 12)) / 0.14) ** 2))
    vessels *= np.clip(lattice_noise(random, size, (size / 4, size / 4)), 0, 1) * (1 - 0.7 * edge)
    colour *= 1 - np.array([0.05, 0.22, 0.20])[:, None, None] * vessels
    if random.random() < _SHARE_WITH_DEBRIS:
        debris = np.clip((lattice_noise(random, size, (size / 9, size / 9)) - 1.9) * 4, 0, 1) * (1 - edge)
        grain = 1 + 0.15 * smooth_noise(random, size, max(size / 60, 0.4))
        colour += debris * (_DEBRIS_COLOUR[:, None, None] * grain - colour)
    return colour


def _draw_highlights(random: np.random.Generator, distance: Array, light: Array) -> Array:
    """Lamp mirrored in wet mucosa, (size, size) from 0 to 0.9: spots in clusters, some on the polyps themselves."""
    size = len(distance)
    ripples = smooth_noise(random, size, max(size / 80, 0.4))
    wet = lattice_noise(random, size, (size / 5, size / 5)) + 0.5 * np.clip(1.3 - distance, 0, 0.6)
    facing = 2.2 * np.exp(-(((distance - random.uniform(0.2, 0.6)) / 0.25) ** 2)) * (distance < 1)
    down, right = np.gradient(distance)
    towards_lamp = np.clip((down * -light[0] + right * -light[1]) * size / 8, -0.6, 1)
    spots: Array = ripples + 0.8 * wet + facing * towards_lamp - random.uniform(2.4, 3.3)
    return np.clip(spots * 2.5, 0, 0.9)
