"""Predictions on a few test cases, kept for the report so that it needs neither data nor network."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from focalseg.files import write_whole
from focalseg.inference.prediction import predict_mask
from focalseg.study.runs import RunResult, load_network, read_cases

EXAMPLES = "examples.npz"
COUNT = 6


def write_examples(folder: Path, runs: Mapping[str, Path], result: RunResult) -> None:
    """Images, masks and the prediction of each run (its folder by arm) for test cases from the worst to the best of result.

    All at the case's own resolution: image (C, H, W) as read, mask and predictions (H, W) bool.
    """
    scores = sorted(result.scores_of("test"), key=lambda score: score.overlap.dice)
    chosen = [scores[round(number)].case for number in np.linspace(0, len(scores) - 1, min(COUNT, len(scores)))]
    networks = {arm: load_network(run) for arm, run in runs.items()}
    arrays: dict[str, np.ndarray] = {"names": np.array(chosen)}
    for number, name in enumerate(chosen):
        for arm, (config, network) in networks.items():
            case = read_cases(config.data)[name]
            arrays[f"image_{number}"], arrays[f"mask_{number}"] = case.image, case.mask
            arrays[f"{arm}_{number}"] = predict_mask(network, config.preparation, case.image)
    write_whole(folder / EXAMPLES, lambda file: np.savez_compressed(file, allow_pickle=False, **arrays))
