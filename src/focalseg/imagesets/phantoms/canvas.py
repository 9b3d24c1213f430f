"""What the phantoms draw with: coordinates, soft shapes, smooth noise. Sizes in pixels.

Intensities lie around 0 in units of their own; phantoms that look like a modality draw brightness from 0 to 1.
"""

import numpy as np

Array = np.ndarray
_COUNTS_PER_UNIT = 40.0
_MIDDLE_GREY = 128.0


def coordinates(size: int) -> tuple[Array, Array]:
    """Row and column of every pixel, each (size, size) float."""
    rows, columns = np.mgrid[:size, :size].astype(float)
    return rows, columns


def disc(size: int, centre: tuple[float, float], radius: float) -> Array:
    """(size, size) bool, true within radius of centre (row, column)."""
    rows, columns = coordinates(size)
    inside: Array = (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 <= radius**2
    return inside


def ellipse_distance(size: int, centre: tuple[float, float], radii: tuple[float, float], angle: float) -> Array:
    """Distance to centre in units of the ellipse's radii, (size, size): below 1 inside, 1 on the rim."""
    distance: Array = np.hypot(*ellipse_offsets(size, centre, radii, angle))
    return distance


def smooth_noise(random: np.random.Generator, size: int, scale: float) -> Array:
    """(size, size) noise of mean 0 and standard deviation 1 whose features are about `scale` pixels wide."""
    from scipy import ndimage  # a second to load, for whoever opens files and draws nothing

    noise: Array = ndimage.gaussian_filter(random.standard_normal((size, size)), scale, mode="wrap")
    noise = (noise - noise.mean()) / max(noise.std(), 1e-12)
    return noise


def lattice_noise(random: np.random.Generator, size: int, scales: tuple[float, float]) -> Array:
    """(size, size) noise of mean 0 and standard deviation about 1, `scales` (rows, columns) pixels wide, of any width.

    Normal weights on a coarse lattice, each spread by a Gaussian bump. Two small matrix products, so unlike
    smooth_noise it costs less the wider the features are; below two pixels use smooth_noise.
    """
    along_rows, along_columns = (_spread_from_lattice(size, scale) for scale in scales)
    weights = random.standard_normal((along_rows.shape[1], along_columns.shape[1]))
    noise: Array = along_rows @ weights @ along_columns.T
    return noise


def _spread_from_lattice(size: int, scale: float) -> Array:
    """(size, lattice points) Gaussian bumps `scale` pixels apart, each row of length 1 so that variance is kept."""
    lattice = np.arange(-2, np.ceil(size / scale) + 3) * scale
    bumps: Array = np.exp(-0.5 * ((np.arange(size)[:, None] - lattice) / (0.7 * scale)) ** 2)
    bumps = bumps / np.linalg.norm(bumps, axis=1, keepdims=True)
    return bumps


def irregular_outline(random: np.random.Generator, offsets: tuple[Array, Array], harmonics: Array) -> Array:
    """Distance to an outline that wavers around the unit circle: below 1 inside, 1 on the rim. It has the offsets' shape.

    `offsets` from the centre along two axes are in units of the radius along each, as ellipse_offsets gives them.
    `harmonics` gives the amplitude, as a share of the radius, of waves with 2, 3, ... periods a turn at random phases.
    """
    offset = offsets[0] + 1j * offsets[1]
    radius = np.maximum(np.abs(offset), 1e-6)
    phases = np.exp(1j * random.uniform(0, 2 * np.pi, len(harmonics)))
    waves = np.polyval([*(harmonics * phases)[::-1], 0, 0], offset / radius).real
    distance: Array = radius / np.maximum(1 + waves, 0.2)
    return distance


def ellipse_offsets(size: int, centre: tuple[float, float], radii: tuple[float, float], angle: float) -> tuple[Array, Array]:
    """Offset of every pixel from centre along both axes of an ellipse in units of its radii, each (size, size)."""
    rows, columns = coordinates(size)
    rows, columns = rows - centre[0], columns - centre[1]
    along = np.cos(angle) * rows + np.sin(angle) * columns
    across = -np.sin(angle) * rows + np.cos(angle) * columns
    return along / radii[0], across / radii[1]


def skewed_fraction(random: np.random.Generator, median: float, mean: float, limits: tuple[float, float]) -> float:
    """A share of the frame's area in limits, log-normal before it is clipped: most lesions are small, few large."""
    deviation = np.sqrt(2 * np.log(mean / median))  # mean = median exp(deviation^2 / 2)
    return float(np.clip(median * np.exp(deviation * random.standard_normal()), *limits))


def scatter_centres(
    random: np.random.Generator, allowed: Array, count: int, spacing: float, taken: list[tuple[int, int]] | None = None
) -> list[tuple[int, int]]:
    """Up to `count` pixels of allowed (size, size) bool, at least `spacing` from one another and from those taken."""
    centres: list[tuple[int, int]] = []
    avoid = list(taken or [])
    candidates = random.permutation(np.argwhere(allowed))
    for row, column in candidates:
        if all((row - r) ** 2 + (column - c) ** 2 >= spacing**2 for r, c in avoid):
            centres.append((int(row), int(column)))
            avoid.append(centres[-1])
            if len(centres) == count:
                break
    return centres


def to_uint8(image: Array) -> Array:
    """Converts intensities around 0 to 8 bits around middle grey, clipped."""
    grey: Array = np.clip(np.rint(image * _COUNTS_PER_UNIT + _MIDDLE_GREY), 0, 255).astype(np.uint8)
    return grey


def brightness_to_uint8(image: Array) -> Array:
    """Converts brightness from 0 (black) to 1 (white) to 8 bits, clipped."""
    brightness: Array = np.clip(np.rint(image * 255), 0, 255).astype(np.uint8)
    return brightness
