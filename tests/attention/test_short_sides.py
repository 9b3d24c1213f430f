"""Gates where an axis has one, two or three elements: one slice of a volume, a strip of an image."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from focalseg.attention import GATES
from focalseg.attention.focal_site import AttentionSite
from focalseg.attention.gate import Gate, SiteShape

CHANNELS, GATING_CHANNELS = 6, 10
WITH_SIGNAL = [kind for kind, gate in GATES.items() if gate.needs_gating_signal]
SHORT = [
    size for axes in (1, 2, 3) for size in itertools.product((1, 2, 3, 8), repeat=axes) if min(size) < 8 and size.count(8) < 2
]


def build(kind: str, size: tuple[int, ...], stride: tuple[int, ...], *, built_for: int = 16) -> tuple[Gate, Tensor, Tensor]:
    """A gate that was made for large images, with features of a short size and the signal that a host makes of them."""
    torch.manual_seed(0)
    shape = SiteShape(channels=CHANNELS, size=(built_for,) * len(size), gating_channels=GATING_CHANNELS, gating_stride=stride)
    gate = GATES[kind].for_site(shape)
    coarse = [-(-n // step) for n, step in zip(size, stride, strict=True)]
    return gate, torch.randn(2, CHANNELS, *size), torch.randn(2, GATING_CHANNELS, *coarse)


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_every_gate_runs_and_at_gamma_zero_is_the_host_however_short_a_side(kind: str, stride: int) -> None:
    for size in SHORT:
        gate, features, signal = build(kind, size, (stride,) * len(size))
        features.requires_grad_()
        log_coefficients = gate(features, signal)
        assert torch.broadcast_shapes(log_coefficients.shape, features.shape) == features.shape, size
        assert torch.isfinite(log_coefficients).all(), size
        assert (log_coefficients <= 0).all(), size
        log_coefficients.sum().backward()
        assert features.grad is not None, size
        assert torch.isfinite(features.grad).all(), size
        assert torch.equal(AttentionSite(gate, gamma=0.0)(features, signal), features), size


@pytest.mark.parametrize("stride", [2, 3, 4])
@pytest.mark.parametrize("size", [(1,), (1, 9), (9, 1), (1, 1), (2, 9), (1, 8, 9), (8, 2, 9), (3, 1, 9)], ids=str)
@pytest.mark.parametrize("kind", WITH_SIGNAL)
def test_an_axis_shorter_than_the_stride_is_read_as_if_its_last_element_went_on(
    kind: str, size: tuple[int, ...], stride: int, published: Callable[..., np.ndarray]
) -> None:
    gate, features, signal = build(kind, size, (stride,) * len(size))
    wanted = [(0, max(stride - n, 0)) for n in size]
    continued = torch.tensor(np.pad(features.numpy(), [(0, 0), (0, 0), *wanted], mode="edge"))
    there = (..., *[slice(0, n) for n in size])
    given = gate(features, signal)
    assert torch.allclose(given, gate(continued, signal)[there], rtol=1e-5, atol=1e-6)
    expected = np.log(published(kind, gate, continued, signal, stride=stride))[there]
    assert np.abs(given.detach().numpy() - expected).max() <= 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize("kind", WITH_SIGNAL)
def test_one_slice_gets_the_coefficients_of_a_volume_of_that_slice_twice(kind: str) -> None:
    gate, features, signal = build(kind, (1, 9, 8), (2, 2, 2))
    twice = gate(features.repeat(1, 1, 2, 1, 1), signal)
    assert torch.allclose(gate(features, signal), twice[:, :, :1], rtol=1e-5, atol=1e-6)
    assert torch.allclose(twice[:, :, :1], twice[:, :, 1:], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", WITH_SIGNAL)
def test_a_gate_that_was_built_for_one_slice_takes_more_of_them(kind: str) -> None:
    torch.manual_seed(0)
    shape = SiteShape(channels=CHANNELS, size=(1, 8), gating_channels=GATING_CHANNELS, gating_stride=(1, 2))
    gate = GATES[kind].for_site(shape)
    for size, coarse in (((1, 8), (1, 4)), ((1, 1), (1, 1)), ((4, 8), (2, 4)), ((5, 7), (3, 4))):
        assert torch.isfinite(gate(torch.randn(2, CHANNELS, *size), torch.randn(2, GATING_CHANNELS, *coarse))).all()
