"""One line gives back a model, whatever folder it lies in; and what a folder must hold for that."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

import focalseg
from focalseg.errors import DataError, MachineError, SettingError
from focalseg.feeding.preparation import Preparation
from focalseg.inference.model import Model
from focalseg.inference.prediction import ScaleWarning
from focalseg.records.record import write_record
from focalseg.training.run import build_network
from inference.models import PREPARATION, make_config, write_job, write_lean_folder, write_run
from records.test_record import RECORDS

IMAGE = np.random.default_rng(0).integers(0, 255, (3, 20, 30)).astype(np.uint8)


@pytest.mark.parametrize("write", [write_run, write_lean_folder, lambda folder, config: write_job(folder, [config])])
def test_every_kind_of_folder_gives_its_model(write, tmp_path):
    config = make_config()
    model = focalseg.load(write(tmp_path / "model", config), device="cpu")
    network = build_network(config).eval()
    assert type(model.network) is type(network)
    assert not model.network.training
    images = torch.rand(1, 3, 16, 16)
    assert torch.equal(model.network(images), network(images))
    assert (model.config, model.labels, model.preparation) == (config, ("lesion",), PREPARATION)
    assert repr(model) == "<Model model: 1 network for 3 channels, seen at 16 x 16; 0 background, 1 lesion>"
    mask = model.predict(IMAGE)
    assert (mask.shape, mask.dtype) == ((20, 30), np.uint8)
    assert set(np.unique(mask)) <= {0, 1}


@pytest.mark.parametrize("labels", [("lesion",), ("lesion", "marker")])
def test_a_job_is_the_mean_of_the_probabilities_of_its_trainings(labels, tmp_path):
    other = Preparation(size=(24, 16), mean=(90.0,) * 3, standard_deviation=(60.0,) * 3)  # a fold has its own
    configs = [
        make_config(seed=7, labels=labels),
        make_config(seed=8, labels=labels, attention={}),
        make_config(seed=9, labels=labels, preparation=other),
    ]
    job = write_job(tmp_path / "job", configs)
    model = focalseg.load(job, device="cpu")
    assert [config.seed for config in model.configs] == [7, 8, 9]
    alone = [Model([one], device="cpu").predict_probabilities(IMAGE) for one in map(_load_run_of(job), configs)]
    mean = np.mean(alone, axis=0)
    np.testing.assert_allclose(model.predict_probabilities(IMAGE), mean, atol=1e-6)
    expected = mean[0] > 0.5 if len(labels) == 1 else mean.argmax(axis=0)
    assert np.array_equal(model.predict(IMAGE), expected)
    one = focalseg.load(job, one=True, device="cpu")
    assert [config.seed for config in one.configs] == [7]
    assert np.array_equal(one.predict_probabilities(IMAGE), alone[0])


def _load_run_of(job):
    from focalseg.inference.loading import load_run

    return lambda config: load_run(next(job.glob(f"runs/placed/*/seed_{config.seed}")))


def test_an_image_may_have_its_channels_last_as_cameras_have_them(tmp_path):
    model = focalseg.load(write_run(tmp_path / "run", make_config()), device="cpu")
    assert np.array_equal(model.predict(np.moveaxis(IMAGE, 0, -1)), model.predict(IMAGE))
    grey = Preparation(size=(16, 16), mean=(100.0,), standard_deviation=(50.0,))
    model = focalseg.load(write_run(tmp_path / "grey", make_config(preparation=grey)), device="cpu")
    assert np.array_equal(model.predict(IMAGE[0]), model.predict(IMAGE[:1]))


@pytest.mark.parametrize("kind", [">i2", ">f4", ">f8", np.longdouble, np.float16, np.uint32])
def test_numbers_in_any_order_of_bytes_and_of_any_width_are_the_same_numbers(kind, tmp_path):
    model = focalseg.load(write_run(tmp_path / "run", make_config()), device="cpu")
    for image in (IMAGE, IMAGE[:, :16, :16]):  # as it is, since it has the size that the network takes
        expected = model.predict_probabilities(image.astype(np.float32 if np.dtype(kind).kind == "f" else np.int32))
        assert np.array_equal(model.predict_probabilities(image.astype(kind)), expected)


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (IMAGE[:2], r"has the shape \(2, 20, 30\); expected 3 channels and 2 spatial axes, such as \(3, 16, 16\), of any size"),
        (IMAGE[None], r"has the shape \(1, 3, 20, 30\)"),
        (np.full((3, 8, 8), np.nan), "not finite"),
        (np.full((3, 8, 8), "a"), "holds <U1; expected whole numbers or floats"),
        (np.zeros((3, 8, 8), complex), "holds complex128"),
        (np.zeros((3, 0, 8)), "has no element"),
    ],
)
def test_an_image_that_does_not_fit_is_refused_in_one_sentence(image, said, tmp_path):
    model = focalseg.load(write_run(tmp_path / "run", make_config()), device="cpu")
    with pytest.raises(DataError, match=said):
        model.predict(image)


def test_a_spacing_says_whether_the_image_shows_as_much_as_those_of_the_training(tmp_path):
    model = focalseg.load(write_run(tmp_path / "run", make_config()), device="cpu")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fits = model.predict(IMAGE, spacing_mm=(1.0, 0.5))
    with pytest.warns(ScaleWarning, match=r"elements of 6\.25 x 9\.38 mm, and those that it was trained on had 1 x 1 mm"):
        assert np.array_equal(model.predict(IMAGE, spacing_mm=(5.0, 5.0)), fits)
    for spacing in ((1.0,), (1.0, 0.0), (1.0, float("nan")), 5, "12", ("a", "b"), np.array(2.0)):
        with pytest.raises(DataError, match=r"expected 2 numbers above 0, one a spatial axis"):
            model.predict(IMAGE, spacing_mm=spacing)


def test_a_folder_without_a_model_is_told_with_what_to_give(tmp_path):
    (tmp_path / "file.pt").write_bytes(b"")
    (tmp_path / "empty").mkdir()
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "unfinished" / "config.yaml").write_text("seed: 0\n")
    for name, said in (
        ("absent", r"^No folder .*absent; expected the folder of a `focalseg place` job"),
        ("file.pt", r"file\.pt is a file; .*Give the folder that holds it"),
        ("empty", r"empty holds no model"),
        ("unfinished", r"holds no finished training yet; .*Run the command that made it again"),
    ):
        with pytest.raises(SettingError, match=said):
            focalseg.load(tmp_path / name)


def test_weights_that_were_altered_are_never_loaded(tmp_path):
    job = write_job(tmp_path / "job", [make_config(), make_config(seed=1)])
    weights = job / "runs" / "placed" / "fold_1" / "seed_1" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(SettingError, match=r"seed_1/model\.safetensors"):
        focalseg.load(job)
    assert focalseg.load(job, one=True).config.seed == 0


def test_a_job_of_an_earlier_version_gives_its_lean_network_and_says_how(tmp_path):
    job = write_job(tmp_path / "job", [make_config()])
    write_record(job / "placement.json", replace(RECORDS[1], placed_runs=()))
    with pytest.raises(SettingError, match=r"does not say which trainings were placed.*--one"):
        focalseg.load(job)
    assert focalseg.load(job, one=True).config.seed == 0


def test_a_device_that_is_not_there_is_said(tmp_path):
    run = write_run(tmp_path / "run", make_config())
    absent = "cuda" if not torch.cuda.is_available() else "mps"
    with pytest.raises(MachineError, match="not to be had on this machine"):
        focalseg.load(run, device=absent)
