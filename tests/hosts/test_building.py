"""Networks by name: ours, MONAI's, and a function of the person's own."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from focalseg.errors import SettingError
from focalseg.hosts.building import NetworkConfig, build_host, find_function, plan_arguments
from focalseg.hosts.libraries.choice import NAMES
from focalseg.hosts.libraries.plans import MONAI_NETWORKS, NNUNET_NETWORKS, SMP_NETWORKS
from focalseg.networks.unet import UNet, UNetConfig

EXPECTED = f"expected {', '.join(NAMES)}, or package.module:function of your own."
OWN = """
from torch import nn

SIZE = 3

class Tiny(nn.Module):
    def __init__(self, spatial_dims, in_channels, classes, width=4):
        super().__init__()
        self.first = nn.Conv2d(in_channels, width, 3, padding=1)
        self.last = nn.Conv2d(width, classes, 1)

    def forward(self, image):
        return self.last(self.first(image))

def tiny(*, spatial_dims, in_channels, classes, **arguments):
    return Tiny(spatial_dims, in_channels, classes, **arguments)

def nothing(**arguments):
    return "a network"
"""


@pytest.fixture
def own_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A module of the person's own, in the working folder."""
    (tmp_path / "my_nets.py").write_text(OWN, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield "my_nets"
    sys.modules.pop("my_nets", None)


def test_the_names_are_ours_and_those_of_every_network_of_the_libraries() -> None:
    libraries = {"monai": MONAI_NETWORKS, "smp": SMP_NETWORKS, "nnunet": NNUNET_NETWORKS}
    assert ("unet", *(f"{library}:{name}" for library, networks in libraries.items() for name in networks)) == NAMES
    assert all(NetworkConfig(name=name).built_in for name in NAMES)
    assert NetworkConfig().name == "unet"


def test_our_u_net_is_built_from_its_arguments() -> None:
    network = build_host(NetworkConfig(spatial_dims=1, in_channels=2, classes=4, arguments={"widths": [4, 8], "norm": "group"}))
    assert isinstance(network, UNet)
    assert network.config == UNetConfig(spatial_dims=1, in_channels=2, classes=4, widths=(4, 8), norm="group")
    assert plan_arguments("unet", widths=(4, 8)) == {"widths": [4, 8]}


def test_the_widths_of_our_u_net_are_known_and_those_of_others_are_not() -> None:
    assert NetworkConfig().widths == UNetConfig.widths
    assert NetworkConfig(arguments={"widths": [4, 8]}).widths == (4, 8)
    assert NetworkConfig(name="monai:UNet", arguments={"widths": [4, 8]}).widths == ()


@pytest.mark.parametrize("function", ["tiny", "Tiny"])
def test_a_function_of_the_persons_own_is_called_with_axes_channels_classes_and_its_arguments(
    own_module: str, function: str
) -> None:
    config = NetworkConfig(name=f"{own_module}:{function}", in_channels=2, classes=5, arguments={"width": 7})
    assert not config.built_in
    network = build_host(config)
    assert network(torch.zeros(1, 2, 8, 8)).shape == (1, 5, 8, 8)
    assert network.get_submodule("first").out_channels == 7
    assert plan_arguments(config.name, widths=(4, 8)) == {}
    assert find_function(config.name) is getattr(sys.modules[own_module], function)


@pytest.mark.parametrize(
    ("name", "offer"),
    [
        ("nothing", ""),
        ("monai:Nothing", " Did you mean 'monai:UNet'?"),
        ("monai:Unet", " Did you mean 'monai:UNet'?"),
        ("unett", " Did you mean 'unet'?"),
        ("my nets:tiny", ""),
        ("my_nets:", ""),
        (":tiny", ""),
        ("my_nets:tiny:x", ""),
        ("../my_nets:tiny", ""),
        ("os:system('true')", ""),
        ("", ""),
    ],
)
def test_a_name_that_no_network_can_have_is_refused_when_it_is_set(name: str, offer: str) -> None:
    with pytest.raises(SettingError) as raised:
        NetworkConfig(name=name)
    assert str(raised.value) == f"name was {name!r}; {EXPECTED}{offer}"


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        (
            "my_nots:tiny",
            {},
            "The network my_nots:tiny cannot be imported (ModuleNotFoundError: No module named 'my_nots'); expected "
            "package.module:function that Python finds in this folder or on PYTHONPATH, the file's name without .py.",
        ),
        ("my_nets:tinny", {}, "No function in my_nets named 'tinny'; known are Tiny, tiny, nothing. Did you mean 'tiny'?"),
        ("my_nets:SIZE", {}, "No function in my_nets named 'SIZE'; known are Tiny, tiny, nothing."),
        ("my_nets:nothing", {}, "my_nets:nothing returned a str; expected a torch.nn.Module."),
        (
            "my_nets:Tiny",
            {"widths": 3},
            "The network my_nets:Tiny refuses its arguments (got an unexpected keyword argument 'widths'); "
            "it is called with spatial_dims, in_channels, classes and network.arguments (widths). Mend network.arguments or "
            "the function.",
        ),
        (
            "unet",
            {"width": 3},
            "The network unet refuses its arguments (got an unexpected keyword argument 'width'); it is "
            "called with spatial_dims, in_channels, classes and network.arguments (width). Mend network.arguments or the "
            "function.",
        ),
        ("unet", {"widths": [4]}, "widths was (4,); give at least two numbers of channels, finest level first."),
    ],
)
def test_a_network_that_cannot_be_had_or_refuses_its_arguments_is_an_error_with_the_mend(
    own_module: str, name: str, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingError) as raised:
        build_host(NetworkConfig(name=name, arguments=arguments))
    assert str(raised.value) == message


def test_a_config_refuses_what_makes_no_sense() -> None:
    with pytest.raises(SettingError) as raised:
        NetworkConfig(spatial_dims=4, in_channels=0)  # type: ignore[arg-type]
    assert str(raised.value) == (
        "spatial_dims was 4; expected one of 1, 2, 3.\nin_channels was 0; expected a finite number at least 1."
    )


def test_building_one_of_ours_imports_nothing_of_the_persons(own_module: str) -> None:
    path = list(sys.path)
    assert isinstance(build_host(NetworkConfig(arguments={"widths": [4, 8]})), nn.Module)
    assert sys.path == path
    assert own_module not in sys.modules
