"""The contract of every gate in the catalogue: log-coefficients, and nothing done to the features."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from focalseg.attention import GATES
from focalseg.attention.gate import Gate, SiteShape
from focalseg.errors import SettingError, ShapeError
from oracles.gates import ORACLES

GateCase = tuple[Gate, Tensor, Tensor | None]
BuildGateCase = Callable[..., GateCase]
HALVES = [torch.bfloat16, torch.float16]
WITH_SIGNAL = [kind for kind, gate in GATES.items() if gate.needs_gating_signal]
OVER_CHANNELS = [kind for kind, gate in GATES.items() if gate.varies_over == "channels"]


def test_the_catalogue_holds_the_gates_of_the_field() -> None:
    assert set(GATES) >= {"se", "ag", "eca", "cbam", "scse", "spatial", "focus"}


def test_every_gate_has_a_second_source() -> None:
    assert set(ORACLES) == set(GATES)


def test_every_name_of_the_catalogue_is_a_gate_of_its_own() -> None:
    assert len({kind for _, kind in GATES.items()}) == len(GATES)


def test_an_unknown_kind_is_an_error_that_offers_the_nearest() -> None:
    with pytest.raises(SettingError) as raised:
        GATES["focal"]
    assert str(raised.value) == f"No gate named 'focal'; known are {', '.join(GATES)}. Did you mean 'focus'?"


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
def test_log_coefficients_are_those_of_the_paper(
    gate_case: GateCase, kind: str, published: Callable[..., np.ndarray], dtype: torch.dtype, tolerance: float
) -> None:
    gate, features, signal = gate_case
    expected = np.log(published(kind, gate, features, signal))
    given = gate.to(dtype)(features.to(dtype), None if signal is None else signal.to(dtype))
    assert given.dtype == dtype
    assert given.shape == expected.shape
    assert np.abs(given.detach().numpy() - expected).max() <= tolerance * np.abs(expected).max()


def test_the_coefficients_that_the_papers_are_compared_on_are_neither_open_nor_shut(
    kind: str, build_gate_case: BuildGateCase, published: Callable[..., np.ndarray]
) -> None:
    assert np.ptp(published(kind, *build_gate_case(kind, (5, 7)))) > 0.1


def test_log_coefficients_are_finite_and_at_most_zero(gate_case: GateCase) -> None:
    gate, features, signal = gate_case
    for scale in (1e-6, 1.0, 1e4):
        log_coefficients = gate(features * scale, None if signal is None else signal * scale)
        assert torch.isfinite(log_coefficients).all()
        assert (log_coefficients <= 0).all()


def test_log_coefficients_broadcast_to_the_features(gate_case: GateCase) -> None:
    gate, features, signal = gate_case
    log_coefficients = gate(features, signal)
    assert log_coefficients.ndim == features.ndim
    assert torch.broadcast_shapes(log_coefficients.shape, features.shape) == features.shape


def test_coefficients_answer_the_features(gate_case: GateCase) -> None:
    gate, features, signal = gate_case
    one, other = gate(features, signal), gate(features.flip(0), signal)
    assert (one - other).abs().max() > 1e-2


@pytest.mark.parametrize("kind", WITH_SIGNAL)
def test_coefficients_answer_the_signal_of_a_gate_that_needs_one(gate_case: GateCase) -> None:
    gate, features, signal = gate_case
    assert (gate(features, signal) - gate(features, signal.flip(0))).abs().max() > 1e-2


def test_coefficients_vary_over_what_the_gate_says_they_vary_over(gate_case: GateCase) -> None:
    gate, features, signal = gate_case
    log_coefficients = gate(features, signal).detach()
    batch, channels, *size = features.shape
    shapes = {"channels": (batch, channels, *(1,) * len(size)), "space": (batch, 1, *size), "both": (batch, channels, *size)}
    assert log_coefficients.shape == shapes[gate.varies_over]
    case = log_coefficients[0].flatten(1)
    if gate.varies_over != "space":
        assert case.std(dim=0).max() > 1e-3
    if gate.varies_over != "channels":
        assert case.std(dim=1).max() > 1e-3


@pytest.mark.parametrize("kind", OVER_CHANNELS)
def test_where_a_pixel_lies_is_nothing_to_a_channel_gate(gate_case: GateCase) -> None:
    gate, features, signal = gate_case
    shuffled = features.flatten(2)[:, :, torch.randperm(features[0, 0].numel())].reshape(features.shape)
    assert torch.allclose(gate(shuffled, signal), gate(features, signal), rtol=1e-4, atol=1e-6)


def test_a_gate_leaves_features_and_signal_as_they_were(gate_case: GateCase) -> None:
    gate, features, signal = gate_case
    features_before, signal_before = features.clone(), None if signal is None else signal.clone()
    gate(features, signal)
    assert torch.equal(features, features_before)
    if signal is not None:
        assert torch.equal(signal, signal_before)


def test_a_gate_is_deterministic_and_the_same_in_training_and_evaluation(gate_case: GateCase) -> None:
    gate, features, signal = gate_case
    training = gate.train()(features, signal)
    assert torch.equal(gate(features, signal), training)
    assert torch.equal(gate.eval()(features, signal), training)


def test_the_cases_of_a_batch_do_not_see_one_another(gate_case: GateCase) -> None:
    gate, features, signal = gate_case
    for gate.standardise in (False, True):
        together = gate(features, signal)[1:2]
        alone = gate(features[1:2], None if signal is None else signal[1:2])
        assert torch.allclose(together, alone, rtol=1e-5, atol=1e-5)


def test_every_weight_of_a_gate_receives_a_gradient(gate_case: GateCase) -> None:
    gate, features, signal = gate_case
    (gate(features, signal) * features).sum().backward()
    silent = [name for name, weight in gate.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert silent == []


@pytest.mark.parametrize(("channels", "standardised"), [(2, False), (6, False), (32, False), (6, True), (32, True)])
def test_a_fresh_gate_is_alive_whatever_the_seed(
    kind: str, build_gate_case: BuildGateCase, channels: int, standardised: bool
) -> None:
    for seed in range(20):
        gate, features, signal = build_gate_case(kind, (6, 6), seed=seed, sharpness=1.0, channels=channels)
        gate.standardise = standardised
        brightness = torch.rand(3, channels, 1, 1) * 2  # as after a ReLU, cases unlike one another
        coefficients = gate(features.relu() * brightness, None if signal is None else signal.relu()).exp()
        coefficients.square().sum().backward()
        assert coefficients.std(dim=0).mean() > 1e-3
        assert all(weight.grad is not None and torch.isfinite(weight.grad).all() for weight in gate.parameters())
        assert all(weight.grad.any() for name, weight in gate.named_parameters() if "weight" in name)


@pytest.mark.parametrize("dtype", HALVES)
def test_a_gate_in_half_precision_gives_log_coefficients_in_float32(
    kind: str, size: tuple[int, ...], build_gate_case: BuildGateCase, dtype: torch.dtype
) -> None:
    gate, features, signal = build_gate_case(kind, size, sharpness=1.0)
    for gate.standardise in (False, True):
        exact = gate.float()(features, signal)
        half = gate.to(dtype)(features.to(dtype), None if signal is None else signal.to(dtype))
        check_half_precision(half, exact, tolerance=0.1 if gate.standardise else 0.02)


@pytest.mark.parametrize("dtype", HALVES)
def test_a_gate_under_autocast_gives_log_coefficients_in_float32(
    kind: str, size: tuple[int, ...], build_gate_case: BuildGateCase, dtype: torch.dtype
) -> None:
    gate, features, signal = build_gate_case(kind, size, sharpness=1.0)
    for gate.standardise in (False, True):
        exact = gate(features, signal)
        with torch.autocast("cpu", dtype=dtype):
            half = gate(features, signal)
        check_half_precision(half, exact, tolerance=0.1 if gate.standardise else 0.02)


def check_half_precision(half: Tensor, exact: Tensor, tolerance: float) -> None:
    assert half.dtype == torch.float32
    assert torch.isfinite(half).all()
    assert (half <= 0).all()
    assert (half.exp() - exact.exp()).abs().max() <= tolerance


def test_log_coefficients_stay_exact_where_a_gate_is_wide_open_or_almost_shut(
    gate_case: GateCase, alter_logits: Callable[..., Gate]
) -> None:
    gate, features, signal = gate_case
    maps = len(gate.compute_logits(features, signal))
    for logit in (-1e4, -500.0, 1e4):
        log_coefficients = alter_logits(gate, lambda given, logit=logit: torch.full_like(given, logit))(features, signal)
        one = min(logit, 0.0)
        assert (log_coefficients <= 0).all()
        given = log_coefficients.numpy()
        assert np.isclose(given, one, rtol=1e-6).all() or np.isclose(given, maps * one).all()


def test_a_gate_refuses_to_run_without_the_signal_it_needs_and_ignores_one_it_does_not(
    kind: str, build_gate_case: BuildGateCase
) -> None:
    gate, features, signal = build_gate_case(kind, (5, 7))
    if signal is None:
        assert torch.equal(gate(features), gate(features, torch.randn_like(features)))
        return
    with pytest.raises(ShapeError) as raised:
        gate(features)
    assert str(raised.value) == (f"{type(gate).__name__} needs the gating signal, features of the level below; none was given.")
    assert isinstance(raised.value, ValueError)


def test_a_gate_that_needs_a_signal_is_not_built_for_a_site_without_one(kind: str) -> None:
    shape = SiteShape(channels=6, size=(4, 4))
    if not GATES[kind].needs_gating_signal:
        assert GATES[kind].for_site(shape)(torch.randn(1, 6, 4, 4)).shape
        return
    with pytest.raises(SettingError) as raised:
        GATES[kind].for_site(shape)
    assert str(raised.value) == (
        f"{GATES[kind].__name__} needs the channels of its gating signal and a stride along each axis; "
        "gating_channels was 0 and gating_stride () for size (4, 4)."
    )


@pytest.mark.parametrize(
    ("size", "stride", "round_up"), [((9,), 2, True), ((9, 5), 2, True), ((7, 6), 1, False), ((5, 3, 4), 3, True)]
)
def test_the_signal_may_lie_on_any_grid_that_a_host_makes(
    kind: str,
    build_gate_case: BuildGateCase,
    published: Callable[..., np.ndarray],
    size: tuple[int, ...],
    stride: int,
    round_up: bool,
) -> None:
    gate, features, signal = build_gate_case(kind, size, stride=stride, round_up=round_up)
    expected = np.log(published(kind, gate, features, signal, stride=stride))
    given = gate(features, signal).detach().numpy()
    assert np.abs(given - expected).max() <= 1e-6 * np.abs(expected).max()


def test_a_gate_works_on_sizes_other_than_the_example_it_was_built_for(kind: str, build_gate_case: BuildGateCase) -> None:
    gate, *_ = build_gate_case(kind, (5, 7))
    _, features, signal = build_gate_case(kind, (12, 9))
    assert torch.broadcast_shapes(gate(features, signal).shape, features.shape) == features.shape


def test_a_gate_works_for_a_single_channel_and_a_single_pixel(kind: str, build_gate_case: BuildGateCase) -> None:
    gate, features, signal = build_gate_case(kind, (1, 1), channels=1, stride=1)
    assert gate(features, signal).shape == (3, 1, 1, 1)


def test_no_gate_can_be_made_without_its_logits() -> None:
    class Unfinished(Gate):
        pass

    with pytest.raises(TypeError, match="abstract"):
        Unfinished()
