"""The folder that a job or a run fills: claimed for it, so that another cannot mix its files in."""

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from focalseg.errors import SettingError
from focalseg.files import LOCK, PARTIAL, describe_use, hold_lock, refuse_linked_folders, write_text
from focalseg.records.result import CHECKPOINT, CONFIG, RESULT
from focalseg.records.seals import read_signed_text, sign_text
from focalseg.records.splits import SPLITS
from focalseg.text_files import read_small
from focalseg.training.metrics_log import is_log
from focalseg.yaml_files import MOST_BYTES, read_yaml

_STEPS = "training.steps"
_MOST_NAMED = 3
"""Of the settings that differ, how many are named."""
_MARKS = (CONFIG, SPLITS, RESULT, CHECKPOINT)
"""Files by which a folder is known as ours, even where its config was damaged and had to be removed."""


def claim_folder(folder: Path, config: str) -> None:
    """Makes the folder and writes the config (YAML text) into it; the same config may come back and go on.

    Raises SettingError as `refuse_foreign` does, and for a folder with another config.
    """
    refuse_foreign(folder)
    path = folder / CONFIG
    if not path.exists():
        write_text(path, sign_text(config))
    elif _read_config(path) in (sign_text(config).encode(), config.encode()):  # an earlier version did not sign
        return
    elif (begun := read_config(folder)) != (asked := yaml.safe_load(config)):
        raise _made_otherwise(folder, begun, asked)


def read_config(folder: Path) -> dict[str, Any]:
    """The settings in the folder's config.yaml. Raises SettingError for a file that cannot be read, or is not as it was
    written."""
    path = folder / CONFIG
    if read_signed_text(_read_config(path).decode(errors="replace")) is None:
        if not any((folder / name).exists() for name in _MARKS if name != CONFIG) and _holds_others(folder):
            raise SettingError(f"{path} was not written by focalseg; give a new or an empty folder as --out.")
        raise SettingError(
            f"{path} does not end in its own SHA-256: it is damaged, was edited, or is of an earlier version. Remove that file "
            "and run the same command again, which goes on."
        )
    return read_yaml(path)


def _read_config(path: Path) -> bytes:
    return read_small(path, most_bytes=MOST_BYTES, expected="the settings of a job. Remove it and run the same command again.")


def refuse_other_settings(folder: Path, known: Mapping[str, Any]) -> None:
    """Raises SettingError for a folder whose config differs from what is known of the new one; the rest of it may follow."""
    path = folder / CONFIG
    if path.exists():
        begun = read_config(folder)
        chosen = {name: begun[name] for name in known if name in begun}
        if chosen != known:
            raise _made_otherwise(folder, chosen, known)


def _made_otherwise(folder: Path, begun: Any, config: Any) -> SettingError:
    differences = _find_differences(begun, config)
    names = ", ".join(differences[:_MOST_NAMED])
    mend = "give another --out, or remove it to start anew."
    if _STEPS in differences and "data" not in differences:  # of one training: those of a job stand under `settings`
        names, mend = _show_steps(begun, config, differences), _explain_steps(folder, begun, config)
    return SettingError(f"{folder} was made with other settings (see {folder / CONFIG}: {names}); {mend}")


def _show_steps(begun: Any, config: Any, differences: Sequence[str]) -> str:
    """The steps then and now, and what else differs."""
    others = [name for name in differences if name != _STEPS][: _MOST_NAMED - 1]
    return ", ".join([f"{_STEPS} {begun['training']['steps']} then, {config['training']['steps']} now", *others])


def _explain_steps(folder: Path, begun: Any, config: Any) -> str:
    """Why the steps of a training stay what they were, and how its weights are trained on all the same."""
    then, now = begun["training"]["steps"], config["training"]["steps"]
    cycle = "the learning rate follows a one-cycle schedule over training.steps, so"
    anew = f"`focalseg train {shlex.quote(str(config.get('data', 'DATA')))} --start-from {shlex.quote(str(folder))} --out NEW"
    if (folder / RESULT).exists():
        return (
            f"{cycle} a finished training cannot be lengthened. Start a new one from its weights: {anew} --set {_STEPS}={now}` "
            "with the other options as they were."
        )
    return (
        f"{cycle} one that was begun keeps them. Finish it with the options that it was begun with (--set {_STEPS}={then}); a "
        f"new one may then start from its weights ({anew}`), or give another --out to train anew."
    )


def refuse_busy(folder: Path) -> None:
    """Raises SettingError where another process holds the folder; whoever comes first after this still has to hold it."""
    path = folder / LOCK
    if os.name != "posix" or path.is_symlink() or not path.is_file():
        return
    import fcntl

    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise describe_use(folder) from error


def refuse_foreign(folder: Path) -> None:
    """Raises SettingError for a file of that name, and for a folder with other things in it than a job's, or linked folders."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise SettingError(f"{folder} is a file; expected a folder, or a path where one can be made. Give another --out.")
    ours = any((folder / name).exists() for name in _MARKS)
    if not ours and _holds_others(folder):
        raise SettingError(f"{folder} is not empty and was not made by focalseg; give a new or an empty folder as --out.")
    refuse_linked_folders(folder)


def _holds_others(folder: Path) -> bool:
    """Whether there is anything besides a config and what a job that was stopped in its first moments leaves."""
    return not all(entry.suffix == PARTIAL or entry.name in (CONFIG, LOCK) or is_log(entry) for entry in folder.iterdir())


def _find_differences(one: Any, other: Any, name: str = "") -> list[str]:
    """The settings, by their whole names, in which two configs as plain data differ."""
    if not isinstance(one, dict) or not isinstance(other, dict):
        return [] if one == other else [name]
    return [
        difference
        for key in [*one, *(key for key in other if key not in one)]
        for difference in _find_differences(one.get(key), other.get(key), f"{name}.{key}" if name else str(key))
    ]


@contextmanager
def hold_folder(folder: Path, config: str) -> Iterator[None]:
    """Claims the folder and keeps every other process out of it until the block ends, or this process does.

    Raises SettingError as `claim_folder` does, and where another process holds the folder. Holding needs a POSIX system.
    """
    claim_folder(folder, config)
    with hold_lock(folder):
        claim_folder(folder, config)  # of two that began at the same moment the other may have written its own since
        yield
