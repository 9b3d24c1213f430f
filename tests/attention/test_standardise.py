"""Standardised logits: a gate's own scale and shift can no longer stand in for gamma."""

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from focalseg.attention.focal_site import AttentionSite
from focalseg.attention.gate import Gate, standardise
from oracles.gates import sigmoid_of_the_standardised

GateCase = tuple[Gate, Tensor, Tensor | None]
BuildGateCase = Callable[..., GateCase]
AlterLogits = Callable[[Gate, Callable[[Tensor], Tensor]], Gate]
CONSTANTS = [0.0, 0.3, -7.0, 1e4]


@pytest.fixture
def standardised_case(gate_case: GateCase) -> GateCase:
    gate_case[0].standardise = True
    return gate_case


def test_standardising_must_be_asked_for_adds_no_weights_and_changes_no_other_gate(
    kind: str, build_gate_case: BuildGateCase
) -> None:
    (gate, *_), (other, *_) = build_gate_case(kind, (8,)), build_gate_case(kind, (8,))
    names = list(gate.state_dict())
    assert gate.standardise is False
    gate.standardise = True
    assert list(gate.state_dict()) == names
    assert other.standardise is False


# A small spread is enlarged, and the rounding of its logits in float32 with it.
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 3e-5)])
def test_standardised_log_coefficients_are_those_of_the_standardised_logits_of_the_paper(
    standardised_case: GateCase,
    kind: str,
    published: Callable[..., np.ndarray],
    dtype: torch.dtype,
    tolerance: float,
) -> None:
    gate, features, signal = standardised_case
    expected = np.log(published(kind, gate, features, signal, squash=sigmoid_of_the_standardised))
    given = gate.to(dtype)(features.to(dtype), None if signal is None else signal.to(dtype))
    assert np.abs(given.detach().numpy() - expected).max() <= tolerance * np.abs(expected).max()


def test_neither_scale_nor_shift_of_the_logits_changes_a_standardised_gate(
    standardised_case: GateCase, alter_logits: AlterLogits
) -> None:
    gate, features, signal = standardised_case
    # What the floor of the variance leaves: a factor of the logits of at most 1e-5 / (2 variance).
    variances = [logit.flatten(1).var(dim=1, correction=0).min().item() for logit in gate.compute_logits(features, signal)]
    standardised = gate(features, signal)
    gate.standardise = False
    plain = gate(features, signal)
    for factor, shift in ((3.0, 0.0), (1.0, -4.0), (20.0, 2.5)):
        changed = alter_logits(copy.copy(gate), lambda logit, factor=factor, shift=shift: factor * logit + shift)
        assert (changed(features, signal) - plain).abs().max() > 1e-2
        changed.standardise = True
        assert (changed(features, signal) - standardised).abs().max() <= 1e-4 + 4 * 1e-5 / (2 * min(variances))


def test_scale_and_shift_of_the_channel_part_do_not_reach_the_spatial_part_of_a_standardised_cbam(
    build_gate_case: BuildGateCase,
) -> None:
    gate, features, _ = build_gate_case("cbam", (5, 7))
    for gate.standardise, changes in ((False, True), (True, False)):
        before = gate.compute_logits(features)[1]
        with torch.no_grad():
            gate.channel.excite.weight.mul_(3)
            gate.channel.excite.bias.mul_(3).add_(1.5)
        assert bool((gate.compute_logits(features)[1] - before).abs().max() > 1e-3) == changes


def test_a_standardised_gate_answers_the_features(build_gate_case: BuildGateCase, kind: str, size: tuple[int, ...]) -> None:
    gate, features, signal = build_gate_case(kind, size)
    gate.standardise = True
    assert (gate(features, signal) - gate(features.flip(0), signal)).abs().max() > 1e-2


def test_every_weight_that_shapes_a_standardised_map_receives_a_finite_gradient(standardised_case: GateCase) -> None:
    gate, features, signal = standardised_case
    (gate(features, signal) * features).sum().backward()
    assert all(weight.grad is not None and torch.isfinite(weight.grad).all() for weight in gate.parameters())
    assert all(weight.grad.any() for name, weight in gate.named_parameters() if "weight" in name)


def test_log_coefficients_are_finite_and_at_most_zero_when_standardised(standardised_case: GateCase) -> None:
    gate, features, signal = standardised_case
    for scale in (1e-6, 1.0, 1e4):
        log_coefficients = gate(features * scale, None if signal is None else signal * scale)
        assert torch.isfinite(log_coefficients).all()
        assert (log_coefficients <= 0).all()


def test_a_standardised_site_with_gamma_zero_is_the_host_to_the_bit(standardised_case: GateCase) -> None:
    gate, drawn, signal = standardised_case
    for dtype in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
        features = drawn.to(dtype)
        passed = AttentionSite(gate, gamma=0.0).to(dtype)(features, None if signal is None else signal.to(dtype))
        assert passed.dtype == dtype
        assert torch.equal(passed, features)


def test_constant_logits_become_one_half_with_finite_gradients(
    standardised_case: GateCase, alter_logits: AlterLogits, published: Callable[..., np.ndarray], kind: str
) -> None:
    gate, features, signal = standardised_case
    expected = published(kind, gate, features, signal, squash=lambda logit: np.full_like(logit, 0.5))
    for constant in CONSTANTS:
        level = alter_logits(copy.copy(gate), lambda logit, constant=constant: logit * 0 + constant)
        log_coefficients = level(features, signal)
        assert np.allclose(log_coefficients.detach().exp().numpy(), expected, atol=1e-4)
        level.zero_grad()
        (log_coefficients * features).sum().backward()
        assert all(weight.grad is None or torch.isfinite(weight.grad).all() for weight in level.parameters())


def test_a_single_channel_and_a_single_pixel_become_one_half(
    kind: str, build_gate_case: BuildGateCase, published: Callable[..., np.ndarray]
) -> None:
    gate, features, signal = build_gate_case(kind, (1, 1), channels=1, stride=1)
    gate.standardise = True
    expected = published(kind, gate, features, signal, stride=1, squash=lambda logit: np.full_like(logit, 0.5))
    log_coefficients = gate(features, signal)
    assert np.allclose(log_coefficients.detach().numpy(), np.log(expected), atol=1e-6)
    log_coefficients.sum().backward()
    assert all(weight.grad is not None and torch.isfinite(weight.grad).all() for weight in gate.parameters())


@pytest.mark.parametrize("shape", [(2, 6, 1), (3, 1, 5, 7), (2, 1, 4, 4, 6)], ids=str)
def test_standardised_logits_have_mean_zero_and_variance_one_in_each_case(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    logit = torch.randn(shape) * torch.arange(1, shape[0] + 1).reshape(-1, *[1] * (len(shape) - 1)) + 5
    cases = standardise(logit).flatten(1)
    assert torch.allclose(cases.mean(dim=1), torch.zeros(shape[0]), atol=1e-5)
    assert torch.allclose(cases.var(dim=1, correction=0), torch.ones(shape[0]), atol=1e-3)


def test_a_spread_far_below_the_floor_is_not_blown_up() -> None:
    logit = torch.tensor([[1.0, 1.0 + 1e-5, 1.0 - 1e-5]])
    assert standardise(logit).abs().max() < 0.01


@pytest.mark.parametrize("constant", CONSTANTS)
def test_the_slope_of_standardising_is_finite_at_a_constant(constant: float) -> None:
    logit = torch.full((2, 1, 5, 7), constant, requires_grad=True)
    standardise(logit).square().sum().backward()
    assert torch.isfinite(logit.grad).all()
    assert torch.autograd.gradcheck(standardise, torch.full((2, 3, 2), constant / 1e3, dtype=torch.float64, requires_grad=True))
