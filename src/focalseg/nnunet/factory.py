"""The network that nnU-Net's plans name: one of its own with gates at the placed sites, for its stock trainer."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from focalseg.errors import SettingError
from focalseg.hosts.attachment import attention_sites
from focalseg.hosts.finding import sites
from focalseg.hosts.instrument import fill_sites
from focalseg.hosts.libraries.nnunet import FAMILY, import_network
from focalseg.hosts.presence.container import Owner, find_container
from focalseg.hosts.site import select_sites

BUILD = "focalseg.nnunet.build"
"""What stands in plans as network_class_name; nnU-Net finds a function by it as well as a class."""


class HostInitialisation:
    """nnU-Net's `initialize`, which it applies to every module once a network is built, for the modules of the host alone.

    What was added keeps the start and the exponents that it has: nnU-Net's start for convolutions would overwrite them.
    """

    def __init__(self, network: nn.Module, initialise: Any) -> None:
        self.owner, self.initialise = Owner(network), initialise

    def __call__(self, module: nn.Module) -> None:
        """Initialises a module of the host, in place; one of ours stays as it is."""
        network = self.owner()
        container = None if network is None else find_container(network)
        if container is None or all(module is not one for one in container.modules()):
            self.initialise(module)


def build(
    input_channels: int,
    num_classes: int,
    *,
    host: str,
    attention: Mapping[str, str],
    gammas: Mapping[str, float] | None = None,
    standardise_logits: bool = False,
    patch_size: Sequence[int] | None = None,
    deep_supervision: bool = False,
    **arguments: Any,
) -> nn.Module:
    """Builds a network of nnU-Net with gates in it; nnU-Net calls this with what its plans hold, as it calls its own classes.

    The network is of the host's class, has its methods and its weights under their names, and draws them as the plain one does
    from the same seed. What was added is under `focal_attention`, and `network.apply(network.initialize)` leaves it alone.

    host: the class, such as `dynamic_network_architectures.architectures.unet.PlainConvUNet`. attention: kind of gate by site.
    gammas: the exponent of each site, 1 where none is given. Exponents are fixed: nnU-Net's optimiser would pull them to 0 by
    its decay and might push them below. patch_size: the spatial shape of the images it trains on, which one kind of gate is
    made for. deep_supervision and arguments: those of the host. Raises SettingError for another host or exponents that are
    none, SiteError for a site that the network does not have or a gate that does not fit there.
    """
    home, _, name = host.rpartition(".")
    if name not in FAMILY or (home and not home.startswith("dynamic_network_architectures.")):
        raise SettingError(f"host was {host[:80]!r}; expected a network of nnU-Net, {', '.join(FAMILY)}. Write the plans anew.")
    exponents = dict(gammas or {})
    _check_gammas(exponents, attention)
    network = import_network(name)(
        input_channels=input_channels, num_classes=num_classes, deep_supervision=deep_supervision, **arguments
    )
    candidates = sites(network, None if patch_size is None else (input_channels, *patch_size))
    select_sites(candidates, attention)
    with torch.random.fork_rng(devices=[]):  # so that nnU-Net's own start draws for the host what it draws without gates
        fill_sites(network, attention, candidates=candidates, standardise=standardise_logits)
    for site_name, site in attention_sites(network).items():
        nn.init.constant_(site.gamma, exponents.get(site_name, 1.0))
        site.gamma.requires_grad_(False)
    network.initialize = HostInitialisation(network, network.initialize)  # type: ignore[assignment]
    return network


def _check_gammas(gammas: Mapping[str, Any], attention: Mapping[str, str]) -> None:
    """Raises SettingError for an exponent without a gate, and for one that is no finite number from 0 on."""
    for name, gamma in gammas.items():
        if name not in attention:
            raise SettingError(f"gammas names {name[:80]!r}; expected sites that attention names: {', '.join(attention)}.")
        if isinstance(gamma, bool) or not isinstance(gamma, int | float) or not 0 <= gamma < float("inf"):
            raise SettingError(f"gammas.{name} was {gamma!r:.40}; expected a finite number from 0 on. Write the plans anew.")
