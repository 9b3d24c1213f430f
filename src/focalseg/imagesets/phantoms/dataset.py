"""The phantoms as data sets: `phantom:NAME`, and `phantom:NAME@SEED` for other images of the same kind."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from focalseg.catalogue import Catalogue
from focalseg.configuration import LARGEST_SEED
from focalseg.errors import SettingError
from focalseg.imagesets.case import Case, Dataset
from focalseg.imagesets.phantoms import planted_small
from focalseg.imagesets.phantoms.planted import draw_context, draw_global_cue, draw_local
from focalseg.imagesets.phantoms.polyp import draw_polyp
from focalseg.imagesets.phantoms.ultrasound import draw_ultrasound
from focalseg.imagesets.phantoms.vessel import draw_vessel

PREFIX, SEED_MARK = "phantom:", "@"
SEED = 2022

_Draw = Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray]]
"""Draws a case: (generator, size) -> image (C, size, size) uint8 and mask (size, size) bool."""


@dataclass(frozen=True, kw_only=True)
class Phantom:
    """How a phantom is drawn. draws: one where every case stands alone; else one per group of cases, in turn."""

    draws: tuple[_Draw, ...]
    size: int
    count: int


PHANTOMS = Catalogue(
    "phantom",
    {
        "polyp": Phantom(draws=(draw_polyp,), size=96, count=300),
        "vessel": Phantom(draws=(draw_vessel,), size=128, count=200),
        "ultrasound": Phantom(draws=(draw_ultrasound,), size=96, count=300),
        "local": Phantom(draws=(draw_local,), size=64, count=400),
        "global-cue": Phantom(draws=(draw_global_cue,), size=64, count=400),
        "context": Phantom(draws=(draw_context,), size=64, count=400),
        "small-local": Phantom(draws=(planted_small.draw_small_local,), size=32, count=400),
        "faint": Phantom(draws=(planted_small.draw_faint,), size=32, count=400),
        "small-global-cue": Phantom(draws=(planted_small.draw_small_global_cue,), size=32, count=400),
        "halves": Phantom(draws=(planted_small.draw_halves,), size=32, count=400),
        "two-cues": Phantom(draws=(planted_small.draw_two_cues,), size=32, count=400),
        "shortcut": Phantom(draws=planted_small.choose_shortcuts(), size=32, count=300),
    },
)


class PhantomDataset(Dataset):
    """`count` cases of a phantom; case i is drawn from a generator seeded by (seed, i), so it never depends on the others.

    Names and groups are the same for every seed.
    """

    def __init__(self, name: str, *, count: int | None = None, seed: int = SEED) -> None:
        self.phantom = PHANTOMS[name]
        self.source = PREFIX + name if seed == SEED else f"{PREFIX}{name}{SEED_MARK}{seed}"
        self.layout = "built-in images"
        self.seed = seed
        numbers = range(count or self.phantom.count)
        self.names = tuple(f"{name}_{number:04d}" for number in numbers)
        kinds = len(self.phantom.draws)
        self.groups = self.names if kinds == 1 else tuple(f"{name}_group_{number % kinds}" for number in numbers)

    def read_case(self, number: int) -> Case:
        random = np.random.default_rng([self.seed, number])
        draws = self.phantom.draws
        image, mask = draws[number % len(draws)](random, self.phantom.size)
        return Case(name=self.names[number], group=self.groups[number], image=image, mask=mask.view(np.uint8))


def open_phantom(source: str) -> PhantomDataset:
    """The data set of `phantom:NAME` or `phantom:NAME@SEED`. Raises SettingError for an unknown name and a bad seed."""
    name, mark, seed = source.removeprefix(PREFIX).partition(SEED_MARK)
    phantom = PhantomDataset(name)
    if not mark:
        return phantom
    if not (seed.isascii() and seed.isdecimal() and len(seed) <= len(str(LARGEST_SEED)) and int(seed) <= LARGEST_SEED):
        raise SettingError(
            f"{source} has the seed {seed!r}; expected a whole number from 0 to {LARGEST_SEED}, "
            f"such as {PREFIX}{name}{SEED_MARK}1, or {PREFIX}{name} alone for the usual images."
        )
    return PhantomDataset(name, seed=int(seed))
