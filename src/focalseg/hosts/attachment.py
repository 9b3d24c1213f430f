"""How a site stands in a network whose code knows nothing of it: hooks that hand what passes through the site.

The sites are modules of the network, under one name, so that optimisers, devices, copies and state files see them; nothing
of the host is replaced or renamed. A hook belongs to the module where it stands and refers to the site by the object, so
that a deep copy of the network hooks the copies.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, cast

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.hooks import RemovableHandle

from focalseg.attention.focal_site import AnySite, FocalSite, ShutSite
from focalseg.errors import SiteError
from focalseg.hosts.capture import Capture
from focalseg.hosts.ports import Arguments, Keywords, Port
from focalseg.hosts.site import Site
from focalseg.records.placement import SHUT

CONTAINER = "focal_attention"
Passing = Callable[..., Tensor]
"""What features are handed through: (features, gating signal or None) -> features."""


class AttentionSites(nn.Module):
    """Everything that was added to a network, by the name of the site. gates: the kind of gate that stands there, or SHUT.

    Called as a module it hands its argument through, so that it may stand at the end of an nn.Sequential.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sites: dict[str, Site] = {}
        self.gates: dict[str, str] = {}
        self.handles: dict[str, list[RemovableHandle]] = {}
        self.captures: dict[str, list[Capture]] = {}
        self.pass_handles: list[RemovableHandle] = []
        self.frozen_host: Any = None

    def forward(self, features: Any) -> Any:
        """Returns what it is called with."""
        return features

    def standing(self) -> dict[str, AnySite]:
        """Every site that was added, by name, in the order the sites were found in."""
        return {name: cast(AnySite, self.get_submodule(escape(name))) for name in self.gates}

    def begin_pass(self, _network: nn.Module, _arguments: Any) -> None:
        """A forward pre-hook of the network: drops what an earlier pass has left in the captures."""
        for captures in self.captures.values():
            for capture in captures:
                capture.forget()

    def end_pass(self, _network: nn.Module, _arguments: Any, _output: Any) -> None:
        """A forward hook of the network: from now on the captures hold what passed only weakly."""
        for captures in self.captures.values():
            for capture in captures:
                capture.end()

    def train(self, mode: bool = True) -> Self:
        """Sets the mode as every module does, and then puts the norms of a frozen host back to evaluation."""
        super().train(mode)
        if self.frozen_host is not None:
            self.frozen_host.keep_norms()
        return self


_RESERVED = frozenset(dir(AttentionSites()))


def escape(name: str) -> str:
    """The name of a submodule for a site's name: it may hold no dot and must not be an attribute of the container."""
    escaped = name.replace(".", "/")
    return f"{escaped}/" if escaped in _RESERVED else escaped


def find_container(network: nn.Module) -> AttentionSites | None:
    """The container of what was added to a network, or None. Looks through torch.compile and DistributedDataParallel."""
    container = getattr(unwrap(network), CONTAINER, None)
    return container if isinstance(container, AttentionSites) else None


def attention_sites(network: nn.Module) -> dict[str, FocalSite]:
    """The sites that hold attention, by name, in the order they were found in. A skip that is shut is not among them."""
    container = find_container(network)
    standing = {} if container is None else container.standing()
    return {name: site for name, site in standing.items() if isinstance(site, FocalSite)}


def filled_sites(network: nn.Module) -> dict[str, tuple[Site, str]]:
    """Site and kind of gate by name, for every site that holds attention."""
    return {name: (site, kind) for name, (site, kind) in occupied_sites(network).items() if kind != SHUT}


def occupied_sites(network: nn.Module) -> dict[str, tuple[Site, str]]:
    """Site and kind by name, for everything that was added: the kind of its gate, or SHUT."""
    container = find_container(network)
    return {} if container is None else {name: (container.sites[name], gate) for name, gate in container.gates.items()}


def unwrap(network: nn.Module) -> nn.Module:
    """The network itself, without the wrappers of torch.compile and DistributedDataParallel."""
    while True:
        inner = network.module if isinstance(network, DistributedDataParallel) else getattr(network, "_orig_mod", None)
        if not isinstance(inner, nn.Module):
            return network
        network = inner


def unwrap_to_fill(network: nn.Module) -> nn.Module:
    """As `unwrap`, before weights are added. Raises SiteError where they would be missed, could not train or have no room."""
    if any(isinstance(module, DistributedDataParallel) for module in network.modules()):
        raise SiteError(
            "The network is wrapped in DistributedDataParallel, which would not keep new weights in step; "
            "put attention in before wrapping it."
        )
    if isinstance(network, nn.DataParallel):
        raise SiteError("The network is wrapped in DataParallel, whose copies share hooks; use DistributedDataParallel.")
    if torch.is_inference_mode_enabled():
        raise SiteError("Weights made under torch.inference_mode can never train; put attention in outside of it.")
    network = unwrap(network)
    if hasattr(network, CONTAINER) and find_container(network) is None:
        raise SiteError(f"The network has something of its own named {CONTAINER}, where attention is kept; rename that.")
    return network


def attach(network: nn.Module, added: Mapping[str, tuple[Site, str, AnySite]], order: Sequence[str]) -> None:
    """Puts each module at its site, in place, all of them or none, on the device and in the dtype of the weights there, or else
    of the network's first weight. added: site, kind and module by the name of the site.

    The caller has checked sites, gates and that nothing stands there. order: the names of all sites, as they were found.
    """
    if not added:
        return
    container = find_container(network)
    if container is None:
        container = AttentionSites().train(network.training)
        network.add_module(CONTAINER, container)
    try:
        for name, (site, gate, module) in added.items():
            weight = first_weight(Port.parse(site.added_at or site.features).find_module(network), network)
            module.to(device=weight.device, dtype=weight.dtype).train(network.training)
            container.add_module(escape(name), module)
            container.sites[name], container.gates[name] = site, gate
        ranks = {name: rank for rank, name in enumerate(order)}
        container.gates = dict(sorted(container.gates.items(), key=lambda item: ranks.get(item[0], -1)))
        _hook_all(network, container)
    except BaseException:
        for name in added:
            if name in container.gates:
                detach(network, name)
        raise
    if "torch._dynamo" in sys.modules:
        torch.compiler.reset()  # compiled code does not look for new hooks


def _hook_all(network: nn.Module, container: AttentionSites) -> None:
    """Takes all hooks away and hooks everything that was added anew."""
    for name in container.gates:
        _unhook(container, name)
    standing = container.standing()
    # Torch runs hooks in the order of registration. Stages go first: where a skip is read off the stage that feeds it, the
    # host adds or hands on what the stage's site gave.
    for name in sorted(standing, key=lambda name: container.sites[name].kind != "stage"):
        site, module = container.sites[name], standing[name]
        view = site.when_shut if isinstance(module, ShutSite) else site
        container.handles[name], container.captures[name] = hook(network, view, module)
    for handle in container.pass_handles:
        handle.remove()
    if any(container.captures.values()):
        container.pass_handles = [
            network.register_forward_pre_hook(container.begin_pass),
            network.register_forward_hook(container.end_pass),
        ]


def _unhook(container: AttentionSites, name: str) -> None:
    """Takes the hooks of one site away."""
    container.captures.pop(name, None)
    for handle in container.handles.pop(name, ()):
        handle.remove()


def detach(network: nn.Module, name: str) -> None:
    """Takes out what stands at a site, in place. With the last one the container goes too, and a frozen host is thawed."""
    container = find_container(network)
    if container is None or name not in container.gates:
        raise SiteError(f"No attention stands at {name}; there is nothing to take out.")
    _unhook(container, name)
    delattr(container, escape(name))
    del container.sites[name], container.gates[name]
    if not container.gates:
        for handle in container.pass_handles:
            handle.remove()
        if container.frozen_host is not None:
            container.frozen_host.thaw(training=network.training)
        delattr(network, CONTAINER)


def hook(network: nn.Module, site: Site, passing: Passing) -> tuple[list[RemovableHandle], list[Capture]]:
    """Registers the hooks that hand what passes at a site through `passing`: (features, gating signal or None) -> features.

    Returns their handles, and the captures in which they keep what passes at other places.
    """
    features = Port.parse(site.features).resolve(network)
    signal = Port.parse(site.signal).resolve(network) if site.signal else None
    place = Port.parse(site.added_at).resolve(network) if site.added_at else features
    handles: list[RemovableHandle] = []
    captures: list[Capture] = []

    def source(port: Port) -> Port | Capture:
        if port.path == place.path and (place.of_output or not port.of_output):
            return port  # the hook of the place is handed it anyway: a module's hook after it sees arguments and output
        capture = Capture(port)
        captures.append(capture)
        handles.append(register(network, port, capture.keep))
        return capture

    hook = _SiteHook(passing, place, source(features), None if signal is None else source(signal), added=bool(site.added_at))
    handles.append(register(network, place, hook.attend))
    return handles, captures


def register(network: nn.Module, port: Port, hook: Callable[..., Any]) -> RemovableHandle:
    """Registers the hook on the side of the port's module where the port is: before it, or after it with its output as well."""
    module = port.find_module(network)
    add = module.register_forward_hook if port.of_output else module.register_forward_pre_hook
    return add(hook, with_kwargs=True)


@dataclass(eq=False)
class _SiteHook:
    """Hands the features at a place through a site.

    added: the host adds the features at the place itself, so the change that the site makes to them is added there as well.
    """

    passing: Passing
    place: Port
    features: Port | Capture
    signal: Port | Capture | None
    added: bool

    def attend(self, _module: nn.Module, arguments: Arguments, keywords: Keywords, output: Any = None) -> Any:
        """A hook before or after the module: returns its arguments, or its output, with the features attended; None where the
        site is not enabled."""
        if not getattr(self.passing, "enabled", True):
            return None

        def read(source: Port | Capture) -> Tensor:
            if isinstance(source, Port):
                return source.read(arguments, keywords, output)
            return source.recall(self.place)

        features = read(self.features)
        attended = self.passing(features, None if self.signal is None else read(self.signal))
        if self.added:
            # Where the site changes nothing this is the host's sum to the bit. Coefficients near 0 leave a rounding error of a
            # skip far larger than what it is added to; so a skip that is shut is taken out of the sum (`Site.when_shut`).
            attended = self.place.read(arguments, keywords, output) + (attended - features)
        arguments, keywords, output = self.place.write(arguments, keywords, output, attended)
        return output if self.place.of_output else (arguments, keywords)


def first_weight(*modules: nn.Module) -> Tensor:
    """The first real weight of the first module that has one, which tells device and dtype; an empty tensor if none has."""
    weights = (weight for module in modules for weight in module.parameters() if weight.is_floating_point())
    return next(weights, torch.empty(0))
