"""How a site stands in a network whose code knows nothing of it: hooks that hand what passes through the site.

The sites are modules of the network, under one name, so that optimisers, devices, copies and state files see them; nothing
of the host is replaced or renamed. A hook belongs to the module where it stands and refers to the site by the object, so
that a deep copy of the network hooks the copies.
"""

import sys
from collections.abc import Collection, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from focalseg.attention.focal_site import AnySite, FocalSite, ShutSite
from focalseg.catalogue import unknown_name_message
from focalseg.errors import SiteError
from focalseg.hosts.ports import Port
from focalseg.hosts.presence.container import CONTAINER, AttentionSites, escape, find_container
from focalseg.hosts.presence.hooking import hook
from focalseg.hosts.presence.strays import find_checked_container, remove_strays
from focalseg.hosts.presence.wrappers import keeps_in_step, unwrap
from focalseg.hosts.site import Site
from focalseg.records.placement import SHUT


def attention_sites(network: nn.Module) -> dict[str, FocalSite]:
    """The sites that hold attention, by name, in the order they were found in. A skip that is shut is not among them.

    Raises SiteError where a site no longer acts, or acts with weights that are not the network's.
    """
    container = find_checked_container(network)
    standing = {} if container is None else container.standing()
    return {name: site for name, site in standing.items() if isinstance(site, FocalSite)}


def filled_sites(network: nn.Module) -> dict[str, tuple[Site, str]]:
    """Site and kind of gate by name, for every site that holds attention. Raises SiteError as `attention_sites` does."""
    find_checked_container(network)
    return {name: (site, kind) for name, (site, kind) in occupied_sites(network).items() if kind != SHUT}


def occupied_sites(network: nn.Module) -> dict[str, tuple[Site, str]]:
    """Site and kind by name, for everything that was added: the kind of its gate, or SHUT. Whether it acts is not looked at."""
    container = find_container(network)
    return {} if container is None else {name: (container.sites[name], gate) for name, gate in container.gates.items()}


def unwrap_to_fill(network: nn.Module) -> nn.Module:
    """As `unwrap`, before weights are added. Raises SiteError where they would be missed, could not train or have no room."""
    kinds = [type(module).__name__ for module in network.modules() if keeps_in_step(module)]
    if kinds:
        raise SiteError(
            f"The network is wrapped in {kinds[0]}, which would not keep new weights in step; "
            "put attention in before wrapping it."
        )
    if isinstance(network, AveragedModel):
        raise SiteError(
            "The network is an AveragedModel, the running average of another network that would lack the new weights; "
            "put attention into that one before averaging it."
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
        container = AttentionSites(network).train(network.training)
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
    _forget_compiled()


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
        container.hooked[name], container.captures[name] = hook(network, view, module, container.passes)
        container.acting[name] = module
    for handle in container.pass_handles:
        handle.remove()
    container.pass_handles = [
        network.register_forward_pre_hook(container.begin_pass, prepend=True),  # before a site at what the network is given
        network.register_forward_hook(container.end_pass),
    ]


def _unhook(container: AttentionSites, name: str) -> None:
    """Takes the hooks of one site away."""
    container.captures.pop(name, None)
    container.acting.pop(name, None)
    for hooked in container.hooked.pop(name, ()):
        hooked.remove()


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


def reattach_attention(network: nn.Module) -> tuple[str, ...]:
    """Hooks every site anew, in place, onto the modules that are there now; weights and gammas stay. Returns their names.

    For a network whose modules were replaced, fused or converted after attention was put in. Raises SiteError where no
    attention stands and where a site has no place any more; the network is then as it was.

    >>> import focalseg, torch
    >>> network = focalseg.UNet(widths=(8, 16))
    >>> touched = focalseg.instrument(network, gates=("se",))
    >>> network.bottleneck = torch.nn.Sequential(network.bottleneck, torch.nn.Dropout(0.1))
    >>> try:
    ...     focalseg.read_gammas(network)
    ... except LookupError as error:
    ...     print(str(error).partition(". ")[0])
    Attention no longer acts at bottleneck (bottleneck was replaced by a new Sequential)
    >>> focalseg.reattach_attention(network)
    ('encoder.0', 'bottleneck', 'decoder.0')
    """
    network = unwrap(network)
    container = find_container(network)
    if container is None:
        raise SiteError("The network has no attention to put back; call instrument(network) first.")
    for name, module in container.standing().items():
        if not isinstance(module, AnySite):
            kind = type(module).__name__
            raise SiteError(f"{CONTAINER}.{escape(name)} is a {kind}, no attention of ours; call remove_attention(network).")
        for port in container.sites[name].ports:
            port.resolve(network)
    remove_strays(network)
    _hook_all(network, container)
    _forget_compiled()
    return tuple(container.gates)


def allow_unreached(network: nn.Module, names: Collection[str]) -> None:
    """Lets a forward pass end without having reached these sites, in place: for places that the network leaves out on purpose.

    Raises SiteError for a name where no attention stands.

    >>> import focalseg, torch
    >>> class Shallow(focalseg.UNet):
    ...     def forward(self, image):
    ...         return self.head(self.decoder[0](torch.cat([self.encoder[0](image)] * 2, dim=1)))
    >>> network = Shallow(widths=(8, 16))
    >>> touched = focalseg.instrument(network, candidates=focalseg.sites(focalseg.UNet(widths=(8, 16))))
    >>> focalseg.allow_unreached(network, ["bottleneck", "skip.0"])
    >>> network(torch.zeros(1, 3, 8, 8)).shape
    torch.Size([1, 1, 8, 8])
    """
    occupied = occupied_sites(network)
    for name in names:
        if name not in occupied:
            raise SiteError(unknown_name_message("filled site", name, occupied))
    if (container := find_container(network)) is not None:
        container.optional.update(names)


def _forget_compiled() -> None:
    if "torch._dynamo" in sys.modules:
        torch.compiler.reset()  # compiled code does not look for new hooks


def first_weight(*modules: nn.Module) -> Tensor:
    """The first real weight of the first module that has one, which tells device and dtype; an empty tensor if none has."""
    weights = (weight for module in modules for weight in module.parameters() if weight.is_floating_point())
    return next(weights, torch.empty(0))
