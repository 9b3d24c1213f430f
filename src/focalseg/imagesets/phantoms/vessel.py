"""The vessels of a retinal fundus photograph, drawn: trunks that leave the optic disc, round the macula and branch.

Positions, lengths and radii are shares of the frame's width; angles are in radians, 0 from the disc to the macula,
positive up. As in DRIVE and CHASE_DB1, vessels taper at every branch, veins are wider and darker than arteries, thin
vessels are faint, and all of them together cover 7 to 12 % of the frame.
"""

import numpy as np

from focalseg.imagesets.phantoms.canvas import Array, brightness_to_uint8, coordinates, ellipse_distance, lattice_noise

_SPROUT = np.dtype([(name, float) for name in ("row", "column", "heading", "bend", "radius", "length", "darkness")])
VEIN_RADIUS, ARTERY_RADIUS, SMALL_RADIUS = 0.0115, 0.0085, 0.0050
VEIN_DARKNESS, ARTERY_DARKNESS = 1.0, 0.75
_BRANCHES_PER_VESSEL = (4, 2)  # in the first and the second generation after the trunks
_TAPER = 0.45  # share of its radius that a vessel loses from its root to its tip
_THINNEST_PIXELS_AT_128 = 0.35  # a radius; what is narrower covers too little of a pixel for the photograph to show it
_FUNDUS_COLOURS = np.array([[0.80, 0.30, 0.09], [0.66, 0.37, 0.18], [0.97, 0.32, 0.06], [0.72, 0.27, 0.12]])
DISC_COLOUR, CUP_COLOUR = np.array([1.0, 0.66, 0.28]), np.array([1.0, 0.92, 0.58])
_ABSORPTION = np.array([0.28, 0.62, 0.58])  # share of red, green and blue that the darkest vessel takes away


def draw_vessel(random: np.random.Generator, size: int) -> tuple[Array, Array]:
    """A fundus photograph, (3, size, size) uint8 red, green, blue, and its vessels, (size, size) bool, never empty."""
    disc = random.uniform(0.44, 0.56), random.uniform(0.24, 0.38)
    macula = disc[0] + random.uniform(0.0, 0.05), disc[1] + random.uniform(0.28, 0.34)
    field = ellipse_distance(size, (size / 2, size / 2), (size * random.uniform(0.47, 0.495),) * 2, 0)
    fundus = _paint_fundus(random, size, disc, macula)
    opacity, reflex, mask = _draw_tree(random, _sprout_trunks(random, disc), macula, size)
    frame = fundus * (1 - _ABSORPTION[:, None, None] * opacity) + 0.10 * reflex
    frame += random.normal(0, 0.012, frame.shape)
    frame *= np.clip((1 - field) * size / 2 + 0.5, 0, 1)
    mask &= field < 1
    if random.random() < 0.5:  # the other eye
        frame, mask = frame[..., ::-1], mask[:, ::-1].copy()
    return brightness_to_uint8(frame + 0.01), mask


def _sprout_trunks(random: np.random.Generator, disc: tuple[float, float]) -> Array:
    """Roots of the vessels that leave the disc, (14,) of SPROUT: four arcades as vein and artery, six small ones."""
    arcades = np.array([1.45, -1.45, 2.35, -2.35])  # up and down on the macula's side, then on the nose's
    bends = np.array([-1.45, 1.45, -0.3, 0.3])
    lengths = np.array([0.72, 0.72, 0.50, 0.50])
    apart = random.choice([-1.0, 1.0], 4) * random.uniform(0.15, 0.45, 4)  # between a vein and its artery
    trunks = np.zeros(14, _SPROUT)
    trunks["heading"][:8] = np.tile(arcades, 2) + np.outer([0.5, -0.5], apart).ravel() + random.normal(0, 0.1, 8)
    trunks["bend"][:8] = np.tile(bends, 2) * random.uniform(0.75, 1.25, 8)
    trunks["length"][:8] = np.tile(lengths, 2) * random.uniform(0.85, 1.1, 8)
    trunks["radius"][:8] = np.repeat([VEIN_RADIUS, ARTERY_RADIUS], 4) * random.uniform(0.8, 1.1, 8)
    trunks["darkness"][:8] = np.repeat([VEIN_DARKNESS, ARTERY_DARKNESS], 4)
    trunks["heading"][8:] = np.array([0.5, -0.5, 0.9, 2.8, 3.3, -2.9]) + random.normal(0, 0.2, 6)
    trunks["bend"][8:] = random.normal(0, 0.4, 6)
    trunks["length"][8:] = np.array([0.22, 0.22, 0.35, 0.35, 0.35, 0.35]) * random.uniform(0.7, 1.1, 6)
    trunks["radius"][8:] = SMALL_RADIUS * random.uniform(0.8, 1.2, 6)
    trunks["darkness"][8:] = random.uniform(ARTERY_DARKNESS, VEIN_DARKNESS, 6)
    trunks["row"], trunks["column"] = np.array(disc)[:, None] + random.normal(0, 0.012, (2, 14))
    return trunks


def _draw_tree(
    random: np.random.Generator, trunks: Array, macula: tuple[float, float], size: int
) -> tuple[Array, Array, Array]:
    """Opacity of the vessels and reflex along the wide ones, from 0 to 1, and their mask, each (size, size)."""
    opacity, reflex, mask = np.zeros((size, size)), np.zeros((size, size)), np.zeros((size, size), bool)
    sprouts = trunks
    # The root was tuned to keep the covered share of the frame alike from 32 to 512 pixels.
    thinnest = _THINNEST_PIXELS_AT_128 * np.sqrt(size / 128)
    for branches in (*_BRANCHES_PER_VESSEL, 0):
        points, headings, radii = _grow(random, sprouts, size)
        clear_of_fovea = np.hypot(*np.moveaxis(points - np.array(macula), -1, 0)) > 0.045
        seen = clear_of_fovea & (radii * size >= thinnest)
        darkness = sprouts["darkness"][:, None] * np.clip(0.30 + 0.70 * radii / VEIN_RADIUS, 0, 1)
        generation, coverage = _stamp(size, points[seen] * size, radii[seen] * size, darkness[seen])
        opacity, mask = np.maximum(opacity, generation), mask | (coverage >= 0.5)
        wide = seen & (radii > 0.6 * ARTERY_RADIUS)
        shine, _ = _stamp(size, points[wide] * size, 0.3 * radii[wide] * size, np.full(wide.sum(), 0.5))
        reflex = np.maximum(reflex, shine)
        sprouts = _branch(random, sprouts, (points, headings, radii), branches)
    return opacity, reflex, mask


def _grow(random: np.random.Generator, sprouts: Array, size: int) -> tuple[Array, Array, Array]:
    """Follow every sprout to its tip: points (V, S, 2) as row and column, headings (V, S) and radii (V, S).

    Headings turn evenly by the sprout's bend and wind about that. Points lie half a pixel apart, or a little more in
    large frames, where even thin vessels are wider.
    """
    spacing_pixels = max(0.5, size / 360)
    steps = int(np.ceil(sprouts["length"].max() * size / spacing_pixels)) + 1
    along = np.linspace(0, 1, steps)
    waves = random.uniform(1.0, 3.0, (len(sprouts), 1)) * 2 * np.pi * sprouts["length"][:, None] / 0.4
    winding = random.normal(0, 0.20, (len(sprouts), 1)) * np.sin(waves * along)
    headings = sprouts["heading"][:, None] + sprouts["bend"][:, None] * along + winding
    stride = sprouts["length"][:, None] / steps
    rows = sprouts["row"][:, None] - np.cumsum(np.sin(headings) * stride, axis=1)
    columns = sprouts["column"][:, None] + np.cumsum(np.cos(headings) * stride, axis=1)
    return np.stack([rows, columns], axis=-1), headings, sprouts["radius"][:, None] * (1 - _TAPER * along)


def _branch(random: np.random.Generator, parents: Array, grown: tuple[Array, Array, Array], count: int) -> Array:
    """`count` sprouts on each of the parents, (V * count,) of SPROUT, thinner and shorter than what they leave."""
    points, headings, radii = grown
    parent = np.repeat(np.arange(len(parents)), count)
    slots = (np.tile(np.arange(count), len(parents)) + random.random(len(parent))) / max(count, 1)
    step = ((0.20 + 0.75 * slots) * (points.shape[1] - 1)).astype(int)
    side = random.choice([-1.0, 1.0], len(parent))
    sprouts = np.zeros(len(parent), _SPROUT)
    sprouts["row"], sprouts["column"] = points[parent, step].T
    sprouts["heading"] = headings[parent, step] + side * random.uniform(0.5, 1.1, len(parent))
    sprouts["bend"] = -side * random.uniform(-0.2, 0.9, len(parent))  # mostly back to the way the parent runs
    sprouts["radius"] = radii[parent, step] * random.uniform(0.5, 0.8, len(parent))
    sprouts["length"] = parents["length"][parent] * random.uniform(0.3, 0.6, len(parent))
    sprouts["darkness"] = parents["darkness"][parent]
    return sprouts


def _stamp(size: int, centres: Array, radii: Array, darkness: Array) -> tuple[Array, Array]:
    """Opacity of soft discs, the darkest where they overlap, and the share of each pixel they cover, both (size, size).

    Centres (N, 2) and radii (N,) in pixels. Discs narrower than a pixel are drawn a pixel wide and as much fainter.
    """
    opacity, coverage = np.zeros((size, size)), np.zeros((size, size))
    drawn = np.maximum(radii, 0.5)
    reach = int(np.ceil(drawn.max(initial=0.5) + 0.5))
    window = np.arange(-reach, reach + 1)
    nearest = np.rint(centres).astype(int)
    rows, columns = nearest[:, 0, None, None] + window[:, None], nearest[:, 1, None, None] + window
    off_row, off_column = rows - centres[:, 0, None, None], columns - centres[:, 1, None, None]
    cover = np.clip(drawn[:, None, None] + 0.5 - np.sqrt(off_row**2 + off_column**2), 0, 1)
    inside = (cover > 0) & (rows >= 0) & (rows < size) & (columns >= 0) & (columns < size)
    pixels = (rows * size + columns)[inside]
    faintness = (darkness * np.minimum(radii / drawn, 1))[:, None, None]
    np.maximum.at(coverage.reshape(-1), pixels, cover[inside])
    np.maximum.at(opacity.reshape(-1), pixels, (cover * faintness)[inside])
    return opacity, coverage


def _paint_fundus(random: np.random.Generator, size: int, disc: tuple[float, float], macula: tuple[float, float]) -> Array:
    """The retina without its vessels, (3, size, size) about 0 to 1: uneven orange, bright disc and cup, dark macula."""
    rows, columns = (axis / size for axis in coordinates(size))
    colour = random.dirichlet(np.full(len(_FUNDUS_COLOURS), 0.6)) @ _FUNDUS_COLOURS
    bright = disc[0] + random.normal(0, 0.15), disc[1] + random.normal(0.1, 0.15)
    falloff = np.exp(-((rows - bright[0]) ** 2 + (columns - bright[1]) ** 2) / random.uniform(0.25, 0.6))
    light = (0.45 + 0.65 * falloff) * random.uniform(0.85, 1.1)
    light *= 1 + 0.05 * lattice_noise(random, size, (size / 6, size / 6))
    light *= 1 + 0.03 * lattice_noise(random, size, (size / 24, size / 24))
    light *= 1 - random.uniform(0.2, 0.45) * np.exp(-((rows - macula[0]) ** 2 + (columns - macula[1]) ** 2) / 0.055**2)
    fundus: Array = colour[:, None, None] * light
    sheen = np.clip(lattice_noise(random, size, (size / 14, size / 14)), 0, 2)
    sheen *= np.exp(-(((np.hypot(rows - disc[0], columns - disc[1]) - 0.18) / 0.1) ** 2))
    fundus += random.uniform(0, 0.07) * np.array([0.4, 1.0, 0.7])[:, None, None] * sheen
    radius, oval = random.uniform(0.075, 0.095) * size, random.uniform(1.0, 1.15)
    centre = disc[0] * size, disc[1] * size
    for share, shade in ((1.0, DISC_COLOUR), (random.uniform(0.35, 0.6), CUP_COLOUR)):
        distance = ellipse_distance(size, centre, (share * radius * oval, share * radius), 0)
        weight = random.uniform(0.7, 0.95) / (1 + np.exp(np.clip((distance - 1) * 9 * share, -50, 50)))
        fundus += weight * (shade[:, None, None] * random.uniform(0.85, 1.0) - fundus)
    return fundus
