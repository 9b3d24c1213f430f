"""What may be done to the exponents of a network while it trains, so that the training is evidence on its sites."""

from focalseg.catalogue import Catalogue
from focalseg.placement.exponents.dropout import SiteDropout
from focalseg.placement.exponents.hard_concrete import HardConcrete
from focalseg.placement.exponents.path import SparsityPath
from focalseg.placement.exponents.regime import Regime

REGIMES: Catalogue[type[Regime]] = Catalogue(
    "regime of the exponents",
    {"free": Regime, "dropout": SiteDropout, "path": SparsityPath, "hard_concrete": HardConcrete},
)
