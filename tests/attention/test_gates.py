"""The contract of every gate in the catalogue: log-coefficients, and nothing done to the features."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from focalseg.attention import GATES
from focalseg.attention.gate import Gate
from focalseg.errors import SettingError, ShapeError

GateCase = tuple[Gate, Tensor, Tensor | None]


def test_the_catalogue_holds_squeeze_and_excitation_and_attention_gate() -> None:
    assert {"se", "ag"} <= set(GATES)


def test_an_unknown_kind_is_an_error_that_offers_the_nearest() -> None:
    with pytest.raises(SettingError) as raised:
        GATES["sse"]
    assert str(raised.value) == f"No gate named 'sse'; known are {', '.join(GATES)}. Did you mean 'se'?"


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
    together = gate(features, signal)[1:2]
    alone = gate(features[1:2], None if signal is None else signal[1:2])
    assert torch.allclose(together, alone, rtol=1e-5, atol=1e-6)


def test_every_weight_of_a_gate_receives_a_gradient(gate_case: GateCase) -> None:
    gate, features, signal = gate_case
    (gate(features, signal) * features).sum().backward()
    silent = [name for name, weight in gate.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert silent == []


def test_a_gate_refuses_to_run_without_the_signal_it_needs_and_ignores_one_it_does_not(gate_case: GateCase) -> None:
    gate, features, signal = gate_case
    if signal is None:
        assert torch.equal(gate(features), gate(features, torch.randn_like(features)))
    else:
        with pytest.raises(ShapeError, match="needs the gating signal"):
            gate(features)


def test_the_attention_gate_says_what_the_missing_signal_is(build_gate_case: Callable[..., GateCase]) -> None:
    gate, features, _ = build_gate_case("ag", (5, 7))
    with pytest.raises(ShapeError) as raised:
        gate(features)
    assert str(raised.value) == "An attention gate needs the gating signal, features of the level below; none was given."
    assert isinstance(raised.value, ValueError)


@pytest.mark.parametrize("size", [(9,), (6, 7), (4, 5, 3)])
def test_squeeze_and_excitation_varies_over_channels_alone(
    build_gate_case: Callable[..., GateCase], size: tuple[int, ...]
) -> None:
    gate, features, _ = build_gate_case("se", size)
    log_coefficients = gate(features)
    assert log_coefficients.shape == (3, features.shape[1], *(1,) * len(size))
    shuffled = features.flatten(2)[:, :, torch.randperm(features[0, 0].numel())].reshape(features.shape)
    assert torch.allclose(gate(shuffled), log_coefficients, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("channels", "hidden"), [(1, 4), (6, 4), (64, 4), (80, 5), (512, 32)])
def test_squeeze_and_excitation_has_a_sixteenth_of_the_channels_hidden_and_at_least_four(channels: int, hidden: int) -> None:
    gate = GATES["se"].for_site(channels=channels, gating_channels=0, spatial_dims=2)
    assert sum(weight.numel() for weight in gate.parameters()) == 2 * channels * hidden + hidden + channels


@pytest.mark.parametrize("size", [(9,), (6, 7), (4, 5, 3)])
def test_an_attention_gate_varies_over_space_alone(build_gate_case: Callable[..., GateCase], size: tuple[int, ...]) -> None:
    gate, features, signal = build_gate_case("ag", size)
    log_coefficients = gate(features, signal)
    assert log_coefficients.shape == (3, 1, *size)
    assert log_coefficients[0].std() > 1e-2


def test_an_attention_gate_works_for_a_single_channel() -> None:
    gate = GATES["ag"].for_site(channels=1, gating_channels=2, spatial_dims=2)
    assert gate(torch.randn(1, 1, 4, 4), torch.randn(1, 2, 2, 2)).shape == (1, 1, 4, 4)


def test_a_gating_signal_on_the_wrong_grid_is_an_error_that_names_the_right_one(
    build_gate_case: Callable[..., GateCase],
) -> None:
    gate, features, _ = build_gate_case("ag", (5, 7))
    with pytest.raises(ShapeError) as raised:
        gate(features, torch.zeros(3, 10, 3, 4))
    assert str(raised.value) == (
        "The gating signal (3, 10, 3, 4) does not lie on the strided grid of the features (3, 6, 5, 7); "
        "expected spatial shape (2, 3)."
    )


def test_no_gate_can_be_made_without_its_forward() -> None:
    class Unfinished(Gate):
        pass

    with pytest.raises(TypeError, match="abstract"):
        Unfinished()


def test_a_log_coefficient_stays_exact_where_the_gate_is_almost_shut(build_gate_case: Callable[..., GateCase]) -> None:
    gate, features, _ = build_gate_case("se", (8,))
    with torch.no_grad():
        gate.excite.weight.zero_()
        gate.excite.bias.fill_(-500.0)
    assert np.allclose(gate(features).detach().numpy(), -500.0, rtol=1e-6)
