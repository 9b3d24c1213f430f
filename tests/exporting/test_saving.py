"""A saved model comes back to the bit, and a folder never holds half of one, nor loses what somebody else put there."""

import json

import numpy as np
import pytest
import torch

import focalseg
from focalseg.errors import SettingError
from focalseg.hosts.building import NetworkConfig
from focalseg.inference.model import Model, TrainedNetwork
from focalseg.training.run import build_network
from inference.models import make_config, write_job, write_lean_folder

IMAGE = np.random.default_rng(1).integers(0, 256, (3, 20, 30)).astype(np.uint8)


def same(one, other):
    pairs = zip(one.members, other.members, strict=True)
    states = [(first.network.state_dict(), second.network.state_dict()) for first, second in pairs]
    return all(a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a) for a, b in states)


def test_a_model_of_one_network_comes_back_to_the_bit(tmp_path):
    model = focalseg.load(write_lean_folder(tmp_path / "lean", make_config()), device="cpu")
    with torch.no_grad():
        for weight in model.network.parameters():
            weight.add_(0.01)  # trained further since
    focalseg.save(model, tmp_path / "saved")
    loaded = focalseg.load(tmp_path / "saved", device="cpu")
    assert same(model, loaded)
    assert loaded.configs == model.configs
    np.testing.assert_array_equal(loaded.predict_probabilities(IMAGE), model.predict_probabilities(IMAGE))
    assert {path.name for path in (tmp_path / "saved").iterdir()} == {"config.json", "model.safetensors"}


def test_a_model_of_several_networks_comes_back_without_its_job(tmp_path):
    configs = [make_config(seed=seed, attention={"bottleneck": "se"} if seed else None) for seed in range(3)]
    model = focalseg.load(write_job(tmp_path / "job", configs), device="cpu")
    focalseg.save(model, str(tmp_path / "saved"))
    loaded = focalseg.load(tmp_path / "saved", device="cpu")
    assert (len(loaded.members), loaded.configs) == (3, model.configs)
    assert same(model, loaded)
    one = focalseg.load(tmp_path / "saved", one=True, device="cpu")
    assert (len(one.members), one.config) == (1, model.config)


def test_a_model_that_was_saved_is_replaced_as_a_whole(tmp_path):
    configs = [make_config(seed=seed) for seed in range(2)]
    focalseg.save(focalseg.load(write_job(tmp_path / "job", configs), device="cpu"), tmp_path / "saved")
    one = focalseg.load(tmp_path / "job" / "lean", device="cpu")
    with pytest.raises(SettingError, match="holds 1, which focalseg did not write there"):
        focalseg.save(one, tmp_path / "saved")
    both = focalseg.load(tmp_path / "job", device="cpu")
    focalseg.save(both, tmp_path / "saved")
    assert same(focalseg.load(tmp_path / "saved", device="cpu"), both)


def test_a_folder_of_somebody_elses_is_refused_and_left(tmp_path):
    model = focalseg.load(write_lean_folder(tmp_path / "lean", make_config()), device="cpu")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("text")
    with pytest.raises(SettingError, match=r"mine holds notes.txt, which focalseg did not write there"):
        focalseg.save(model, tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("name", ["0/model.safetensors", "1/config.json", "ensemble.json"])
def test_an_altered_file_is_refused_by_name(tmp_path, name):
    configs = [make_config(seed=seed) for seed in range(2)]
    focalseg.save(focalseg.load(write_job(tmp_path / "job", configs), device="cpu"), tmp_path / "saved")
    path = tmp_path / "saved" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)
    with pytest.raises(SettingError, match=path.name):
        focalseg.load(tmp_path / "saved", device="cpu")


def test_members_outside_of_the_folder_are_never_read(tmp_path):
    write_lean_folder(tmp_path / "0", make_config())
    (tmp_path / "saved").mkdir()
    for listed in (["../0"], [], "0", [0]):
        (tmp_path / "saved" / "ensemble.json").write_text(json.dumps({"members": listed}))
        with pytest.raises(
            SettingError, match=r"ensemble.json names no networks; expected the file that `focalseg.save` wrote"
        ):
            focalseg.load(tmp_path / "saved", device="cpu")


def test_a_plain_network_and_one_that_was_changed_are_refused_with_the_way(tmp_path):
    with pytest.raises(SettingError, match=r"takes a model as focalseg.load gives it, not a UNet. .*save_attention\(network"):
        focalseg.save(focalseg.UNet(widths=(4, 8)), tmp_path / "saved")
    model = focalseg.load(write_lean_folder(tmp_path / "lean", make_config()), device="cpu")
    focalseg.remove_attention(model.network)
    with pytest.raises(SettingError, match=r"The network unet is no longer the one that its config describes"):
        focalseg.save(model, tmp_path / "saved")
    assert not (tmp_path / "saved").exists()


def build_plain(*, spatial_dims, in_channels, classes):
    return focalseg.UNet(spatial_dims=spatial_dims, in_channels=in_channels, classes=classes, widths=(4, 8))


def test_a_network_of_ones_own_is_saved_and_trusted_by_name_again(tmp_path):
    name = f"{__name__}:build_plain"
    config = make_config()
    config = type(config)(**{**vars(config), "network": NetworkConfig(name=name, classes=1), "attention": {}})
    model = Model((TrainedNetwork(config, build_network(config)),))
    focalseg.save(model, tmp_path / "saved")
    with pytest.raises(SettingError, match="Say that you trust it"):
        focalseg.load(tmp_path / "saved", device="cpu")
    assert same(focalseg.load(tmp_path / "saved", device="cpu", own_network=name), model)
