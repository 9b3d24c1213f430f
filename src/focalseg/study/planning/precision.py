"""The precision that a job trains in, settled before anything is read."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from focalseg.study.presets import Settings
from focalseg.study.running.folder import CONFIG, read_config
from focalseg.training.loop import choose_precision
from focalseg.training.training_config import Device


def settle_precision(settings: Settings, folder: Path, device: Device) -> Settings:
    """With the precision that `auto` comes to: that of the job in the folder where one goes on, perhaps on another machine,
    since trainings of two precisions are not to be compared; else what suits this machine."""
    precision = settings.training.precision
    if precision == "auto" and (folder / CONFIG).exists():
        begun = read_config(folder)
        with suppress(KeyError, TypeError):  # a config that is none of ours is refused when the folder is claimed
            precision = begun.get("settings", begun)["training"]["precision"]
    return replace(settings, training=replace(settings.training, precision=choose_precision(precision, device)))
