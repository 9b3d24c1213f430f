"""Bad calls: the status, one error line a fault that names the thing and the mend, and nothing half-written."""

import re

import numpy as np
import pytest
from PIL import Image

VERBS = (("place",), ("train",))


@pytest.fixture(params=VERBS, ids=lambda verb: verb[0])
def verb(request):
    return request.param


def assert_refused(outcome, status, *complaints, out=None):
    assert outcome.status == status
    assert outcome.out == ""
    assert "Traceback" not in outcome.err
    lines = outcome.err.splitlines()
    assert len(lines) == len(complaints)
    for line, complaint in zip(lines, complaints, strict=True):
        assert re.fullmatch(f"error: {complaint}", line), line
    assert out is None or not out.exists()


def test_a_missing_folder_is_the_calls_fault(focalseg, verb, tmp_path):
    outcome = focalseg(*verb, tmp_path / "absent", "--out", tmp_path / "out")
    complaint = f"No folder {tmp_path}/absent; expected a folder with images/ and masks/, or built-in images: phantom:polyp, .*"
    assert_refused(outcome, 2, complaint, out=tmp_path / "out")


def test_an_empty_folder_is_the_datas_fault(focalseg, verb, tmp_path):
    (tmp_path / "empty").mkdir()
    outcome = focalseg(*verb, tmp_path / "empty", "--out", tmp_path / "out")
    complaint = f"{tmp_path}/empty: holds nothing; expected .*images/.* and .*masks/.* Make the folders, .*"
    assert_refused(outcome, 3, complaint, out=tmp_path / "out")


def test_every_image_without_a_mask_is_named(focalseg, verb, make_folder, tmp_path):
    folder = make_folder()
    (folder / "masks" / "case_1.png").unlink()
    (folder / "masks" / "case_6.png").unlink()
    outcome = focalseg(*verb, folder, "--out", tmp_path / "out")
    complaints = [
        rf"{folder}/images/case_{number}\.png: has no mask in .*; expected case_{number}\.png .*\. Add the mask or .*"
        for number in (1, 6)
    ]
    assert_refused(outcome, 3, *complaints, out=tmp_path / "out")


def test_a_mask_of_another_size_is_named(focalseg, verb, make_folder, tmp_path):
    folder = make_folder()
    Image.fromarray(np.zeros((20, 30), np.uint8)).save(folder / "masks" / "case_2.png")
    outcome = focalseg(*verb, folder, "--out", tmp_path / "out")
    complaint = r".*/masks/case_2\.png: is 30 x 20 pixels but its image is 24 x 24; expected the same size\. Export .*"
    assert_refused(outcome, 3, complaint, out=tmp_path / "out")


def test_a_damaged_image_is_named_before_anything_is_written(focalseg, verb, make_folder, tmp_path):
    folder = make_folder()
    path = folder / "images" / "case_9.png"
    path.write_bytes(path.read_bytes()[:-300])
    outcome = focalseg(*verb, folder, "--out", tmp_path / "out")
    complaint = rf"{folder}/images/case_9\.png: .*; expected an undamaged file\. Replace the file\."
    assert_refused(outcome, 3, complaint, out=tmp_path / "out")


def test_an_unknown_phantom_is_refused_with_the_nearest(focalseg, verb, tmp_path):
    outcome = focalseg(*verb, "phantom:globalcue", "--out", tmp_path / "out")
    complaint = r"No phantom named 'globalcue'; known are polyp, .*\. Did you mean 'global-cue'\?"
    assert_refused(outcome, 2, complaint, out=tmp_path / "out")


def test_unknown_and_wrong_settings_are_all_named_at_once(focalseg, verb, make_folder, tmp_path):
    config = tmp_path / "settings.yaml"
    config.write_text("training: {step: 5}\nseeds: 0\n")
    outcome = focalseg(
        *verb, make_folder(), "--out", tmp_path / "out", "--config", config, "--set", "loss.gamma=2", "--set", "bogus=1"
    )
    assert_refused(
        outcome,
        2,
        r"No setting named 'training\.step'; known are .*\. Did you mean 'training\.steps'\?",
        "seeds was 0; expected a finite number at least 1 and at most 1000.",
        "loss.gamma was 2.0; below 1 was expected while overlap_weight is above 0, since the overlap arm takes .*",
        "No setting named 'bogus'; known are .*",
        out=tmp_path / "out",
    )


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--preset", "quik"], r"No preset named 'quik'; known are quick, standard, thorough\. Did you mean 'quick'\?"),
        (["--set", "training.steps"], r"--set was given 'training\.steps'; expected NAME=VALUE such as training\.steps=500\."),
        (["--config", "/nowhere.yaml"], r"No file /nowhere\.yaml; expected a YAML file with settings\. Check the path\."),
        (["--device", "tpu"], r"Invalid value for '--device': 'tpu' is not one of .* See `focalseg --help`\."),
        (["--seed", "-1"], r"Invalid value for '--seed': .*"),
        (["--bogus"], r"No such option: --bogus .*See `focalseg --help`\."),
    ],
)
def test_a_wrong_option_is_refused_by_name(focalseg, verb, make_folder, tmp_path, arguments, complaint):
    assert_refused(focalseg(*verb, make_folder(), "--out", tmp_path / "out", *arguments), 2, complaint, out=tmp_path / "out")


def test_too_few_groups_for_the_folds_is_the_datas_fault(focalseg, verb, make_folder, tmp_path):
    outcome = focalseg(*verb, make_folder(count=4), "--out", tmp_path / "out")
    assert_refused(
        outcome, 3, r"The data has 4 cases in 4 groups .*; 5 folds need 5 groups\. Add cases .*", out=tmp_path / "out"
    )


@pytest.mark.parametrize("kind", ["file", "other files"])
def test_an_out_that_holds_something_else_is_refused_and_left_alone(focalseg, verb, make_folder, tmp_path, kind):
    out = tmp_path / "out"
    if kind == "file":
        out.write_text("mine")
    else:
        out.mkdir()
        (out / "thesis.txt").write_text("mine")
    outcome = focalseg(*verb, make_folder(), "--out", out)
    assert_refused(outcome, 2, f"{out} is .*; (expected a folder|give a new or an empty folder).*")
    assert (out if kind == "file" else out / "thesis.txt").read_text() == "mine"
    assert kind == "file" or [entry.name for entry in out.iterdir()] == ["thesis.txt"]


def test_an_unknown_kind_of_attention_is_refused(focalseg, make_folder, tmp_path):
    outcome = focalseg("train", make_folder(), "--out", tmp_path / "out", "--attention", "sse")
    complaint = (
        r"--attention was 'sse'; expected none, all, se, .*, or the path of a placement\.json that is there\. Two kinds: .*"
    )
    assert_refused(outcome, 2, complaint, out=tmp_path / "out")


def test_a_placement_file_that_is_none_is_refused(focalseg, make_folder, tmp_path):
    (tmp_path / "placement.json").write_text("{}")
    outcome = focalseg("train", make_folder(), "--out", tmp_path / "out", "--attention", tmp_path / "placement.json")
    complaint = (
        r".*placement\.json: schema was None; this version reads 1\. Restore the file, or make the placement anew with .*"
    )
    assert_refused(outcome, 2, complaint, out=tmp_path / "out")


def test_a_device_that_is_not_there_is_the_machines_fault(focalseg, make_folder, tmp_path):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    outcome = focalseg("train", make_folder(), "--out", tmp_path / "out", "--device", "cuda")
    assert_refused(
        outcome, 4, r"--device cuda is not to be had on this machine; use --device cpu or auto\.", out=tmp_path / "out"
    )


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ("gates=[]", r"gates was empty; expected one or more of se, .*\."),
        ("gates=[cbma]", r"No gate named 'cbma'; known are se, .*\. Did you mean 'cbam'\?"),
        ("policy=luck", r"No policy named 'luck'; known are removal, .*, all, none\."),
        ("seeds=2020-13-45", r"seeds was '2020-13-45'; expected a whole number\."),
        ("seeds=[1", r"--set 'seeds=\[1' has a value that is not readable: .*"),
        ("split.seed=99999999999", r"split\.seed was 99999999999; expected a finite number at least 0 and at most .*"),
    ],
)
def test_a_setting_that_makes_no_job_is_refused_before_anything_is_written(
    focalseg, verb, make_folder, tmp_path, setting, complaint
):
    outcome = focalseg(*verb, make_folder(), "--out", tmp_path / "out", "--set", setting)
    assert_refused(outcome, 2, complaint, out=tmp_path / "out")


def test_masks_without_any_foreground_are_the_datas_fault(focalseg, verb, make_folder, tmp_path):
    folder = make_folder(foreground=0)
    outcome = focalseg(*verb, folder, "--out", tmp_path / "out")
    complaint = f"{folder}: every mask of the 6 training cases is empty; expected foreground in some. Check how .*"
    assert_refused(outcome, 3, complaint, out=tmp_path / "out")


def test_images_too_small_for_the_network_are_refused_before_anything_is_written(focalseg, verb, write_folder, tmp_path):
    folder = tmp_path / "data"
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
        for number in range(6):
            Image.fromarray(np.full((1, 40), 255, np.uint8)).save(folder / part / f"{number}.png")
    outcome = focalseg(*verb, folder, "--out", tmp_path / "out")
    complaints = [
        rf"{folder}/images/{number}\.png: is 40 x 1 pixels; expected at least 8 pixels a side\. .*" for number in range(6)
    ]
    assert_refused(outcome, 3, *complaints, out=tmp_path / "out")


def test_a_report_on_something_else_is_refused(focalseg, tmp_path):
    outcome = focalseg("report", tmp_path)
    assert outcome.status == 2
    assert outcome.err.startswith("error: ")
    assert not list(tmp_path.iterdir())


def test_no_command_shows_the_help_and_an_unknown_one_the_nearest(focalseg):
    outcome = focalseg()
    assert outcome.status == 2
    assert "place" in outcome.out + outcome.err
    assert "error:" not in outcome.err
    assert_refused(focalseg("plce"), 2, r"No such command 'plce'\. Did you mean 'place'\? See `focalseg --help`\.")
