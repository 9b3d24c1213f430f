"""Putting gates in: everywhere they fit, nothing else touched, and the host to the bit while every gamma is 0."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from focalseg.attention import GATES
from focalseg.catalogue import unknown_name_message
from focalseg.errors import SettingError, SiteError
from focalseg.hosts import attachment
from focalseg.hosts.attachment import attention_sites
from focalseg.hosts.finding import sites
from focalseg.hosts.gammas import gamma_parameters
from focalseg.hosts.instrument import fill_sites, instrument
from focalseg.hosts.presence.container import CONTAINER
from focalseg.hosts.presence.hooking import hook
from focalseg.networks.unet import UNet
from hosts.host_table import describe_unknown_family

pytestmark = pytest.mark.slow

BuildUNet = Callable[..., UNet]
DrawImages = Callable[..., torch.Tensor]
LookAt = Callable[[nn.Module], Any]
STAGES = ["encoder.0", "encoder.1", "bottleneck", "decoder.0", "decoder.1"]
SKIPS = ["skip.0", "skip.1"]
NAMES = ["encoder.0", "encoder.1", "bottleneck", "skip.0", "skip.1", "decoder.0", "decoder.1"]


def sharpen(network: nn.Module) -> None:
    """Gates with coefficients far from constant, so that what they do shows."""
    with torch.no_grad():
        for site in attention_sites(network).values():
            for weight in site.gate.parameters():
                weight.mul_(4)


def instrumented_at_zero(plain: UNet) -> UNet:
    """A copy with every site filled and every gamma 0."""
    network = copy.deepcopy(plain)
    instrument(network)
    sharpen(network)
    for gamma in gamma_parameters(network):
        nn.init.zeros_(gamma)
    return network


def host_gradients(network: UNet, images: torch.Tensor, names: list[str]) -> dict[str, torch.Tensor]:
    network.zero_grad()
    network(images).square().sum().backward()
    weights = dict(network.named_parameters())
    return {name: weights[name].grad for name in names}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("norm", ["batch", "instance", "group"])
@pytest.mark.parametrize("spatial_dims", [1, 2, 3])
def test_a_unet_with_every_site_filled_and_every_gamma_zero_is_the_plain_unet_to_the_bit(
    build_unet: BuildUNet, draw_images: DrawImages, spatial_dims: int, norm: str, training: bool
) -> None:
    plain, images = build_unet(spatial_dims, norm=norm).train(training), draw_images(spatial_dims)
    network = instrumented_at_zero(plain).train(training)
    assert len(attention_sites(network)) == len(sites(network))
    assert torch.equal(network(images), plain(images))
    names = [name for name, _ in plain.named_parameters()]
    expected, gradients = host_gradients(plain, images, names), host_gradients(network, images, names)
    assert [name for name in names if not torch.equal(gradients[name], expected[name])] == []
    assert [name for name in names if not expected[name].any()] == []
    state = network.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in plain.state_dict().items())


@pytest.mark.parametrize("spatial_dims", [1, 2, 3])
def test_it_is_the_plain_unet_in_bfloat16_too(build_unet: BuildUNet, draw_images: DrawImages, spatial_dims: int) -> None:
    plain, images = build_unet(spatial_dims), draw_images(spatial_dims).bfloat16()
    network = instrumented_at_zero(plain).bfloat16()
    assert torch.equal(network(images), plain.bfloat16()(images))


def test_a_gamma_other_than_zero_anywhere_is_not_the_plain_unet(build_unet: BuildUNet, draw_images: DrawImages) -> None:
    plain, images = build_unet().eval(), draw_images()
    network = instrumented_at_zero(plain).eval()
    for name, site in attention_sites(network).items():
        nn.init.ones_(site.gamma)
        assert not torch.equal(network(images), plain(images)), name
        nn.init.zeros_(site.gamma)


@pytest.mark.parametrize(
    ("gates", "expected"),
    [
        (("se",), dict.fromkeys(STAGES, "se")),
        (("ag",), dict.fromkeys(SKIPS, "ag")),
        (("se", "ag"), {**dict.fromkeys(STAGES, "se"), **dict.fromkeys(SKIPS, "ag")}),
        (["ag", "se"], {**dict.fromkeys(STAGES, "se"), **dict.fromkeys(SKIPS, "ag")}),
    ],
)
def test_every_site_that_a_kind_fits_is_filled_and_returned(
    build_unet: BuildUNet, gates: Any, expected: dict[str, str]
) -> None:
    network = build_unet()
    touched = instrument(network, gates=gates)
    assert {one.site: one.gate for one in touched} == expected
    assert len(touched) == len(expected)
    assert {name: type(site.gate) for name, site in attention_sites(network).items()} == {
        name: GATES[gate] for name, gate in expected.items()
    }


def test_both_kinds_are_put_in_unless_others_are_named(build_unet: BuildUNet) -> None:
    assert instrument(build_unet()) == instrument(build_unet(), gates=("se", "ag"))


def test_kinds_put_in_one_after_the_other_stand_beside_each_other(build_unet: BuildUNet) -> None:
    network = build_unet()
    instrument(network, gates=("se",))
    instrument(network, gates=("ag",))
    assert sorted(attention_sites(network)) == sorted(STAGES + SKIPS)


def test_every_exponent_is_a_trainable_parameter_named_gamma_that_starts_at_one(build_unet: BuildUNet) -> None:
    network = build_unet()
    touched = instrument(network)
    named = {name: weight for name, weight in network.named_parameters() if name.endswith("gamma")}
    assert len(named) == len(touched)
    assert {id(weight) for weight in named.values()} == {id(weight) for weight in gamma_parameters(network)}
    assert all(weight.requires_grad and weight.shape == () and weight.item() == 1.0 for weight in named.values())


def test_the_weights_and_buffers_of_the_host_are_the_same_objects_with_the_same_values(build_unet: BuildUNet) -> None:
    network = build_unet()
    before = {name: (tensor.data_ptr(), tensor.clone()) for name, tensor in network.state_dict().items()}
    objects = {name: id(weight) for name, weight in network.named_parameters()}
    instrument(network)
    after = network.state_dict()
    assert all(after[name].data_ptr() == place and torch.equal(after[name], old) for name, (place, old) in before.items())
    assert {name: id(weight) for name, weight in network.named_parameters() if name in objects} == objects
    added = set(after) - set(before)
    assert added
    assert all(name.startswith(f"{CONTAINER}.") for name in added)


def test_all_weights_of_an_instrumented_network_receive_a_gradient(build_unet: BuildUNet, draw_images: DrawImages) -> None:
    network = build_unet()
    instrument(network)
    for name, weight in network.named_parameters():
        if name.endswith("squeeze.bias"):
            nn.init.ones_(weight)  # no hidden unit of these four starts dead by chance
    network(draw_images()).square().sum().backward()
    assert [name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()] == []


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_gates_take_the_dtype_of_their_host(build_unet: BuildUNet, draw_images: DrawImages, dtype: torch.dtype) -> None:
    network = build_unet().to(dtype)
    instrument(network)
    assert network(draw_images().to(dtype)).dtype == dtype


@pytest.mark.parametrize(
    ("gates", "message"),
    [
        (("sse",), unknown_name_message("gate", "sse", GATES)),
        (("se", "none"), unknown_name_message("gate", "none", GATES)),
        ("se", f"gates was 'se'; expected one or more of {', '.join(GATES)}, such as ('se', 'ag')."),
        ((), f"gates was (); expected one or more of {', '.join(GATES)}, such as ('se', 'ag')."),
        (("se", "ag", "cbam"), "gates names 'se' and 'cbam', both for stages; expected one of them."),
        (("focus", "se", "ag"), "gates names 'focus' and 'ag', both for skips; expected one of them."),
    ],
)
def test_an_unknown_kind_or_none_is_refused_and_the_network_is_as_it_was(
    build_unet: BuildUNet, look_at: LookAt, gates: tuple[str, ...], message: str
) -> None:
    network = build_unet()
    before = look_at(network)
    with pytest.raises(SettingError) as raised:
        instrument(network, gates=gates)
    assert str(raised.value) == message
    assert look_at(network) == before


def test_attention_is_not_put_where_it_already_stands_and_the_network_is_as_it_was(
    build_unet: BuildUNet, look_at: LookAt
) -> None:
    network = build_unet()
    instrument(network, gates=("ag",))
    before = look_at(network)
    with pytest.raises(SiteError) as raised:
        instrument(network, gates=("se", "ag"))
    assert str(raised.value) == ("Attention already stands at skip.0, skip.1; take it out first or start from a plain network.")
    assert look_at(network) == before


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        (
            {"encoder.0": "se", "encoder.7": "se"},
            f"No site named 'encoder.7'; known are {', '.join(NAMES)}. Did you mean 'encoder.1'?",
        ),
        (
            {"encoder.0": "se", "bottleneck": "ag"},
            "The gate 'ag' needs a gating signal, which bottleneck does not have; put it on a skip.",
        ),
    ],
)
def test_a_layout_that_does_not_fit_is_refused_as_a_whole(
    build_unet: BuildUNet, look_at: LookAt, layout: dict[str, str], message: str
) -> None:
    network = build_unet()
    before = look_at(network)
    with pytest.raises(SiteError) as raised:
        fill_sites(network, layout)
    assert str(raised.value) == message
    assert look_at(network) == before


def test_a_layout_with_an_unknown_kind_is_refused_as_a_whole(build_unet: BuildUNet, look_at: LookAt) -> None:
    network = build_unet()
    before = look_at(network)
    with pytest.raises(SettingError) as raised:
        fill_sites(network, {"encoder.0": "se", "bottleneck": "se2"})
    assert str(raised.value) == unknown_name_message("gate", "se2", GATES)
    assert look_at(network) == before


def test_a_network_of_no_known_family_is_refused_as_it_is(look_at: LookAt) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3))
    before = look_at(network)
    with pytest.raises(SiteError) as raised:
        instrument(network)
    assert str(raised.value) == describe_unknown_family(network, stage="0", there="0")
    assert look_at(network) == before


def test_squeeze_and_excitation_may_stand_on_a_skip_when_a_layout_says_so(
    build_unet: BuildUNet, draw_images: DrawImages
) -> None:
    network = build_unet()
    assert [(one.site, one.gate) for one in fill_sites(network, {"skip.1": "se"})] == [("skip.1", "se")]
    assert network(draw_images()).shape == (2, 1, 9, 10)


def test_kinds_put_in_one_after_the_other_leave_an_own_gate_that_is_focal_already() -> None:
    monai = pytest.importorskip("monai.networks.nets")
    network = monai.AttentionUnet(spatial_dims=2, in_channels=2, out_channels=1, channels=(4, 6, 8), strides=(2, 2))
    first = instrument(network, gates=("se",))
    assert {one.site for one in first if one.gate == "own"} == {"skip.0", "skip.1"}
    with pytest.raises(SiteError, match="Attention already stands at encoder.0"):
        instrument(network, gates=("se",))
    with pytest.raises(SiteError, match=r"^No site takes ag; there are encoder\.0, .*\. Name other gates or other places\.$"):
        instrument(network, gates=("ag",))


def test_a_host_with_something_of_its_own_under_the_name_of_the_container_is_refused(look_at: LookAt) -> None:
    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv2d(2, 4, 3, padding=1)
            self.focal_attention = nn.Conv2d(4, 1, 1)

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return self.focal_attention(self.first(image))

    network = Named()
    before = look_at(network)
    with pytest.raises(SiteError) as raised:
        instrument(network, gates=("se",), candidates=sites(network, (2, 8, 8), stages=["first"]))
    assert (
        str(raised.value) == "The network has something of its own named focal_attention, where attention is kept; rename that."
    )
    assert look_at(network) == before


def test_a_stop_half_way_leaves_no_trace(build_unet: BuildUNet, look_at: LookAt, monkeypatch: pytest.MonkeyPatch) -> None:
    network = build_unet()
    before = look_at(network)
    calls = iter(range(10))

    def interrupt(*arguments: Any) -> Any:
        if next(calls) == 3:
            raise KeyboardInterrupt
        return hook(*arguments)

    monkeypatch.setattr(attachment, "hook", interrupt)
    with pytest.raises(KeyboardInterrupt):
        instrument(network)
    assert look_at(network) == before
    assert not hasattr(network, "focal_attention")


def test_weights_that_could_never_train_are_not_made(build_unet: BuildUNet) -> None:
    network = build_unet()
    with torch.inference_mode(), pytest.raises(SiteError, match=r"^Weights made under torch\.inference_mode can never train"):
        instrument(network)
    assert not hasattr(network, "focal_attention")


def test_data_parallel_is_refused(build_unet: BuildUNet) -> None:
    with pytest.raises(SiteError, match=r"use DistributedDataParallel\.$"):
        instrument(nn.DataParallel(build_unet()), candidates=sites(build_unet()))


def test_a_module_named_as_an_own_gate_must_give_coefficients() -> None:
    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv2d(2, 4, 3, padding=1)
            self.score = nn.Conv2d(4, 1, 1)
            self.sigmoid = nn.Sigmoid()

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            features = self.first(image)
            return features * self.sigmoid(self.score(features))

    assert [site.kind for site in sites(Gated(), (2, 8, 8), own_gates={"gate": "sigmoid"})] == ["own"]
    with pytest.raises(SiteError, match=r"^score was named as a gate and gives values from -.* to .*; expected coefficients"):
        sites(Gated(), (2, 8, 8), own_gates={"gate": "score"})
