"""A site against NumPy: the host at gamma 0, the published module at gamma 1, a shut path at large gamma."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from focalseg.attention.focal_site import AttentionSite, ShutSite
from focalseg.attention.gate import Gate, SiteShape
from focalseg.errors import SettingError, ShapeError

GateCase = tuple[Gate, Tensor, Tensor | None]
BuildGateCase = Callable[..., GateCase]
Published = Callable[..., np.ndarray]


def test_a_site_with_gamma_zero_is_the_host_to_the_bit(gate_case: GateCase) -> None:
    gate, drawn, signal = gate_case
    for dtype in (torch.float32, torch.bfloat16, torch.float16, torch.float64):
        features = drawn.to(dtype)
        passed = AttentionSite(gate, gamma=0.0).to(dtype)(features, None if signal is None else signal.to(dtype))
        assert passed.dtype == dtype
        assert torch.equal(passed, features)


def test_a_site_with_gamma_zero_hands_the_gradient_through_to_the_bit(gate_case: GateCase) -> None:
    gate, features, signal = gate_case
    features.requires_grad_()
    above = torch.randn_like(features)
    AttentionSite(gate, gamma=0.0)(features, signal).backward(above)
    assert features.grad is not None
    assert torch.equal(features.grad, above)
    assert all(weight.grad is not None and not weight.grad.any() for weight in gate.parameters())


def test_a_site_with_gamma_zero_is_the_host_under_autocast(gate_case: GateCase) -> None:
    gate, features, signal = gate_case
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(AttentionSite(gate, gamma=0.0)(features, signal), features)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
def test_a_site_with_gamma_one_is_the_published_module(
    gate_case: GateCase, kind: str, published: Published, dtype: torch.dtype, tolerance: float
) -> None:
    gate, features, signal = gate_case
    expected = features.double().numpy() * published(kind, gate, features, signal)
    passed = AttentionSite(gate).to(dtype)(features.to(dtype), None if signal is None else signal.to(dtype))
    assert np.abs(passed.detach().double().numpy() - expected).max() <= tolerance * np.abs(expected).max()


@pytest.mark.parametrize("gamma", [0.1, 0.5, 2.0, 7.5])
def test_a_site_multiplies_by_the_coefficients_to_the_power_gamma(
    build_gate_case: BuildGateCase, published: Published, kind: str, gamma: float
) -> None:
    gate, features, signal = build_gate_case(kind, (5, 7))
    expected = features.double().numpy() * published(kind, gate, features, signal) ** gamma
    passed = AttentionSite(gate, gamma=gamma)(features, signal).detach().double().numpy()
    assert np.abs(passed - expected).max() <= 1e-6 * np.abs(expected).max()


def test_a_large_gamma_shuts_the_path(gate_case: GateCase) -> None:
    gate, features, signal = gate_case
    with torch.no_grad():
        log_coefficients = gate(features, signal)
    assert log_coefficients.max() < 0
    assert not AttentionSite(gate, gamma=1e6 / float(-log_coefficients.max()))(features, signal).any()


def test_a_larger_gamma_never_lets_more_through(gate_case: GateCase) -> None:
    gate, features, signal = gate_case
    passed = [AttentionSite(gate, gamma=gamma)(features, signal).abs() for gamma in (0.0, 0.5, 1.0, 2.0)]
    for less, more in zip(passed[1:], passed, strict=False):
        assert (less <= more).all()
        assert less.sum() < more.sum()


@pytest.mark.parametrize("gamma", [0.0, 1.0])
def test_the_gradient_of_gamma_is_alive_at_zero_and_one(
    build_gate_case: BuildGateCase, published: Published, kind: str, gamma: float
) -> None:
    gate, features, signal = build_gate_case(kind, (5, 7))
    applied = published(kind, gate, features, signal)
    site = AttentionSite(gate, gamma=gamma)
    site(features, signal).square().sum().backward()
    x = features.double().numpy()
    expected = (2 * x**2 * applied ** (2 * gamma) * np.log(applied)).sum()
    assert site.gamma.grad is not None
    assert site.gamma.grad.item() == pytest.approx(expected, rel=1e-5)
    assert expected < 0


@pytest.mark.parametrize("standardised", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_values_and_gradients_are_finite_where_a_gate_is_wide_open_or_shut(
    build_gate_case: BuildGateCase, alter_logits: Callable[..., Gate], kind: str, dtype: torch.dtype, standardised: bool
) -> None:
    for logit in (-1e4, 1e4):
        for gamma in (0.0, 0.1, 1.0, 4.0):
            gate, features, signal = build_gate_case(kind, (5, 7))
            gate.standardise = standardised
            site = AttentionSite(alter_logits(gate, lambda given, logit=logit: given + logit), gamma=gamma).to(dtype)
            features = features.to(dtype).requires_grad_()
            site(features, None if signal is None else signal.to(dtype)).float().square().mean().backward()
            gradients = [features.grad, *(weight.grad for weight in site.parameters())]
            assert all(gradient is not None and torch.isfinite(gradient).all() for gradient in gradients)


def test_the_output_keeps_the_dtype_of_the_features_and_the_features_are_not_edited(gate_case: GateCase) -> None:
    gate, features, signal = gate_case
    before = features.clone()
    site = AttentionSite(gate)
    passed = site(features, signal)
    assert (passed.dtype, passed.shape) == (features.dtype, features.shape)
    assert torch.equal(features, before)
    assert site.to(torch.bfloat16).compute_coefficients(
        features.bfloat16(), None if signal is None else signal.bfloat16()
    ).dtype == (torch.float32)


def test_a_removed_site_multiplies_by_its_constant_and_asks_no_gate(kind: str, build_gate_case: BuildGateCase) -> None:
    gate, features, signal = build_gate_case(kind, (5, 7))
    site = AttentionSite(gate)
    site.stand_in = torch.tensor(0.25)
    assert torch.equal(site(features, signal), features * 0.25)
    assert torch.equal(site(features), features * 0.25)
    site.stand_in = None
    assert not torch.equal(site(features, signal), features * 0.25)


def test_gamma_is_one_learnable_scalar_that_starts_at_one(build_gate_case: BuildGateCase) -> None:
    site = AttentionSite(build_gate_case("se", (5, 7))[0])
    assert isinstance(site.gamma, nn.Parameter)
    assert site.gamma.shape == ()
    assert site.gamma.item() == 1.0
    assert "gamma" in site.state_dict()


@pytest.mark.parametrize("gamma", [-1e-6, -1.0, float("nan"), float("-inf")])
def test_a_gamma_below_zero_or_not_a_number_is_refused(build_gate_case: BuildGateCase, gamma: float) -> None:
    with pytest.raises(SettingError) as raised:
        AttentionSite(build_gate_case("se", (8,))[0], gamma=gamma)
    assert str(raised.value) == f"gamma was {gamma}; the focal exponent of a site is a finite number >= 0."


def test_a_gate_whose_answer_has_other_axes_than_the_features_is_named() -> None:
    class Flat(Gate):
        @classmethod
        def for_site(cls, shape: SiteShape) -> "Flat":  # noqa: ARG003
            return cls()

        def compute_logits(self, features: Tensor, gating_signal: Tensor | None = None) -> tuple[Tensor, ...]:  # noqa: ARG002
            return (features.flatten(2).mean(dim=2),)

    with pytest.raises(ShapeError) as raised:
        AttentionSite(Flat())(torch.randn(2, 3, 4, 4))
    assert str(raised.value) == (
        "Flat gave log-coefficients (2, 3) for features (2, 3, 4, 4); a gate returns a shape that broadcasts to its features."
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("shape", [(2, 3, 5), (2, 3, 5, 4), (2, 3, 5, 4, 2)])
def test_where_a_skip_is_shut_zeros_pass_whatever_came(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    features = torch.randn(shape).to(dtype)
    features[0, 0] = torch.inf
    features[1, 1] = torch.nan
    passed = ShutSite()(features)
    assert torch.equal(passed, torch.zeros(shape, dtype=dtype))
    assert not list(ShutSite().parameters())


def test_where_a_skip_was_added_to_others_and_is_shut_the_others_pass() -> None:
    skip, others = torch.full((1, 2, 4, 4), 1e8), torch.randn(1, 2, 4, 4)
    assert torch.equal(ShutSite()(skip + others, others), others)
    assert ShutSite()((skip + others).double(), others).dtype == torch.float64


def test_a_disabled_site_that_shuts_a_skip_lets_it_pass() -> None:
    site, features = ShutSite(), torch.randn(1, 2, 4, 4)
    site.enabled = False
    assert site(features) is features
