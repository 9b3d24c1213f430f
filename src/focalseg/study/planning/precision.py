"""The precision that a job trains in, settled before anything is read."""

from dataclasses import replace
from pathlib import Path

from focalseg.study.beginning import recall_precision
from focalseg.study.presets import Settings
from focalseg.training.loop import choose_precision
from focalseg.training.training_config import Device


def settle_precision(settings: Settings, folder: Path, device: Device) -> Settings:
    """With the precision that `auto` comes to: that of the job in the folder where one goes on, perhaps on another machine,
    since trainings of two precisions are not to be compared; else what suits this machine."""
    settings = recall_precision(settings, folder)
    precision = choose_precision(settings.training.precision, device)
    return replace(settings, training=replace(settings.training, precision=precision))
