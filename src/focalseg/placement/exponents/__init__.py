"""What may be done to exponents while a network trains, so that it bears witness on its sites: one file per regime."""

from focalseg.catalogue import Catalogue
from focalseg.placement.exponents.dropout import SiteDropout
from focalseg.placement.exponents.hard_concrete import HardConcrete
from focalseg.placement.exponents.path import SparsityPath
from focalseg.placement.exponents.regime import Regime

REGIMES: Catalogue[type[Regime]] = Catalogue(
    "regime of the exponents",
    {"free": Regime, "dropout": SiteDropout, "path": SparsityPath, "hard_concrete": HardConcrete},
)
