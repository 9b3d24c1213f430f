"""The sites that a job may put attention at, and the kind of gate at each."""

from collections.abc import Sequence

import torch

from focalseg.attention import GATES
from focalseg.errors import SettingError, ShapeError
from focalseg.hosts.building import build_host
from focalseg.hosts.dead_sites import find_dead_sites
from focalseg.hosts.instrument import plan_layout
from focalseg.study.running.listeners import Tell, ignore
from focalseg.training.run import RunConfig, find_candidates


def plan_attention(config: RunConfig, gates: Sequence[str], tell: Tell = ignore) -> tuple[dict[str, str], dict[str, str]]:
    """Kind of gate by site, for every site where it could do something; and the reason by site, where it could not.

    Raises SettingError where no site is left. tell: hears of each site that is left out.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(config.seed)
        network = build_host(config.network)
    candidates = find_candidates(config, network)
    layout = plan_layout(candidates, gates)
    try:
        dead = find_dead_sites(network, gates, candidates=candidates, image_shape=config.image_shape)
    except ShapeError as error:
        tell(str(error))
        dead = {}
    for name, reason in dead.items():
        tell(f"no attention at {name}, where {layout[name]} could do nothing: {reason}.")
    alive = {name: gate for name, gate in layout.items() if name not in dead}
    if not alive:
        names = ", ".join(site.name for site in candidates)
        raise SettingError(
            f"No site of {config.network.name} takes {' or '.join(gates)}; it has {names}. "
            f"Name other gates ({', '.join(GATES)}) or other places."
        )
    return alive, dead


def plan_single_kind(config: RunConfig, gate: str, tell: Tell = ignore) -> dict[str, str]:
    """That kind of gate at every site where it could do something, and nothing else: gates of the host's own stay as they are.

    Raises SettingError where it fits nowhere.
    """
    layout = {site: kind for site, kind in plan_attention(config, (gate,), tell)[0].items() if kind == gate}
    if not layout:
        raise SettingError(
            f"{gate!r} could do something at no site of {config.network.name}; expected a kind of gate that fits. "
            f"Name another ({', '.join(GATES)}), or leave it out."
        )
    return layout
