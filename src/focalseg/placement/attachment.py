"""How a site stands in a network whose code knows nothing of it: hooks that hand what passes through the site.

The sites are modules of the network, under one name, so that optimisers, devices, copies and state files see them; nothing
of the host is replaced or renamed. A hook belongs to the module where it stands and refers to the site by the object, so
that a deep copy of the network hooks the copies.
"""

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Self, cast

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.hooks import RemovableHandle

from focalseg.attention.site import FocalSite
from focalseg.errors import SiteError
from focalseg.placement.ports import Arguments, Keywords, Port

if TYPE_CHECKING:
    from focalseg.placement.sites import Site

CONTAINER = "focal_attention"
Passing = Callable[..., Tensor]
"""(features, gating signal or None) -> features."""


class AttentionSites(nn.Module):
    """Everything that was added to a network, by the name of the site.

    Called as a module it hands its argument through, so that it may stand at the end of an nn.Sequential.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sites: dict[str, Site] = {}
        self.gates: dict[str, str] = {}
        self.handles: dict[str, list[RemovableHandle]] = {}
        self.frozen_host: Any = None

    def forward(self, features: Any) -> Any:
        """What it is called with."""
        return features

    def module(self, name: str) -> FocalSite:
        """The filled site of that name."""
        return cast(FocalSite, self.get_submodule(escape(name)))

    def train(self, mode: bool = True) -> Self:
        """As every module, and then the norms of a frozen host back to evaluation."""
        super().train(mode)
        if self.frozen_host is not None:
            self.frozen_host.keep_norms()
        return self


RESERVED = frozenset(dir(AttentionSites()))


def escape(name: str) -> str:
    """A site's name as the name of a submodule, which may hold no dot and be no attribute of the container."""
    escaped = name.replace(".", "/")
    return f"{escaped}/" if escaped in RESERVED else escaped


def find_container(network: nn.Module) -> AttentionSites | None:
    """What was added to a network, None where nothing was. Looks through torch.compile and DistributedDataParallel."""
    container = getattr(unwrap(network), CONTAINER, None)
    return container if isinstance(container, AttentionSites) else None


def unwrap(network: nn.Module) -> nn.Module:
    """The network itself, out of torch.compile's and DistributedDataParallel's wrappers."""
    while True:
        inner = network.module if isinstance(network, DistributedDataParallel) else getattr(network, "_orig_mod", None)
        if not isinstance(inner, nn.Module):
            return network
        network = inner


def unwrap_to_fill(network: nn.Module) -> nn.Module:
    """As `unwrap`, for what adds weights. Raises SiteError for a network in DistributedDataParallel, which would miss them."""
    if any(isinstance(module, DistributedDataParallel) for module in network.modules()):
        raise SiteError(
            "The network is wrapped in DistributedDataParallel, which would not keep new weights in step; "
            "put attention in before wrapping it."
        )
    return unwrap(network)


def attach(network: nn.Module, site: "Site", gate: str, module: FocalSite) -> None:
    """Puts the module at the site, in place. Everything was checked before: sites, gates, and that nothing stands there."""
    container = find_container(network)
    if container is None:
        container = AttentionSites().train(network.training)
        network.add_module(CONTAINER, container)
    container.add_module(escape(site.name), module.train(network.training))
    container.sites[site.name], container.gates[site.name] = site, gate
    container.handles[site.name] = hook(network, site, module)


def arrange(network: nn.Module, names: Sequence[str]) -> None:
    """Brings what was added into the order of these names, and hooks it anew in it, in place.

    Stages go first: where a skip is read off the stage that feeds it, the host adds or hands on what the stage's site gave.
    """
    container = find_container(network)
    if container is None:
        return
    order = {name: number for number, name in enumerate(names)}
    container.gates = {name: container.gates[name] for name in sorted(container.gates, key=lambda name: order.get(name, -1))}
    for handles in container.handles.values():
        for handle in handles:
            handle.remove()
    for name in sorted(container.gates, key=lambda name: container.sites[name].kind != "stage"):
        container.handles[name] = hook(network, container.sites[name], container.module(name))
    if "torch._dynamo" in sys.modules:
        torch.compiler.reset()  # compiled code does not look for new hooks


def detach(network: nn.Module, name: str) -> None:
    """Takes what stands at a site out again, in place, and with the last of them the container; a frozen host is thawed."""
    container = find_container(network)
    if container is None or name not in container.gates:
        raise SiteError(f"No attention stands at {name}; there is nothing to take out.")
    for handle in container.handles.pop(name):
        handle.remove()
    delattr(container, escape(name))
    del container.sites[name], container.gates[name]
    if not container.gates:
        if container.frozen_host is not None:
            container.frozen_host.thaw(training=network.training)
        delattr(network, CONTAINER)


def hook(network: nn.Module, site: "Site", passing: Passing) -> list[RemovableHandle]:
    """Hooks that hand what passes at a site through `passing` (features, gating signal or None) -> features."""
    features, *others = [port.resolve(network) for port in site.ports]
    signal = others[0] if site.signal else None
    place = others[-1] if site.added_at else features
    handles: list[RemovableHandle] = []

    def source(port: Port) -> Port | Capture:
        if port.path == place.path and (place.of_output or not port.of_output):
            return port
        capture = Capture(port)
        handles.append(register(port.find_module(network), port, capture))
        return capture

    hook = SiteHook(
        passing,
        place=place,
        features=source(features),
        signal=None if signal is None else source(signal),
        added=bool(site.added_at),
    )
    handles.append(register(place.find_module(network), place, hook))
    return handles


def register(module: nn.Module, port: Port, hook: "Capture | SiteHook") -> RemovableHandle:
    """The hook on the side of the module where the port is."""
    if port.of_output:
        return module.register_forward_hook(hook.after, with_kwargs=True)
    return module.register_forward_pre_hook(hook.before, with_kwargs=True)  # type: ignore[arg-type]  # Mapping for dict


class Capture:
    """Keeps what last passed at a port, for a site elsewhere in the same forward pass. It is no part of copies and files."""

    def __init__(self, port: Port) -> None:
        self.port = port
        self.tensor: Tensor | None = None

    def before(self, _module: nn.Module, arguments: Arguments, keywords: Keywords) -> None:
        """A forward pre-hook."""
        self.tensor = self.port.read(arguments, keywords, None)

    def after(self, _module: nn.Module, arguments: Arguments, keywords: Keywords, output: Any) -> None:
        """A forward hook."""
        self.tensor = self.port.read(arguments, keywords, output)

    def __getstate__(self) -> dict[str, Any]:
        return {"port": self.port, "tensor": None}


class SiteHook:
    """Hands the features at a place through a site. added: what the site changes is added at the place, where the host has
    added the features themselves; that is the same sum, and exactly the host's where the site changes nothing."""

    def __init__(
        self,
        passing: Passing,
        *,
        place: Port,
        features: Port | Capture,
        signal: Port | Capture | None,
        added: bool,
    ) -> None:
        self.passing, self.place, self.features, self.signal, self.added = passing, place, features, signal, added

    def before(self, _module: nn.Module, arguments: Arguments, keywords: Keywords) -> tuple[Arguments, Keywords] | None:
        """A forward pre-hook: the arguments with the features attended."""
        if not getattr(self.passing, "enabled", True):
            return None
        arguments, keywords, _ = self._attend(arguments, keywords, None)
        return arguments, keywords

    def after(self, _module: nn.Module, arguments: Arguments, keywords: Keywords, output: Any) -> Any:
        """A forward hook: the output with the features attended."""
        if not getattr(self.passing, "enabled", True):
            return None
        return self._attend(arguments, keywords, output)[2]

    def _attend(self, arguments: Arguments, keywords: Keywords, output: Any) -> tuple[Arguments, Keywords, Any]:
        def read(source: Port | Capture) -> Tensor:
            if isinstance(source, Port):
                return source.read(arguments, keywords, output)
            if source.tensor is None:
                raise SiteError(f"Nothing has passed {source.port} before {self.place}; name a place that comes earlier.")
            return source.tensor

        features = read(self.features)
        attended = self.passing(features, None if self.signal is None else read(self.signal))
        if self.added:
            attended = self.place.read(arguments, keywords, output) + (attended - features)
        return self.place.write(arguments, keywords, output, attended)


def like_host(network: nn.Module, module: FocalSite) -> FocalSite:
    """The site on the device and in the number type of the network's first weight."""
    parameter = next((weight for weight in network.parameters() if weight.is_floating_point()), torch.empty(0))
    return module.to(device=parameter.device, dtype=parameter.dtype)
