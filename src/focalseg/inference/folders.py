"""Folders that hold models, and what their files say of these before torch is loaded, which takes seconds."""

import hashlib
import json
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from focalseg.errors import SettingError
from focalseg.findings import show_path, show_value
from focalseg.hosts.libraries.choice import NAMES
from focalseg.records.placement import PLACEMENT, JobRecord
from focalseg.records.record import AGAIN, read_record, read_sealed
from focalseg.records.result import CONFIG, RESULT, WEIGHTS, Result, check_run_file
from focalseg.records.seals import check_digest, hash_file
from focalseg.yaml_files import read_yaml

LEAN, LEAN_CONFIG = "lean", "config.json"
WEIGHTS_DIGEST, TUNED_THRESHOLD = "weights_sha256", "tuned_threshold"
ENSEMBLE = "ensemble.json"
"""Says which folders in that of a saved model hold its networks, each a lean folder."""


@dataclass(frozen=True, kw_only=True)
class NetworkFiles:
    """A trained network on disk. settings: the config of its run, as plain data; weights: as they were written. threshold:
    tuned on its validation cases, None where no file says it."""

    folder: Path
    settings: Mapping[str, Any]
    weights: Path
    threshold: float | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of the weights and of the config, whatever kind of folder they lie in."""
        content = json.dumps([hash_file(self.weights), self.settings], sort_keys=True, default=str)
        return hashlib.sha256(content.encode()).hexdigest()


def find_networks(path: Path, *, one: bool) -> Iterator[NetworkFiles]:
    """The networks of a job, a run, a lean folder or a saved model, that of the lean network first. one: that one alone.

    Raises SettingError for a folder that holds no model, and for a file that is missing or was altered.
    """
    if (path / LEAN_CONFIG).is_file():
        yield find_lean(path)
    elif (path / ENSEMBLE).is_file():
        yield from _find_members(path, one=one)
    elif (path / RESULT).is_file():
        yield find_run(path)
    elif not (path / PLACEMENT).is_file():
        raise SettingError(_describe_absence(path))
    elif one:
        yield find_lean(path / LEAN)
    else:
        yield from map(find_run, _list_placed(path))


def refuse_own_network(networks: Iterable[NetworkFiles], own_network: str) -> None:
    """Raises SettingError for a network that is no part of focalseg, unless the command names it: loading runs it."""
    for files in networks:
        network = files.settings.get("network")
        name = network.get("name") if isinstance(network, dict) else None
        if isinstance(name, str) and name not in NAMES and name != own_network:
            raise SettingError(
                f"{show_path(files.folder)} has the network {show_value(name)}, no part of focalseg; loading it would run that "
                f"function. If you trust it, add --network {shlex.quote(show_path(name))}."
            )


def _list_placed(job: Path) -> tuple[Path, ...]:
    """The folders of a job's trainings of what was placed, that of the lean network first. Raises SettingError."""
    record = read_record(JobRecord, job / PLACEMENT)
    placed = record.list_placed()
    if not placed:
        raise SettingError(
            f"{job / PLACEMENT} does not say which trainings were placed: an earlier version wrote it. Take the lean network "
            f"alone, with --one, or {AGAIN}."
        )
    return tuple(job / run for run in placed)


def _find_members(folder: Path, *, one: bool) -> Iterator[NetworkFiles]:
    """The networks of a saved model of several, or the first. Raises SettingError as `find_lean` does."""
    expected = "the file that `focalseg.save` wrote. Save the model again."
    listed = read_sealed(folder / ENSEMBLE, expected)
    members = listed.get("members") if isinstance(listed, dict) else None
    if not isinstance(members, list) or not members or not all(isinstance(name, str) and name.isdecimal() for name in members):
        raise SettingError(f"{folder / ENSEMBLE} names no networks; expected {expected}")
    yield from (find_lean(folder / name) for name in members[: 1 if one else None])


def find_run(folder: Path) -> NetworkFiles:
    """The network of a run folder. Raises SettingError for a file that is missing or was altered."""
    settings = read_yaml(check_run_file(folder / CONFIG))
    weights, result = check_run_file(folder / WEIGHTS), read_record(Result, folder / RESULT)
    return NetworkFiles(folder=folder, settings=settings, weights=weights, threshold=result.threshold)


def find_lean(folder: Path) -> NetworkFiles:
    """The network of a lean folder. Raises SettingError for a file that is missing or was altered."""
    settings = read_sealed(folder / LEAN_CONFIG, "the folder `lean` that `focalseg place` wrote.")
    if not isinstance(settings, dict):
        raise SettingError(f"{folder / LEAN_CONFIG} holds no settings; expected the file that `focalseg place` wrote.")
    kept, tuned = settings.pop(WEIGHTS_DIGEST, ""), settings.pop(TUNED_THRESHOLD, None)
    weights = check_digest(folder / WEIGHTS, str(kept), f"{AGAIN}, which writes it anew") if kept else folder / WEIGHTS
    threshold = tuned if isinstance(tuned, float) and 0 < tuned < 1 else None
    return NetworkFiles(folder=folder, settings=settings, weights=weights, threshold=threshold)


def _describe_absence(path: Path) -> str:
    """Why there is no model to load."""
    expected = "the folder of a `focalseg place` job, of a finished `focalseg train`, or a lean folder"
    if not path.exists():
        return f"No folder {path}; expected {expected}. Check the path."
    if path.is_file():
        return f"{path} is a file; expected {expected}. Give the folder that holds it."
    if (path / CONFIG).exists():
        return f"{path} holds no finished training yet; expected {expected}. Run the command that made it again, which goes on."
    return f"{path} holds no model; expected {expected}. Check the path."
