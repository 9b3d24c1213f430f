"""Networks by name: our U-Net, one of MONAI's, or a function of the person's own."""

import inspect
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from torch import nn

from focalseg.catalogue import offer_nearest, unknown_name_message
from focalseg.configuration import CheckedConfig, setting
from focalseg.errors import FocalsegError, SettingError
from focalseg.findings import show_value
from focalseg.hosts.libraries.monai import MONAI_NETWORKS, build_monai
from focalseg.hosts.libraries.smp import SMP_NETWORKS, build_smp, is_harmless
from focalseg.networks.unet import UNet, UNetConfig

UNET = "unet"
_LIBRARIES = {"monai": (MONAI_NETWORKS, build_monai), "smp": (SMP_NETWORKS, build_smp)}
"""For each prefix of a name: how the arguments of each network of that library are planned, and how one is built."""
NAMES = (UNET, *(f"{prefix}:{name}" for prefix, (networks, _) in _LIBRARIES.items() for name in networks))


@dataclass(frozen=True, kw_only=True)
class NetworkChoice(CheckedConfig):
    """Names a network, and the places where attention may stand in it.

    name: `unet`, `monai:NAME`, `smp:Unet`, or `package.module:function`, a callable that takes spatial_dims, in_channels and
    classes by keyword, arguments besides, and returns a module that maps (B, in_channels, *spatial) to logits (B, classes,
    *spatial). stages, skips, own_gates: places of attention, as `focalseg.sites` takes them; empty for a known family.
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


@dataclass(frozen=True, kw_only=True)
class NetworkConfig(NetworkChoice):
    """Everything that a network is built from. classes: the number of output channels."""

    spatial_dims: Literal[1, 2, 3] = 2
    in_channels: int = setting(3, at_least=1)
    classes: int = setting(1, at_least=1)

    @property
    def built_in(self) -> bool:
        """Whether building it runs only code that is known here and fetches nothing, so that a file alone may ask for it."""
        return self.name in NAMES and (not self.name.startswith("smp:") or is_harmless(self.arguments))

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels per level of our U-Net, finest first; empty for other networks."""
        return tuple(self.arguments.get("widths", UNetConfig.widths)) if self.name == UNET else ()


def _check_name(name: str) -> None:
    """Raises SettingError for a name that is neither that of a known network nor package.module:function."""
    module, separator, function = name.partition(":")
    own = separator and function.isidentifier() and all(part.isidentifier() for part in module.split("."))
    if name not in NAMES and (not own or module in _LIBRARIES):
        offer = offer_nearest(name, NAMES)
        raise SettingError(
            f"name was {show_value(name)}; expected {', '.join(NAMES)}, or package.module:function of your own.{offer}"
        )


def plan_arguments(name: str, *, widths: Sequence[int]) -> dict[str, Any]:
    """The arguments for a network of that name with these channels per level; none for a function of the person's own."""
    if name == UNET:
        return {"widths": list(widths)}
    library, _, network = name.partition(":")
    return _LIBRARIES[library][0][network](widths) if library in _LIBRARIES else {}


def build_host(config: NetworkConfig) -> nn.Module:
    """Builds the network, without any attention of ours. Raises SettingError where that fails or the arguments do not fit."""
    shape: dict[str, Any] = {"spatial_dims": config.spatial_dims, "in_channels": config.in_channels, "classes": config.classes}
    library, _, name = config.name.partition(":")
    if library in _LIBRARIES:
        try:
            return _LIBRARIES[library][1](name, **shape, arguments=config.arguments)
        except FocalsegError:
            raise
        except Exception as error:
            said = str(error).strip()[:160].rstrip(".")
            given = show_value(dict(config.arguments))
            raise SettingError(f"{config.name} refuses {given}: {said}. Mend network.arguments.") from error
    build: Any = UNet if config.name == UNET else find_function(config.name)
    try:
        inspect.signature(build).bind(**shape, **config.arguments)
    except TypeError as error:
        raise SettingError(
            f"The network {config.name} refuses its arguments ({error}); it is called with spatial_dims, in_channels, classes "
            f"and network.arguments ({', '.join(config.arguments) or 'none'}). Mend network.arguments or the function."
        ) from error
    try:
        network = build(**shape, **config.arguments)
    except FocalsegError:
        raise
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        raise SettingError(
            f"The network {config.name} could not be built: {type(error).__name__}: {str(error)[:160]} "
            f"({place.filename}, line {place.lineno}). Mend the function or network.arguments."
        ) from error
    if not isinstance(network, nn.Module):
        raise SettingError(f"{config.name} returned a {type(network).__name__}; expected a torch.nn.Module.")
    return network


def find_function(name: str) -> Any:
    """The callable of `package.module:function`, also from the working folder. Raises SettingError where there is none."""
    module_name, _, function = name.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        module = import_module(module_name)
    except Exception as error:
        raise SettingError(
            f"The network {name} cannot be imported ({type(error).__name__}: {error}); expected package.module:function that "
            "Python finds in this folder or on PYTHONPATH, the file's name without .py."
        ) from error
    if not callable(getattr(module, function, None)):
        known = [known for known, value in vars(module).items() if callable(value) and not known.startswith("_")]
        raise SettingError(unknown_name_message(f"function in {module_name}", function, known))
    return getattr(module, function)
