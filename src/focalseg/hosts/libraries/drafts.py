"""Sites from the places that a family or a person names, completed by what a dry run shows."""

from collections.abc import Sequence

from torch import Tensor, nn

from focalseg.attention.gate import SiteShape
from focalseg.errors import SiteError
from focalseg.hosts.ports import Port
from focalseg.hosts.site import Place, Site
from focalseg.hosts.tracing import Passed, guess_image_shape, plain_copy, run_copy, trace, try_images


def complete(network: nn.Module, drafts: Sequence[Place], image_shape: Sequence[int] | None) -> tuple[Site, ...]:
    """The sites at these places, with the shapes that pass there. Raises SiteError where attention cannot stand."""
    ports = {text: Port.parse(text) for one in drafts for text in (one.features, one.signal, one.added_at, one.sum_at) if text}
    passed = trace(network, ports.values(), image_shape or guess_image_shape(network))
    seen = {text: passed[port] for text, port in ports.items()}
    return tuple(_complete(draft, seen) for draft in drafts)


def check_coefficients(network: nn.Module, found: Sequence[Site], image_shape: Sequence[int] | None) -> None:
    """Raises SiteError for a module that was named as a gate of the host's own and gives values outside 0 to 1."""
    passed: dict[str, Tensor] = {}

    def run(shape: Sequence[int]) -> None:
        probe = plain_copy(network)
        for site in found:
            if site.kind == "own":
                gate, place = probe.get_submodule(site.features), site.features
                gate.register_forward_hook(lambda _, __, output, place=place: passed.update({place: output}))
        run_copy(probe, shape, noise=True)

    try_images(network, image_shape, run)
    for place, values in passed.items():
        if values.amin() < 0 or values.amax() > 1:
            raise SiteError(
                f"{place} was named as a gate and gives values from {float(values.amin()):.3g} to {float(values.amax()):.3g}; "
                "expected coefficients from 0 to 1. Name the module that ends in the sigmoid."
            )


def _complete(draft: Place, seen: dict[str, Passed]) -> Site:
    features = _only(draft, draft.features, seen)
    channels, *size = features
    if not channels:
        raise SiteError(f"Nothing passes at {draft.features}: it has no channels there. Name channels that there are.")
    if not 1 <= len(size) <= 3:
        raise SiteError(
            f"What passes at {draft.features} has shape (B, {', '.join(map(str, features))}); "
            "expected features (B, C, *spatial) with one to three spatial axes. Name another place."
        )
    gating_channels, stride = 0, tuple[int, ...]()
    if draft.signal:
        gating_channels, *coarse = _only(draft, draft.signal, seen)
        _check_order(draft, seen)
        if len(coarse) != len(size) or any(small > large for small, large in zip(coarse, size, strict=True)):
            raise SiteError(
                f"The gating signal at {draft.signal} has spatial shape {tuple(coarse)} and the features of {draft.name} "
                f"{tuple(size)}; expected a grid as coarse or coarser. Name another place for the signal."
            )
        stride = tuple(max(round(large / small), 1) for small, large in zip(coarse, size, strict=True))
    for place in (draft.added_at, draft.sum_at):
        if place and _only(draft, place, seen) != features:
            raise SiteError(f"What passes at {place} is not what {draft.features} is added to; expected one shape.")
    shape = SiteShape(channels=channels, size=tuple(size), gating_channels=gating_channels, gating_stride=stride)
    return Site(**{**vars(draft), "shape": shape})


def _only(draft: Place, text: str, seen: dict[str, Passed]) -> tuple[int, ...]:
    shapes = seen[text].shapes
    if len(shapes) != 1:
        raise SiteError(
            f"{text}, named for {draft.name}, is passed {len(shapes)} times in a forward pass; expected once. "
            "Name a place that is passed once."
        )
    return shapes[0][1:]


def _check_order(draft: Place, seen: dict[str, Passed]) -> None:
    place = draft.added_at or draft.features
    one, other = Port.parse(draft.signal), Port.parse(place)
    together = one.path == other.path and one.of_output == other.of_output  # in one call of a module, on the same side of it
    if seen[draft.signal].times[0] > seen[place].times[0] and not together:
        raise SiteError(
            f"The gating signal {draft.signal} passes after the features {place} of {draft.name}, which it should steer; "
            "name the place where the skip enters the decoder, such as `up1:1`."
        )
