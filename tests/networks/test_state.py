"""The tensors of a network as a file holds them: each once, and back to the bit."""

from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from focalseg.errors import SettingError
from focalseg.hosts.building import NetworkConfig, build_host, plan_arguments
from focalseg.hosts.libraries.choice import NAMES
from focalseg.networks.state import read_state, write_state

BUILT = [name for name in NAMES if not name.startswith("smp:") or find_spec("segmentation_models_pytorch")]


def build(name: str, seed: int) -> torch.nn.Module:
    torch.manual_seed(seed)
    arguments = plan_arguments(name, widths=(4, 8, 8))
    return build_host(NetworkConfig(name=name, in_channels=2, arguments=arguments)).eval()


@pytest.mark.parametrize("name", BUILT)
def test_every_network_goes_to_a_file_and_back_to_the_bit(name: str, tmp_path: Path) -> None:
    network, other, image = build(name, 0), build(name, 1), torch.randn(1, 2, 32, 32)
    save_file(read_state(network), tmp_path / "model.safetensors")
    assert not torch.equal(other(image), network(image))
    write_state(other, load_file(tmp_path / "model.safetensors"), "the file")
    assert torch.equal(other(image), network(image))
    for mine, yours in zip(network.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(mine, yours)


@pytest.mark.parametrize("name", BUILT)
def test_a_tensor_that_a_network_holds_under_two_names_is_in_the_file_once(name: str) -> None:
    network = build(name, 0)
    state = read_state(network)
    places = {tensor.data_ptr() for tensor in network.state_dict().values()}
    assert len(state) == len(places)
    assert {tensor.device.type for tensor in state.values()} == {"cpu"}


def test_weights_of_another_network_are_refused_and_the_network_is_as_it_was() -> None:
    network, state = build("unet", 0), read_state(build("unet", 1))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    wrong = {
        "head.weight": state["head.weight"][:, :1],
        "foreign": torch.zeros(1),
    }
    cases = [
        ({**state, "head.weight": wrong["head.weight"]}, "(0 missing, 0 foreign, such as a tensor of another shape)"),
        ({**state, "foreign": wrong["foreign"]}, "(0 missing, 1 foreign, such as foreign)"),
        ({name: tensor for name, tensor in state.items() if name != "head.bias"}, "(1 missing, 0 foreign, such as head.bias)"),
    ]
    for given, counted in cases:
        with pytest.raises(SettingError) as raised:
            write_state(network, given, "model.safetensors")
        assert str(raised.value) == (
            f"model.safetensors does not hold the weights of this network {counted}; "
            "expected the file that was saved with its config."
        )
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
