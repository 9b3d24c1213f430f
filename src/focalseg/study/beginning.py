"""What stops a job before anything is read: its folder, its settings, the names it is given. All of it is known without torch,
whose import takes seconds, so that a person hears it at once."""

import math
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from focalseg.attention import GATES
from focalseg.configuration import from_mapping, to_mapping
from focalseg.errors import SettingError
from focalseg.findings import show_value
from focalseg.imagesets.opening import refuse_inside
from focalseg.records.placement import read_placement
from focalseg.records.result import CONFIG
from focalseg.study.presets import Settings
from focalseg.study.running.folder import read_config, refuse_busy, refuse_foreign, refuse_other_settings
from focalseg.training.training_config import TrainingConfig


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


def refuse_place(source: str, folder: Path, settings: Settings, *, seed: int, budget_hours: float | None) -> None:
    """Raises SettingError for a folder, settings or a budget with which the main job cannot start or go on."""
    _refuse_folder(folder, source)
    _refuse_exponents(settings)
    job = plan_job(source, folder, settings, seed=seed, budget_hours=budget_hours)
    refuse_other_settings(folder, to_mapping(job))


def plan_job(source: str, folder: Path, settings: Settings, *, seed: int, budget_hours: float | None) -> PlaceJob:
    """The job that is asked for, as the folder would say it; what it was begun with where it goes on."""
    settings = recall_precision(settings, folder)
    chosen = recall_settings(folder, settings, budget_hours) or settings
    asked = None if budget_hours is None else settings
    return PlaceJob(data=source, seed=seed, settings=chosen, budget_hours=budget_hours, asked=asked)


def refuse_train(source: str, folder: Path, settings: Settings, *, attention: str, seed: int) -> None:
    """Raises SettingError for a folder or a name with which one training cannot start or go on.

    What its config holds of the data and the network is planned later, and compared when the folder is claimed.
    """
    _refuse_folder(folder, source)
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
    refuse_other_settings(folder, known_of_it)


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
