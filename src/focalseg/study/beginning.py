"""What stops a job before anything is read: its folder, its settings, the names it is given. All of it is known without torch,
whose import takes seconds, so that a person hears it at once."""

import math
import shlex
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from focalseg.attention import GATES
from focalseg.configuration import from_mapping, to_mapping
from focalseg.errors import SettingError
from focalseg.findings import show_value
from focalseg.imagesets.opening import refuse_inside
from focalseg.inference.folders import LEAN
from focalseg.records.placement import PLACEMENT, read_placement
from focalseg.records.result import CHECKPOINT, CONFIG, RESULT, WEIGHTS
from focalseg.study.looks.history import NO_EXTENSION, Extension, go_on, read_looks, refuse_plan
from focalseg.study.presets import Settings
from focalseg.study.running.folder import read_config, refuse_busy, refuse_foreign, refuse_other_settings
from focalseg.training.start_config import StartConfig
from focalseg.training.training_config import TrainingConfig, refuse_validation


@dataclass(frozen=True, kw_only=True)
class PlaceJob:
    """What a folder of the main job was made for. seed: the first one.

    budget_hours: what it was to fit into, and asked: the settings before they were cut for that; nothing where it was to fit
    into nothing.
    """

    data: str
    seed: int
    settings: Settings
    budget_hours: float | None = None
    asked: Settings | None = None


@dataclass(frozen=True, kw_only=True)
class ForKeeps:
    """What makes a training one for use rather than for a comparison.

    all_data: every case is trained on, those of an official test part too, so that nothing is validated and nothing scored.
    start_from: the folder of a finished run, a lean folder or that of a job, whose weights it begins with.
    """

    all_data: bool = False
    start_from: Path | None = None


NOT_KEPT = ForKeeps()


def refuse_place(
    source: str,
    folder: Path,
    settings: Settings,
    *,
    seed: int,
    budget_hours: float | None,
    extension: Extension = NO_EXTENSION,
) -> None:
    """Raises SettingError for a folder, settings, a budget or an extension with which the main job cannot start or go on."""
    _refuse_folder(folder, source)
    _refuse_exponents(settings)
    job = plan_job(source, folder, settings, seed=seed, budget_hours=budget_hours)
    refuse_other_settings(folder, to_mapping(job))
    looks = read_looks(folder)
    if looks is None:
        refuse_plan(settings)
    go_on(folder, looks, extension)


def plan_job(source: str, folder: Path, settings: Settings, *, seed: int, budget_hours: float | None) -> PlaceJob:
    """The job that is asked for, as the folder would say it; what it was begun with where it goes on."""
    settings = recall_claim(recall_precision(settings, folder), folder)
    chosen = recall_settings(folder, settings, budget_hours) or settings
    asked = None if budget_hours is None else settings
    return PlaceJob(data=source, seed=seed, settings=chosen, budget_hours=budget_hours, asked=asked)


def refuse_train(
    source: str,
    folder: Path,
    settings: Settings,
    *,
    attention: str,
    seed: int,
    keep: ForKeeps = NOT_KEPT,
) -> None:
    """Raises SettingError for a folder or a name with which one training cannot start or go on.

    What its config holds of the data and the network is planned later, and compared when the folder is claimed.
    """
    _refuse_folder(folder, source)
    if keep.all_data:
        refuse_validation(settings.training)
    if keep.start_from is not None:
        _refuse_start(keep.start_from, folder)
    elif begun := recall_start(folder):
        raise SettingError(
            f"{folder} was begun with the weights of {begun.path}; expected them again. Add --start-from "
            f"{shlex.quote(str(Path(begun.path).parent))}, or give another --out."
        )
    if attention not in ("none", "all", *GATES):
        if not Path(attention).exists():
            known = ", ".join(["none", "all", *GATES])
            raise SettingError(
                f"--attention was {show_value(attention)}; expected {known}, or the path of a placement.json that is there. "
                "Two kinds: --attention all --set 'gates=[cbam, focus]'."
            )
        read_placement(Path(attention))
    training = to_mapping(recall_precision(settings, folder).training)
    known_of_it = {"data": source, "seed": seed, "standardise_logits": settings.standardise_logits, "training": training}
    refuse_other_settings(folder, known_of_it | {"all_data": keep.all_data})


def _refuse_start(path: Path, folder: Path) -> None:
    """Raises SettingError for a start that is the folder to fill, or has no weights."""
    if path.exists() and folder.exists() and path.samefile(folder):
        raise SettingError(
            f"--start-from and --out are both {folder}; expected two folders: what a training begins with stays as it is. Give "
            "another --out."
        )
    if outlive_start(path, folder) is None:
        locate_start(path)


def locate_start(path: Path) -> Path:
    """The folder with weights to begin with: that of a finished run, a lean folder, or that of a job. Raises SettingError for
    any other."""
    where = path / LEAN if (path / PLACEMENT).is_file() else path
    if (where / WEIGHTS).is_file():
        return where
    if (path / CONFIG).is_file() and not (path / RESULT).is_file():
        raise SettingError(
            f"--start-from {path} has not ended; expected a finished training or job. Run the command that made it again: it "
            "goes on."
        )
    found = "is a file" if path.is_file() else f"has no {WEIGHTS}" if path.is_dir() else "is not there"
    raise SettingError(
        f"--start-from {path} {found}; expected the folder of a finished `focalseg train` or `focalseg place`, or its folder "
        "lean. Check the path."
    )


def recall_start(folder: Path) -> StartConfig | None:
    """The weights that the training in a folder began with; None where it has none, or has not begun."""
    begun = read_config(folder).get("start_from") if (folder / CONFIG).is_file() else None
    return None if begun is None else from_mapping(StartConfig, begun)


def outlive_start(path: Path, folder: Path) -> StartConfig | None:
    """The same where nothing is at that path any more, which is where they were, and the training goes on without them."""
    begun = recall_start(folder)
    if begun is None or path.exists() or Path(begun.path).parent not in (path, path / LEAN):
        return None
    return begun if any((folder / name).is_file() for name in (CHECKPOINT, RESULT)) else None


def _refuse_folder(folder: Path, source: str) -> None:
    refuse_inside(folder, source, "--out")
    refuse_foreign(folder)
    refuse_busy(folder)


def _refuse_exponents(settings: Settings) -> None:
    """Raises SettingError where the settings say how exponents train."""
    given, free = settings.training.exponents, TrainingConfig.exponents
    if given != free:
        raise SettingError(
            f"training.exponents was {given!r}; expected {free!r}, since `focalseg place` trains exponents as its policy wants "
            "them. Take another policy, or train one network with `focalseg train`."
        )


def recall_precision(settings: Settings, folder: Path) -> Settings:
    """With the precision of the job in the folder where one goes on and the settings leave it open."""
    precision = settings.training.precision
    if precision == "auto" and (folder / CONFIG).exists():
        begun = read_config(folder)
        with suppress(KeyError, TypeError):  # a config that is none of ours is refused when the folder is claimed
            precision = begun.get("settings", begun)["training"]["precision"]
    return replace(settings, training=replace(settings.training, precision=precision))


def recall_claim(settings: Settings, folder: Path) -> Settings:
    """With the claim that the job in the folder was begun with, where one goes on: whom its intervals speak for may be asked
    anew at any time, since it changes nothing that is trained."""
    claim = settings.claim
    if (folder / CONFIG).exists():
        with suppress(KeyError, TypeError):  # a config that is none of ours is refused when the folder is claimed
            claim = read_config(folder)["settings"]["claim"]
    return replace(settings, claim=claim)


def recall_settings(folder: Path, asked: Settings, hours: float | None) -> Settings | None:
    """What the same settings and hours came to when the job in the folder was begun; nothing where it is not of them.

    Raises SettingError for hours that are none.
    """
    if hours is not None and not 0 < hours < math.inf:
        raise SettingError(f"--budget was {hours:g}; expected hours above 0, such as 0.5 or 8.")
    if hours is None or not (folder / CONFIG).exists():
        return None
    content = read_config(folder)
    if content.get("budget_hours") != hours or content.get("asked") != to_mapping(asked):
        return None
    recalled = from_mapping(Settings, content.get("settings", {}))
    # No budget gives up the network: a file that names another was altered, and may not make us run its function.
    return recalled if recalled.network == asked.network else None
