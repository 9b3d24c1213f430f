"""The scale of a pretrained encoder: which images are brought to it, how, and what a person is told."""

import sys
from types import ModuleType

import numpy as np
import pytest

from focalseg.errors import SettingError
from focalseg.feeding.preparation import Preparation
from focalseg.hosts.building import NetworkConfig
from focalseg.imagesets.case import Case
from focalseg.imagesets.survey.summary import summarise
from focalseg.study.planning.encoder import plan_encoder_scale

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PARAMETERS = {"input_space": "RGB", "input_range": [0, 1], "mean": list(MEAN), "std": list(DEVIATION)}


@pytest.fixture
def encoders(monkeypatch):
    """A stand-in of the library's own table; what it is asked for is listed."""
    module, asked = ModuleType("segmentation_models_pytorch.encoders"), []
    module.found = dict(PARAMETERS)

    def get_preprocessing_params(encoder_name, pretrained="imagenet"):
        asked.append((encoder_name, pretrained))
        if isinstance(module.found, Exception):
            raise module.found
        return module.found

    module.get_preprocessing_params = get_preprocessing_params
    module.asked = asked
    monkeypatch.setitem(sys.modules, "segmentation_models_pytorch", ModuleType("segmentation_models_pytorch"))
    monkeypatch.setitem(sys.modules, "segmentation_models_pytorch.encoders", module)
    return module


def network(*, channels=3, weights="imagenet", name="smp:Unet"):
    arguments = {"encoder_name": "resnet34", "encoder_weights": weights}
    return NetworkConfig(name=name, in_channels=channels, arguments=arguments)


def cases(*dtypes, channels=3):
    image = np.arange(channels * 64).reshape(channels, 8, 8) % 200
    mask = np.eye(8, dtype=np.uint8)
    return [
        summarise(Case(name=f"c{number}", group=f"c{number}", image=image.astype(dtype), mask=mask), number=number)
        for number, dtype in enumerate(dtypes)
    ]


def test_bytes_in_colour_enter_as_the_librarys_own_formula_has_it(encoders):
    scale, said = plan_encoder_scale(network(), cases("uint8", "uint8"))
    assert encoders.asked == [("resnet34", "imagenet")]
    image = np.random.default_rng(0).integers(0, 256, (3, 8, 8)).astype(np.uint8)
    preparation = Preparation(size=(8, 8), mean=scale.mean, standard_deviation=scale.deviation, normalisation="encoder")
    # Divided by 255, less the mean, divided by the deviation, with colours last: as the library writes it.
    expected = ((np.moveaxis(image, 0, -1) / 255.0 - MEAN) / DEVIATION).transpose(2, 0, 1)
    assert np.allclose(preparation.prepare_image(image).numpy(), expected, atol=1e-5)
    assert said == "images are normalised as the pretrained encoder wants them (data.normalisation=data_set: by the data set)."


def test_an_encoder_of_bytes_is_taken_as_it_is(encoders):
    encoders.found = {**PARAMETERS, "input_range": [0, 255], "mean": [123.0, 116.0, 103.0], "std": [1.0, 1.0, 1.0]}
    scale, _ = plan_encoder_scale(network(), cases("uint8"))
    assert (scale.mean, scale.deviation) == ((123.0, 116.0, 103.0), (1.0, 1.0, 1.0))


def test_a_grey_image_enters_about_where_its_three_equal_colours_would(encoders):
    scale, said = plan_encoder_scale(network(channels=1), cases("uint8", channels=1))
    assert np.allclose(scale.mean, np.mean(MEAN) * 255)
    assert np.allclose(scale.deviation, np.mean(DEVIATION) * 255)
    grey = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    one = Preparation(size=(16, 16), mean=scale.mean, standard_deviation=scale.deviation, normalisation="encoder")
    entered = one.prepare_image(grey).numpy()
    # The library sums the first convolution over its colours: the same as this grey in each of them, which differ by little.
    colours = (grey / 255.0 - np.reshape(MEAN, (3, 1, 1))) / np.reshape(DEVIATION, (3, 1, 1))
    assert np.abs(entered - colours).max() < 0.25
    assert "a grey image by the mean of its three colours" in said


@pytest.mark.parametrize(
    ("channels", "dtypes", "found"),
    [
        (3, ("uint16", "uint16"), "numbers of the type uint16"),
        (3, ("uint8", "uint16"), "numbers of the type uint16 and uint8"),
        (3, ("float32",), "numbers of the type float32"),
        (4, ("uint8",), "4 channels"),
        (2, ("uint8",), "2 channels"),
    ],
)
def test_other_images_have_no_such_scale_and_it_is_said(encoders, channels, dtypes, found):
    scale, said = plan_encoder_scale(network(channels=channels), cases(*dtypes, channels=channels))
    assert scale is None
    assert encoders.asked == []
    assert said == (
        f"the encoder was pretrained on colours in bytes, and the images have {found}: they are normalised as for a network "
        "without pretrained weights."
    )


def test_a_network_without_pretrained_weights_is_let_be(encoders):
    for one in (network(weights=None), network(name="package.module:Unet"), NetworkConfig()):
        assert plan_encoder_scale(one, cases("uint8")) == (None, "")
    assert encoders.asked == []


def test_an_encoder_that_is_not_known_or_wants_another_order_is_refused_with_a_mend(encoders):
    encoders.found = {**PARAMETERS, "input_space": "BGR"}
    with pytest.raises(SettingError) as raised:
        plan_encoder_scale(network(), cases("uint8"))
    assert str(raised.value) == (
        "The encoder 'resnet34' wants colours in the order 'BGR'; expected RGB, as images are read. Take another encoder, or "
        "give data.normalisation=data_set."
    )
    encoders.found = ValueError("Available pretrained options dict_keys(['imagenet'])")
    with pytest.raises(SettingError) as raised:
        plan_encoder_scale(network(), cases("uint8"))
    assert str(raised.value) == (
        "The library does not say how the encoder 'resnet34' with 'imagenet' weights wants its images (ValueError: Available "
        "pretrained options dict_keys(['imagenet'])). Check network.arguments and the connection, or give "
        "data.normalisation=data_set."
    )
