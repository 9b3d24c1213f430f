"""Volumes with two labels from end to end: trained, scored, placed, taken away and reported."""

import csv
import json
import re
from dataclasses import replace

import numpy as np
import pytest

from focalseg import metrics
from focalseg.evaluation.metrics import average_labels, measure_labels
from focalseg.imagesets.opening import open_dataset
from focalseg.inference.loading import load_lean
from focalseg.inference.prediction import Member, predict_mask
from focalseg.report.placement.page import write_report
from focalseg.study.arms import search as search_module
from focalseg.study.outcome.examples import choose_slice
from focalseg.study.place import place
from focalseg.study.running.runs import read_evidence
from focalseg.study.running.scores import read_scores
from focalseg.study.train import train_one

pytestmark = pytest.mark.slow

LABELS = ["label_1", "label_2"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory, write_volumes, tiny_settings):
    """The folder of a run on volumes, with attention, and the folder of its data."""
    out = tmp_path_factory.mktemp("volumes")
    data = write_volumes(out / "data")
    train_one(str(data), out / "run", tiny_settings, attention="all", seed=0, device="cpu")
    return out / "run", data


def test_every_case_is_scored_label_by_label_at_its_own_size(trained):
    run, data = trained
    with (run / "cases.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == LABELS * (len(rows) // 2)
    dataset = open_dataset(str(data))
    for score in read_scores(run / "cases.csv"):
        mask = dataset.read_case(dataset.names.index(score.case)).mask
        assert [one.true_pixels for one in score.overlaps.values()] == [(mask == 1).sum(), (mask == 2).sum()]


def test_the_examples_are_the_slices_that_show_most_with_the_dice_of_the_whole_case(trained):
    run, data = trained
    dataset, scores = open_dataset(str(data)), {score.case: score for score in read_scores(run / "cases.csv")}
    with np.load(run / "examples.npz") as arrays:
        for number, name in enumerate(arrays["names"]):
            case = dataset.read_case(dataset.names.index(name))
            index, count = arrays[f"slices_{number}"]
            assert count == len(case.mask)
            assert (case.mask[index] > 0).sum() == (case.mask > 0).sum(axis=(1, 2)).max()
            assert np.array_equal(arrays[f"mask_{number}"], case.mask[index])
            assert np.array_equal(arrays[f"image_{number}"], case.image[:, index])
            assert arrays[f"dice_run_{number}"] == pytest.approx(scores[name].dice, abs=1e-6)


def test_an_empty_mask_is_shown_in_its_middle():
    assert choose_slice(np.zeros((7, 3, 3), np.uint8)) == 3


def test_the_page_of_a_run_has_the_scores_of_every_label(trained):
    run, _ = trained
    page = write_report(run).read_text()
    scores = [score for score in read_scores(run / "cases.csv") if score.part == "test"]
    for row, dice in (
        ("test", np.mean([score.dice for score in scores])),
        ("test, label_1", np.mean([score.overlaps["label_1"].dice for score in scores])),
        ("test, label_2", np.mean([score.overlaps["label_2"].dice for score in scores])),
    ):
        assert f'<th scope="row">{row}</th><td>{dice:.3f} [' in page
    assert "10 \N{MULTIPLICATION SIGN} 12 \N{MULTIPLICATION SIGN} 13 voxels" in page
    assert re.search(r"slice \d+ of 10<", page)
    assert page.count('<path class="label-2"') == 2  # one a test case
    assert "label_2, predicted" in page


def keep_two(folder):
    found = read_evidence(folder)
    costs = {"encoder.0": 0.5, "skip.0": 0.5}
    return replace(
        found, sites=tuple(replace(one, case_costs=(costs.get(one.site, 0.0),) * len(one.case_costs)) for one in found.sites)
    )


@pytest.fixture(scope="module")
def placed(tmp_path_factory, write_volumes, tiny_settings):
    """A finished job on volumes that keeps two sites."""
    out = tmp_path_factory.mktemp("placed_volumes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search_module, "read_evidence", keep_two)
        place(str(write_volumes(out / "data")), out / "job", tiny_settings, device="cpu", workers=1)
    return out / "job"


def test_a_job_on_volumes_keeps_the_dice_of_every_label(placed):
    content = json.loads((placed / "placement.json").read_text())
    for name, arm in content["arms"].items():
        scores = [score for path in (placed / "runs" / name).rglob("cases.csv") for score in read_scores(path)]
        tested = [score for score in scores if score.part == "test"]
        assert list(arm["dice_per_label"]) == LABELS
        for label, dice in arm["dice_per_label"].items():
            assert dice == pytest.approx(np.mean([score.overlaps[label].dice for score in tested]), abs=1e-6)
        assert np.mean(list(arm["dice_per_label"].values())) == pytest.approx(arm["dice"])


def test_the_lean_network_predicts_the_labels_that_were_scored_and_its_card_says_how(placed):
    config, network = load_lean(placed / "lean")
    assert (config.network.spatial_dims, config.network.classes, config.labels) == (3, 3, tuple(LABELS))
    assert config.preparation.normalisation == "case"
    dataset = open_dataset(config.data)
    for score in read_scores(placed / "runs" / "placed" / "fold_0" / f"seed_{config.seed}" / "cases.csv"):
        case = dataset.read_case(dataset.names.index(score.case))
        mask = predict_mask([Member(network, config.preparation)], case.image)
        overlaps = measure_labels(mask, case.mask, 2)
        assert average_labels(overlaps, "dice") == pytest.approx(score.dice, abs=1e-6)
        if score.part == "test":
            expected = metrics.measure(mask, case.mask, labels=(1, 2), spacing_mm=case.spacing_mm)
            for name in ("nsd", "hd95", "assd"):
                far = [getattr(expected[label], name) for label in (1, 2)]
                assert score.average(name) == pytest.approx(np.mean(far), abs=1e-6)
            assert {one.unit for one in score.distances.values()} == {"mm"}
    card = (placed / "lean" / "README.md").read_text()
    assert "resized to 10 x 12 x 13 voxels |" in card
    assert "| normalisation | minus the mean of the image, divided by its standard deviation, per channel |" in card
    assert "3 logits per voxel, by softmax; the label is that of the largest: 0 background, 1 label_1, 2 label_2 |" in card
    assert "| test Dice of label_2 | 0." in card


def test_the_code_on_the_card_runs(placed):
    config, _ = load_lean(placed / "lean")
    code = re.search(r"```python\n(.*?)```", (placed / "lean" / "README.md").read_text(), re.DOTALL).group(1)
    names = {"image": open_dataset(config.data).read_case(0).image}
    exec(code, names)
    assert names["mask"].shape == (10, 12, 13)


def test_the_page_of_a_job_on_volumes_has_the_scores_of_every_label(placed):
    page = write_report(placed).read_text()
    arms = json.loads((placed / "placement.json").read_text())["arms"]
    for name in ("none", "all", "placed"):
        cells = "".join(f"<td>{dice:.3f}</td>" for dice in arms[name]["dice_per_label"].values())
        assert f'<tr><th scope="row" class="arm-{name}">{name}</th>{cells}</tr>' in page
    assert "label_1, predicted" in page
    assert page.count('<path class="label-1"') == 4  # two arms on two test cases
