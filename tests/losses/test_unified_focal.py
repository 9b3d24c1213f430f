"""Value and gradient of the Unified Focal loss against a float64 reference in NumPy, written from the equations."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from focalseg.losses import UnifiedFocalLoss
from oracles.unified_focal import unified_focal

MASKS = ["empty", "full", "one pixel", "mixed", "one of the batch empty"]
PREDICTIONS = ["random", "perfect", "almost perfect", "completely wrong", "all background", "all foreground"]


def draw_labels(random: np.random.Generator, kind: str, classes: int, shape: tuple[int, ...]) -> np.ndarray:
    labels = np.zeros(shape, int)
    if kind == "full":
        labels[:] = classes - 1
    elif kind == "one pixel":
        labels.reshape(len(labels), -1)[:, random.integers(labels[0].size)] = random.integers(1, classes)
    elif kind == "mixed":
        labels[:] = random.integers(0, classes, shape)
    elif kind == "one of the batch empty":
        labels[1:] = random.integers(0, classes, labels[1:].shape)
    return labels


def draw_logits(random: np.random.Generator, kind: str, labels: np.ndarray, channels: int, reach: float) -> np.ndarray:
    """(B, K, *spatial), no two of a pixel's classes further than `reach` apart; multiples of 1 / 256, so float32 numbers."""
    classes = max(channels, 2)
    favoured = {
        "completely wrong": (labels + random.integers(1, classes, labels.shape)) % classes,
        "all background": 0 * labels,
        "all foreground": 0 * labels + classes - 1,
    }.get(kind, labels)
    if kind == "almost perfect":
        favoured = favoured.copy()
        favoured.reshape(len(labels), -1)[:, 0] += 1
        favoured %= classes
    towards = np.stack([np.where(favoured == c, 1.0, -1.0) for c in range(classes)], axis=1)
    noise = random.uniform(-1, 1, towards.shape)
    half = reach / 2 * (noise if kind == "random" else 0.85 * towards + 0.15 * noise)
    logits = half if channels > 1 else half[:, 1:] - half[:, :1]
    return np.round(256 * logits) / 256


def draw_target(
    random: np.random.Generator, form: str, labels: np.ndarray, channels: int, ignore_index: int | None
) -> torch.Tensor:
    """The labels as a caller may give them.

    Soft ones are multiples of 1 / 64 with one largest class, in a third of the pixels: where all are soft, the gradients
    towards two classes may cancel throughout, and the largest that is left is no measure of a rounding.
    """
    classes = max(channels, 2)
    ignored = np.zeros(labels.shape, bool) if ignore_index is None else random.random(labels.shape) < 0.2
    if ignore_index is not None and random.random() < 0.2:
        ignored[0] = True
    if form == "indices" or (channels == 1 and form == "one-hot"):
        given = np.where(ignored, ignore_index or 0, labels)
        return torch.tensor(given if form == "indices" else given[:, None].astype(float))
    shares = np.eye(classes)[labels]
    if form == "soft":
        counts = random.multinomial(64, np.full(classes, 1 / classes), labels.shape)
        moved = np.zeros_like(counts)
        np.put_along_axis(moved, counts.argsort(axis=-1)[..., -2:], np.array([-1, 1]), axis=-1)
        soft = (counts + moved * (counts.max(axis=-1, keepdims=True) < 64)) / 64
        shares = np.where(random.random((*labels.shape, 1)) < 0.3, soft, shares)
    if channels == 1:
        return torch.tensor(np.where(ignored, ignore_index or 0, shares[..., 1]))
    shares[ignored] = np.eye(classes)[ignore_index] if ignore_index in range(classes) else 0
    return torch.tensor(np.moveaxis(shares, -1, 1))


BOUNDARIES: st.SearchStrategy[dict[str, Any]] = st.none().map(lambda _: {}) | st.fixed_dictionaries(
    {
        "boundary_weight": st.sampled_from([0.5, 1.0, 3.0]),
        "boundary_gamma": st.sampled_from([0.0, 0.5, 1.0, 2.0, 8.0]),
        "boundary_radius": st.sampled_from([None, 1.5, 3.0]),
        "spacing_mm": st.sampled_from([None, (0.5, 1.0, 2.0)]),
        "closeness": st.sampled_from(["made", "made", "given", "given with one channel", "given a class"]),
    }
)
CASES = {
    "seed": st.integers(0, 2**32 - 1),
    "channels": st.integers(1, 5),
    "size": st.sampled_from([(17,), (5, 6), (3, 4, 5)]),
    "mask": st.sampled_from(MASKS),
    "prediction": st.sampled_from(PREDICTIONS),
    "target_form": st.sampled_from(["indices", "one-hot", "soft"]),
    "ignore_index": st.sampled_from([None, None, 255, -1, 0, 1]),
    "weighting": st.sampled_from(["none", "one", "a class"]),
    "boundary": BOUNDARIES,
    "arms": st.fixed_dictionaries(
        {
            "form": st.sampled_from(["asymmetric", "symmetric"]),
            "overlap_weight": st.sampled_from([0.0, 0.3, 0.5, 1.0]),
            "delta": st.floats(0.1, 0.9),
            "gamma": st.sampled_from([0.0, 0.2, 0.5, 0.9]),
            "reduction": st.sampled_from(["mean", "sum", "none"]),
        }
    ),
}


def draw_case(
    reach: float,
    *,
    seed: int,
    channels: int,
    size: tuple[int, ...],
    mask: str,
    prediction: str,
    target_form: str,
    ignore_index: int | None,
    weighting: str,
    boundary: dict[str, Any],
    arms: dict[str, Any],
) -> tuple[np.ndarray, torch.Tensor, np.ndarray | None, dict[str, Any]]:
    """Logits, target, closeness or None, and the settings."""
    random = np.random.default_rng(seed)
    batch, classes = 2, max(channels, 2)
    labels = draw_labels(random, mask, classes, (batch, *size))
    logits = draw_logits(random, prediction, labels, channels, reach)
    target = draw_target(random, target_form, labels, channels, ignore_index)
    weights = {"none": None, "one": (2.5,), "a class": tuple((1 + random.integers(0, 16, classes)) / 8)}[weighting]
    chosen = arms | boundary | {"ignore_index": ignore_index, "class_weights": weights}
    if chosen.get("spacing_mm"):
        chosen["spacing_mm"] = chosen["spacing_mm"][: len(size)]
    kind = chosen.pop("closeness", "made")
    lead = {"given": (batch,), "given with one channel": (batch, 1), "given a class": (batch, channels)}.get(kind)
    closeness = None if lead is None else random.integers(0, 65, (*lead, *size)) / 64
    return logits, target, closeness, chosen


def errors_against_the_equations(dtype: torch.dtype, reach: float, **case: Any) -> tuple[float, float]:
    """Of the value, relative to it; of the gradient, the largest anywhere relative to the largest gradient."""
    drawn, target, closeness, chosen = draw_case(reach, **case)
    logits = torch.tensor(drawn).to(dtype).requires_grad_()
    value, gradient = unified_focal(logits.detach().double().numpy(), target.numpy(), closeness=closeness, **chosen)
    ours = UnifiedFocalLoss(**chosen)(logits, target, closeness=None if closeness is None else torch.tensor(closeness))
    (slope,) = torch.autograd.grad(ours.sum(), logits)
    assert ours.shape == value.shape
    assert ours.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert slope.dtype == dtype
    return relative_error(ours.detach(), value), relative_error(slope, gradient)


def relative_error(ours: torch.Tensor, expected: np.ndarray) -> float:
    """Infinite for anything but 0 where 0 is expected throughout."""
    error, whole = np.abs(ours.double().numpy() - expected).max(), np.abs(expected).max()
    assert not np.isnan(error)
    if whole == 0:
        return 0.0 if error == 0 else float("inf")
    return float(error / whole)


# Up to 60: from 80 on a perfect prediction costs less than the smallest float32, where the loss may bound its slope.
@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(reach=st.sampled_from([2.0, 14.0, 40.0, 60.0]), **CASES)
def test_value_and_gradient_are_those_of_the_equations(reach: float, **case: Any) -> None:
    made = case["boundary"].get("boundary_weight") and case["boundary"].get("closeness", "made") == "made"
    limit = 1e-6 if made else 1e-9  # the maps are made in float32
    assert max(errors_against_the_equations(torch.float64, reach, **case)) < limit


# In float32 the logarithms of p and 1 - p are rounded by up to 2^-24 of themselves, which the slope of (1 - p)^gamma multiplies
# by up to 1.9: at 14, 1.6e-6. So here logits are at most 6 apart; the test after the next one goes on from there.
@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(reach=st.sampled_from([2.0, 4.0, 6.0]), **CASES)
def test_value_and_gradient_are_those_of_the_equations_in_float32(reach: float, **case: Any) -> None:
    assert max(errors_against_the_equations(torch.float32, reach, **case)) < 1e-6


@settings(max_examples=100, deadline=None)
@given(reach=st.sampled_from([2.0, 4.0, 6.0]), **CASES)
def test_bfloat16_only_rounds_the_logits_and_the_gradient(reach: float, **case: Any) -> None:
    value, gradient = errors_against_the_equations(torch.bfloat16, reach, **case)
    assert value < 1e-6
    assert gradient < 2**-8 + 1e-6  # one rounding to eight significant bits


@pytest.mark.parametrize("form", ["asymmetric", "symmetric"])
@pytest.mark.parametrize("channels", [1, 2, 4])
def test_the_gradient_in_bfloat16_is_right_to_three_in_a_thousand_as_a_whole(form: str, channels: int) -> None:
    generator = torch.Generator().manual_seed(channels)
    logits = (3 * torch.randn(2, channels, 16, 16, generator=generator)).to(torch.bfloat16).requires_grad_()
    target = torch.randint(0, max(2, channels), (2, 16, 16), generator=generator)
    _, gradient = unified_focal(logits.detach().double().numpy(), target.numpy(), form=form)
    (slope,) = torch.autograd.grad(UnifiedFocalLoss(form=form)(logits, target), logits)
    assert np.linalg.norm(slope.double().numpy() - gradient) <= 3e-3 * np.linalg.norm(gradient)


# The rounding of the logarithms is all that is added to the 1e-6, so the bound grows with the reach and nothing else.
# A perfect prediction at 80 costs less than the smallest float32 where the factor (1 - p)^gamma meets -log p.
@pytest.mark.parametrize(
    ("prediction", "reach"),
    [
        *(("perfect", reach) for reach in (14.0, 20.0, 40.0)),
        *((prediction, reach) for prediction in ("almost perfect", "completely wrong") for reach in (14.0, 20.0, 40.0, 80.0)),
    ],
)
@pytest.mark.parametrize("channels", [1, 2, 4])
@pytest.mark.parametrize("form", ["asymmetric", "symmetric"])
def test_float32_follows_the_equations_where_the_probabilities_have_long_been_rounded_to_one(
    form: str, channels: int, prediction: str, reach: float
) -> None:
    for overlap_weight in (0.0, 0.5, 1.0):
        for gamma in (0.0, 0.5, 0.9):
            arms = {"form": form, "overlap_weight": overlap_weight, "delta": 0.6, "gamma": gamma, "reduction": "mean"}
            value, gradient = errors_against_the_equations(
                torch.float32,
                reach,
                seed=0,
                channels=channels,
                size=(5, 6),
                mask="mixed",
                prediction=prediction,
                target_form="indices",
                ignore_index=None,
                weighting="none",
                boundary={},
                arms=arms,
            )
            assert max(value, gradient) < 1e-6 + reach * 2**-24


@pytest.mark.slow
@pytest.mark.parametrize("form", ["asymmetric", "symmetric"])
@pytest.mark.parametrize("gamma", [0.0, 0.5])
@pytest.mark.parametrize("channels", [1, 2, 4])
@pytest.mark.parametrize("extra", [{}, {"boundary_weight": 1.0}, {"ignore_index": 255}], ids=["plain", "boundary", "ignore"])
def test_analytic_gradients_match_finite_differences(form: Any, gamma: float, channels: int, extra: dict[str, Any]) -> None:
    torch.manual_seed(0)
    logits = torch.randn(2, channels, 3, 4, dtype=torch.float64, requires_grad=True)
    target = torch.randint(0, max(channels, 2), (2, 3, 4))
    if extra.get("ignore_index"):
        target[torch.rand(2, 3, 4) < 0.3] = 255
    loss = UnifiedFocalLoss(form=form, gamma=gamma, **extra)
    assert torch.autograd.gradcheck(lambda z: loss(z, target), logits, atol=1e-8, rtol=1e-5)


@pytest.mark.parametrize("form", ["asymmetric", "symmetric"])
@pytest.mark.parametrize("channels", [1, 3])
def test_analytic_gradients_match_finite_differences_where_an_image_is_nearly_perfect(form: Any, channels: int) -> None:
    torch.manual_seed(0)
    target = torch.randint(0, max(channels, 2), (2, 3, 4))
    truth = torch.stack([target == c for c in range(max(channels, 2))], dim=1).double()[:, -channels:]
    logits = 12 * (2 * truth - 1) + 0.5 * torch.randn(2, channels, 3, 4, dtype=torch.float64)
    logits[1] = torch.randn(channels, 3, 4, dtype=torch.float64)
    loss = UnifiedFocalLoss(form=form)
    assert torch.autograd.gradcheck(lambda z: loss(z, target), logits.requires_grad_(), atol=1e-9, rtol=1e-4)


def test_the_defaults_are_the_asymmetric_form_of_the_paper() -> None:
    torch.manual_seed(1)
    logits, target = 2 * torch.randn(3, 1, 6, 7, dtype=torch.float64), torch.rand(3, 6, 7) < 0.3
    arms = {"form": "asymmetric", "overlap_weight": 0.5, "delta": 0.6, "gamma": 0.5, "boundary_weight": 0.0}
    expected, _ = unified_focal(logits.numpy(), target.numpy(), **arms)
    assert UnifiedFocalLoss()(logits, target).item() == pytest.approx(expected, rel=1e-9)


def test_the_border_is_the_ring_on_both_sides_and_closeness_falls_to_zero_at_the_farthest_pixel_of_a_side() -> None:
    target = torch.tensor([[0, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0]])
    phi = torch.tensor([[1, 1, 0.5, 0, 0.5, 1, 1, 0.75, 0.5, 0.25, 0]])
    logits = torch.linspace(-3, 3, 11).reshape(1, 1, 11)
    expected = UnifiedFocalLoss(boundary_weight=2.0)(logits, target, closeness=phi)
    assert torch.allclose(UnifiedFocalLoss(boundary_weight=2.0)(logits, target), expected, rtol=1e-6)
    within_two = torch.tensor([[1, 1, 0.5, 0, 0.5, 1, 1, 0.5, 0, 0, 0]])
    expected = UnifiedFocalLoss(boundary_weight=2.0)(logits, target, closeness=within_two)
    for spacing_mm in (1.0, 0.7):
        loss = UnifiedFocalLoss(boundary_weight=2.0, boundary_radius=2 * spacing_mm, spacing_mm=(spacing_mm,))
        assert torch.allclose(loss(logits, target), expected, rtol=1e-6)
