"""Which network a person chose, by name, and the names that there are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from focalseg.catalogue import offer_nearest
from focalseg.configuration import CheckedConfig
from focalseg.errors import SettingError
from focalseg.findings import show_value
from focalseg.hosts.libraries.plans import MONAI_NETWORKS, NNUNET_NETWORKS, SMP_NETWORKS

UNET = "unet"
PLANS = {"monai": MONAI_NETWORKS, "smp": SMP_NETWORKS, "nnunet": NNUNET_NETWORKS}
"""How the arguments of each network of a library are planned, by the prefix of its names."""
NAMES = (UNET, *(f"{prefix}:{name}" for prefix, networks in PLANS.items() for name in networks))


@dataclass(frozen=True, kw_only=True)
class NetworkChoice(CheckedConfig):
    """Names a network, and the places where attention may stand in it.

    name: `unet`, `monai:NAME`, `smp:Unet`, `nnunet:NAME`, or `package.module:function`, a callable that takes spatial_dims,
    in_channels and classes by keyword, arguments besides, and returns a module that maps (B, in_channels, *spatial) to logits
    (B, classes, *spatial). stages, skips, own_gates: places of attention, as `focalseg.sites` takes them; empty for a known
    family.
    """

    name: str = UNET
    arguments: Mapping[str, Any] = field(default_factory=dict)
    stages: tuple[str, ...] = ()
    skips: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    own_gates: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_name(self.name)
        for name, pair in self.skips.items():
            if len(pair) != 2:
                raise SettingError(
                    f"skips.{name} was {list(pair)}; expected two places, that of the skip and that of its gating signal."
                )


def _check_name(name: str) -> None:
    """Raises SettingError for a name that is neither that of a known network nor package.module:function."""
    module, separator, function = name.partition(":")
    own = separator and function.isidentifier() and all(part.isidentifier() for part in module.split("."))
    if name not in NAMES and (not own or module in PLANS):
        offer = offer_nearest(name, NAMES)
        raise SettingError(
            f"name was {show_value(name)}; expected {', '.join(NAMES)}, or package.module:function of your own.{offer}"
        )
