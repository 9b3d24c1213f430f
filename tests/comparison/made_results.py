"""Results as other programs leave them, made from tables of scores."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

CASES = [f"patient{number // 2:02}_{number:02}" for number in range(50)]
PATIENTS = {case: case.split("_")[0] for case in CASES}
FOLDS = {case: number % 5 for number, case in enumerate(CASES)}


def draw_dice(*, shift: float = 0.0, seed: int = 0, labels: Sequence[str] = ("1",)) -> dict[str, dict[str, float]]:
    """Dice by case and label; cases are as hard for every seed."""
    random = np.random.default_rng(seed)
    hardness = np.random.default_rng(99).uniform(0.4, 0.9, (len(CASES), len(labels)))
    dice = np.clip(hardness + shift + random.normal(0, 0.02, hardness.shape), 0, 1)
    return {case: dict(zip(labels, row, strict=True)) for case, row in zip(CASES, dice.tolist(), strict=True)}


def write_nnunet(folder: Path, dice: Mapping[str, Mapping[str, float]], *, folds: Mapping[str, int] = FOLDS) -> Path:
    """A result folder of nnU-Net with a summary per fold. A Dice of nan: nothing to find, and nothing found."""
    for fold in sorted({folds[case] for case in dice}):
        path = folder / f"fold_{fold}" / "validation" / "summary.json"
        path.parent.mkdir(parents=True)
        write_summary(path, {case: scores for case, scores in dice.items() if folds[case] == fold})
    return folder


def write_summary(path: Path, dice: Mapping[str, Mapping[str, float]]) -> Path:
    """One summary.json as nnU-Net 2 writes it, with bare NaN."""
    entries = [
        {
            "metrics": {label: _list_metrics(score) for label, score in scores.items()},
            "prediction_file": f"/results/validation/{case}.nii.gz",
            "reference_file": f"/preprocessed/gt_segmentations/{case}.nii.gz",
        }
        for case, scores in dice.items()
    ]
    mean = {"Dice": float("nan")}
    path.write_text(json.dumps({"foreground_mean": mean, "mean": {"1": mean}, "metric_per_case": entries}, indent=4))
    return path


def _list_metrics(dice: float) -> dict[str, float]:
    """nnU-Net's metrics of a label; of a Dice alone the counts are made up, all but those of an empty label."""
    empty = math.isnan(dice)
    counts = {"FN": 0 if empty else 40, "FP": 0 if empty else 60, "TP": 0 if empty else 100, "TN": 9800}
    return {
        "Dice": dice,
        **counts,
        "IoU": dice / (2 - dice),
        "n_pred": counts["TP"] + counts["FP"],
        "n_ref": counts["TP"] + counts["FN"],
    }


def table_of(dice: Mapping[str, Mapping[str, float]], cases: Sequence[str]) -> np.ndarray:
    """The mean over labels of each case, (1, cases)."""
    return np.array([[sum(dice[case].values()) / len(dice[case]) for case in cases]])


def by_fold(cases: Sequence[str] = CASES) -> list[str]:
    """The cases in the order in which folds stand side by side."""
    return sorted(cases, key=lambda case: FOLDS[case])


def write_csv(path: Path, *lines: str) -> Path:
    """A text file of these lines."""
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
