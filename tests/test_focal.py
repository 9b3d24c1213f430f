"""The focal primitive F(l, gamma) = exp(gamma l): exact, bounded in its slope, finite wherever a logit is."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from focalseg.focal import at_least_float32, focal

GAMMAS = [0.0, 0.1, 0.5, 1.0, 4.0]
logits = st.floats(-30, 30)
exponents = st.floats(0, 8)


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def value_and_slope(z: torch.Tensor, gamma: float) -> tuple[torch.Tensor, torch.Tensor]:
    """F(log sigmoid(z), gamma) and its derivative in z, pixel by pixel."""
    z = z.clone().requires_grad_()
    value = focal(F.logsigmoid(z), gamma)
    (slope,) = torch.autograd.grad(value.sum(), z)
    return value.detach(), slope


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_gamma_zero_gives_exactly_one(dtype: torch.dtype) -> None:
    logarithm = torch.tensor([0.0, -1e-30, -0.3, -1.0, -88.0, -1e4], dtype=dtype)
    for gamma in (0.0, torch.tensor(0.0), torch.zeros(6)):
        assert torch.equal(focal(logarithm, gamma), torch.ones(6, dtype=at_least_float32(logarithm).dtype))


@given(z=logits, gamma=exponents)
def test_it_is_the_coefficient_raised_to_gamma(z: float, gamma: float) -> None:
    value, _ = value_and_slope(torch.tensor([z], dtype=torch.float64), gamma)
    assert value.item() == pytest.approx(sigmoid(z) ** gamma, rel=1e-11)


@given(z=logits, gamma=exponents)
def test_its_slope_in_the_logit_is_gamma_times_the_power_times_one_minus_the_coefficient(z: float, gamma: float) -> None:
    _, slope = value_and_slope(torch.tensor([z], dtype=torch.float64), gamma)
    assert slope.item() == pytest.approx(gamma * sigmoid(z) ** gamma * sigmoid(-z), rel=1e-11)
    assert 0 <= slope.item() <= gamma


@given(z=st.floats(-1e4, 1e4, width=32), gamma=st.floats(0, 4, width=32))
def test_its_slope_never_exceeds_gamma_in_float32_either(z: float, gamma: float) -> None:
    _, slope = value_and_slope(torch.tensor([z]), gamma)
    assert 0 <= slope.item() <= gamma * (1 + 1e-6)


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_value_and_gradients_are_finite_for_logits_up_to_ten_thousand(gamma: float, dtype: torch.dtype) -> None:
    ends = torch.tensor([1e4, 1e3, 200, 104, 90, 30, 1, 1e-8, 0], dtype=dtype)
    z = torch.cat([-ends, ends]).requires_grad_()
    exponent = torch.tensor(gamma, requires_grad=True)
    value = focal(F.logsigmoid(z), exponent)
    value.sum().backward()
    assert torch.isfinite(value).all()
    assert ((value >= 0) & (value <= 1)).all()
    assert z.grad is not None
    assert torch.isfinite(z.grad).all()
    assert exponent.grad is not None
    assert torch.isfinite(exponent.grad)


def test_the_slope_of_a_bare_power_would_be_infinite_where_this_one_is_not() -> None:
    z = torch.tensor([-200.0], requires_grad=True)
    (torch.sigmoid(z) ** 0.5).sum().backward()
    assert z.grad is not None
    assert not torch.isfinite(z.grad).all()
    assert torch.isfinite(value_and_slope(torch.tensor([-200.0]), 0.5)[1]).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_and_returned_in_float32(dtype: torch.dtype) -> None:
    logarithm = torch.linspace(-12, 0, 97).to(dtype)
    value = focal(logarithm, 0.37)
    assert value.dtype == torch.float32
    assert np.allclose(value.numpy(), np.exp(0.37 * logarithm.double().numpy()), rtol=1e-6, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_float32_and_float64_stay_as_they_are(dtype: torch.dtype) -> None:
    logarithm = torch.tensor([-0.5], dtype=dtype)
    assert focal(logarithm, torch.tensor(2.0)).dtype == dtype
    assert at_least_float32(logarithm) is logarithm


def test_a_tensor_of_exponents_broadcasts() -> None:
    logarithm = torch.tensor([[-1.0, -2.0, -0.25]], dtype=torch.float64)
    gammas = torch.tensor([[0.0], [0.5], [3.0]], dtype=torch.float64)
    assert np.allclose(focal(logarithm, gammas).numpy(), np.exp(gammas.numpy() * logarithm.numpy()), rtol=1e-14, atol=0)


@given(first=st.floats(-20, 0), second=st.floats(-20, 0), gamma=exponents)
def test_a_product_of_gates_is_a_sum_of_logarithms(first: float, second: float, gamma: float) -> None:
    one, other = torch.tensor([first], dtype=torch.float64), torch.tensor([second], dtype=torch.float64)
    assert focal(one + other, gamma).item() == pytest.approx(np.exp(gamma * first) * np.exp(gamma * second), rel=1e-11)


def test_analytic_gradients_in_the_logarithm_and_in_gamma_match_finite_differences() -> None:
    logarithm = torch.tensor([-0.01, -0.7, -3.0], dtype=torch.float64, requires_grad=True)
    gamma = torch.tensor(0.8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(focal, (logarithm, gamma))
