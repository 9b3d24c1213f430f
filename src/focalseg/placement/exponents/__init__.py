"""What may be done to exponents while a network trains, so that it bears witness on its sites: one file per regime."""

from typing import TYPE_CHECKING

from focalseg.catalogue import Catalogue, DeferredCatalogue

if TYPE_CHECKING:
    from focalseg.placement.exponents.regime import Regime

REGIMES: "Catalogue[type[Regime]]" = DeferredCatalogue(
    "regime of the exponents",
    {
        "free": "focalseg.placement.exponents.regime:Regime",
        "dropout": "focalseg.placement.exponents.dropout:SitesAtRandom",
        "path": "focalseg.placement.exponents.path:SparsityPath",
        "hard_concrete": "focalseg.placement.exponents.hard_concrete:HardConcrete",
    },
)
