"""Which sizes a network takes."""

import itertools

import torch
from torch import nn

import focalseg
from focalseg.exporting.sizes import Sizes
from focalseg.hosts.building import NetworkConfig, build_host, plan_arguments


def build(name, axes=2):
    arguments = plan_arguments(name, widths=(4, 8, 16))
    return build_host(NetworkConfig(name=name, spatial_dims=axes, in_channels=2, classes=2, arguments=arguments))


def test_our_unet_takes_any_size_and_its_stride_is_known():
    sizes = Sizes(focalseg.UNet(in_channels=2, widths=(4, 8, 16)), 2, (32, 24))
    assert (sizes.multiple, sizes.stride) == (1, 4)
    assert not sizes.takes((2, 2))


def test_networks_that_halve_want_multiples():
    assert [Sizes(build(f"monai:{name}"), 2, (32, 24)).multiple for name in ("UNet", "DynUNet", "SegResNet")] == [4, 4, 4]


def test_other_sizes_are_multiples_that_the_network_takes_and_never_the_window():
    network = build("monai:UNet").eval()
    sizes = Sizes(network, 2, (32, 24))
    others = list(sizes.list_others(sizes.multiple))
    assert len(others) >= 4
    assert (32, 24) not in others
    assert any(height > width for height, width in others)
    assert any(height < width for height, width in others)
    assert {side % 4 for side in itertools.chain(*others)} == {0}
    with torch.no_grad():
        assert [tuple(network(torch.zeros(1, 2, *size)).shape[2:]) for size in others] == others


def test_the_network_is_left_as_it_was():
    network = nn.Sequential(nn.Conv2d(2, 1, 3, padding=1)).train()
    Sizes(network, 2, (8, 8))
    assert network.training
    assert next(network.parameters()).device.type == "cpu"
