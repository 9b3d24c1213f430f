"""What a placement says, whichever of our folders or files it stands in, as far as nnU-Net's plans need it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from focalseg.configuration import from_mapping
from focalseg.errors import FocalsegError, SettingError
from focalseg.hosts.building import build_host
from focalseg.hosts.presence.container import CONTAINER, escape
from focalseg.networks.state import read_state_file
from focalseg.records.placement import PLACEMENT, SHUT, read_placement
from focalseg.records.record import read_sealed
from focalseg.records.result import RESULT, check_run_file
from focalseg.training.run import RunConfig, find_candidates
from focalseg.yaml_files import read_yaml

CONFIG, WEIGHTS = "config.yaml", "model.safetensors"
"""Files of a run; a lean folder has the weights as well."""
LEAN_CONFIG, DIGEST = "config.json", "weights_sha256"
"""A file of a lean folder, and the name under which it keeps the digest of the weights."""
_LEVEL = re.compile(r"(?:encoder|skip|decoder)\.([0-9]{1,3})", re.ASCII)


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
    """What stands in a job's folder, in its folder `lean`, in a run or in a placement.json. Raises SettingError for others."""
    if path.is_dir() and (path / PLACEMENT).exists():
        lean = path / "lean"
        config = _read_config(lean)[0] if (lean / LEAN_CONFIG).exists() else None
        return _read_decisions(path / PLACEMENT, config)
    if path.is_dir() and (path / LEAN_CONFIG).exists():
        config, digest = _read_config(path)
        return _read_network(config, path / WEIGHTS, digest)
    if path.is_dir() and (path / RESULT).exists():
        config = from_mapping(RunConfig, read_yaml(check_run_file(path / CONFIG)))
        return _read_network(config, check_run_file(path / WEIGHTS), "")
    if path.is_dir() or not path.exists():
        found = "holds none of them" if path.is_dir() else "is not there"
        raise SettingError(
            f"{path} {found}; expected the folder of a `focalseg place` job with {PLACEMENT}, its folder `lean` with "
            f"{LEAN_CONFIG}, a finished run, or a {PLACEMENT}. Give one of these."
        )
    return _read_decisions(path, None)


def count_levels(names: Iterable[str]) -> int | None:
    """The levels of a network by the names of its sites, the bottleneck among them; None where they tell nothing."""
    listed = list(names)
    numbers = [int(match[1]) for name in listed if (match := _LEVEL.fullmatch(name))]
    return max(numbers) + 2 if numbers and "bottleneck" in listed else None


def _read_decisions(path: Path, config: RunConfig | None) -> Placed:
    placement = read_placement(path)
    decided = {one.site: one.gamma for one in placement.sites if one.kept}
    # The sites that were examined tell how deep the network was, but for a placement by hand that lists what is kept alone.
    examined = [one.site for one in placement.sites] if len(decided) < len(placement.sites) else []
    levels = None if config is None else _count_levels_of(config)
    return Placed(
        layout=placement.layout,
        gammas={name: _check_gamma(path, name, gamma) for name, gamma in decided.items()},
        levels=levels or count_levels(examined),
        standardise=config is not None and config.standardise_logits,
    )


def _read_network(config: RunConfig, weights: Path, digest: str) -> Placed:
    """What a trained network holds. digest: of its weights, empty where none was kept or it was looked at."""
    state = read_state_file(weights, sha256=digest)
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


def _read_config(folder: Path) -> tuple[RunConfig, str]:
    """The config of the run that a lean folder is of, and the digest of its weights, empty where none was kept."""
    settings = read_sealed(folder / LEAN_CONFIG, "the folder `lean` that `focalseg place` wrote.")
    if not isinstance(settings, dict):
        raise SettingError(f"{folder / LEAN_CONFIG} holds no settings; expected the file that `focalseg place` wrote.")
    digest = str(settings.pop(DIGEST, ""))
    return from_mapping(RunConfig, settings), digest


def _count_levels_of(config: RunConfig) -> int | None:
    if config.network.widths:
        return len(config.network.widths)
    if not config.network.built_in:  # a file alone does not make us run a function
        return None
    try:
        return count_levels(site.name for site in find_candidates(config, build_host(config.network)))
    except FocalsegError:
        return None
