"""The hooks that hand what passes at a site through it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from focalseg.errors import SiteError
from focalseg.hosts.capture import Capture
from focalseg.hosts.ports import Arguments, Keywords, Port
from focalseg.hosts.presence.passes import Passes
from focalseg.hosts.presence.vanished import Hooked
from focalseg.hosts.site import Site

Passing = Callable[..., Tensor]
"""What features are handed through: (features, gating signal or None) -> features."""


def hook(network: nn.Module, site: Site, passing: Passing, passes: Passes | None = None) -> tuple[list[Hooked], list[Capture]]:
    """Registers the hooks that hand what passes at a site through `passing`: (features, gating signal or None) -> features.

    passes: where it is noted that the site was reached. Returns the hooks, and the captures in which they keep what passes at
    other places.
    """
    features = Port.parse(site.features).resolve(network)
    signal = Port.parse(site.signal).resolve(network) if site.signal else None
    place = Port.parse(site.added_at).resolve(network) if site.added_at else features
    hooked: list[Hooked] = []
    captures: list[Capture] = []

    def source(port: Port) -> Port | Capture:
        if port.path == place.path and (place.of_output or not port.of_output):
            return port  # the hook of the place is handed it anyway: a module's hook after it sees arguments and output
        capture = Capture(port)
        captures.append(capture)
        hooked.append(Hooked(port, register(network, port, capture.keep)))
        return capture

    hook = SiteHook(
        site.name,
        passing,
        place,
        source(features),
        None if signal is None else source(signal),
        passes=passes,
        added=bool(site.added_at),
    )
    hooked.append(Hooked(place, register(network, place, hook.attend)))
    return hooked, captures


def register(network: nn.Module, port: Port, hook: Callable[..., Any]) -> RemovableHandle:
    """Registers the hook on the side of the port's module where the port is: before it, or after it with its output as well."""
    module = port.find_module(network)
    add = module.register_forward_hook if port.of_output else module.register_forward_pre_hook
    return add(hook, with_kwargs=True)


@dataclass(eq=False)
class SiteHook:
    """Hands the features at a place through a site.

    name: that of the site, which is noted in passes as reached. added: the host adds the features at the place itself, so the
    change that the site makes to them is added there as well.
    """

    name: str
    passing: Passing
    place: Port
    features: Port | Capture
    signal: Port | Capture | None
    passes: Passes | None
    added: bool

    def attend(self, module: nn.Module, arguments: Arguments, keywords: Keywords | None = None, output: Any = None) -> Any:
        """A hook before or after the module: returns its arguments, or its output, with the features attended; None where the
        site is not enabled."""
        if not isinstance(keywords, Mapping):  # fuse_modules and convert hand hooks on without keywords
            raise SiteError(
                f"The hook of {self.name} was moved to a {type(module).__name__} by fusing or converting modules. "
                "Do that before attention is put in, or call focalseg.reattach_attention(network)."
            )
        if self.passes is not None:
            self.passes.mark(self.name)
        return self._hand_through(arguments, keywords, output) if getattr(self.passing, "enabled", True) else None

    def _hand_through(self, arguments: Arguments, keywords: Keywords, output: Any) -> Any:
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
