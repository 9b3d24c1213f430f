"""`focalseg evaluate OUT DATA`: a trained job on another set of images."""

from pathlib import Path

from focalseg.errors import SettingError


def evaluate_model(
    model: Path,
    data: str,
    *,
    out: Path | None,
    groups: Path | None,
    group_pattern: str | None,
    workers: int | None,
    device: str,
    network: str,
    as_json: bool,
) -> None:
    """Scores what a job trained on another set of images."""
    _ = data, out, groups, group_pattern, workers, device, network, as_json
    raise SettingError(f"{model} holds a trained model; expected a folder of masks. Predict first, by focalseg predict.")
