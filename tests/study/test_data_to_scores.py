"""What the data layer knows reaches the scores: fields of view, labels by value, patches, cases kept on disk."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from focalseg.evaluation.metrics import measure_labels
from focalseg.imagesets.opening import open_dataset
from focalseg.inference.loading import load_run
from focalseg.inference.prediction import Member, predict_mask
from focalseg.labels import THRESHOLDS
from focalseg.records.record import read_record
from focalseg.records.result import Result
from focalseg.study.presets import DataSettings
from focalseg.study.running.scores import read_scores
from focalseg.study.train import train_one

pytestmark = pytest.mark.slow


def train(folder, out, settings, **changes):
    train_one(str(folder), out, replace(settings, **changes), attention="se", seed=0, device="cpu")
    return {(score.case, score.part): score for score in read_scores(out / "cases.csv")}


def read_threshold(out):
    return read_record(Result, out / "result.json").threshold


def tune_by_hand(member, cases, labels):
    """The threshold of the highest mean Dice over cases and the labels that they have, one prediction for each of them."""
    means = []
    for threshold in THRESHOLDS:
        masks = [predict_mask([member], case.image, threshold=threshold) for case in cases]
        overlaps = [measure_labels(mask, case.mask, labels) for mask, case in zip(masks, cases, strict=True)]
        means.append(np.mean([np.mean([overlap.dice for overlap in each if overlap.true_pixels]) for each in overlaps]))
    return min(np.flatnonzero(np.isclose(means, max(means), rtol=0, atol=1e-12)), key=lambda rank: abs(rank - 9))


def test_a_case_with_a_field_of_view_is_scored_inside_of_it_and_on_the_whole_frame(make_folder, tiny_settings, tmp_path):
    folder = make_folder()
    (folder / "fov").mkdir()
    view = np.zeros((24, 24), np.uint8)
    view[:, :12] = 255
    for number in range(10):
        Image.fromarray(view).save(folder / "fov" / f"case_{number}.png")
    scores = train(folder, tmp_path / "out", tiny_settings)
    assert {part for _, part in scores} == {"validation", "test", "validation, whole frame", "test, whole frame"}
    dataset = open_dataset(str(folder))
    config, network = load_run(tmp_path / "out")
    for (name, part), score in scores.items():
        case = dataset.read_case(dataset.names.index(name))
        predicted = predict_mask([Member(network, config.preparation)], case.image)
        shown = slice(None) if part.endswith("whole frame") else slice(12)
        expected = measure_labels(predicted[:, shown], case.mask[:, shown], 1)[0]
        assert score.dice == pytest.approx(expected.dice, abs=1e-6)
        assert score.true_pixels == case.mask[:, shown].sum()
        predicted = predict_mask([Member(network, config.preparation)], case.image, threshold=read_threshold(tmp_path / "out"))
        tuned = measure_labels(predicted[:, shown], case.mask[:, shown], 1)[0]
        assert score.average("tuned_dice") == pytest.approx(tuned.dice, abs=1e-6)
        assert score.at_tuned.predicted_pixels == tuned.predicted_pixels


def test_labels_that_a_table_declares_by_value_are_learned_under_their_names(make_folder, tiny_settings, tmp_path):
    folder = make_folder()
    for number in range(10):
        path = folder / "masks" / f"case_{number}.png"
        mask = np.asarray(Image.open(path)).copy()
        mask[mask > 0] = 200
        mask[0, :4] = 77
        Image.fromarray(mask).save(path)
    (folder / "labels.csv").write_text("label,value\nlesion,200\nmarker,77\n")
    train(folder, tmp_path / "out", tiny_settings)
    with (tmp_path / "out" / "cases.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    pixels = {label: {int(row["true_pixels"]) for row in rows if row["label"] == label} for label in ("lesion", "marker")}
    assert pixels["marker"] == {4}
    assert pixels["lesion"] <= {64, 60, 61, 62, 63}
    assert load_run(tmp_path / "out")[0].labels == ("lesion", "marker")


def test_cases_kept_on_disk_give_the_same_network_as_cases_kept_in_memory(make_folder, tiny_settings, tmp_path):
    folder = make_folder()
    for name, cache in (("memory", 2048), ("disk", 0)):
        train(folder, tmp_path / name, tiny_settings, data=DataSettings(longest_side=24, cache_mib=cache))
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("memory", "disk")]
    assert weights[0] == weights[1]
    assert not list((tmp_path / "disk").glob("*.cache"))


@pytest.mark.parametrize("axes", [2, 3])
def test_a_network_that_sees_patches_is_scored_on_whole_cases(make_folder, write_volumes, tiny_settings, tmp_path, axes):
    folder = make_folder(size=40) if axes == 2 else write_volumes(tmp_path / "volumes", shape=(16, 16, 12))
    settings = DataSettings(longest_side=40, patch_side=16 if axes == 2 else 8)
    scores = train(folder, tmp_path / "out", tiny_settings, data=settings)
    config, network = load_run(tmp_path / "out")
    assert config.preparation.patch == tuple(min(side, settings.patch_side) for side in config.preparation.size)
    dataset = open_dataset(str(folder))
    for (name, _), score in scores.items():
        case = dataset.read_case(dataset.names.index(name))
        predicted = predict_mask([Member(network, config.preparation)], case.image)
        assert predicted.shape == case.mask.shape
        assert score.true_pixels == np.count_nonzero(case.mask)
        overlaps = measure_labels(predicted, case.mask, len(config.labels))
        assert score.dice == pytest.approx(np.mean([overlap.dice for overlap in overlaps]), abs=1e-6)
    validated = [dataset.read_case(dataset.names.index(name)) for name, part in scores if part == "validation"]
    rank = tune_by_hand(Member(network, config.preparation), validated, len(config.labels))
    assert read_threshold(tmp_path / "out") == THRESHOLDS[rank]
