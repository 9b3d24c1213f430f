"""MONAI's networks, planned from channels a level: they build, and make logits, in every number of axes that they have."""

import builtins
import sys
from typing import Any

import pytest
import torch

from focalseg.errors import SettingError
from focalseg.hosts.building import NetworkConfig, build_host, plan_arguments
from focalseg.hosts.libraries.monai import build_monai
from focalseg.hosts.libraries.plans import MONAI_NETWORKS

AXES = {name: (2, 3) if name == "SegResNet" else (1, 2, 3) for name in MONAI_NETWORKS}
SIDES = {name: 32 if name == "BasicUNet" else 16 for name in MONAI_NETWORKS}
CASES = [(name, axes) for name in MONAI_NETWORKS for axes in AXES[name]]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "axes"), CASES)
@pytest.mark.parametrize("widths", [(4, 8), (4, 8, 16), (6, 12, 24)])
def test_a_plan_builds_and_makes_logits_of_the_size_of_the_image(name: str, axes: int, widths: tuple[int, ...]) -> None:
    arguments = MONAI_NETWORKS[name](widths)
    network = build_monai(name, spatial_dims=axes, in_channels=2, classes=3, arguments=arguments).eval()
    image = torch.zeros(1, 2, *(SIDES[name],) * axes)
    with torch.device("meta"):
        assert network.to("meta")(image.to("meta")).shape == (1, 3, *image.shape[2:])


@pytest.mark.parametrize("name", list(MONAI_NETWORKS))
@pytest.mark.parametrize("widths", [(4, 8, 16), (8, 16, 32, 64)])
def test_the_channels_of_the_levels_are_those_that_were_asked_for(name: str, widths: tuple[int, ...]) -> None:
    arguments = MONAI_NETWORKS[name](widths)
    given = {
        "UNet": lambda: arguments["channels"],
        "AttentionUnet": lambda: arguments["channels"],
        "BasicUNet": lambda: arguments["features"][: len(widths)],
        "DynUNet": lambda: arguments["filters"],
        "SegResNet": lambda: [arguments["init_filters"] << level for level in range(len(arguments["blocks_down"]))],
    }
    assert tuple(given[name]()) == widths


def test_plans_are_reached_by_the_name_that_a_person_types() -> None:
    for name in MONAI_NETWORKS:
        assert plan_arguments(f"monai:{name}", widths=(4, 8, 16)) == MONAI_NETWORKS[name]((4, 8, 16))


def test_a_network_that_refuses_its_arguments_is_an_error_with_what_it_said() -> None:
    with pytest.raises(SettingError) as raised:
        build_host(NetworkConfig(name="monai:SegResNet", spatial_dims=1))
    assert str(raised.value) == "monai:SegResNet refuses {}: `spatial_dims` can only be 2 or 3. Mend network.arguments."
    with pytest.raises(SettingError) as raised:
        build_host(NetworkConfig(name="monai:UNet", arguments={"channels": [4, 8], "strides": []}))
    assert str(raised.value).startswith("monai:UNet refuses {'channels': [4, 8], 'strides': []}: ")
    assert str(raised.value).endswith(". Mend network.arguments.")


def test_without_monai_the_error_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *arguments: Any) -> Any:
        if name.startswith("monai"):
            raise ImportError(name)
        return real(name, *arguments)

    for name in [name for name in sys.modules if name.partition(".")[0] == "monai"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(SettingError) as raised:
        build_host(NetworkConfig(name="monai:UNet", arguments=plan_arguments("monai:UNet", widths=(4, 8))))
    assert str(raised.value) == "The network monai:UNet needs MONAI; install it with `pip install focalseg[monai]`."
