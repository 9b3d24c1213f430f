"""The Unified Focal loss for one channel against a float64 reference in NumPy, written from the equations of the design."""

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from focalseg.errors import SettingError, ShapeError
from focalseg.losses.unified_focal import UnifiedFocalLoss

EPSILON = 1e-7
BOUND = 1e-6  # below this shortfall the slope of (1 - TI)^(1 - gamma) stays what it is here, as the loss states
FORMS = ["asymmetric", "symmetric"]
DTYPES = [torch.float32, torch.bfloat16, torch.float16]


def reference(
    logits: np.ndarray, target: np.ndarray, *, form: str, overlap_weight: float, delta: float, gamma: float
) -> tuple[float, np.ndarray]:
    """Value and gradient in the logits, (B, 1, *spatial) float64, each term differentiated by hand."""
    z, y = logits.reshape(len(logits), -1), target.reshape(len(logits), -1)
    log_p, log_q = -np.logaddexp(0, -z), -np.logaddexp(0, z)  # of the foreground's p and the background's q = 1 - p
    p, q = np.exp(log_p), np.exp(log_q)
    overlap, overlap_slope = 0.0, np.zeros_like(z)
    for truth, probability, sign, focused in ((y, p, 1, True), (1 - y, q, -1, form == "symmetric")):
        value, slope = modified_focal_tversky(truth, probability, delta=delta, gamma=gamma if focused else 0.0)
        overlap += value.mean() / 2
        overlap_slope += sign * slope * p * q / (2 * len(z))
    power = gamma if form == "symmetric" else 0.0
    foreground = -delta * q**power * log_p
    background = -(1 - delta) * p**gamma * log_q
    foreground_slope = delta * q**power * (power * p * log_p - q)
    background_slope = (1 - delta) * p**gamma * (p - gamma * q * log_q)
    cross_entropy = y * foreground + (1 - y) * background
    cross_entropy_slope = (y * foreground_slope + (1 - y) * background_slope) / z.size
    value = overlap_weight * overlap + (1 - overlap_weight) * cross_entropy.mean()
    slope = overlap_weight * overlap_slope + (1 - overlap_weight) * cross_entropy_slope
    return float(value), slope.reshape(logits.shape)


def modified_focal_tversky(
    truth: np.ndarray, probability: np.ndarray, *, delta: float, gamma: float
) -> tuple[np.ndarray, np.ndarray]:
    """(1 - TI)^(1 - gamma) of one class an image, (B,), and its derivative in that class's probabilities, (B, N)."""
    hits = (truth * probability).sum(axis=1, keepdims=True)
    errors = (delta * truth * (1 - probability) + (1 - delta) * (1 - truth) * probability).sum(axis=1, keepdims=True)
    whole = hits + errors + EPSILON
    shortfall = errors / whole
    errors_slope = (1 - delta) * (1 - truth) - delta * truth
    shortfall_slope = (errors_slope * (hits + EPSILON) - errors * truth) / whole**2
    bounded = shortfall < BOUND
    power = np.where(bounded, shortfall * BOUND**-gamma, shortfall ** (1 - gamma))
    power_slope = np.where(bounded, BOUND**-gamma, (1 - gamma) * np.maximum(shortfall, BOUND) ** -gamma)
    return power[:, 0], power_slope * shortfall_slope


def value_and_gradient(loss: UnifiedFocalLoss, logits: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    logits = logits.clone().requires_grad_()
    value = loss(logits, target)
    (gradient,) = torch.autograd.grad(value, logits)
    return value.detach(), gradient


def draw_mask(random: np.random.Generator, kind: str, shape: tuple[int, ...]) -> np.ndarray:
    mask = np.zeros(shape)
    if kind == "full":
        mask[:] = 1
    elif kind == "one pixel":
        mask.reshape(len(mask), -1)[:, random.integers(mask[0].size)] = 1
    elif kind == "mixed":
        mask[:] = random.random(shape) < 0.3
    elif kind == "one of the batch empty":
        mask[1:] = random.random(mask[1:].shape) < 0.3
    return mask


MASKS = ["empty", "full", "one pixel", "mixed", "one of the batch empty"]
PREDICTIONS = ["random", "perfect", "completely wrong", "almost perfect", "all background", "all foreground"]


def draw_logits(random: np.random.Generator, kind: str, mask: np.ndarray) -> np.ndarray:
    """float32 numbers, so that both sides start from the same."""
    sign = {"perfect": 2 * mask - 1, "almost perfect": 2 * mask - 1, "completely wrong": 1 - 2 * mask}
    size = {"perfect": 12.0, "almost perfect": 6.0}.get(kind, 8.0)
    centre = sign.get(kind, {"all background": -1, "all foreground": 1}.get(kind, 0)) * size
    spread = 3.0 if kind == "random" else 0.5
    return (centre + spread * random.standard_normal(mask.shape)).astype(np.float32).astype(float)


CASES = {
    "seed": st.integers(0, 2**32 - 1),
    "size": st.sampled_from([(17,), (5, 6), (3, 4, 5)]),
    "mask": st.sampled_from(MASKS),
    "prediction": st.sampled_from(PREDICTIONS),
    "arms": st.fixed_dictionaries(
        {
            "form": st.sampled_from(FORMS),
            "overlap_weight": st.sampled_from([0.0, 0.3, 0.5, 1.0]),
            "delta": st.floats(0.1, 0.9),
            "gamma": st.sampled_from([0.0, 0.2, 0.5, 0.9]),
        }
    ),
}


def errors_against_the_reference(
    dtype: torch.dtype, seed: int, size: tuple[int, ...], mask: str, prediction: str, arms: dict[str, Any]
) -> tuple[float, float]:
    """Of the value, relative to it; of the gradient, the largest of any pixel relative to the largest gradient."""
    random = np.random.default_rng(seed)
    target = draw_mask(random, mask, (2, 1, *size))
    logits = draw_logits(random, prediction, target)
    value, gradient = reference(logits, target, **arms)
    ours, slope = value_and_gradient(UnifiedFocalLoss(**arms), torch.tensor(logits, dtype=dtype), torch.tensor(target))
    return abs(ours.item() / value - 1), np.abs(slope.double().numpy() - gradient).max() / np.abs(gradient).max()


@settings(max_examples=150, deadline=None)
@given(**CASES)
def test_value_and_gradient_are_those_of_the_equations(**case: Any) -> None:
    assert max(errors_against_the_reference(torch.float64, **case)) < 1e-9


@settings(max_examples=150, deadline=None)
@given(**CASES)
def test_the_value_is_that_of_the_equations_in_float32(**case: Any) -> None:
    assert errors_against_the_reference(torch.float32, **case)[0] < 1e-6


@settings(max_examples=150, deadline=None)
@given(**CASES)
def test_the_gradient_is_that_of_the_equations_in_float32(**case: Any) -> None:
    assert (
        errors_against_the_reference(torch.float32, **case)[1] < 3e-6
    )  # a dozen roundings of 6e-8; no difference of near equals


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.9])
def test_analytic_gradients_match_finite_differences(form: Any, gamma: float) -> None:
    torch.manual_seed(0)
    logits = torch.randn(2, 1, 3, 4, dtype=torch.float64, requires_grad=True)
    target = torch.rand(2, 3, 4) < 0.4
    loss = UnifiedFocalLoss(form=form, gamma=gamma)
    assert torch.autograd.gradcheck(lambda z: loss(z, target), logits)


@pytest.fixture
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    return 2 * torch.randn(3, 1, 6, 7, dtype=torch.float64), (torch.rand(3, 1, 6, 7) < 0.3).double()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("delta", [0.2, 0.5, 0.8])
def test_gamma_zero_gives_tversky_and_weighted_cross_entropy(
    pair: tuple[torch.Tensor, torch.Tensor], form: Any, delta: float
) -> None:
    logits, target = pair
    p, y = torch.sigmoid(logits), target
    indices = []
    for truth, probability in ((y, p), (1 - y, 1 - p)):
        tp, fn, fp = (
            part.sum(dim=(1, 2, 3)) for part in (truth * probability, truth * (1 - probability), (1 - truth) * probability)
        )
        indices.append(tp / (tp + delta * fn + (1 - delta) * fp))
    tversky = 1 - torch.stack(indices).mean()
    weight = delta * y + (1 - delta) * (1 - y)
    cross_entropy = F.binary_cross_entropy_with_logits(logits, target, weight=weight)
    overlap_alone = UnifiedFocalLoss(form=form, gamma=0.0, delta=delta, overlap_weight=1.0)(logits, target)
    cross_entropy_alone = UnifiedFocalLoss(form=form, gamma=0.0, delta=delta, overlap_weight=0.0)(logits, target)
    both = UnifiedFocalLoss(form=form, gamma=0.0, delta=delta, overlap_weight=0.25)(logits, target)
    assert overlap_alone.item() == pytest.approx(tversky.item(), rel=1e-6)
    assert cross_entropy_alone.item() == pytest.approx(cross_entropy.item(), rel=1e-12)
    assert both.item() == pytest.approx(0.25 * tversky.item() + 0.75 * cross_entropy.item(), rel=1e-6)


@pytest.mark.parametrize("form", FORMS)
def test_delta_one_half_and_gamma_zero_gives_dice_and_half_of_cross_entropy(
    pair: tuple[torch.Tensor, torch.Tensor], form: Any
) -> None:
    logits, target = pair
    p = torch.sigmoid(logits)
    dice = [
        2 * (truth * share).sum(dim=(1, 2, 3)) / (truth.sum(dim=(1, 2, 3)) + share.sum(dim=(1, 2, 3)))
        for truth, share in ((target, p), (1 - target, 1 - p))
    ]
    cross_entropy = F.binary_cross_entropy_with_logits(logits, target)
    arms = {"form": form, "gamma": 0.0, "delta": 0.5}
    overlap_alone = UnifiedFocalLoss(overlap_weight=1.0, **arms)(logits, target)
    assert overlap_alone.item() == pytest.approx(1 - torch.stack(dice).mean().item(), rel=1e-6)
    cross_entropy_alone = UnifiedFocalLoss(overlap_weight=0.0, **arms)(logits, target)
    assert cross_entropy_alone.item() == pytest.approx(cross_entropy.item() / 2, rel=1e-12)


def test_the_symmetric_form_with_delta_one_half_does_not_know_which_class_is_the_foreground(
    pair: tuple[torch.Tensor, torch.Tensor],
) -> None:
    logits, target = pair
    symmetric, asymmetric = (UnifiedFocalLoss(form=form, delta=0.5, gamma=0.7) for form in ("symmetric", "asymmetric"))
    assert symmetric(logits, target).item() == pytest.approx(symmetric(-logits, 1 - target).item(), rel=1e-12)
    assert asymmetric(logits, target).item() != pytest.approx(asymmetric(-logits, 1 - target).item(), rel=1e-3)


def test_the_defaults_are_the_asymmetric_form_of_the_paper(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    arms = {"form": "asymmetric", "overlap_weight": 0.5, "delta": 0.6, "gamma": 0.5}
    expected, _ = reference(pair[0].numpy(), pair[1].numpy(), **arms)
    assert UnifiedFocalLoss()(*pair).item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("form", FORMS)
def test_a_better_prediction_costs_less_and_a_perfect_one_next_to_nothing(form: Any) -> None:
    target = torch.zeros(1, 1, 8, 8)
    target[..., 2:5, 3:6] = 1
    towards_truth = 2 * target - 1
    costs = [UnifiedFocalLoss(form=form)(scale * towards_truth, target).item() for scale in (-20, -5, -1, 0, 1, 5, 20, 100)]
    assert costs == sorted(costs, reverse=True)
    assert len(set(costs)) == len(costs)
    assert costs[-1] < 1e-6


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.99])
@pytest.mark.parametrize("dtype", DTYPES)
def test_value_and_gradient_are_finite_for_logits_up_to_ten_thousand(form: Any, gamma: float, dtype: torch.dtype) -> None:
    ends = torch.tensor([1e4, 1e3, 104, 90, 30, 16, 1, 0])
    every = torch.cat([-ends, ends]).to(dtype).reshape(1, 1, 4, 4)
    for overlap_weight in (0.0, 0.5, 1.0):
        loss = UnifiedFocalLoss(form=form, gamma=gamma, overlap_weight=overlap_weight)
        for target in (torch.zeros(1, 4, 4), torch.ones(1, 4, 4), (every[:, 0] > 0).float(), (every[:, 0] < 0).float()):
            for logits in (every, torch.full_like(every, 1e4), torch.full_like(every, -1e4)):
                value, gradient = value_and_gradient(loss, logits, target)
                assert torch.isfinite(value)
                assert value >= 0
                assert torch.isfinite(gradient).all()
                assert gradient.dtype == dtype


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_completely_wrong_prediction_still_has_a_gradient_that_mends_it(form: Any, dtype: torch.dtype) -> None:
    target = torch.zeros(2, 6, 6)
    target[:, 1:4, 2:5] = 1
    towards_truth = (2 * target - 1).unsqueeze(1)
    for size in (1.0, 20.0, 1e4):
        _, gradient = value_and_gradient(UnifiedFocalLoss(form=form), (-size * towards_truth).to(dtype), target)
        assert (gradient.float() * towards_truth < 0).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_value_is_float32_and_half_precision_only_rounds_the_logits(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    logits, target = (3 * torch.randn(2, 1, 9, 9)).to(dtype), torch.rand(2, 9, 9) < 0.3
    value = UnifiedFocalLoss()(logits, target)
    assert value.dtype == torch.float32
    arms = {"form": "asymmetric", "overlap_weight": 0.5, "delta": 0.6, "gamma": 0.5}
    expected, _ = reference(logits.double().numpy(), target.unsqueeze(1).double().numpy(), **arms)
    assert value.item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("size", [(9,), (4, 5), (3, 4, 2)])
def test_the_target_may_or_may_not_have_a_channel_and_may_be_of_any_kind_of_number(size: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    logits, mask = torch.randn(2, 1, *size), torch.rand(2, *size) < 0.4
    expected = UnifiedFocalLoss()(logits, mask.float())
    for dtype in (torch.bool, torch.uint8, torch.int64, torch.float64):
        assert torch.equal(UnifiedFocalLoss()(logits, mask.to(dtype)), expected)
        assert torch.equal(UnifiedFocalLoss()(logits, mask.unsqueeze(1).to(dtype)), expected)


def test_logits_and_target_are_not_edited_and_the_loss_has_no_state(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, target = pair
    before = logits.clone(), target.clone()
    loss = UnifiedFocalLoss()
    first = loss(logits, target)
    assert torch.equal(loss(logits, target), first)
    assert torch.equal(logits, before[0])
    assert torch.equal(target, before[1])
    assert loss.state_dict() == {}


@pytest.mark.parametrize("shape", [(2, 2, 4, 4), (2, 4), (4,)])
def test_logits_of_other_than_one_channel_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError) as raised:
        UnifiedFocalLoss()(torch.zeros(shape), torch.zeros(shape))
    assert str(raised.value) == f"The logits have shape {shape}; one channel was expected: (B, 1, *spatial)."


@pytest.mark.parametrize(
    ("shape", "named"),
    [
        ((2, 5, 4), (2, 1, 5, 4)),
        ((1, 4, 5), (1, 1, 4, 5)),
        ((2, 2, 4, 5), (2, 2, 4, 5)),
        ((2, 20), (2, 20)),
        ((4, 5), (4, 5)),
    ],
)
def test_a_target_of_another_shape_is_refused_and_never_broadcast(shape: tuple[int, ...], named: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError) as raised:
        UnifiedFocalLoss()(torch.zeros(2, 1, 4, 5), torch.zeros(shape))
    assert str(raised.value) in {
        f"The target has shape {which}; logits (2, 1, 4, 5) need (B, *spatial) or (B, 1, *spatial)." for which in (shape, named)
    }


@pytest.mark.parametrize(
    ("arms", "message"),
    [
        ({"form": "both"}, "form was 'both'; expected one of asymmetric, symmetric."),
        ({"overlap_weight": 1.1}, "overlap_weight was 1.1; expected a finite number at least 0 and at most 1."),
        ({"overlap_weight": "half"}, "overlap_weight was 'half'; expected a number."),
        ({"delta": 0.0}, "delta was 0.0; expected a finite number above 0 and below 1."),
        ({"delta": 1.0}, "delta was 1.0; expected a finite number above 0 and below 1."),
        ({"gamma": -0.1}, "gamma was -0.1; expected a finite number at least 0 and below 1."),
        ({"gamma": 1.0}, "gamma was 1.0; expected a finite number at least 0 and below 1."),
        ({"gamma": float("nan")}, "gamma was nan; expected a finite number at least 0 and below 1."),
        (
            {"delta": 2.0, "gamma": 3.0},
            (
                "delta was 2.0; expected a finite number above 0 and below 1.\n"
                "gamma was 3.0; expected a finite number at least 0 and below 1."
            ),
        ),
    ],
)
def test_a_setting_out_of_range_is_refused_with_what_was_expected(arms: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError) as raised:
        UnifiedFocalLoss(**arms)
    assert str(raised.value) == message


def test_settings_are_given_by_name() -> None:
    with pytest.raises(TypeError):
        UnifiedFocalLoss("symmetric")
