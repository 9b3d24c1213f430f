"""nnU-Net's networks: where their sites lie, how they are built by name, and what is said where that cannot be."""

import builtins
import sys
from typing import Any

import pytest
import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet
from torch import nn

from focalseg.errors import SettingError
from focalseg.hosts.building import NetworkConfig, build_host, plan_arguments
from focalseg.hosts.finding import sites
from focalseg.hosts.instrument import instrument
from focalseg.hosts.libraries.nnunet import build_nnunet, choose_image_shape, is_nnunet, without_deep_supervision
from focalseg.hosts.libraries.plans import NNUNET_NETWORKS
from nnunet.architectures import KINDS, SIZES, build_as_nnunet, describe

EVERY = pytest.mark.parametrize(("kind", "axes"), [(kind, axes) for kind in KINDS for axes in SIZES])


class Derived(PlainConvUNet):
    """A network that a person derived."""


@EVERY
@pytest.mark.parametrize("deep_supervision", [False, True])
def test_its_sites_have_the_names_of_ours_and_lie_where_the_features_of_each_level_pass(
    kind: str, axes: int, deep_supervision: bool
) -> None:
    network = build_as_nnunet(describe(kind, axes), deep_supervision=deep_supervision)
    found = {site.name: site for site in sites(network, (2, *SIZES[axes]))}
    levels = range(3)
    assert list(found) == [
        *(f"encoder.{level}" for level in levels),
        "bottleneck",
        *(f"skip.{level}" for level in levels),
        *(f"decoder.{level}" for level in levels),
    ]
    passed: dict[str, torch.Size] = {}
    for level, stage in enumerate(network.encoder.stages):
        name = f"encoder.{level}" if level < 3 else "bottleneck"
        stage.register_forward_hook(lambda _module, _arguments, output, name=name: passed.update({name: output.shape}))
    network(torch.zeros(1, 2, *SIZES[axes]))
    for name, shape in passed.items():
        assert (found[name].shape.channels, *found[name].shape.size) == shape[1:]
    for level in levels:
        skip, finer = found[f"skip.{level}"].shape, found[f"encoder.{level}"].shape
        below = found["bottleneck" if level == 2 else f"encoder.{level + 1}"].shape
        assert (skip.channels, skip.size) == (finer.channels, finer.size)
        assert skip.gating_channels == below.channels
        assert skip.gating_stride == tuple(large // small for large, small in zip(finer.size, below.size, strict=True))
        assert found[f"decoder.{level}"].shape.size == finer.size


@EVERY
def test_a_skip_is_the_part_that_comes_from_the_encoder(kind: str, axes: int) -> None:
    """The first stage of the encoder made all zeros, from which skip.0 alone is fed, leaves zeros there and nowhere else."""
    network = build_as_nnunet(describe(kind, axes)).eval()
    joined: list[torch.Tensor] = []
    network.encoder.stages[0].register_forward_hook(lambda _module, _arguments, output: torch.zeros_like(output))
    network.decoder.stages[-1].register_forward_pre_hook(lambda _module, arguments: joined.append(arguments[0]))
    nn.init.ones_(network.decoder.transpconvs[-1].bias)
    network(torch.randn(1, 2, *SIZES[axes]))
    channels = network.decoder.transpconvs[-1].out_channels
    assert not joined[0][:, channels:].any()
    assert joined[0][:, :channels].any()
    assert f"[{channels}:]" in next(site for site in sites(network) if site.name == "skip.0").features


def test_a_network_that_is_deeper_than_the_usual_image_is_large_finds_its_sites_as_well() -> None:
    levels = 9
    strides = [[1, 1], [3, 2], *[[2, 2]] * (levels - 2)]
    network = build_as_nnunet(
        describe("PlainConvUNet", 2, levels=levels)
        | {
            "arch_kwargs": describe("PlainConvUNet", 2, levels=levels)["arch_kwargs"]
            | {"strides": strides, "kernel_sizes": [[3, 3]] * levels, "features_per_stage": [4] * levels}
        }
    )
    assert choose_image_shape(network) == (2, 768, 512)
    assert {site.name: site.shape.size for site in sites(network)}["bottleneck"] == (2, 2)


def test_a_derived_network_is_of_the_family_and_one_that_bears_the_name_alone_is_not() -> None:
    arguments = {"conv_op": nn.Conv2d, "norm_op": nn.InstanceNorm2d, "nonlin": nn.ReLU}
    network = Derived(2, num_classes=1, **NNUNET_NETWORKS["PlainConvUNet"]((4, 8)), **arguments)
    assert [site.name for site in sites(network)] == ["encoder.0", "bottleneck", "skip.0", "decoder.0"]
    assert not is_nnunet(type("PlainConvUNet", (nn.Module,), {})())


@pytest.mark.parametrize("name", list(NNUNET_NETWORKS))
@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("widths", [(4, 8), (4, 6, 8, 12)])
def test_a_plan_builds_and_makes_logits_of_the_size_of_the_image(name: str, axes: int, widths: tuple[int, ...]) -> None:
    arguments = plan_arguments(f"nnunet:{name}", widths=widths)
    assert arguments == NNUNET_NETWORKS[name](widths)
    config = NetworkConfig(name=f"nnunet:{name}", spatial_dims=axes, in_channels=2, classes=3, arguments=arguments)
    assert config.built_in
    with torch.device("meta"):
        network = build_host(config)
        assert network(torch.zeros(1, 2, *(32,) * axes)).shape == (1, 3, *(32,) * axes)
    assert tuple(network.encoder.output_channels) == widths


def test_it_starts_as_nnunet_starts_it() -> None:
    """He et al. 2015 with a slope of 0.01, biases 0, and the last norm of a residual block 0."""
    arguments = plan_arguments("nnunet:ResidualEncoderUNet", widths=(16, 32))
    torch.manual_seed(0)
    network = build_host(NetworkConfig(name="nnunet:ResidualEncoderUNet", arguments=arguments))
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.weight.numel() > 4000:
            expected = (2 / (1 + 0.01**2) / module.weight[0].numel()) ** 0.5
            assert float(module.weight.detach().std()) == pytest.approx(expected, rel=0.06)
            assert module.bias is not None
            assert not module.bias.any()
    assert not network.encoder.stages[0].blocks[0].conv2.norm.weight.any()


def test_layers_are_named_as_in_plans_and_no_name_from_elsewhere_is_imported() -> None:
    arguments = plan_arguments("nnunet:ResidualEncoderUNet", widths=(4, 8))
    given = {
        "norm_op": "torch.nn.modules.batchnorm.BatchNorm2d",
        "norm_op_kwargs": {},
        "nonlin": "torch.nn.ReLU",
        "nonlin_kwargs": {},
        "block": "dynamic_network_architectures.building_blocks.residual.BottleneckD",
        "bottleneck_channels": 2,
    }
    network = build_nnunet("ResidualEncoderUNet", spatial_dims=2, in_channels=1, classes=1, arguments={**arguments, **given})
    kinds = {type(module).__name__ for module in network.modules()}
    assert {"BatchNorm2d", "ReLU", "BottleneckD"} <= kinds
    assert not {"InstanceNorm2d", "LeakyReLU", "BasicBlockD"} & kinds
    for name, value in (("nonlin", "os.system"), ("block", "os.BasicBlockD"), ("colour", "torch.nn.ReLU")):
        with pytest.raises(SettingError) as raised:
            build_host(NetworkConfig(name="nnunet:ResidualEncoderUNet", arguments={**arguments, name: value}))
        assert str(raised.value) == (
            f"{name} was {value!r}; expected a layer of torch, such as 'torch.nn.LeakyReLU', or for block one of "
            f"BasicBlockD and "
            "BottleneckD of dynamic_network_architectures."
        )


def test_a_network_that_refuses_its_arguments_is_an_error_with_what_it_said() -> None:
    arguments = {**plan_arguments("nnunet:PlainConvUNet", widths=(4, 8)), "n_stages": 3}
    with pytest.raises(SettingError) as raised:
        build_host(NetworkConfig(name="nnunet:PlainConvUNet", arguments=arguments))
    assert str(raised.value).startswith("nnunet:PlainConvUNet refuses {'n_stages': 3, ")
    assert str(raised.value).endswith(". Mend network.arguments.")


def test_without_the_library_the_error_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *arguments: Any) -> Any:
        if name.startswith("dynamic_network_architectures"):
            raise ImportError(name)
        return real(name, *arguments)

    for name in [name for name in sys.modules if name.partition(".")[0] == "dynamic_network_architectures"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(SettingError) as raised:
        build_host(NetworkConfig(name="nnunet:PlainConvUNet", arguments=plan_arguments("nnunet:PlainConvUNet", widths=(4, 8))))
    assert str(raised.value).startswith(
        "The network nnunet:PlainConvUNet needs dynamic-network-architectures; install it with `pip install focalseg[nnunet]` ("
    )


@pytest.mark.parametrize("deep_supervision", [False, True])
def test_deep_supervision_is_off_for_a_while_and_then_as_it_was(deep_supervision: bool) -> None:
    network = build_as_nnunet(describe("PlainConvUNet", 2), deep_supervision=deep_supervision)
    instrument(network)
    with without_deep_supervision(network):
        assert isinstance(network(torch.zeros(1, 2, *SIZES[2])), torch.Tensor)
    assert network.decoder.deep_supervision is deep_supervision
    other = nn.Linear(1, 1)
    with without_deep_supervision(other):
        assert not hasattr(other, "decoder")
