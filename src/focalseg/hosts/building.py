"""Networks by name: our U-Net, one of a library, or a function of the person's own."""

import inspect
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from torch import nn

from focalseg.catalogue import unknown_name_message
from focalseg.configuration import setting
from focalseg.errors import FocalsegError, SettingError
from focalseg.findings import show_value
from focalseg.hosts.libraries.choice import NAMES, PLANS, UNET, NetworkChoice
from focalseg.hosts.libraries.monai import build_monai
from focalseg.hosts.libraries.nnunet import build_nnunet
from focalseg.hosts.libraries.smp import build_smp, is_harmless
from focalseg.networks.unet import UNet, UNetConfig

_BUILDERS = {"monai": build_monai, "smp": build_smp, "nnunet": build_nnunet}
"""How a network of a library is built, by the prefix of its names."""


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


def without_downloads(config: NetworkConfig) -> NetworkConfig:
    """The same network with weights drawn at random where it asks for pretrained ones: for whoever has all weights in a
    file."""
    pretrained = config.name.startswith("smp:") and config.arguments.get("encoder_weights") is not None
    return replace(config, arguments={**config.arguments, "encoder_weights": None}) if pretrained else config


def plan_arguments(name: str, *, widths: Sequence[int]) -> dict[str, Any]:
    """The arguments for a network of that name with these channels per level; none for a function of the person's own."""
    if name == UNET:
        return {"widths": list(widths)}
    library, _, network = name.partition(":")
    return PLANS[library][network](widths) if library in PLANS else {}


def build_host(config: NetworkConfig) -> nn.Module:
    """Builds the network, without any attention of ours. Raises SettingError where that fails or the arguments do not fit."""
    shape: dict[str, Any] = {"spatial_dims": config.spatial_dims, "in_channels": config.in_channels, "classes": config.classes}
    library, _, name = config.name.partition(":")
    if library in _BUILDERS:
        try:
            return _BUILDERS[library](name, **shape, arguments=config.arguments)
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
