"""Sets of one image whose intensities are unlike those of the others: another scale, a negative, swapped channels."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from imagesets.corpus.fault import Make, fault
from imagesets.corpus.pictures import draw_image, draw_mask, encode

COUNT, ODD = 16, 6
GAINS = np.array([1.0, 0.7, 0.4])
"""How red, green and blue go together, as in tissue: so a set tells which channel is which."""


def odd_one(change: Callable[[np.ndarray], np.ndarray], *, grey: bool = False) -> Make:
    """A set like tissue, dark at the rim, with one image changed; grey: of 16 bits in one channel."""

    def make(folder: Path) -> Path:
        for part in ("images", "masks"):
            (folder / part).mkdir(parents=True)
        for number in range(COUNT):
            pixels = draw_image(number)[..., 0]
            rows, columns = (np.linspace(-1, 1, side) for side in pixels.shape)
            lit = pixels * np.clip(1.3 - rows[:, None] ** 2 - columns**2, 0.05, 1)
            image = (10 * lit).astype(np.uint16) if grey else (lit[..., None] * GAINS).astype(np.uint8)
            path = folder / "images" / f"case_{number}.png"
            path.write_bytes(encode(change(image) if number == ODD else image))
            (folder / "masks" / path.name).write_bytes(encode(draw_mask(number) * np.uint8(255)))
        return folder / "images" / f"case_{ODD}.png"

    return make


INTENSITY_FAULTS = [
    fault("12 bits stretched to 16 in one image", "off_scale", odd_one(lambda image: image * 16, grey=True)),
    fault("a photographic negative", "negative", odd_one(lambda image: 255 - image)),
    fault("blue for red", "channels_swapped", odd_one(lambda image: np.ascontiguousarray(image[..., ::-1]))),
]
"""The list of them."""
