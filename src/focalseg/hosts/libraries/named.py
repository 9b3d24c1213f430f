"""Sites of any network, at the places that a person names."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from torch import nn

from focalseg.errors import SiteError
from focalseg.hosts.ports import Port, describe_unknown_module
from focalseg.hosts.site import Place


def draft_named_sites(
    network: nn.Module, stages: Sequence[str], skips: Mapping[str, tuple[str, str]], own_gates: Mapping[str, str]
) -> tuple[Place, ...]:
    """A place for every stage that a pattern matches, every skip and every own gate. Raises SiteError as `sites` says."""
    if isinstance(stages, str):
        raise SiteError(f"stages was {stages!r}; expected a list of places, such as ['{stages}'].")
    for what, given in (("skips", skips), ("own_gates", own_gates)):
        if not isinstance(given, Mapping):
            example = "('up1:1', 'up1:0')" if what == "skips" else "'gate'"
            raise SiteError(f"{what} was {given!r}; expected places by names of your own, such as {{'top': {example}}}.")
    drafts = [Place(name=place, kind="stage", features=place) for pattern in stages for place in _match(network, pattern)]
    for name, pair in skips.items():
        if isinstance(pair, str) or len(pair) != 2:
            raise SiteError(
                f"The skip {name!r} was given {pair!r}; expected two places, that of the skip and that of its gating signal, "
                "such as ('up1:1', 'up1:0')."
            )
        drafts.append(Place(name=name, kind="skip", features=pair[0], signal=pair[1]))
    for name, place in own_gates.items():
        if Port.parse(place) != Port(path=place):
            raise SiteError(
                f"The own gate {name!r} was given {place!r}; expected a module's path, whose output is coefficients."
            )
        drafts.append(Place(name=name, kind="own", features=place))
    for draft in drafts:
        for text in (draft.features, draft.signal) if draft.kind == "skip" else (draft.features,):
            if not text:
                raise SiteError(
                    f"The site {draft.name!r} was given an empty place; expected a module's path, such as 'layer1'."
                )
            Port.parse(text).find_module(network)
    names = [draft.name for draft in drafts]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SiteError(f"{', '.join(twice)} is named twice; expected each site once. Name it once.")
    return tuple(drafts)


def _match(network: nn.Module, pattern: str) -> list[str]:
    """The places that a pattern names, in which `*` stands for one name between dots or a part of it; without `*`, one place.
    Raises SiteError where it matches nothing."""
    port = Port.parse(pattern)
    if "*" not in port.path:
        port.find_module(network)
        return [pattern]
    wanted = port.path.split(".")
    known = [name for name, _ in network.named_modules() if name]
    found = [name for name in known if len(name.split(".")) == len(wanted) and all(map(fnmatchcase, name.split("."), wanted))]
    if not found:
        raise SiteError(describe_unknown_module(port.path, known))
    return [pattern.replace(port.path, name, 1) for name in found]
