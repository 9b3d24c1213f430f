"""Training only what was added: the host's weights and the running statistics of its norms stand still."""

from torch import nn

from focalseg.errors import SiteError
from focalseg.hosts.presence.container import CONTAINER, find_container
from focalseg.hosts.presence.wrappers import unwrap


class FrozenHost:
    """Freezes the weights and norms of a host, and remembers them, so that the freezing can be undone.

    Norms that were in evaluation while the network trained are left in evaluation afterwards as well.
    """

    def __init__(self, weights: list[nn.Parameter], norms: list[nn.Module], *, training: bool) -> None:
        self.weights, self.norms = weights, norms
        self.following = [norm for norm in norms if norm.training or not training]
        for weight in weights:
            weight.requires_grad_(False)
            weight.grad = None  # an optimiser would still use that of the step before
        self.keep_norms()

    def keep_norms(self, network: nn.Module | None = None) -> None:
        """Puts the norms into evaluation, so that `train()` does not make them follow their batches.

        network: where norms are looked for that came in the place of others since, by convert_sync_batchnorm for one.
        """
        if network is not None:
            new = [norm for norm in _find_norms(network) if norm not in self.norms]
            self.norms, self.following = [*self.norms, *new], [*self.following, *new]
        for norm in self.norms:
            norm.eval()

    def thaw(self, *, training: bool) -> None:
        """Makes everything as it was before. training: whether the network is in training mode now."""
        for weight in self.weights:
            weight.requires_grad_(True)
        for norm in self.following:
            norm.train(training)


def freeze_host(network: nn.Module) -> None:
    """Freezes the host, in place: its weights take no gradients and its batch norms stay in evaluation; only attention trains.

    Weights that were frozen before stay so when the host is thawed. Raises SiteError where nothing was added or the host is
    frozen already.

    >>> import focalseg
    >>> network = focalseg.UNet(widths=(8, 16))
    >>> touched = focalseg.instrument(network)
    >>> focalseg.freeze_host(network)
    >>> {name.split(".")[0] for name, weight in network.named_parameters() if weight.requires_grad}
    {'focal_attention'}
    """
    network = unwrap(network)
    container = find_container(network)
    if container is None:
        raise SiteError("The network has no attention to train alone; call instrument(network) first.")
    if container.frozen_host is not None:
        raise SiteError("The host is frozen already; call unfreeze_host(network) before freezing it anew.")
    weights = [
        weight for name, weight in network.named_parameters() if not name.startswith(f"{CONTAINER}.") and weight.requires_grad
    ]
    norms = _find_norms(network)
    container.frozen_host = FrozenHost(weights, norms, training=network.training)


def unfreeze_host(network: nn.Module) -> None:
    """Undoes `freeze_host`, in place. Raises SiteError for a host that is not frozen.

    >>> import focalseg
    >>> network = focalseg.UNet(widths=(8, 16))
    >>> touched = focalseg.instrument(network)
    >>> focalseg.freeze_host(network)
    >>> focalseg.unfreeze_host(network)
    >>> all(weight.requires_grad for weight in network.parameters())
    True
    """
    network = unwrap(network)
    container = find_container(network)
    if container is None or container.frozen_host is None:
        raise SiteError("The host is not frozen; there is nothing to undo.")
    container.frozen_host.thaw(training=network.training)
    container.frozen_host = None


def _find_norms(network: nn.Module) -> list[nn.Module]:
    """The norms of a host that keep running statistics."""
    container = find_container(network)
    added = set() if container is None else set(container.modules())
    return [module for module in network.modules() if module not in added and getattr(module, "running_mean", None) is not None]
