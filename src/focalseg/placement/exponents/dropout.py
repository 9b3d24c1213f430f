"""Sites left out at random in every step, so that one network learns to do with any of their subsets."""

from typing import ClassVar

import numpy as np

from focalseg.attention.focal_site import ALL_PASSES
from focalseg.placement.exponents.regime import Regime, Replacement

_STREAM = 0x51E5
"""Keeps the draws of sites apart from whatever else is drawn from the seed of a training and a step."""


class SiteDropout(Regime):
    """First every site acts. Then in every step a share is drawn evenly from [0, 1], and each site acts with that probability.

    So gates learn what they are good for, and then the network learns to do with any of their subsets: those of every size are
    seen alike, no site at all and all of them among them, and taking sites away afterwards asks it nothing that is new.
    One-shot search with weights shared by all subsets, after Bender et al. 2018, "Understanding and Simplifying One-Shot
    Architecture Search"; the evenly drawn share and the start are ours.
    """

    replacement: ClassVar[Replacement] = "host"
    mixes_networks: ClassVar[bool] = True

    def begin_step(self, step: int) -> None:
        """Another subset acts in every step, once sites are left out."""
        if not self.has_set_in(step):
            return
        acting = draw_subset(len(self.filled), seed=self.seed, step=step)
        for site, acts in zip(self.filled.values(), acting, strict=True):
            site.stand_in = None if acts else ALL_PASSES

    def begin_validation(self) -> None:
        """Every site acts."""
        for site in self.filled.values():
            site.stand_in = None

    def finish(self) -> dict[str, float]:
        """Every site acts from now on."""
        self.begin_validation()
        return {}


def draw_subset(sites: int, *, seed: int, step: int) -> list[bool]:
    """Which of so many sites act in a step: every number of them from none to all is equally likely."""
    random = np.random.default_rng([_STREAM, seed, step])
    acting: list[bool] = (random.random(sites) < random.random()).tolist()
    return acting
