"""The phantoms as data sets: `phantom:NAME`."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from focalseg.catalogue import Catalogue
from focalseg.data.case import Case, Dataset
from focalseg.data.phantoms.planted import draw_context, draw_global_cue, draw_local
from focalseg.data.phantoms.polyp import draw_polyp
from focalseg.data.phantoms.ultrasound import draw_ultrasound
from focalseg.data.phantoms.vessel import draw_vessel

PREFIX = "phantom:"
SEED = 2022


@dataclass(frozen=True, kw_only=True)
class Phantom:
    """How a phantom is drawn: (generator, size) -> image (C, size, size) uint8 and mask (size, size) bool."""

    draw: Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray]]
    size: int
    count: int


PHANTOMS = Catalogue(
    "phantom",
    {
        "polyp": Phantom(draw=draw_polyp, size=96, count=300),
        "vessel": Phantom(draw=draw_vessel, size=128, count=200),
        "ultrasound": Phantom(draw=draw_ultrasound, size=96, count=300),
        "local": Phantom(draw=draw_local, size=64, count=400),
        "global-cue": Phantom(draw=draw_global_cue, size=64, count=400),
        "context": Phantom(draw=draw_context, size=64, count=400),
    },
)


class PhantomDataset(Dataset):
    """`count` cases of a phantom; case i is drawn from a generator seeded by (seed, i), so it never depends on the others."""

    def __init__(self, name: str, *, count: int | None = None, seed: int = SEED) -> None:
        self.phantom = PHANTOMS[name]
        self.source, self.layout = PREFIX + name, "built-in images"
        self.seed = seed
        self.names = tuple(f"{name}_{number:04d}" for number in range(count or self.phantom.count))
        self.groups = self.names

    def read_case(self, number: int) -> Case:
        random = np.random.default_rng([self.seed, number])
        image, mask = self.phantom.draw(random, self.phantom.size)
        return Case(name=self.names[number], group=self.groups[number], image=image, mask=mask.view(np.uint8))
