"""Predictions on a few test cases, kept for the report so that it needs neither data nor network."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from focalseg.evaluation.metrics import average_labels, measure_labels
from focalseg.files import write_whole
from focalseg.imagesets.masks import find_foreground
from focalseg.inference.loading import load_run
from focalseg.inference.prediction import Member, keep_quiet, predict_mask
from focalseg.records.placement import NONE
from focalseg.study.running.cases import CaseDigests, read_same_case
from focalseg.study.running.runs import TEST, RunResult, find_counted, read_result

EXAMPLES = "examples.npz"
RANKS = {
    "lowest Dice": 0.0,
    "a quarter of the cases are lower": 0.25,
    "median Dice": 0.5,
    "a quarter of the cases are higher": 0.75,
    "highest Dice": 1.0,
}
"""Where on the way from the worst to the best case an example stands, by what is said of it."""
GAINED, LOST = "attention gains most", "attention loses most"


def write_examples(
    folder: Path, runs: Mapping[str, Path], result: RunResult, case_digests: CaseDigests, *, own_network: str = ""
) -> None:
    """Images, masks and the prediction of each run (its folder by arm) for test cases from the worst to the best of result, and
    for those that attention changes most, with their roles in words (N,).

    All at the case's own resolution: image (C, H, W) as read, mask and predictions (H, W) uint8 labels, `VOID` in the mask what
    nobody judged, the Dice () of each prediction over what counts of the case. Of a volume there is one slice along its first
    axis, with slices (2,), its index and how many there are. case_digests: what the cases are held to. own_network: as
    `rebuild_network` takes it.
    """
    roles = choose_examples(result, _measure_gains(runs))
    chosen = list(roles)
    networks = {arm: load_run(run, own_network=own_network) for arm, run in runs.items()}
    members = {arm: Member(network, config.preparation) for arm, (config, network) in networks.items()}
    arrays: dict[str, np.ndarray] = {"names": np.array(chosen), "roles": np.array(list(roles.values()))}
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


def choose_examples(result: RunResult, gains: Mapping[str, float]) -> dict[str, str]:
    """The test cases to show, from the worst to the best, each with what is said of it. gains: by how much attention raises the
    Dice of each case; empty where there is no other network to tell."""
    dice = {score.case: score.dice for score in result.scores_of(TEST)}
    ranked = sorted(dice, key=lambda case: (dice[case], case))
    roles: dict[str, list[str]] = {}
    for role, share in RANKS.items():
        roles.setdefault(ranked[round(share * (len(ranked) - 1))], []).append(role)
    if gains:
        most, least = max(sorted(gains), key=gains.__getitem__), min(sorted(gains), key=gains.__getitem__)
        for case, role in ((most, GAINED), (least, LOST)):
            if (gains[case] > 0) if role == GAINED else (gains[case] < 0):
                roles.setdefault(case, []).append(f"{role} ({gains[case]:+.3f})")
    return {case: "; ".join(roles[case]) for case in ranked if case in roles}


def _measure_gains(runs: Mapping[str, Path]) -> dict[str, float]:
    """Dice of every test case with attention minus that without, of the two runs that are shown beside each other."""
    others = [arm for arm in runs if arm != NONE]
    if NONE not in runs or not others:
        return {}
    results = [read_result(runs[arm]) for arm in (NONE, others[0])]
    plain, attention = ({score.case: score.dice for score in result.scores_of(TEST)} for result in results)
    return {case: attention[case] - dice for case, dice in plain.items() if case in attention}


def choose_slice(mask: np.ndarray) -> int:
    """The slice of a mask (D, H, W) along its first axis that holds most foreground, the middle one of an empty mask."""
    areas = np.count_nonzero(find_foreground(mask), axis=(1, 2))
    return int(areas.argmax()) if areas.any() else len(mask) // 2
