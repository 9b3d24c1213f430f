"""One network for keeps: trained on every case, begun with the weights of another, and what its folder says of both."""

import csv
import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from focalseg.errors import Interrupted, SettingError
from focalseg.evaluation.verdict import Verdict
from focalseg.inference.loading import load_run
from focalseg.records.estimate import DiceInterval, Estimate
from focalseg.records.method import METHOD
from focalseg.records.placement import JobRecord
from focalseg.records.record import read_record, write_record
from focalseg.records.site_decision import SiteDecision
from focalseg.records.splits import Split, Splits
from focalseg.report.placement.page import write_report
from focalseg.study.beginning import ForKeeps
from focalseg.study.outcome.lean import write_lean
from focalseg.study.outcome.run_card import read_method
from focalseg.study.running.folder import read_config
from focalseg.study.running.listeners import Listeners
from focalseg.study.running.stopping import STOP
from focalseg.study.train import train_one
from records.test_record import ARM

pytestmark = pytest.mark.slow

ALL = ForKeeps(all_data=True)


def train(data, out, settings, *, attention="none", keep=ALL, seed=0, tell=None, **training):
    settings = replace(settings, training=replace(settings.training, **training))
    listeners = Listeners() if tell is None else Listeners(tell=tell.append)
    return train_one(str(data), out, settings, attention=attention, seed=seed, device="cpu", keep=keep, listeners=listeners)


def read_rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def data(tmp_path_factory, write_folder):
    return write_folder(tmp_path_factory.mktemp("keeps") / "data")


@pytest.fixture(scope="module")
def kept(data, tiny_settings):
    """A training with attention on all cases, and what it told."""
    told = []
    out = data.parent / "kept"
    result = train(data, out, tiny_settings, attention="all", tell=told)
    return out, result, told


@pytest.fixture(scope="module")
def tested(data, tiny_settings):
    """A training with attention that was scored."""
    out = data.parent / "tested"
    train(data, out, tiny_settings, attention="all", keep=ForKeeps())
    return out


def test_every_case_is_trained_on_and_none_is_scored(kept, data):
    out, result, told = kept
    names = sorted(path.stem for path in (data / "images").iterdir())
    (split,) = read_record(Splits, out / "splits.json").folds
    assert (sorted(split.train), split.validation, split.test) == (names, (), ())
    assert told[0] == "all 10 cases are trained on; none is left to validate or to test on."
    assert (result.scores, result.collapsed) == ((), False)
    columns = "case,group,part,label,dice,iou,precision,recall,true_pixels,predicted_pixels,nsd,hd95,assd,tolerance,unit"
    tuned = "tuned_dice,tuned_iou,tuned_precision,tuned_recall,tuned_predicted_pixels"
    assert (out / "cases.csv").read_text() == f"{columns},{tuned}\n"
    rows = read_rows(out / "metrics.csv")
    assert rows[-1]["step"] == "12"
    assert {row["validation_dice"] for row in rows} == {""}
    assert not (out / "evidence.json").exists()
    assert not (out / "examples.npz").exists()
    assert read_config(out)["all_data"] is True


def test_the_normalisation_is_fitted_to_all_of_them(kept, data):
    pixels = np.concatenate([np.asarray(Image.open(path)).reshape(-1, 3) for path in (data / "images").iterdir()])
    preparation = load_run(kept[0])[0].preparation
    assert np.allclose(preparation.mean, pixels.mean(axis=0))
    assert np.allclose(preparation.standard_deviation, pixels.std(axis=0))


def test_the_page_and_the_card_say_that_it_was_not_tested_and_give_no_score(kept):
    out, result, _ = kept
    page = write_report(out).read_text(encoding="utf-8")
    assert "Not tested:</strong> trained on all 10 cases, with 4 attention modules." in page
    assert "Test Dice" not in page
    assert "Scores</h2>" not in page
    assert page.count("gamma ") >= result.modules  # the drawing and the paths of gamma are there
    assert "removal cost" not in page.lower()
    assert "<code>README.md</code>: the model card." in page
    card = (out / "README.md").read_text(encoding="utf-8")
    assert "Not tested: it was trained on every case, and none is left to test it on." in card
    assert "test Dice" not in card
    assert "model-index" not in card
    assert "| trained on | 10 cases of " in card


def test_the_same_command_finds_it_finished_and_writes_the_card_again(kept, data, tiny_settings):
    out, _, _ = kept
    before = (out / "model.safetensors").stat().st_mtime_ns
    card = (out / "README.md").read_bytes()
    (out / "README.md").unlink()
    train(data, out, tiny_settings, attention="all")
    assert (out / "model.safetensors").stat().st_mtime_ns == before
    assert (out / "README.md").read_bytes() == card


def test_stopped_and_resumed_it_ends_at_the_same_bits(kept, data, tiny_settings, tmp_path, monkeypatch):
    calls = iter(range(100))
    with monkeypatch.context() as patched:
        patched.setattr(STOP, "is_requested", lambda: next(calls) == 8)
        patched.setattr(STOP, "requested", 0)
        with pytest.raises(Interrupted):
            train(data, tmp_path / "out", tiny_settings, attention="all")
    assert not (tmp_path / "out" / "result.json").exists()
    train(data, tmp_path / "out", tiny_settings, attention="all")
    one, other = (load_file(folder / "model.safetensors") for folder in (kept[0], tmp_path / "out"))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_two_cases_are_enough_and_an_official_test_part_is_trained_on(make_folder, tiny_settings, tmp_path):
    train(make_folder(count=2), tmp_path / "two", tiny_settings)
    folder = tmp_path / "official"
    for number, part in enumerate(["train", "train", "validation", "test", "test"]):
        for kind in ("images", "masks"):
            (folder / part / kind).mkdir(parents=True, exist_ok=True)
            source = tmp_path / "data" / kind / f"case_{number % 2}.png"
            pixels = np.roll(np.asarray(Image.open(source)), 5 * number, axis=1)
            Image.fromarray(pixels).save(folder / part / kind / f"case_{number}.png")
    train(folder, tmp_path / "out", tiny_settings)
    (split,) = read_record(Splits, tmp_path / "out" / "splits.json").folds
    assert len(split.train) == 5


def test_what_validation_decides_is_refused_before_anything_is_written(data, tiny_settings, tmp_path):
    changes = {"keep_best was True": {"keep_best": True}, "early_stopping_patience was 2": {"early_stopping_patience": 2}}
    for name, change in changes.items():
        with pytest.raises(SettingError) as raised:
            train(data, tmp_path / "out", tiny_settings, **change)
        assert str(raised.value) == (
            f"training.{name}, given with --all-data; expected one of the two, since a training on all cases has none left to "
            "validate on. Leave one of them out."
        )
    assert not (tmp_path / "out").exists()


def test_all_cases_and_a_test_part_do_not_mix_in_one_folder(kept, data, tiny_settings):
    with pytest.raises(SettingError, match=r"made with other settings \(see .*config\.yaml: all_data\)"):
        train(data, kept[0], tiny_settings, attention="all", keep=ForKeeps())


def write_job(folder, data):
    """placement.json and splits.json of a job that placed one gate, with figures of our own."""
    site = SiteDecision(site="encoder.0", gate="se", gamma=1.5, removal_cost=0.1, spread=0.2, kept=True, why="so")
    gain = DiceInterval(dice=0.1, low=-0.2, high=0.3)
    arms = {"none": ARM, "all": ARM, "placed": replace(ARM, dice=0.7, low=0.6, high=0.9, trainings=2, cases=3)}
    record = JobRecord(
        policy="removal", sites=(site,), verdict="helps", sentence="It helps.", difference=gain, all_minus_none=gain, arms=arms
    )
    write_record(folder / "placement.json", record)
    names = ("a", "b", "c")
    splits = Splits(data=data, folds=(Split(fold=0, train=names, validation=(), test=()),), groups=dict.fromkeys(names, "g"))
    write_record(folder / "splits.json", splits)
    return folder / "placement.json"


def test_the_figure_of_the_job_is_quoted_as_that_of_the_method(data, tiny_settings, tmp_path):
    placement = write_job(tmp_path, "the <b>job's</b> data")
    out = tmp_path / "out"
    train(data, out, tiny_settings, attention=str(placement))
    told = str(read_method(out))
    assert told == (
        "a test Dice of 0.700 (95 % interval 0.600 to 0.900) on 3 cases of the <b>job's</b> data, the mean over 2 trainings"
    )
    card = (out / "README.md").read_text(encoding="utf-8")
    assert "what the method reached there, not a score of this network" in card
    assert r"a test Dice of 0.700 \(95 % interval 0.600 to 0.900\) on 3 cases of the &lt;b&gt;job's&lt;/b&gt; data" in card
    assert "<b>" not in card
    page = write_report(out).read_text(encoding="utf-8")
    assert "a test Dice of 0.700 (95 % interval 0.600 to 0.900) on 3 cases of the &lt;b&gt;job&#39;s&lt;/b&gt; data" in page


def test_a_placement_that_was_edited_by_hand_has_no_figure_to_quote(data, tiny_settings, tmp_path):
    placement = write_job(tmp_path, "data")
    content = json.loads(placement.read_text())
    placement.write_text(json.dumps({name: value for name, value in content.items() if name not in ("seal", "focalseg")}))
    train(data, tmp_path / "out", tiny_settings, attention=str(placement))
    assert not (tmp_path / "out" / METHOD).exists()


def start(folder, **changes):
    return ForKeeps(start_from=folder, **changes)


def test_a_training_begins_with_the_weights_of_another_and_says_so(tested, data, tiny_settings, tmp_path):
    told, out = [], tmp_path / "out"
    # A rate at which weights stay what they were, to five places.
    train(data, out, tiny_settings, attention="all", keep=start(tested), tell=told, learning_rate=1e-9, seed=7)
    assert told[0] == f"begins with the weights of {tested}/model.safetensors; the schedule of the learning rate is new."
    one, other = (load_file(folder / "model.safetensors") for folder in (tested, out))
    learned = [name for name in one if "running" not in name and "num_batches" not in name]
    assert all(torch.allclose(one[name], other[name], atol=1e-5) for name in learned)
    begun = read_config(out)["start_from"]
    assert begun["path"] == f"{tested}/model.safetensors"
    card, page = (out / "README.md").read_text(encoding="utf-8"), write_report(out).read_text(encoding="utf-8")
    assert f"| began with the weights of | {tested}/model.safetensors".replace("_", "_") in card
    assert begun["sha256"] in card
    assert "Trained on the data named above, from the weights named above." in card
    assert f"the weights of {tested}/model.safetensors, SHA-256 {begun['sha256'][:12]}" in page
    assert "Test Dice" in page
    assert "gamma = 1, where every site starts whose gate is fresh." in page


def test_test_cases_that_the_weights_were_trained_on_are_counted(kept, tested, data, tiny_settings, tmp_path):
    told, silent = [], []
    train(data, tmp_path / "out", tiny_settings, attention="all", keep=start(kept[0]), tell=told)
    number = len(read_record(Splits, tmp_path / "out" / "splits.json").folds[0].test)
    assert [line for line in told if "too high" in line] == [
        f"the weights were trained on {number} of the {number} test cases, so that the test Dice will be too high. Begin with "
        "weights that were trained on the same split (without --all-data), or test on other cases."
    ]
    train(data, tmp_path / "other", tiny_settings, attention="all", keep=start(tested), tell=silent)
    train(data, tmp_path / "again", tiny_settings, attention="all", keep=start(kept[0], all_data=True), tell=silent)
    assert silent
    assert not any("too high" in line for line in silent)


def test_the_start_may_move_or_go_once_the_training_has_begun(tested, data, tiny_settings, tmp_path):
    import shutil

    first, second, out = tmp_path / "first", tmp_path / "second", tmp_path / "out"
    shutil.copytree(tested, first)
    train(data, out, tiny_settings, attention="all", keep=start(first))
    weights = (out / "model.safetensors").read_bytes()
    config = (out / "config.yaml").read_bytes()
    first.rename(second)
    train(data, out, tiny_settings, attention="all", keep=start(second))  # the same weights elsewhere
    train(data, out, tiny_settings, attention="all", keep=start(first))  # gone, and needed no more
    begun = tmp_path / "begun"  # a training that was killed before its first checkpoint has nothing else to go on from
    begun.mkdir()
    (begun / "config.yaml").write_bytes(config)
    with pytest.raises(SettingError, match=r"made with other settings \(see .*config\.yaml: start_from\.path\)"):
        train(data, begun, tiny_settings, attention="all", keep=start(second))
    assert ((out / "model.safetensors").read_bytes(), (out / "config.yaml").read_bytes()) == (weights, config)
    with pytest.raises(SettingError) as raised:
        train(data, out, tiny_settings, attention="all", keep=start(tmp_path / "third"))
    assert str(raised.value) == (
        f"--start-from {tmp_path}/third is not there; expected the folder of a finished `focalseg train` or `focalseg place`, "
        "or its folder lean. Check the path."
    )


def test_other_weights_or_none_are_another_training(tested, kept, data, tiny_settings, tmp_path):
    train(data, tmp_path / "out", tiny_settings, attention="all", keep=start(tested))
    with pytest.raises(SettingError) as raised:
        train(data, tmp_path / "out", tiny_settings, attention="all", keep=ForKeeps())
    assert str(raised.value) == (
        f"{tmp_path}/out was begun with the weights of {tested}/model.safetensors; expected them again. Add --start-from "
        f"{tested}, or give another --out."
    )
    with pytest.raises(SettingError, match=r"made with other settings \(see .*: start_from\.path, start_from\.sha256\)"):
        train(data, tmp_path / "out", tiny_settings, attention="all", keep=start(kept[0]))


def test_gates_that_the_start_has_not_are_fresh_and_those_that_are_not_wanted_left(tested, data, tiny_settings, tmp_path):
    told = []
    train(data, tmp_path / "plain", tiny_settings, keep=start(tested), tell=told)
    left = "the weights have gates at GATES that this network has not, or of another kind; they are left out."
    assert left.replace("GATES", "bottleneck, decoder.0, encoder.0, skip.0") in told
    told.clear()
    train(data, tmp_path / "gated", tiny_settings, attention="eca", keep=start(tmp_path / "plain", all_data=True), tell=told)
    assert "the gates at encoder.0, bottleneck, decoder.0 start fresh: the weights have none of that kind there." in told


def test_a_job_and_its_lean_folder_lend_the_same_weights(tested, data, tiny_settings, tmp_path):
    write_job(tmp_path, "data")
    verdict = Verdict(
        outcome="helps", difference=Estimate(mean=0.1, low=0.0, high=0.2), smallest_difference=0.1, modules=1, trainings=2
    )
    write_lean(tmp_path / "lean", tested, verdict, ARM, 5)
    begun = []
    for name in (".", "lean"):
        out = tmp_path / f"out_{len(begun)}"
        train(data, out, tiny_settings, attention="all", keep=start(tmp_path / name))
        begun.append(read_config(out)["start_from"])
    weights = (tested / "model.safetensors").read_bytes()
    expected = {"path": f"{tmp_path}/lean/model.safetensors", "sha256": hashlib.sha256(weights).hexdigest()}
    assert begun == [expected, expected]


def test_weights_of_another_network_are_refused_with_a_mend_that_works(tested, data, tiny_settings, tmp_path):
    wide = replace(tiny_settings, network=replace(tiny_settings.network, base_width=6))
    with pytest.raises(SettingError) as raised:
        train(data, tmp_path / "out", wide, keep=start(tested))
    message = str(raised.value)
    assert message.startswith(f"--start-from {tested}: its weights do not fit this network (encoder.0.")
    assert message.endswith(
        " other tensors); expected the network that they are of. Add --network unet --set "
        "'network.arguments={widths: [4, 8]}', or leave --start-from out."
    )
    assert not (tmp_path / "out").exists()
    mended = replace(wide, network=replace(wide.network, name="unet", arguments={"widths": [4, 8]}))
    train(data, tmp_path / "out", mended, keep=start(tested))
    assert (tmp_path / "out" / "result.json").exists()


def test_images_and_labels_of_another_kind_are_refused(tested, data, tiny_settings, tmp_path):
    grey = tmp_path / "grey"
    for part in ("images", "masks"):
        (grey / part).mkdir(parents=True)
        for path in (data / part).iterdir():
            Image.open(path).convert("L").save(grey / part / path.name)
    with pytest.raises(SettingError) as raised:
        train(grey, tmp_path / "out", tiny_settings, keep=start(tested))
    assert str(raised.value) == (
        f"--start-from {tested} is of a network for images with 3 channels in 2-D, and those of {grey} have 1 channel in 2-D; "
        "expected images of one kind. Convert the images, or leave --start-from out."
    )


def test_folders_that_hold_no_weights_are_named(tested, data, tiny_settings, tmp_path):
    with pytest.raises(SettingError, match=r"^--start-from and --out are both .*; expected two folders: .* Give another --out"):
        train(data, tested, tiny_settings, attention="all", keep=start(tested))
    (tmp_path / "empty").mkdir()
    with pytest.raises(SettingError, match=r"^--start-from .*/empty has no model\.safetensors; expected the folder of a "):
        train(data, tmp_path / "out", tiny_settings, keep=start(tmp_path / "empty"))
    unfinished = tmp_path / "unfinished"
    unfinished.mkdir()
    (unfinished / "config.yaml").write_bytes((tested / "config.yaml").read_bytes())
    with pytest.raises(SettingError, match=r"^--start-from .*/unfinished has not ended; expected a finished training or job"):
        train(data, tmp_path / "out", tiny_settings, keep=start(unfinished))


def test_a_card_of_a_scored_training_has_its_scores_and_the_page_the_steps_of_an_early_end(data, tiny_settings, tmp_path):
    out = tmp_path / "out"
    changes = {"keep_best": True, "early_stopping_patience": 2, "steps": 40, "validate_every": 4}
    result = train(data, out, tiny_settings, keep=ForKeeps(), **changes)
    rows = [row for row in read_rows(out / "metrics.csv") if row["validation_dice"]]
    best = max(rows, key=lambda row: float(row["validation_dice"]))
    steps = int(rows[-1]["step"])
    stopped = ", stopped early of 40" if steps < 40 else ""
    kept = f"the weights are those of step {best['step']}, the best validation Dice ({float(best['validation_dice']):.3f})"
    told = f"{steps} steps{stopped}; {kept}"
    assert told in write_report(out).read_text(encoding="utf-8")
    card = (out / "README.md").read_text(encoding="utf-8")
    assert told in card.replace("\\", "")
    dice = np.mean([score.dice for score in result.scores_of("test")])
    assert f"| test Dice | {dice:.3f} " in card
    assert f"value: {round(float(dice), 4)}\n" in card
    # The scores are those of the weights that were kept.
    validation = np.mean([score.dice for score in result.scores_of("validation")])
    assert abs(validation - float(best["validation_dice"])) < 1e-3  # images of the network's own size: no resampling between
