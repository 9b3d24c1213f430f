"""Beginning with the weights of another training: what is taken, what is drawn anew, and what a checkpoint makes of it."""

from dataclasses import replace
from itertools import combinations

import pytest
import torch

from focalseg.attention import GATES
from focalseg.errors import SettingError, SiteError
from focalseg.feeding.preparation import Preparation
from focalseg.files import write_whole
from focalseg.hosts.building import NetworkConfig
from focalseg.networks.state import read_state
from focalseg.records.result import CHECKPOINT
from focalseg.records.seals import hash_file
from focalseg.training.loop import Run, StopRequested, train
from focalseg.training.run import RunConfig, build_network
from focalseg.training.start_config import StartConfig
from focalseg.training.starting import fit_start, put_start
from focalseg.training.training_config import TrainingConfig
from training.small import assert_same_bits, make_data, state_of

CONFIG = RunConfig(
    data="made up",
    seed=5,
    preparation=Preparation(size=(16, 16), mean=(0.0,), standard_deviation=(1.0,)),
    network=NetworkConfig(in_channels=1, arguments={"widths": [4, 8, 16]}),
    attention={"encoder.0": "se", "skip.0": "ag"},
    training=TrainingConfig(steps=8, batch_size=4, validate_every=4, log_every=2),
)


def build_state(**changes):
    return read_state(build_network(replace(CONFIG, seed=9, **changes)))


def save_weights(path, state):
    from safetensors.torch import save

    write_whole(path, lambda file: file.write(save(state)))
    return StartConfig(path=path.as_posix(), sha256=hash_file(path))


def test_the_same_network_is_taken_whole():
    state = build_state()
    fit = fit_start(build_network(CONFIG), state)
    assert (fit.fresh, fit.left, fit.misfits) == ((), (), ())
    assert_same_bits(dict(fit.taken), state)


def test_a_gate_is_taken_whole_where_the_same_kind_stands_and_else_drawn_anew():
    state = build_state(attention={"encoder.0": "scse", "bottleneck": "se", "skip.0": "ag"})
    network = build_network(CONFIG)
    fit = fit_start(network, state)
    assert (fit.fresh, fit.left, fit.misfits) == (("encoder.0",), ("encoder.0", "bottleneck"), ())
    drawn = read_state(network)
    gates = {name.split(".")[1] for name in fit.taken if name.startswith("focal_attention")}
    assert gates == {"skip/0"}
    assert {name for name in drawn if name not in fit.taken} == {name for name in drawn if ".encoder/0." in name}


def test_a_plain_start_lends_the_host_and_every_gate_is_fresh():
    fit = fit_start(build_network(CONFIG), build_state(attention={}))
    assert (fit.fresh, fit.left, fit.misfits) == (("encoder.0", "skip.0"), (), ())


@pytest.mark.parametrize("site", ["bottleneck", "skip.0"])
def test_no_two_kinds_of_gates_are_taken_for_one_another(site):
    states = {}
    for gate in GATES:
        try:
            states[gate] = build_state(attention={site: gate})
        except SiteError:  # no gating signal there
            continue
    assert len(states) >= 5
    for one, other in combinations(states, 2):
        network = build_network(replace(CONFIG, attention={site: one}))
        assert fit_start(network, states[other]).fresh == (site,), (one, other)


def test_tensors_that_are_missing_foreign_or_of_another_shape_are_named_with_both_sides():
    network = build_network(replace(CONFIG, attention={}))
    state = build_state(attention={}, network=NetworkConfig(in_channels=1, arguments={"widths": [4, 8]}))
    fit = fit_start(network, state)
    assert fit.misfits
    assert all(one.endswith("here") and " there and " in one for one in fit.misfits)
    assert any("is missing there and 8 x 4 x 3 x 3 here" in one for one in fit.misfits)


def test_a_file_that_was_altered_or_is_of_another_network_puts_nothing(tmp_path):
    start = save_weights(tmp_path / "w.safetensors", build_state())
    network = build_network(CONFIG)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with pytest.raises(SettingError, match=r"w\.safetensors is not as it was written: its SHA-256 is another"):
        put_start(network, replace(start, sha256="0" * 64))
    foreign = save_weights(tmp_path / "f.safetensors", {"x": torch.zeros(3)})
    with pytest.raises(SettingError) as raised:
        put_start(network, foreign)
    assert str(raised.value) == (
        f"{tmp_path}/f.safetensors holds no tensor of this network; expected those of a network like it. Leave start_from out."
    )
    assert_same_bits(before, network.state_dict())


def test_a_training_begins_with_those_weights_and_a_new_schedule(tmp_path):
    state = build_state()
    start = save_weights(tmp_path / "w.safetensors", state)
    started = replace(CONFIG, start_from=start)
    run, fresh = (Run(config, make_data(), tmp_path / name, device="cpu") for name, config in (("a", started), ("b", CONFIG)))
    assert_same_bits(read_state(run.network), state)
    assert run.scheduler.state_dict() == fresh.scheduler.state_dict()
    assert run.step == 0


@pytest.mark.parametrize("step", [1, 5])
def test_it_goes_on_to_the_same_bits_when_the_weights_are_gone(tmp_path, step):
    start = save_weights(tmp_path / "w.safetensors", build_state())
    config = replace(CONFIG, start_from=start)
    whole = train(config, make_data(), tmp_path / "whole", device="cpu")
    calls = iter(range(100))
    with pytest.raises(StopRequested):
        train(config, make_data(), tmp_path / "parts", device="cpu", should_stop=lambda: next(calls) == step)
    (tmp_path / "w.safetensors").unlink()
    resumed = train(config, make_data(), tmp_path / "parts", device="cpu")
    assert_same_bits(state_of(whole), state_of(resumed))
    (tmp_path / "parts" / CHECKPOINT).unlink()
    with pytest.raises(SettingError, match=r"w\.safetensors cannot be read \(No such file or directory\)"):
        train(config, make_data(), tmp_path / "parts", device="cpu")


def test_a_gate_of_the_hosts_own_is_part_of_it_where_it_is_kept():
    pytest.importorskip("monai")
    network = NetworkConfig(name="monai:AttentionUnet", in_channels=1, arguments={"channels": [4, 8], "strides": [2]})
    kept, opened = ({"network": network, "attention": attention} for attention in ({"skip.0": "own"}, {}))
    fit = fit_start(build_network(replace(CONFIG, **opened)), build_state(**kept))
    assert fit.left == ("skip.0",)
    assert fit.misfits
    assert all("is missing" not in one or one.endswith("missing here") for one in fit.misfits)
