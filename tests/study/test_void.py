"""What nobody judged counts nowhere on the way from the files to the verdict: loss, validation, scores, evidence, pictures."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from focalseg.errors import SettingError
from focalseg.imagesets.masks import VOID
from focalseg.inference.loading import load_run
from focalseg.inference.prediction import Member, predict_mask
from focalseg.report.placement.page import write_report
from focalseg.study.outcome.examples import EXAMPLES
from focalseg.study.planning.groundwork import lay_groundwork
from focalseg.study.running.cases import read_same_case
from focalseg.study.running.runs import RunPlan, load_training_data, read_evidence, read_result
from focalseg.study.running.scores import read_scores
from focalseg.study.train import train_one
from focalseg.training.loop import Run
from oracles.unified_focal import unified_focal

pytestmark = pytest.mark.slow
TABLES = {1: "label,value\nsquare,1\nvoid,255\n", 2: "label,value\nsquare,1\ndot,2\nvoid,255\n"}


@pytest.fixture(params=[1, 2], ids=["one label", "two labels"])
def folder(request, make_folder):
    """Squares with a rim and a corner that nobody judged; for two labels with a dot in each."""
    folder = make_folder(foreground=1)
    for path in sorted((folder / "masks").iterdir()):
        mask = np.asarray(Image.open(path)).copy()
        inside = mask > 0
        rim = inside & ~(np.roll(inside, 1, 0) & np.roll(inside, -1, 0) & np.roll(inside, 1, 1) & np.roll(inside, -1, 1))
        rows, columns = np.nonzero(inside)
        if request.param == 2:
            mask[rows[0] + 3 : rows[0] + 5, columns[0] + 3 : columns[0] + 5] = 2
        mask[rim] = 255
        mask[-2:, -5:] = 255
        Image.fromarray(mask).save(path)
    (folder / "labels.csv").write_text(TABLES[request.param])
    return folder


def with_ignore(settings, value):
    return replace(settings, loss=replace(settings.loss, ignore_index=value))


def open_run(folder, settings, out):
    ground = lay_groundwork(str(folder), settings, 0, "cpu")
    return RunPlan(arm="none", config=ground.config, split=ground.split, folder=out)


@pytest.mark.parametrize("boundary_weight", [0.0, 2.0])
def test_the_loss_is_that_of_the_judged_pixels_alone(folder, tiny_settings, tmp_path, boundary_weight):
    settings = replace(tiny_settings, loss=replace(tiny_settings.loss, boundary_weight=boundary_weight, boundary_radius=3.0))
    plan = open_run(folder, settings, tmp_path / "out")
    assert plan.config.loss.ignore_index == VOID
    (tmp_path / "out").mkdir()
    with load_training_data(plan) as data:
        run = Run(plan.config, data, plan.folder, device="cpu")
        for number in range(3):
            chosen = torch.tensor([number])
            images, masks = run.read_batch(chosen, step=0)
            assert (masks == VOID).any()
            logits = run.module(images).detach()
            closeness = None if run.closeness is None else run.closeness[chosen]
            value = float(run.loss(logits, masks, *([] if closeness is None else [closeness])))
            counted = masks[0] != VOID
            kept = logits[:, :, counted].double().numpy()  # the judged pixels in a row, and nothing else
            near = None if closeness is None else closeness[:, :, counted].numpy()
            shown = {"boundary_weight": boundary_weight} if near is not None else {}
            expected, _ = unified_focal(kept, masks[:, counted].numpy(), closeness=near, **shown)
            assert value == pytest.approx(float(expected), rel=1e-5)
    assert (run.closeness is not None) == (boundary_weight > 0)


def dice_by_hand(predicted, mask, labels):
    """The mean over labels of 2 |A and B| / (|A| + |B|) over judged pixels, 1 where both are empty."""
    judged = mask != 255
    scores = []
    for label in range(1, labels + 1):
        one, other = predicted[judged] == label, mask[judged] == label
        whole = one.sum() + other.sum()
        scores.append(2 * (one & other).sum() / whole if whole else 1.0)
    return np.mean(scores)


def test_scores_validation_evidence_and_pictures_leave_out_what_nobody_judged(folder, tiny_settings, tmp_path):
    out = tmp_path / "out"
    train_one(str(folder), out, with_ignore(tiny_settings, 255), attention="se", seed=0, device="cpu")
    config, network = load_run(out)
    labels = len(config.labels)
    assert config.labels == ("square", "dot")[:labels]
    assert config.loss.ignore_index == VOID
    for score in read_scores(out / "cases.csv"):
        case = read_same_case(str(folder), score.case, {})
        raw = np.asarray(Image.open(folder / "masks" / f"{score.case}.png"))
        predicted = predict_mask([Member(network, config.preparation)], case.image)
        assert score.dice == pytest.approx(dice_by_hand(predicted, raw, labels), abs=1e-6)
        assert score.true_pixels == ((raw > 0) & (raw != 255)).sum()
        assert score.predicted_pixels == ((predicted > 0) & (raw != 255)).sum()
        predicted = predict_mask([Member(network, config.preparation)], case.image, threshold=read_result(out).threshold)
        assert score.average("tuned_dice") == pytest.approx(dice_by_hand(predicted, raw, labels), abs=1e-6)
    plan = open_run(folder, tiny_settings, tmp_path / "other")
    (tmp_path / "other").mkdir()
    with load_training_data(plan) as data:
        run = Run(replace(config, attention={}), data, plan.folder, device="cpu")
        images, masks = data.validation.gather(torch.arange(len(data.validation)))
        logits = run.module.eval()(run.arrange(images)).detach()
        chosen = (logits[:, 0] > 0).int() if labels == 1 else logits.argmax(1)
        expected = np.mean([dice_by_hand(one.numpy(), other.numpy(), labels) for one, other in zip(chosen, masks, strict=True)])
        assert run.measure_validation_dice() == pytest.approx(expected, abs=1e-6)
    evidence = read_evidence(out)
    assert len(evidence.case_scores) == len(plan.split.validation)
    with np.load(out / EXAMPLES) as examples:
        for number, name in enumerate(examples["names"]):
            mask, predicted = examples[f"mask_{number}"], examples[f"run_{number}"]
            assert (mask == VOID).sum() >= 10
            assert examples[f"dice_run_{number}"] == pytest.approx(dice_by_hand(predicted, mask, labels)), name
        count = len(examples["names"])
    page = write_report(out).read_text()
    assert page.count('<path class="void"') == count
    assert "judged by nobody, not scored" in page


def test_the_setting_alone_is_refused_with_a_mend_that_works(folder, tiny_settings):
    labels = (folder / "labels.csv").read_text()
    (folder / "labels.csv").write_text(labels.replace("void,255\n", "rest,255\n"))
    settings = with_ignore(tiny_settings, 255)
    with pytest.raises(SettingError) as caught:
        lay_groundwork(str(folder), settings, 0, "cpu")
    assert str(caught.value) == (
        f"loss.ignore_index was 255; in a training the table of the labels says which values do not count, and for {folder} it "
        f"names no value. Declare the value under the name void in {folder / 'labels.csv'}, or leave the setting out."
    )
    (folder / "labels.csv").write_text(labels)
    assert lay_groundwork(str(folder), settings, 0, "cpu").config == lay_groundwork(str(folder), tiny_settings, 0, "cpu").config


@pytest.mark.parametrize("value", [0, 1, 254])
def test_the_setting_for_a_value_that_is_judged_is_refused(folder, tiny_settings, value):
    with pytest.raises(SettingError, match=rf"loss.ignore_index was {value};.* it names 255\. Declare"):
        lay_groundwork(str(folder), with_ignore(tiny_settings, value), 0, "cpu")


def test_a_set_without_a_table_names_the_table_to_write(make_folder, tiny_settings):
    folder = make_folder()
    with pytest.raises(SettingError, match=r"under the name void in labels\.csv, a table with label,value beside the folders"):
        lay_groundwork(str(folder), with_ignore(tiny_settings, 255), 0, "cpu")
    assert lay_groundwork(str(folder), tiny_settings, 0, "cpu").config.loss.ignore_index is None


def test_a_declared_value_that_no_mask_holds_is_no_label_in_the_loss(make_folder, tiny_settings):
    """Label 2 is `b`; the file's value 2 for void must not make the loss leave it out."""
    folder = make_folder(foreground=1)
    for path in (folder / "masks").iterdir():
        mask = np.asarray(Image.open(path)).copy()
        mask[mask > 0] = np.where(np.arange((mask > 0).sum()) % 2, 1, 3)
        Image.fromarray(mask).save(path)
    (folder / "labels.csv").write_text("label,value\na,1\nvoid,2\nb,3\n")
    ground = lay_groundwork(str(folder), with_ignore(tiny_settings, 2), 0, "cpu")
    assert (ground.config.labels, ground.config.loss.ignore_index) == (("a", "b"), None)
