"""What a placement says, whichever of our folders or files it stands in, as far as nnU-Net's plans need it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from focalseg.configuration import from_mapping
from focalseg.errors import FocalsegError, SettingError
from focalseg.hosts.building import build_host
from focalseg.hosts.presence.container import CONTAINER, escape
from focalseg.hosts.site import count_levels
from focalseg.inference.folders import ENSEMBLE, LEAN, LEAN_CONFIG, NetworkFiles, find_lean, find_networks
from focalseg.networks.state import read_state_file
from focalseg.records.placement import PLACEMENT, SHUT, read_placement
from focalseg.records.result import RESULT
from focalseg.training.run import RunConfig, find_candidates


@dataclass(frozen=True, kw_only=True)
class Placed:
    """Gates by site with their exponents. levels: how many the network had that they were found in; None: nobody can tell.

    standardise: whether the gates bring their logits to mean 0 and variance 1.
    """

    layout: Mapping[str, str]
    gammas: Mapping[str, float]
    levels: int | None = None
    standardise: bool = False

    def __post_init__(self) -> None:
        if not self.layout:
            raise SettingError(
                "The placement keeps no site, so nnU-Net's own plans describe the placed network; train with those, or give a "
                "placement that keeps a site."
            )


def read_placed(path: Path) -> Placed:
    """What stands in a job's folder, its folder `lean`, a saved model, a run or a placement.json. Raises SettingError."""
    if path.is_dir() and (path / PLACEMENT).exists():
        lean = path / LEAN
        config = _read_config(find_lean(lean)) if (lean / LEAN_CONFIG).exists() else None
        return _read_decisions(path / PLACEMENT, config)
    if any((path / mark).is_file() for mark in (LEAN_CONFIG, ENSEMBLE, RESULT)):
        return _read_network(next(find_networks(path, one=True)))
    if path.is_dir() or not path.exists():
        found = "holds none of them" if path.is_dir() else "is not there"
        raise SettingError(
            f"{path} {found}; expected the folder of a `focalseg place` job with {PLACEMENT}, its folder `lean` with "
            f"{LEAN_CONFIG}, a finished run, or a {PLACEMENT}. Give one of these."
        )
    return _read_decisions(path, None)


def _read_decisions(path: Path, config: RunConfig | None) -> Placed:
    placement = read_placement(path)
    decided = {one.site: one.gamma for one in placement.sites if one.kept}
    levels = None if config is None else _count_levels_of(config)
    return Placed(
        layout=placement.layout,
        gammas={name: _check_gamma(path, name, gamma) for name, gamma in decided.items()},
        levels=levels or count_levels(placement.examined),
        standardise=config is not None and config.standardise_logits,
    )


def _read_config(files: NetworkFiles) -> RunConfig:
    return from_mapping(RunConfig, dict(files.settings))


def _read_network(files: NetworkFiles) -> Placed:
    """What a trained network holds."""
    config, weights = _read_config(files), files.weights
    state = read_state_file(weights)
    gammas = {}
    for name, gate in config.attention.items():
        if gate == SHUT:
            continue
        gamma = state.get(f"{CONTAINER}.{escape(name)}.gamma")
        if gamma is None or gamma.numel() != 1:
            raise SettingError(f"{weights} has no gamma of {name}; expected that of its config. Make the folder anew.")
        gammas[name] = _check_gamma(weights, name, float(gamma))
    return Placed(
        layout=dict(config.attention),
        gammas=gammas,
        levels=_count_levels_of(config),
        standardise=config.standardise_logits,
    )


def _check_gamma(path: Path, name: str, gamma: float) -> float:
    if not 0 <= gamma < float("inf"):
        raise SettingError(f"{path} has gamma {gamma} for {name}; expected a finite number from 0 on. Make the placement anew.")
    return round(gamma, 6)


def _count_levels_of(config: RunConfig) -> int | None:
    if config.network.widths:
        return len(config.network.widths)
    if not config.network.built_in:  # a file alone does not make us run a function
        return None
    try:
        return count_levels(site.name for site in find_candidates(config, build_host(config.network)))
    except FocalsegError:
        return None
