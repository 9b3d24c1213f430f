"""`focalseg predict` as a person meets it: files in, files out, what is told, and how it goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import nibabel
import numpy as np
import pytest
import tifffile
from nibabel.orientations import apply_orientation, inv_ornt_aff
from PIL import Image

import focalseg as package
from focalseg.feeding.preparation import Preparation
from focalseg.inference.cases import predicting
from imagesets.volumes.test_writing import ORIENTATIONS, make_oblique
from inference.models import PREPARATION, make_config, write_job, write_lean_folder, write_run

pytestmark = pytest.mark.slow
COLOUR = replace(make_config(), marks=("0", "255"))
GREY = replace(
    make_config(preparation=Preparation(size=(16, 16), mean=(100.0,), standard_deviation=(50.0,))), marks=("0", "255")
)
VOLUMES = make_config(
    preparation=Preparation(size=(8, 8, 8), mean=(100.0,), standard_deviation=(50.0,)), spatial_dims=3, labels=("near", "far")
)
RANDOM = np.random.default_rng(0)


def draw(height=20, width=30, channels=3):
    return RANDOM.integers(60, 140, (height, width, channels)).astype(np.uint8).squeeze()


def save(path, pixels=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(draw() if pixels is None else pixels).save(path)
    return path


@pytest.fixture
def images(tmp_path):
    for number in range(3):
        save(tmp_path / "in" / f"case_{number}.png")
    return tmp_path / "in"


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / "run", COLOUR)


@pytest.fixture
def thresholds(monkeypatch):
    """A network that knows: 1 above 100, and where there are two labels 2 above 150."""

    def predict_mask(members, image, **_settings):
        return (image[0] > 100).astype(np.uint8) + (image[0] > 150)

    monkeypatch.setattr(predicting, "predict_mask", predict_mask)


def read(path):
    return np.asarray(Image.open(path))


@pytest.mark.parametrize("write", [write_run, write_lean_folder, lambda folder, config: write_job(folder, [config])])
def test_every_kind_of_folder_predicts_what_the_loaded_model_does(write, images, tmp_path, focalseg):
    model = write(tmp_path / "model", COLOUR)
    answer = focalseg("predict", model, images, "--out", tmp_path / "masks")
    assert (answer.status, answer.out, answer.err) == (0, f"3 masks in {tmp_path / 'masks'}\n", "")
    loaded = package.load(model, device="cpu")
    for path in images.iterdir():
        expected = loaded.predict(np.moveaxis(read(path), -1, 0)) * np.uint8(255)
        assert np.array_equal(read(tmp_path / "masks" / path.name), expected)


def test_a_job_predicts_with_the_mean_of_its_trainings_and_with_one_alone_where_asked(images, tmp_path, focalseg):
    configs = [COLOUR, replace(COLOUR, seed=1), replace(COLOUR, seed=2)]
    job = write_job(tmp_path / "job", configs)
    assert focalseg("predict", job, images, "--out", tmp_path / "mean", "--probabilities").status == 0
    assert focalseg("predict", job, images, "--out", tmp_path / "one", "--one", "--probabilities").status == 0
    members = [package.load(job / f"runs/placed/fold_{n}/seed_{n}", device="cpu") for n in range(3)]
    for path in images.iterdir():
        image = np.moveaxis(read(path), -1, 0)
        alone = [member.predict_probabilities(image)[0] for member in members]
        name = f"probabilities/{path.stem}.tif"
        np.testing.assert_allclose(tifffile.imread(tmp_path / "mean" / name), np.mean(alone, axis=0), atol=1e-6)
        np.testing.assert_allclose(tifffile.imread(tmp_path / "one" / name), alone[0], atol=1e-6)
        assert np.array_equal(read(tmp_path / "mean" / path.name) > 0, np.mean(alone, axis=0) > 0.5)


@pytest.mark.parametrize("write", [write_run, write_lean_folder])
@pytest.mark.parametrize("extra", [(), ("--probabilities",)])
def test_masks_are_made_at_the_threshold_that_is_asked_for_or_that_was_tuned(write, extra, images, tmp_path, focalseg):
    loaded = package.load(write(tmp_path / "untuned", COLOUR), device="cpu")
    shares = [loaded.predict_probabilities(np.moveaxis(read(path), -1, 0)) for path in images.iterdir()]
    tuned, other = (round(float(np.quantile(shares, part)), 3) for part in (0.4, 0.7))
    model = write(tmp_path / "model", COLOUR, threshold=tuned)
    for given, threshold in ((other, other), ("tuned", tuned)):
        out = tmp_path / str(given)
        assert focalseg("predict", model, images, "--out", out, "--threshold", given, *extra).status == 0
        for path in images.iterdir():
            image = np.moveaxis(read(path), -1, 0)
            expected = loaded.predict_probabilities(image)[0] > np.float32(threshold)
            assert np.array_equal(read(out / path.name) > 0, expected)
            assert np.array_equal(loaded.predict(image, threshold=threshold) > 0, expected)
            assert 0 < expected.mean() < 1
    out = tmp_path / "tuned"
    assert focalseg("predict", model, images, "--out", out, "--threshold", tuned, *extra).status == 0  # the very same
    answer = focalseg("predict", model, images, "--out", out, *extra)
    assert answer.status == 2
    assert f"Give --overlap 0.5 --threshold {tuned:g} and no --flips to go on" in answer.err


def test_a_tuned_threshold_that_is_not_known_or_not_one_is_refused_with_a_mend_that_works(images, tmp_path, focalseg):
    out = tmp_path / "masks"
    answer = focalseg("predict", write_run(tmp_path / "run", COLOUR), images, "--out", out, "--threshold", "tuned")
    assert answer.status == 2
    assert "does not say a tuned threshold" in answer.err
    assert "Give a number, such as --threshold 0.4." in answer.err
    job = write_job(tmp_path / "job", [COLOUR, replace(COLOUR, seed=1)])
    answer = focalseg("predict", job, images, "--out", out, "--threshold", "tuned")
    assert answer.status == 2
    assert "holds 2 networks, each with a tuned threshold of its own" in answer.err
    assert "such as --threshold 0.4." in answer.err
    for given in ("0", "1", "-0.5", "nan", "half"):
        answer = focalseg("predict", job, images, "--out", out, "--threshold", given)
        assert answer.status == 2
        assert f"--threshold is '{given}'; expected a probability between 0 and 1, or tuned." in answer.err
    assert not out.exists()
    assert focalseg("predict", job, images, "--out", out, "--threshold", 0.4).status == 0


def test_labels_land_on_their_voxels_in_all_48_orientations(thresholds, tmp_path, focalseg):
    (tmp_path / "in").mkdir()
    shape = (9, 10, 11)
    voxels = np.full(shape, 80, np.int16)
    voxels[1:4, 2:5, 6:9], voxels[6, 7, 1:4] = 120, 180
    for number, orientation in enumerate(ORIENTATIONS):
        affine = make_oblique() @ inv_ornt_aff(orientation, shape)
        image = nibabel.Nifti1Image(apply_orientation(voxels, orientation), affine)
        nibabel.save(image, tmp_path / "in" / f"scan_{number}.nii{'.gz' if number % 2 else ''}")
    model = write_run(tmp_path / "run", VOLUMES)
    answer = focalseg("predict", model, tmp_path / "in", "--out", tmp_path / "masks")
    assert answer.status == 0, answer.err
    expected = (voxels > 100).astype(np.uint8) + (voxels > 150)
    reference = nibabel.Nifti1Image(expected, make_oblique())
    for number, orientation in enumerate(ORIENTATIONS):
        mask = nibabel.load(tmp_path / "masks" / f"scan_{number}.nii.gz")
        assert mask.get_data_dtype() == np.uint8
        assert np.array_equal(np.asarray(mask.dataobj), apply_orientation(expected, orientation))
        image = nibabel.load(tmp_path / "in" / f"scan_{number}.nii{'.gz' if number % 2 else ''}")
        assert np.array_equal(mask.affine, image.affine)
        # In space, too: nibabel brings both to the same axes by their affines alone.
        same, whole = (nibabel.as_closest_canonical(one) for one in (mask, reference))
        assert np.array_equal(np.asarray(same.dataobj), np.asarray(whole.dataobj))
        np.testing.assert_allclose(same.affine, whole.affine, atol=1e-4)


@pytest.mark.parametrize(
    ("marks", "table"),
    [
        (("0", "255"), ""),
        (("0", "1"), ""),
        (("0", "700"), "label,value\nforeground,700\n"),
        (("9", "0"), "label,value\nforeground,0\nbackground,9\n"),
        (("#000000", "#FF8000"), "label,colour\nforeground,#FF8000\n"),
        (("#000000", "#FF8000"), ""),
    ],
)
def test_images_and_their_predicted_masks_are_a_set_that_reads_back(marks, table, thresholds, tmp_path, focalseg):
    for number in range(4):
        save(tmp_path / "data" / "images" / f"case_{number}.png", draw(channels=1))
    model = write_run(tmp_path / "run", replace(GREY, marks=marks))
    assert focalseg("predict", model, tmp_path / "data" / "images", "--out", tmp_path / "data" / "masks").status == 0
    if table:
        (tmp_path / "data" / "labels.csv").write_text(table)
    from focalseg.imagesets.opening import open_dataset

    dataset = open_dataset(str(tmp_path / "data"))
    assert dataset.findings == ()
    for number in range(len(dataset)):
        case = dataset.read_case(number)
        assert np.array_equal(case.mask, case.image[0] > 100)
    assert focalseg("check", tmp_path / "data").status == 0


def test_a_training_keeps_how_its_set_writes_masks(make_folder, tmp_path, focalseg):
    data = make_folder(foreground=77)
    small = ["training.steps=2", "training.validate_every=2", "network.base_width=4", "data.longest_side=24"]
    assert focalseg("train", data, "--out", tmp_path / "run", *(word for one in small for word in ("--set", one))).status == 0
    assert focalseg("predict", tmp_path / "run", data, "--out", tmp_path / "masks").status == 0
    assert set(np.unique(read(tmp_path / "masks" / "case_0.png"))) <= {0, 77}
    assert json.loads((tmp_path / "masks" / "prediction.json").read_text())["marks"] == ["0", "77"]


def test_bad_images_are_named_and_the_good_ones_predicted(run, tmp_path, focalseg):
    folder = tmp_path / "in"
    for number in range(10):
        save(folder / f"case_{number}.png")
    (folder / "bad.png").write_bytes((folder / "case_0.png").read_bytes()[:-30])
    deep = (draw() * 257.0).astype(np.uint16)
    tifffile.imwrite(folder / "deep.tif", deep, photometric="rgb")
    clear = np.dstack([draw(), np.full((20, 30), 255, np.uint8)])
    save(folder / "opaque.png", clear.copy())
    clear[3, 3, 3] = 0
    save(folder / "clear.png", clear)
    save(folder / "dot.png", np.zeros((1, 1, 3), np.uint8))
    save(folder / "grey.png", draw(channels=1))
    (folder / "notes.txt").write_text("not an image")
    (folder / "film.avi").write_bytes(b"RIFF")
    nibabel.save(nibabel.Nifti1Image(np.zeros((9, 9, 9), np.int16), np.eye(4)), folder / "scan.nii.gz")
    answer = focalseg("predict", run, folder, "--out", tmp_path / "masks")
    assert answer.status == 3
    masks = sorted(path.name for path in (tmp_path / "masks").glob("*.png"))
    assert masks == sorted([*(f"case_{number}.png" for number in range(10)), "opaque.png"])
    faults = [line for line in answer.err.splitlines() if line.startswith("error: ")]
    assert len(faults) == 7, answer.err
    (note,) = (line for line in answer.err.splitlines() if line.startswith("note: "))
    assert note == (
        f"note: {folder / 'opaque.png'}: has an alpha channel that is opaque everywhere. Nothing need be done: it is left out."
    )
    for name, said in (
        ("bad.png", "is cut short"),
        ("deep.tif", "enters the network"),
        ("clear.png", "opaque pixels. Save it without transparency, on its background."),  # no set that `check` could repair
        ("dot.png", "is 1 x 1 pixels; expected at least 8 pixels a side. Leave it out."),
        ("grey.png", "has 1 channel; expected 3, as the images that the model was trained on. Save it in colour."),
        ("film.avi", "is a .avi file"),
        ("scan.nii.gz", "has 3 spatial axes; expected 2"),
    ):
        (line,) = (line for line in faults if name in line)
        assert line.startswith(f"error: {folder / name}: "), line
        assert said in line
        assert "; expected " in line or "is not to be trusted" in line


def test_the_same_command_goes_on_where_it_stopped(run, images, tmp_path, focalseg, monkeypatch):
    out = tmp_path / "masks"
    assert focalseg("predict", run, images, "--out", out).status == 0
    before = {path.name: path.read_bytes() for path in out.glob("*.png")}
    (out / "case_1.png").write_bytes(before["case_1.png"][:40])  # as a disk that failed
    (out / "case_2.png").unlink()
    save(images / "case_3.png")
    (out / "masks.jsonl").write_bytes(
        (out / "masks.jsonl").read_bytes() + b'{"mask": "case_9'
    )  # a kill while a line is written
    answer = focalseg("predict", run, images, "--out", out, "--json")
    content = json.loads(answer.out)
    assert [mask["made"] for mask in content["masks"]] == [False, True, True, True]
    assert {name: (out / name).read_bytes() for name in before} == before
    monkeypatch.setattr("focalseg.inference.loading.load", None)  # nothing is left to do: no model is loaded
    answer = focalseg("predict", run, images, "--out", out)
    assert (answer.status, answer.out) == (0, f"4 masks in {out}, 4 of them made before\n")


def test_another_image_of_the_same_name_is_predicted_anew(run, images, tmp_path, focalseg):
    out = tmp_path / "masks"
    focalseg("predict", run, images, "--out", out)
    save(images / "case_0.png", draw(40, 24))
    assert focalseg("predict", run, images, "--out", out).status == 0
    assert read(out / "case_0.png").shape == (40, 24)
    (images / "case_0.png").write_bytes(b"broken")
    answer = focalseg("predict", run, images, "--out", out)
    assert answer.status == 3
    assert "case_0.png: is of the image as it was before; expected none" in answer.err


def test_an_overlay_of_an_image_that_was_replaced_does_not_stay(run, images, tmp_path, focalseg):
    out = tmp_path / "masks"
    focalseg("predict", run, images, "--out", out, "--overlays")
    save(images / "case_0.png", draw(40, 24))
    assert focalseg("predict", run, images, "--out", out).status == 0
    assert sorted(path.name for path in (out / "overlays").iterdir()) == ["case_1.png", "case_2.png"]
    (out / "case_1.png").unlink()  # of the same image: its overlay stays
    assert focalseg("predict", run, images, "--out", out).status == 0
    answer = focalseg("predict", run, images, "--out", out, "--overlays", "--json")
    assert [mask["made"] for mask in json.loads(answer.out)["masks"]] == [True, False, False]
    assert read(out / "overlays" / "case_0.png").shape == (40, 24, 3)


def test_each_file_is_told_as_it_is_done_where_asked(run, images, tmp_path, focalseg):
    (images / "bad.png").write_bytes(b"broken")
    answer = focalseg("predict", run, images, "--out", tmp_path / "masks", "--verbose", "--device", "cpu")
    assert answer.err.splitlines()[:3] == [
        "note: 1 network on cpu, for lesion",
        f"note: skipped {images / 'bad.png'}",
        f"note: made {tmp_path / 'masks' / 'case_0.png'}",
    ]


def test_a_mask_that_somebody_corrected_is_never_overwritten(run, images, tmp_path, focalseg):
    out = tmp_path / "masks"
    focalseg("predict", run, images, "--out", out)
    corrected = np.zeros((20, 30), np.uint8)
    corrected[4:9, 4:9] = 255
    save(out / "case_1.png", corrected)
    answer = focalseg("predict", run, images, "--out", out, "--overlays")
    assert answer.status == 0
    assert "case_1.png: The mask was changed since it was predicted, and is left as it is; remove it" in answer.err
    assert np.array_equal(read(out / "case_1.png"), corrected)
    (out / "case_1.png").unlink()  # the mend
    answer = focalseg("predict", run, images, "--out", out)
    assert (answer.status, answer.err) == (0, "")


def test_files_that_are_not_ours_are_not_overwritten(run, images, tmp_path, focalseg):
    out = tmp_path / "masks"
    mine = save(out / "case_1.png", np.zeros((4, 4), np.uint8)).read_bytes()
    answer = focalseg("predict", run, images, "--out", out)
    assert answer.status == 2
    assert answer.err == (
        f"error: {out / 'case_1.png'} would be overwritten and was not made here by `focalseg predict`; expected a folder "
        "without files of those names. Move it away, or give another --out.\n"
    )
    assert [path.name for path in out.iterdir()] == ["case_1.png"]
    assert (out / "case_1.png").read_bytes() == mine
    (out / "case_1.png").rename(tmp_path / "mine.png")  # the mend
    assert focalseg("predict", run, images, "--out", out).status == 0


def test_one_folder_has_masks_of_one_model_and_one_setting(run, images, tmp_path, focalseg):
    out = tmp_path / "masks"
    focalseg("predict", run, images, "--out", out)
    other = write_run(tmp_path / "other", replace(COLOUR, seed=5))
    answer = focalseg("predict", other, images, "--out", out)
    assert (answer.status, "holds masks by another model" in answer.err) == (2, True)
    answer = focalseg("predict", run, images, "--out", out, "--flips")
    assert answer.status == 2
    assert "made with other settings" in answer.err
    assert "Give --overlap 0.5 and no --flips to go on" in answer.err
    assert focalseg("predict", run, images, "--out", out, "--overlap", 0.5).status == 0  # the mend
    lean = write_lean_folder(tmp_path / "lean", COLOUR)  # the same network in another folder
    assert focalseg("predict", lean, images, "--out", out).status == 0


def test_threads_devices_and_windows_at_a_time_change_no_mask(images, tmp_path, focalseg):
    patches = replace(COLOUR, preparation=replace(PREPARATION, size=(32, 48), patch=(16, 16)))
    run = write_run(tmp_path / "patches", patches)
    told = []
    for name, words in (("a", ()), ("b", ("--workers", 3)), ("c", ("--windows-at-a-time", 5)), ("d", ("--device", "cpu"))):
        answer = focalseg("predict", run, images, "--out", tmp_path / name, "--probabilities", *words)
        told.append((answer.status, {path.name: path.read_bytes() for path in (tmp_path / name).glob("*.png")}))
    assert told[0][0] == 0
    assert len(told[0][1]) == 3
    assert all(one == told[0] for one in told)


def test_overlays_are_pictures_of_the_image_with_its_labels(thresholds, run, images, tmp_path, focalseg):
    assert focalseg("predict", run, images, "--out", tmp_path / "masks", "--overlays").status == 0
    overlay, image = read(tmp_path / "masks" / "overlays" / "case_0.png"), read(images / "case_0.png")
    mask = read(tmp_path / "masks" / "case_0.png") > 0
    assert overlay.shape == image.shape
    assert np.array_equal(overlay[~mask], image[~mask])
    assert (overlay[mask] != image[mask]).any(axis=1).all()


def test_stacks_of_a_tiff_give_a_tiff_of_several_pages(thresholds, tmp_path, focalseg):
    stack = RANDOM.integers(60, 190, (9, 12, 14)).astype(np.uint8)
    (tmp_path / "in").mkdir()
    tifffile.imwrite(tmp_path / "in" / "cells.tif", stack, imagej=True, metadata={"axes": "ZYX"})
    model = write_run(tmp_path / "run", VOLUMES)
    assert focalseg("predict", model, tmp_path / "in", "--out", tmp_path / "masks").status == 0
    expected = (stack > 100).astype(np.uint8) + (stack > 150)
    assert np.array_equal(tifffile.imread(tmp_path / "masks" / "cells.tif"), expected)


def test_an_image_of_other_spacing_has_a_mask_and_is_told_as_doubtful(thresholds, tmp_path, focalseg):
    spaced = replace(VOLUMES, preparation=replace(VOLUMES.preparation, spacing_mm=(1.0, 1.0, 1.0)))
    model = write_run(tmp_path / "run", spaced)
    (tmp_path / "in").mkdir()
    for name, size in (("usual", 1.0), ("coarse", 4.0)):
        voxels = RANDOM.integers(60, 140, (8, 8, 8)).astype(np.int16)
        nibabel.save(nibabel.Nifti1Image(voxels, np.diag([size, size, size, 1.0])), tmp_path / "in" / f"{name}.nii.gz")
    for _ in range(2):  # it is told again where the mask was made before
        answer = focalseg("predict", model, tmp_path / "in", "--out", tmp_path / "masks")
        assert answer.status == 0
        (line,) = answer.err.splitlines()
        assert line.startswith(
            f"doubtful: {tmp_path / 'in' / 'coarse.nii.gz'}: The image enters the network with elements of 4 x"
        )
        assert "doubtful: 1 mask, told above" in answer.out
    assert (tmp_path / "masks" / "coarse.nii.gz").exists()


def test_the_json_object_names_masks_doubts_and_what_was_skipped(run, images, tmp_path, focalseg):
    (images / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    answer = focalseg("predict", run, images, "--out", tmp_path / "masks", "--json", "--overlays")
    content = json.loads(answer.out)
    assert answer.status == 3
    assert [mask["files"] for mask in content["masks"]] == [[str(images / f"case_{number}.png")] for number in range(3)]
    assert content["masks"][0]["mask"] == str(tmp_path / "masks" / "case_0.png")
    assert content["masks"][0]["overlays"] == str(tmp_path / "masks" / "overlays" / "case_0.png")
    assert [skipped["file"] for skipped in content["skipped"]] == [str(images / "bad.png")]
    assert content["doubts"] == []
    assert (content["labels"], content["marks"], content["networks"]) == (["lesion"], ["0", "255"], 1)


@pytest.mark.parametrize("stopped_by", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stop_leaves_whole_masks_and_the_same_command_finishes(stopped_by, run, tmp_path, focalseg):
    for number in range(60):
        save(tmp_path / "in" / f"case_{number}.png", draw(200, 300))
    words = ["predict", str(run), str(tmp_path / "in"), "--out", str(tmp_path / "masks")]
    process = subprocess.Popen([sys.executable, "-m", "focalseg", *words], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not (tmp_path / "masks" / "case_2.png").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, stopped_by)
    _, err = process.communicate(timeout=120)
    assert process.returncode == (-9 if stopped_by == signal.SIGKILL else 128 + stopped_by), err
    made = sorted((tmp_path / "masks").glob("*.png"))
    assert 3 <= len(made) < 60
    content = {path.name: path.read_bytes() for path in made}
    assert all(read(path).shape == (200, 300) for path in made)
    assert focalseg(*words).status == 0
    assert len(list((tmp_path / "masks").glob("*.png"))) == 60
    assert all((tmp_path / "masks" / name).read_bytes() == bytes_ for name, bytes_ in content.items())
    assert sorted(path.name for path in (tmp_path / "masks").iterdir() if path.suffix != ".png") == [
        "masks.jsonl",
        "prediction.json",
    ]
    assert focalseg("predict", run, tmp_path / "in", "--out", tmp_path / "again").status == 0
    assert all((tmp_path / "again" / name).read_bytes() == bytes_ for name, bytes_ in content.items())


def test_two_at_once_do_not_write_to_one_folder(run, images, tmp_path, focalseg):
    fcntl = pytest.importorskip("fcntl")
    out = tmp_path / "masks"
    out.mkdir()
    with (out / ".lock").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        answer = focalseg("predict", run, images, "--out", out)
    assert (answer.status, "is in use by another focalseg; wait for it to end" in answer.err) == (2, True)
    assert not list(out.glob("*.png"))
    assert focalseg("predict", run, images, "--out", out).status == 0  # the mend


def test_an_altered_record_is_refused_with_a_way_out(run, images, tmp_path, focalseg):
    out = tmp_path / "masks"
    focalseg("predict", run, images, "--out", out)
    lines = (out / "masks.jsonl").read_text().splitlines()
    (out / "masks.jsonl").write_text("\n".join([lines[0].replace("case_0", "case_7"), *lines[1:]]) + "\n")
    answer = focalseg("predict", run, images, "--out", out)
    assert answer.status == 2
    assert f"{out / 'masks.jsonl'}: line 1 was altered (is not as it was written" in answer.err
    (out / "masks.jsonl").write_text("\n".join(lines[2:]) + "\n")  # the mend: the line is removed, and its mask
    (out / "case_0.png").unlink()
    assert focalseg("predict", run, images, "--out", out).status == 0
    (out / "prediction.json").write_text((out / "prediction.json").read_text().replace("0.5", "0.25"))
    answer = focalseg("predict", run, images, "--out", out)
    assert (answer.status, "prediction.json is not as it was written" in answer.err) == (2, True)


def test_memory_that_runs_out_is_told_of_one_image_and_the_others_are_predicted(run, images, tmp_path, focalseg, monkeypatch):
    def predict_mask(members, image, **_settings):
        if image.shape[1:] == (40, 40):
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return np.zeros(image.shape[1:], np.uint8)

    monkeypatch.setattr(predicting, "predict_mask", predict_mask)
    save(images / "large.png", draw(40, 40))
    answer = focalseg("predict", run, images, "--out", tmp_path / "masks")
    assert answer.status == 3
    assert answer.err.startswith(f"error: {images / 'large.png'}: memory ran out; expected an image that fits into it. Cut it")
    assert len(list((tmp_path / "masks").glob("*.png"))) == 3


def test_channels_in_files_of_their_own_give_one_mask(thresholds, tmp_path, focalseg):
    two = Preparation(size=(8, 8, 8), mean=(100.0, 100.0), standard_deviation=(50.0, 50.0))
    model = write_run(tmp_path / "run", replace(VOLUMES, preparation=two, network=replace(VOLUMES.network, in_channels=2)))
    (tmp_path / "in").mkdir()
    voxels = RANDOM.integers(60, 140, (9, 10, 11)).astype(np.int16)
    for channel in range(2):
        image = nibabel.Nifti1Image(voxels + channel, np.diag([-1.0, 2, 2, 1]))
        nibabel.save(image, tmp_path / "in" / f"scan_{channel:04d}.nii.gz")
    nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4)), tmp_path / "in" / "other_0000.nii.gz")
    nibabel.save(nibabel.Nifti1Image(voxels[1:], np.eye(4)), tmp_path / "in" / "other_0001.nii.gz")
    answer = focalseg("predict", model, tmp_path / "in", "--out", tmp_path / "masks")
    assert answer.status == 3
    assert "other_0001.nii.gz: is 8 x 10 x 11 voxels but other_0000.nii.gz is 9 x 10 x 11" in answer.err
    assert [path.name for path in (tmp_path / "masks").glob("*.nii.gz")] == ["scan.nii.gz"]
    assert np.array_equal(np.asarray(nibabel.load(tmp_path / "masks" / "scan.nii.gz").dataobj), voxels > 100)


def test_refusals_come_before_torch_is_loaded(run, images, tmp_path):
    (tmp_path / "empty").mkdir()
    out = str(tmp_path / "masks")
    for words, said in (
        (["--help"], ""),
        ([str(tmp_path / "empty"), str(images), "--out", out], "holds no model"),
        ([str(run), str(tmp_path / "absent.png"), "--out", out], "No file or folder"),
        ([str(run), str(tmp_path / "empty"), "--out", out], "holds no images"),
        ([str(run), str(images), "--out", str(images / "masks")], "which is never written to"),
        ([str(run), str(images), "--out", str(images)], "is the folder of the images"),
        ([str(run), str(images), "--out", str(run)], "is the folder of the model"),
        ([str(run), str(images / "case_0.png"), "--out", str(images)], "is the folder of case_0.png"),
        ([str(run), str(images), "--out", str(images / "case_0.png")], "is a file"),
    ):
        script = f"""
import sys
from focalseg.cli.main import main
sys.argv[1:] = ["predict", *{words!r}]
try:
    main()
finally:
    assert "torch" not in sys.modules
"""
        answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
        assert answer.returncode == (2 if said else 0), answer.stderr
        assert said in answer.stderr
        assert not (tmp_path / "masks").exists()


def test_a_network_of_ones_own_is_named_in_the_command(images, tmp_path, focalseg):
    own = replace(COLOUR, network=replace(COLOUR.network, name="mine.nets:make"))
    folder = tmp_path / "run"
    folder.mkdir()
    from focalseg.configuration import to_mapping
    from focalseg.records.record import write_json

    write_json(folder / "config.json", to_mapping(own), indent=2)
    (folder / "model.safetensors").write_bytes(b"")
    answer = focalseg("predict", folder, images, "--out", tmp_path / "masks")
    assert answer.status == 2
    assert "has the network 'mine.nets:make', no part of focalseg" in answer.err
    assert "add --network mine.nets:make" in answer.err
    assert not (tmp_path / "masks").exists()


def test_windows_overlap_by_default_as_everywhere():
    from focalseg import windows
    from focalseg.cli import predict

    assert predict.OVERLAP == windows.OVERLAP
