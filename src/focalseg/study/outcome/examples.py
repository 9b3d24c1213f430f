"""Predictions on a few test cases, kept for the report so that it needs neither data nor network."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from focalseg.evaluation.metrics import average_labels, measure_labels
from focalseg.files import write_whole
from focalseg.imagesets.masks import find_foreground
from focalseg.inference.loading import load_run
from focalseg.inference.prediction import Member, keep_quiet, predict_mask
from focalseg.study.running.cases import CaseDigests, read_same_case
from focalseg.study.running.runs import RunResult, find_counted

EXAMPLES = "examples.npz"
COUNT = 6


def write_examples(
    folder: Path, runs: Mapping[str, Path], result: RunResult, case_digests: CaseDigests, *, own_network: str = ""
) -> None:
    """Images, masks and the prediction of each run (its folder by arm) for test cases from the worst to the best of result.

    All at the case's own resolution: image (C, H, W) as read, mask and predictions (H, W) uint8 labels, `VOID` in the mask what
    nobody judged, the Dice () of each prediction over what counts of the case. Of a volume there is one slice along its first
    axis, with slices (2,), its index and how many there are. case_digests: what the cases are held to. own_network: as
    `rebuild_network` takes it.
    """
    scores = sorted(result.scores_of("test"), key=lambda score: score.dice)
    chosen = [scores[round(number)].case for number in np.linspace(0, len(scores) - 1, min(COUNT, len(scores)))]
    networks = {arm: load_run(run, own_network=own_network) for arm, run in runs.items()}
    members = {arm: Member(network, config.preparation) for arm, (config, network) in networks.items()}
    arrays: dict[str, np.ndarray] = {"names": np.array(chosen)}
    for number, name in enumerate(chosen):
        for arm, (config, _network) in networks.items():
            case = read_same_case(config.data, name, case_digests)
            shown: int | slice = slice(None)
            if case.mask.ndim == 3:
                shown = choose_slice(case.mask)
                arrays[f"slices_{number}"] = np.array([shown, len(case.mask)])
            predicted = predict_mask([members[arm]], case.image, tell=keep_quiet)
            counted = find_counted(case.mask, case.field_of_view)
            overlaps = measure_labels(predicted, case.mask, len(config.labels), inside=counted)
            arrays[f"image_{number}"], arrays[f"mask_{number}"] = case.image[:, shown], case.mask[shown]
            arrays[f"{arm}_{number}"], arrays[f"dice_{arm}_{number}"] = (
                predicted[shown],
                np.array(average_labels(overlaps, "dice")),
            )
    write_whole(folder / EXAMPLES, lambda file: np.savez_compressed(file, allow_pickle=False, **arrays))


def choose_slice(mask: np.ndarray) -> int:
    """The slice of a mask (D, H, W) along its first axis that holds most foreground, the middle one of an empty mask."""
    areas = np.count_nonzero(find_foreground(mask), axis=(1, 2))
    return int(areas.argmax()) if areas.any() else len(mask) // 2
