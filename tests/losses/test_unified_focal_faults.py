"""The Unified Focal loss given what it cannot use, and given the ends of what it can."""

from typing import Any

import pytest
import torch
from torch import Tensor

from focalseg.errors import DataError, SettingError, ShapeError
from focalseg.losses import UnifiedFocalLoss, modified_focal_loss, modified_focal_tversky_loss, unified_focal_loss

FORMS = ["asymmetric", "symmetric"]
DTYPES = [torch.float32, torch.bfloat16, torch.float16]
NAN = float("nan")


def message(error: type[Exception], loss: UnifiedFocalLoss, logits: Tensor, target: Tensor, **maps: Tensor) -> str:
    """What a call that is refused says; its arguments are as they were."""
    before = logits.clone(), target.clone()
    with pytest.raises(error) as raised:
        loss(logits, target, **maps)
    assert torch.equal(logits.nan_to_num(9), before[0].nan_to_num(9))
    assert torch.equal(target.nan_to_num(9), before[1].nan_to_num(9))
    return str(raised.value)


# Shapes.


@pytest.mark.parametrize("shape", [(2, 4), (4,), ()])
def test_logits_without_a_spatial_axis_are_refused(shape: tuple[int, ...]) -> None:
    found = message(ShapeError, UnifiedFocalLoss(), torch.zeros(shape), torch.zeros(shape))
    assert found == f"The logits have shape {shape}; (B, K, *spatial) was expected, with at least one spatial axis."


@pytest.mark.parametrize(
    "shape", [(2, 5, 4), (1, 4, 5), (2, 2, 4, 5), (2, 4, 4, 5), (1, 3, 4, 5), (2, 20), (4, 5), (2, 3, 20), ()]
)
def test_a_target_that_does_not_fit_the_classes_is_refused_and_never_broadcast(shape: tuple[int, ...]) -> None:
    found = message(ShapeError, UnifiedFocalLoss(), torch.zeros(2, 3, 4, 5), torch.zeros(shape))
    assert found == (
        f"The target has shape {shape}; logits (2, 3, 4, 5) need class indices (B, *spatial) or (B, 1, *spatial), "
        "or one-hot (B, K, *spatial)."
    )


@pytest.mark.parametrize("shape", [(2, 5, 4), (1, 4, 5), (1, 1, 4, 5), (2, 2, 4, 5), (2, 20), (4, 5), (2, 1, 5, 4), ()])
def test_a_target_that_does_not_fit_one_channel_is_refused_and_never_broadcast(shape: tuple[int, ...]) -> None:
    found = message(ShapeError, UnifiedFocalLoss(), torch.zeros(2, 1, 4, 5), torch.zeros(shape))
    assert found == f"The target has shape {shape}; logits (2, 1, 4, 5) need a mask (B, *spatial) or (B, 1, *spatial)."


@pytest.mark.parametrize("shape", [(2, 9), (2, 2, 4, 5), (1, 4, 5), (4, 5), ()])
def test_a_closeness_of_another_shape_is_refused_and_never_broadcast(shape: tuple[int, ...]) -> None:
    loss, closeness = UnifiedFocalLoss(boundary_weight=1.0), torch.zeros(shape)
    found = message(ShapeError, loss, torch.zeros(2, 3, 4, 5), torch.zeros(2, 4, 5), closeness=closeness)
    assert found == (
        f"The closeness has shape {shape}; logits (2, 3, 4, 5) need (B, *spatial), (B, 1, *spatial) or (B, K, *spatial)."
    )


# Values.


@pytest.mark.parametrize(
    ("channels", "value", "dtype", "expected"),
    [
        (3, 7, torch.int64, "The target holds 7; expected class indices from 0 to 2"),
        (3, 7, torch.uint8, "The target holds 7; expected class indices from 0 to 2"),
        (3, -1, torch.int32, "The target holds -1; expected class indices from 0 to 2"),
        (3, 3, torch.int64, "The target holds 3; expected class indices from 0 to 2"),
        (3, 0.5, torch.float32, "The target holds 0.5; expected class indices from 0 to 2"),
        (3, NAN, torch.float32, "The target holds nan; expected class indices from 0 to 2"),
        (1, 7, torch.int64, "The target holds 7; expected values from 0 to 1"),
        (1, -0.5, torch.float32, "The target holds -0.5; expected values from 0 to 1"),
        (1, 1.5, torch.float64, "The target holds 1.5; expected values from 0 to 1"),
        (1, NAN, torch.float32, "The target holds nan; expected values from 0 to 1"),
    ],
)
@pytest.mark.parametrize("with_channel", [False, True])
def test_a_value_that_is_no_class_is_refused(
    channels: int, value: float, dtype: torch.dtype, expected: str, with_channel: bool
) -> None:
    logits, target = torch.zeros(2, channels, 4, 5), torch.zeros(2, 4, 5, dtype=dtype)
    target[1, 2, 3] = value
    target = target.unsqueeze(1) if with_channel else target
    assert message(DataError, UnifiedFocalLoss(), logits, target) == f"{expected}."
    assert message(DataError, UnifiedFocalLoss(ignore_index=255), logits, target) == f"{expected} or the ignored 255."


def test_the_ignored_value_is_refused_where_it_is_not_ignored() -> None:
    target = torch.full((2, 4, 5), 255, dtype=torch.uint8)
    for channels, expected in ((1, "values from 0 to 1"), (3, "class indices from 0 to 2")):
        found = message(DataError, UnifiedFocalLoss(), torch.zeros(2, channels, 4, 5), target)
        assert found == f"The target holds 255; expected {expected}."


@pytest.mark.parametrize(
    ("pixel", "expected"),
    [
        ([0.5, 0.0, 0.0], "The target's classes sum to 0.5 in a pixel; expected one-hot or soft classes that sum to 1."),
        ([1.0, 1.0, 0.0], "The target's classes sum to 2 in a pixel; expected one-hot or soft classes that sum to 1."),
        ([0.0, 0.0, 0.0], "The target's classes sum to 0 in a pixel; expected one-hot or soft classes that sum to 1."),
        ([1.0, -0.5, 0.5], "The target holds -0.5; expected values from 0 to 1."),
        ([0.0, NAN, 1.0], "The target holds nan; expected values from 0 to 1."),
    ],
)
def test_a_one_hot_target_whose_pixels_do_not_hold_one_class_is_refused(pixel: list[float], expected: str) -> None:
    target = torch.zeros(2, 3, 4, 5)
    target[:, 0] = 1
    target[1, :, 2, 3] = torch.tensor(pixel)
    assert message(DataError, UnifiedFocalLoss(), torch.zeros(2, 3, 4, 5), target) == expected


@pytest.mark.parametrize("ignore_index", [255, -1, 2])
def test_pixels_of_no_class_are_left_out_where_an_ignored_value_is_set(ignore_index: int) -> None:
    torch.manual_seed(0)
    logits, target = torch.randn(2, 3, 4, 5), torch.zeros(2, 3, 4, 5)
    target[:, 0] = 1
    target[:, :, 1] = 0
    indices = torch.zeros(2, 4, 5, dtype=torch.long)
    indices[:, 1] = ignore_index
    loss = UnifiedFocalLoss(ignore_index=ignore_index)
    assert torch.equal(loss(logits, target), loss(logits, indices))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_logits_that_are_not_finite_are_named_where_asked_for(dtype: torch.dtype) -> None:
    logits, target = torch.zeros(2, 3, 4, 5, dtype=dtype), torch.zeros(2, 4, 5)
    mend = "; lower the learning rate, or look at the input for values that are not numbers."
    loss = UnifiedFocalLoss(check_logits=True)
    assert loss(logits, target).isfinite()
    logits[1, 0, 2, 3] = NAN
    found = message(DataError, loss, logits, target)
    assert found == f"The logits hold 1 value that is not finite (nan, at image 1, channel 0, position (2, 3)){mend}"
    logits[1, 2, 0, 0] = float("-inf")
    logits[1, 2, 3, 3] = float("inf")
    found = message(DataError, loss, logits, target)
    expected = "The logits hold 3 values that are not finite (the first is nan, at image 1, channel 0, position (2, 3))"
    assert found == f"{expected}{mend}"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_nan_among_the_logits_is_not_hidden(form: Any, channels: int) -> None:
    logits = torch.zeros(2, channels, 4, 5)
    logits[1, 0, 2, 3] = NAN
    for overlap_weight in (0.0, 0.5, 1.0):
        loss = UnifiedFocalLoss(form=form, overlap_weight=overlap_weight, reduction="none")
        each = loss(logits, torch.zeros(2, 4, 5))
        assert each.isnan().tolist() == [False, True]


# Settings.

NOT_NEGATIVE = "expected a finite number at least 0."
BELOW_ONE = "below 1 was expected while overlap_weight is above 0, since the overlap arm takes the power 1 - gamma."


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"form": "both"}, "form was 'both'; expected one of asymmetric, symmetric."),
        ({"reduction": "average"}, "reduction was 'average'; expected one of mean, sum, none."),
        ({"overlap_weight": 1.1}, "overlap_weight was 1.1; expected a finite number at least 0 and at most 1."),
        ({"overlap_weight": "half"}, "overlap_weight was 'half'; expected a number."),
        ({"delta": 0.0}, "delta was 0.0; expected a finite number above 0 and below 1."),
        ({"delta": 1.0}, "delta was 1.0; expected a finite number above 0 and below 1."),
        ({"delta": 1.5}, "delta was 1.5; expected a finite number above 0 and below 1."),
        ({"delta": NAN}, "delta was nan; expected a finite number above 0 and below 1."),
        ({"gamma": -0.1}, f"gamma was -0.1; {NOT_NEGATIVE}"),
        ({"gamma": NAN}, f"gamma was nan; {NOT_NEGATIVE}"),
        ({"gamma": float("inf"), "overlap_weight": 0.0}, f"gamma was inf; {NOT_NEGATIVE}"),
        ({"gamma": 1.0}, f"gamma was 1.0; {BELOW_ONE}"),
        ({"gamma": 2.0}, f"gamma was 2.0; {BELOW_ONE}"),
        ({"boundary_weight": -1.0}, f"boundary_weight was -1.0; {NOT_NEGATIVE}"),
        ({"boundary_gamma": -0.5}, f"boundary_gamma was -0.5; {NOT_NEGATIVE}"),
        ({"boundary_radius": 0}, "boundary_radius was 0; expected a finite number above 0."),
        (
            {"delta": 2.0, "boundary_weight": -1.0},
            f"delta was 2.0; expected a finite number above 0 and below 1.\nboundary_weight was -1.0; {NOT_NEGATIVE}",
        ),
    ],
)
def test_a_setting_out_of_range_is_refused_with_what_was_expected(settings: dict[str, Any], expected: str) -> None:
    with pytest.raises(SettingError) as raised:
        UnifiedFocalLoss(**settings)
    assert str(raised.value) == expected
    with pytest.raises(SettingError) as raised:
        unified_focal_loss(torch.zeros(1, 1, 4), torch.zeros(1, 4), **settings)
    assert str(raised.value) == expected


def test_gamma_of_one_and_more_is_refused_by_the_overlap_arm_alone() -> None:
    logits, target = torch.zeros(1, 1, 4), torch.zeros(1, 4)
    with pytest.raises(SettingError, match=r"gamma was 2\.0; below 1 was expected"):
        modified_focal_tversky_loss(logits, target, gamma=2.0)
    assert modified_focal_loss(logits, target, gamma=2.0).isfinite()


def test_class_weights_of_another_length_than_the_classes_are_refused() -> None:
    logits, target = torch.zeros(2, 3, 4, 5), torch.zeros(2, 4, 5)
    found = message(SettingError, UnifiedFocalLoss(class_weights=(1.0, 2.0)), logits, target)
    assert found == "class_weights has 2 numbers; logits of 3 classes need one, or one a class."
    found = message(SettingError, UnifiedFocalLoss(class_weights=(1.0, 2.0, 1.0)), logits[:, :1].clone(), target)
    assert found == "class_weights has 3 numbers; logits of 2 classes need one, or one a class."


@pytest.mark.parametrize("weights", [(1.0, -1.0), (NAN,), (float("inf"),)])
def test_class_weights_that_are_no_weights_are_refused(weights: tuple[float, ...]) -> None:
    with pytest.raises(SettingError, match=r"^class_weights"):
        UnifiedFocalLoss(class_weights=weights)


def test_a_spacing_of_another_length_than_the_spatial_axes_is_refused() -> None:
    loss = UnifiedFocalLoss(boundary_weight=1.0, spacing_mm=(1.0, 1.0, 1.0))
    found = message(SettingError, loss, torch.zeros(2, 1, 4, 5), torch.zeros(2, 4, 5))
    assert found == ("spacing_mm is (1.0, 1.0, 1.0); expected positive, finite numbers, one for each of the 2 spatial axes.")
    for spacing_mm in ((0.0, 1.0), (-1.0, 1.0), (NAN, 1.0)):
        with pytest.raises(SettingError, match=r"^spacing_mm"):
            UnifiedFocalLoss(spacing_mm=spacing_mm)


def test_settings_are_given_by_name() -> None:
    with pytest.raises(TypeError):
        UnifiedFocalLoss("symmetric")
    with pytest.raises(TypeError):
        unified_focal_loss(torch.zeros(1, 1, 4), torch.zeros(1, 4), "symmetric")


# Extremes.

ENDS = torch.tensor([1e4, 1e3, 104, 88, 30, 16, 0])


def mask(kind: str, classes: int, images: int) -> Tensor:
    target = torch.full((images, 4, 4), classes - 1 if kind == "full" else 0)
    if kind == "one pixel":
        target[:, 1, 2] = classes - 1
    return target


def every_extreme(target: Tensor, channels: int) -> Tensor:
    """An image for each end and sign: towards the truth, away from it, one class throughout; and ends at random."""
    sizes = torch.cat([ENDS, -ENDS])
    towards = torch.stack([2.0 * (target == c) - 1 for c in range(max(channels, 2))], dim=1)[:, -channels:]
    one_class = torch.ones_like(towards)
    one_class[:, 1:] = -1
    scale = sizes.reshape(-1, 1, 1, 1)
    at_random = sizes[torch.randint(0, len(sizes), towards.shape, generator=torch.Generator().manual_seed(0))]
    return torch.cat([scale * towards, scale * one_class, at_random])


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [1, 2, 4])
@pytest.mark.parametrize("gamma", [0.0, 0.1, 0.5, 0.75, 0.99])
@pytest.mark.parametrize("delta", [0.1, 0.5, 0.9])
def test_value_and_gradient_are_finite_for_logits_up_to_ten_thousand(
    delta: float, gamma: float, channels: int, dtype: torch.dtype
) -> None:
    for kind in ("empty", "full", "one pixel"):
        target = mask(kind, max(channels, 2), 2 * len(ENDS))
        logits = every_extreme(target, channels).to(dtype).requires_grad_()
        for form, boundary_weight in (("asymmetric", 0.0), ("symmetric", 1.0)):
            arms = {"form": form, "delta": delta, "gamma": gamma}
            loss = UnifiedFocalLoss(**arms, boundary_weight=boundary_weight, reduction="none")
            each = loss(logits, target.repeat(3, 1, 1))
            (gradient,) = torch.autograd.grad(each.sum(), logits)
            assert each.isfinite().all()
            assert (each >= 0).all()
            assert gradient.isfinite().all()
            assert gradient.dtype == dtype


@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [1, 2, 4])
@pytest.mark.parametrize("form", FORMS)
def test_a_completely_wrong_prediction_still_has_a_gradient_that_mends_it(
    form: Any, channels: int, dtype: torch.dtype, autocast: bool
) -> None:
    classes = max(channels, 2)
    target = torch.zeros(2, 6, 6, dtype=torch.long)
    target[:, 1:4, 2:5] = classes - 1
    wrong = (target + 1) % classes
    truth, guess = (torch.stack([labels == c for c in range(classes)], dim=1)[:, -channels:] for labels in (target, wrong))
    for size in (1.0, 20.0, 1e4):
        logits = (size * (2.0 * guess - 1)).to(dtype).requires_grad_()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
            value = UnifiedFocalLoss(form=form)(logits, target)
        (gradient,) = torch.autograd.grad(value, logits)
        assert (gradient[truth] < 0).all()
        assert (gradient[guess] > 0).all()


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_autocast_changes_nothing(channels: int) -> None:
    target = mask("one pixel", max(channels, 2), 2 * len(ENDS)).repeat(3, 1, 1)
    for dtype in (torch.float32, torch.bfloat16):
        logits = every_extreme(target[: 2 * len(ENDS)], channels).to(dtype).requires_grad_()
        plain = UnifiedFocalLoss(boundary_weight=1.0)(logits, target)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            value = UnifiedFocalLoss(boundary_weight=1.0)(logits, target)
        assert value.dtype == torch.float32
        assert torch.equal(value, plain)
        assert torch.equal(torch.autograd.grad(value, logits)[0], torch.autograd.grad(plain, logits)[0])
