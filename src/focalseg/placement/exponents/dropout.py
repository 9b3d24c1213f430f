"""Sites left out at random in every step, so that one network learns to do with any of their subsets."""

from typing import ClassVar

import numpy as np

from focalseg.attention.focal_site import ALL_PASSES
from focalseg.placement.exponents.regime import Regime, Replacement

_STREAM = 0x51E5
"""Keeps the draws of sites independent of whatever else is drawn from the seed of a training and a step."""


class SitesAtRandom(Regime):
    """At first every site acts. Then every step draws a share evenly from [0, 1], and each site acts with that probability.

    So gates learn what they are good for, and then the network learns to work with any subset of them. Subsets of every size
    are seen equally often, from no site to all of them, so a network without some sites is nothing new to it afterwards.
    One-shot search with weights shared by all subsets, after Bender et al. 2018, "Understanding and Simplifying One-Shot
    Architecture Search"; the evenly drawn share and the start are ours.
    """

    replacement: ClassVar[Replacement] = "host"
    mixes_networks: ClassVar[bool] = True

    def begin_step(self, step: int) -> None:
        """Draws the subset of sites that acts in this step, once the regime has set in."""
        if not self.has_set_in(step):
            return
        acting = draw_subset(len(self.filled), seed=self.seed, step=step)
        for site, acts in zip(self.filled.values(), acting, strict=True):
            site.stand_in = None if acts else ALL_PASSES

    def begin_validation(self) -> None:
        """Lets every site act."""
        for site in self.filled.values():
            site.stand_in = None

    def finish(self) -> dict[str, float]:
        """Lets every site act from now on."""
        self.begin_validation()
        return {}


def draw_subset(sites: int, *, seed: int, step: int) -> list[bool]:
    """Which of so many sites act in a step; every number of them from none to all is equally likely."""
    # A generator of its own from (seed, step): nothing is drawn from the global one, and a resumed training draws the same.
    random = np.random.default_rng([_STREAM, seed, step])
    acting: list[bool] = (random.random(sites) < random.random()).tolist()
    return acting
