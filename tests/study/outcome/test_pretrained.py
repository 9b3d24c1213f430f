"""A network on a pretrained encoder: its images enter as the encoder wants them, and its folder loads without a connection."""

import sys
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
import torch

from focalseg.errors import SettingError
from focalseg.inference.loading import load_run
from focalseg.inference.prediction import Member, predict_mask
from focalseg.study.beginning import ForKeeps
from focalseg.study.train import train_one
from hosts.libraries.test_smp import unet_forward, unet_init

pytestmark = pytest.mark.slow

PRETRAINED = {"encoder_name": "resnet18", "encoder_weights": "imagenet"}


@pytest.fixture
def library(monkeypatch):
    """A stand-in of the library that fetches weights, as long as it is connected; what it fetched is listed."""
    package, encoders, fetched = (
        ModuleType("segmentation_models_pytorch"),
        ModuleType("segmentation_models_pytorch.encoders"),
        [],
    )
    package.connected = True

    def fetch(name, weights):
        if not package.connected:
            raise ConnectionError("no route to the Hub")
        fetched.append((name, weights))

    def build(self, in_channels=3, classes=1, encoder_name="", encoder_weights=None):
        unet_init(self, in_channels, classes)
        if encoder_weights is not None:
            fetch(encoder_name, encoder_weights)
            for weights in self.encoder.parameters():
                torch.nn.init.constant_(weights, 0.01)

    def get_preprocessing_params(encoder_name, pretrained):
        fetch(encoder_name, pretrained)
        return {"input_space": "RGB", "input_range": [0, 1], "mean": [0.5, 0.4, 0.3], "std": [0.2, 0.2, 0.1]}

    kind = {"__init__": build, "forward": unet_forward, "__module__": "segmentation_models_pytorch.decoders.unet.model"}
    package.Unet = type("Unet", (torch.nn.Module,), kind)
    encoders.get_preprocessing_params = get_preprocessing_params
    package.fetched = fetched
    monkeypatch.setitem(sys.modules, package.__name__, package)
    monkeypatch.setitem(sys.modules, encoders.__name__, encoders)
    return package


def test_it_trains_on_the_encoders_scale_and_loads_offline_with_the_same_predictions(
    library, make_folder, tiny_settings, tmp_path
):
    settings = replace(tiny_settings, network=replace(tiny_settings.network, name="smp:Unet", arguments=PRETRAINED))
    told, out = [], tmp_path / "out"
    from focalseg.study.running.listeners import Listeners

    listeners = Listeners(tell=told.append)
    train_one(str(make_folder()), out, settings, attention="se", seed=0, device="cpu", listeners=listeners)
    assert any(one.startswith("images are normalised as the pretrained encoder wants them") for one in told)
    assert set(library.fetched) == {("resnet18", "imagenet")}
    online, network = load_run(out)
    assert np.allclose(online.preparation.mean, np.array([0.5, 0.4, 0.3]) * 255)
    assert np.allclose(online.preparation.standard_deviation, np.array([0.2, 0.2, 0.1]) * 255)
    image = np.random.default_rng(0).integers(0, 255, (3, 24, 24)).astype(np.uint8)
    library.connected = False
    config, offline = load_run(out)
    assert config.network.arguments["encoder_weights"] == "imagenet"  # as it was built, for whoever reads it
    assert np.array_equal(
        predict_mask([Member(network, online.preparation)], image, tell=told.append),
        predict_mask([Member(offline, config.preparation)], image, tell=told.append),
    )
    for one, other in zip(network.parameters(), offline.parameters(), strict=True):
        assert torch.equal(one, other)
    card = (out / "README.md").read_text(encoding="utf-8")
    assert "the scale of the pretrained encoder" in card
    assert "from an encoder pretrained on imagenet." in card
    # Another training may begin with these weights, and then fetches none.
    plain = replace(settings, network=replace(settings.network, arguments={**PRETRAINED, "encoder_weights": None}))
    keep = ForKeeps(start_from=out)
    train_one(str(tmp_path / "data"), tmp_path / "next", plain, attention="se", seed=0, device="cpu", keep=keep)
    assert (tmp_path / "next" / "result.json").exists()


def test_what_may_fetch_besides_the_encoders_weights_still_asks_for_trust(library, make_folder, tiny_settings, tmp_path):
    settings = replace(tiny_settings, network=replace(tiny_settings.network, name="smp:Unet", arguments=PRETRAINED))
    out = tmp_path / "out"
    train_one(str(make_folder()), out, settings, attention="none", seed=0, device="cpu")
    from focalseg.inference.loading import rebuild_network
    from focalseg.yaml_files import read_yaml

    content = read_yaml(out / "config.yaml")
    content["network"]["arguments"]["checkpoint_path"] = "weights.pth"
    with pytest.raises(SettingError, match=r"no part of focalseg; loading it would run that function\. Say that you trust it"):
        rebuild_network(content, out / "model.safetensors")
