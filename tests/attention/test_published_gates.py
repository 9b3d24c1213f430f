"""What single gates promise: sizes that their papers fix, and agreement with the modules of MONAI and timm at equal weights."""

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from focalseg.attention import GATES
from focalseg.attention.focal_site import AttentionSite
from focalseg.attention.gate import Gate, SiteShape
from oracles.gates import timm_cbam

GateCase = tuple[Gate, Tensor, Tensor | None]
BuildGateCase = Callable[..., GateCase]


def count_weights(kind: str, **shape: object) -> int:
    return sum(weight.numel() for weight in GATES[kind].for_site(SiteShape(**shape)).parameters())


@pytest.mark.parametrize(("channels", "hidden"), [(1, 4), (6, 4), (64, 4), (80, 5), (512, 32)])
def test_squeeze_and_excitation_has_a_sixteenth_of_the_channels_hidden_and_at_least_four(channels: int, hidden: int) -> None:
    assert count_weights("se", channels=channels, size=(8, 8)) == 2 * channels * hidden + hidden + channels


@pytest.mark.parametrize(("channels", "hidden"), [(1, 4), (8, 4), (10, 5), (64, 32)])
def test_an_attention_gate_has_half_of_the_channels_hidden_and_at_least_four(channels: int, hidden: int) -> None:
    given = count_weights("ag", channels=channels, size=(8, 8), gating_channels=3, gating_stride=(2, 2))
    assert given == 4 * channels * hidden + 3 * hidden + hidden + hidden + 1


@pytest.mark.parametrize(("channels", "hidden"), [(1, 4), (8, 4), (10, 5), (64, 32)])
def test_the_channel_part_of_the_concurrent_gate_has_half_of_the_channels_hidden_and_at_least_four(
    channels: int, hidden: int
) -> None:
    assert count_weights("scse", channels=channels, size=(8, 8)) == 2 * channels * hidden + hidden + channels + channels + 1


@pytest.mark.parametrize(
    ("channels", "kernel_size"), [(1, 3), (2, 3), (8, 3), (16, 3), (32, 3), (64, 3), (128, 5), (256, 5), (512, 5), (2048, 7)]
)
def test_the_kernel_of_efficient_channel_attention_grows_with_the_logarithm_of_the_channels(
    channels: int, kernel_size: int
) -> None:
    # (log2 C + 1) / 2 is 3.5 at 64 channels, 4 at 128, 4.5 at 256, 5 at 512 and 6 at 2048.
    assert count_weights("eca", channels=channels, size=(8, 8)) == kernel_size


@pytest.mark.parametrize("spatial_dims", [1, 2, 3])
def test_a_spatial_gate_is_seven_wide_along_every_axis(spatial_dims: int) -> None:
    assert count_weights("spatial", channels=5, size=(8,) * spatial_dims) == 2 * 7**spatial_dims + 1


def test_a_spatial_gate_is_the_same_for_the_channels_in_any_order(build_gate_case: BuildGateCase) -> None:
    gate, features, _ = build_gate_case("spatial", (5, 7))
    assert torch.allclose(gate(features.flip(1)), gate(features), atol=1e-5)


@pytest.mark.parametrize(
    ("channels", "size", "along", "across"),
    [
        (4, (8, 8), 1, 1 * 1),  # log2(4 / 2) + 1/2 = 1.5 for channels and the 4 rows of q
        (16, (16, 16), 3, 3 * 3),  # 3.5 -> 3; log2(8 / 2) + 1/2 = 2.5 -> 2 -> 3
        (32, (64, 64), 5, 5 * 5),  # 4.5 -> 4 -> 5; 32 rows likewise
        (256, (256, 16), 7, 7 * 3),  # 7.5 -> 7; 128 rows 6.5 -> 6 -> 7; 8 columns 2.5 -> 2 -> 3
        (1, (2, 2, 2), 1, 1),  # |log2(1 / 2) + 1/2| = 0.5 -> 0 -> 1
    ],
)
def test_the_kernels_of_a_focus_gate_grow_with_the_logarithm_of_channels_and_rows(
    channels: int, size: tuple[int, ...], along: int, across: int
) -> None:
    given = count_weights("focus", channels=channels, size=size, gating_channels=2, gating_stride=(2,) * len(size))
    assert given == channels**2 + 2 * channels + channels + along + across


@pytest.mark.parametrize("shut", ["channel", "spatial"])
def test_the_focus_gate_keeps_its_two_parts_apart(build_gate_case: BuildGateCase, shut: str) -> None:
    gate, features, signal = build_gate_case("focus", (5, 7))
    with torch.no_grad():
        getattr(gate, shut).weight.zero_()
    coefficients = gate(features, signal).exp().detach()
    along_the_other = coefficients[:, :, :1, :1] if shut == "spatial" else coefficients[:, :1]
    assert torch.allclose(coefficients, along_the_other.expand_as(coefficients))
    assert coefficients.max() <= 0.5  # a sigmoid of 0, times a coefficient


def test_the_concurrent_gate_is_half_of_the_published_sum(build_gate_case: BuildGateCase) -> None:
    gate, features, _ = build_gate_case("scse", (5, 7))
    channel, spatial = (logit.sigmoid() for logit in gate.compute_logits(features))
    published = features * channel + features * spatial
    assert torch.allclose(AttentionSite(gate)(features), published / 2, atol=1e-6)


@pytest.mark.parametrize("rounding", [0.0, 1e-7])
def test_the_concurrent_gate_never_rounds_to_more_than_open(
    build_gate_case: BuildGateCase, monkeypatch: pytest.MonkeyPatch, rounding: float
) -> None:
    gate, *_ = build_gate_case("scse", (4, 4))
    exact = torch.logaddexp
    monkeypatch.setattr(torch, "logaddexp", lambda one, other: exact(one, other) + rounding)  # as a device may round it
    for dtype in (torch.float32, torch.float64):
        logs = torch.cat([torch.zeros(1), -torch.logspace(-30, 1, 400)]).to(dtype)
        combined = gate.combine((logs, logs))
        assert (combined <= 0).all()
        assert torch.allclose(combined, logs, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(9,), (6, 5), (4, 3, 5)], ids=str)
def test_squeeze_and_excitation_is_monais_at_equal_weights(size: tuple[int, ...]) -> None:
    blocks = pytest.importorskip("monai.networks.blocks")
    torch.manual_seed(0)
    theirs = blocks.ChannelSELayer(len(size), 64, r=16)
    gate = GATES["se"].for_site(SiteShape(channels=64, size=size))
    load(gate, {"squeeze": theirs.fc[0], "excite": theirs.fc[2]})
    features = torch.randn(2, 64, *size)
    coefficients = theirs.fc(features.flatten(2).mean(dim=2))
    assert (gate(features).exp().flatten(1) - coefficients).abs().max() <= 1e-6
    assert (AttentionSite(gate)(features) - theirs(features)).abs().max() <= 1e-6


@pytest.mark.parametrize("size", [(9,), (6, 5), (4, 3, 5)], ids=str)
def test_an_attention_gate_without_a_stride_is_monais_without_its_norms(size: tuple[int, ...]) -> None:
    attentionunet = pytest.importorskip("monai.networks.nets.attentionunet")
    torch.manual_seed(0)
    theirs = attentionunet.AttentionBlock(len(size), f_int=8, f_g=10, f_l=16)
    for part in (theirs.W_g, theirs.W_x, theirs.psi):
        part[1] = nn.Identity()
    nn.init.zeros_(theirs.W_x[0].conv.bias)
    shape = SiteShape(channels=16, size=size, gating_channels=10, gating_stride=(1,) * len(size))
    gate = GATES["ag"].for_site(shape)
    load(gate, {"project_signal": theirs.W_g[0].conv, "score": theirs.psi[0].conv})
    with torch.no_grad():
        gate.project_features.weight.copy_(theirs.W_x[0].conv.weight)
    features, signal = torch.randn(2, 16, *size), torch.randn(2, 10, *size)
    assert (AttentionSite(gate)(features, signal) - theirs(signal, features)).abs().max() <= 1e-6
    coefficients = theirs.psi((theirs.W_g(signal) + theirs.W_x(features)).relu())
    assert (gate(features, signal).exp() - coefficients).abs().max() <= 1e-6


def load(gate: Gate, layers: dict[str, nn.Module]) -> None:
    for name, layer in layers.items():
        gate.get_submodule(name).load_state_dict(copy.deepcopy(layer.state_dict()))


def test_cbam_is_timms_at_inference_with_the_norm_folded_into_its_convolution() -> None:
    random = np.random.default_rng(0)
    channels, hidden = 64, 4
    fc1, fc2 = random.normal(size=(hidden, channels)) / 4, random.normal(size=(channels, hidden))
    kernel = random.normal(size=(1, 2, 7, 7)) / 3
    norm = {"mean": 0.2, "variance": 1.7, "scale": 0.8, "shift": -0.3}
    features = random.normal(size=(2, channels, 9, 6))
    gate = GATES["cbam"].for_site(SiteShape(channels=channels, size=(9, 6))).double()
    factor = norm["scale"] / np.sqrt(norm["variance"] + 1e-5)
    with torch.no_grad():
        for weight, value in (
            (gate.channel.squeeze.weight, fc1),
            (gate.channel.excite.weight, fc2),
            (gate.channel.squeeze.bias, np.zeros(hidden)),
            (gate.channel.excite.bias, np.zeros(channels)),
            (gate.spatial.convolution.weight, kernel * factor),
            (gate.spatial.convolution.bias, np.array([norm["shift"] - norm["mean"] * factor])),
        ):
            weight.copy_(torch.as_tensor(value))
    expected = timm_cbam(fc1, fc2, kernel, norm, features)
    given = AttentionSite(gate)(torch.as_tensor(features)).detach().numpy()
    assert np.abs(given - expected).max() <= 1e-12
    given = AttentionSite(gate).float()(torch.as_tensor(features).float()).detach().numpy()
    assert np.abs(given - expected).max() <= 1e-6 * np.abs(features).max()


def test_the_log_coefficients_of_cbam_do_not_depend_on_gamma(build_gate_case: BuildGateCase) -> None:
    gate, features, _ = build_gate_case("cbam", (5, 7))
    once = AttentionSite(gate, gamma=1.0).compute_coefficients(features)
    twice = AttentionSite(gate, gamma=2.0).compute_coefficients(features)
    assert torch.allclose(twice, once.square(), atol=1e-6)


def test_the_spatial_part_of_cbam_sees_the_features_that_its_channel_part_lets_through(build_gate_case: BuildGateCase) -> None:
    gate, features, _ = build_gate_case("cbam", (5, 7))
    with torch.no_grad():
        gate.channel.excite.weight.zero_()
        gate.channel.excite.bias.fill_(-50.0)  # twice, for the mean and for the maximum: shut
        channel, spatial = gate.compute_logits(features)
        assert torch.allclose(channel, torch.full_like(channel, -100.0))
        assert torch.allclose(spatial, gate.spatial.convolution.bias.reshape(1, 1, 1, 1).expand_as(spatial))
