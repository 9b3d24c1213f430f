"""Beginning a training with the weights of another: which of them the network takes, and what it draws anew."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from focalseg.errors import SettingError
from focalseg.hosts.presence.container import CONTAINER
from focalseg.networks.state import read_state, read_state_file, write_state
from focalseg.training.start_config import StartConfig

_SITES = f"{CONTAINER}."


@dataclass(frozen=True, kw_only=True)
class Fit:
    """What the weights of one network are to another. taken: the tensors that it takes. fresh: its sites whose gates it draws,
    since the other has none of that kind there. left: sites of the other that it takes nothing of. misfits: tensors of the host
    that one of the two lacks, or has in another shape."""

    taken: Mapping[str, Tensor]
    fresh: tuple[str, ...]
    left: tuple[str, ...]
    misfits: tuple[str, ...]


def fit_start(network: nn.Module, state: Mapping[str, Tensor]) -> Fit:
    """What of the tensors fits the network, which is left as it is. A gate is taken whole or not at all."""
    own = read_state(network)
    here, there = _group_by_site(own), _group_by_site(state)
    shapes = [{site: {name: part[name].shape for name in part} for site, part in side.items()} for side in (here, there)]
    same = {site for site, expected in shapes[0].items() if shapes[1].get(site) == expected}
    host, other = ({name for name in side if not name.startswith(_SITES)} for side in (own, state))
    taken = {name: state[name] for name in own if name in host & other and state[name].shape == own[name].shape}
    return Fit(
        taken=taken | {name: tensor for site in same for name, tensor in there[site].items()},
        fresh=tuple(site for site in here if site not in same),
        left=tuple(site for site in there if site not in same),
        misfits=tuple(_describe_misfit(name, own, state) for name in (*own, *state) if name in host ^ other)
        + tuple(_describe_misfit(name, own, state) for name in own if name in (host & other) - taken.keys()),
    )


def put_start(network: nn.Module, start: StartConfig) -> None:
    """Puts what fits of the weights into the network, in place; `fit_start` says what that is.

    Executes nothing that the file holds. Raises SettingError for weights that are missing, damaged, or none of this network.
    """
    weights = Path(start.path)
    fit = fit_start(network, read_state_file(weights, sha256=start.sha256))
    if not fit.taken:
        raise SettingError(
            f"{weights} holds no tensor of this network; expected those of a network like it. Leave start_from out."
        )
    write_state(network, read_state(network) | dict(fit.taken), weights)


def _group_by_site(state: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """The tensors of each site, by the site's name."""
    sites: dict[str, dict[str, Tensor]] = {}
    for name, tensor in state.items():
        if name.startswith(_SITES):
            site, _, _ = name.removeprefix(_SITES).partition(".")
            sites.setdefault(site.replace("/", ".").rstrip("."), {})[name] = tensor  # as `container.escape` wrote it
    return sites


def _describe_misfit(name: str, own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> str:
    """`NAME is 8 x 3 there and 4 x 3 here`."""
    there, here = ("missing" if name not in side else _show_shape(side[name]) for side in (state, own))
    return f"{name} is {there} there and {here} here"


def _show_shape(tensor: Tensor) -> str:
    return " x ".join(map(str, tensor.shape)) or "one number"
