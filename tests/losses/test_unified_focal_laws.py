"""Closed forms and laws of the Unified Focal loss: what it must equal, what must leave it alone, what must lower it."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from focalseg.losses import UnifiedFocalLoss, modified_focal_loss, modified_focal_tversky_loss, unified_focal_loss
from oracles.unified_focal import closeness_to_the_border

FORMS = ["asymmetric", "symmetric"]
CHANNELS = [1, 2, 4]
BOUNDARY = {"boundary_weight": 2.0, "boundary_gamma": 1.5}


def draw(channels: int, size: tuple[int, ...] = (6, 7), batch: int = 3, seed: int = 0) -> tuple[Tensor, Tensor]:
    """float64 logits and class indices."""
    random = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(batch, channels, *size, dtype=torch.float64, generator=random)
    return logits, torch.randint(0, max(channels, 2), (batch, *size), generator=random)


def one_hot(target: Tensor, channels: int) -> Tensor:
    return torch.stack([target == c for c in range(max(channels, 2))], dim=1).double()


def probabilities(logits: Tensor) -> Tensor:
    p = logits.sigmoid()
    return torch.cat([1 - p, p], dim=1) if logits.shape[1] == 1 else logits.softmax(dim=1)


def same(first: Tensor, second: Tensor, tolerance: float = 1e-12) -> bool:
    return first.item() == pytest.approx(second.item(), rel=tolerance)


# Closed forms. Those of the overlap arm leave eps = 1e-7 out, which moves them by less than 1e-6 here.


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("delta", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("channels", CHANNELS)
def test_gamma_zero_gives_tversky_and_weighted_cross_entropy(channels: int, delta: float, form: Any) -> None:
    logits, target = draw(channels)
    y, p = one_hot(target, channels), probabilities(logits)
    tp, fn, fp = (part.sum(dim=(2, 3)) for part in (y * p, y * (1 - p), (1 - y) * p))
    tversky = (1 - tp / (tp + delta * fn + (1 - delta) * fp)).mean()
    weights = torch.full((max(channels, 2),), delta, dtype=torch.float64)
    weights[0] = 1 - delta
    if channels == 1:
        cross_entropy = F.binary_cross_entropy_with_logits(logits[:, 0], target.double(), weight=weights[target])
    else:
        cross_entropy = F.cross_entropy(logits, target, weight=weights, reduction="sum") / target.numel()
    arms = {"form": form, "gamma": 0.0, "delta": delta}
    assert same(UnifiedFocalLoss(**arms, overlap_weight=1.0)(logits, target), tversky, 1e-6)
    assert same(UnifiedFocalLoss(**arms, overlap_weight=0.0)(logits, target), cross_entropy)
    assert same(UnifiedFocalLoss(**arms, overlap_weight=0.25)(logits, target), 0.25 * tversky + 0.75 * cross_entropy, 1e-6)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("channels", CHANNELS)
def test_delta_one_half_and_gamma_zero_gives_dice_and_half_of_cross_entropy(channels: int, form: Any) -> None:
    logits, target = draw(channels)
    y, p = one_hot(target, channels), probabilities(logits)
    dice = 2 * (y * p).sum(dim=(2, 3)) / (y + p).sum(dim=(2, 3))
    cross_entropy = -(y * p.log()).sum(dim=1).mean()
    arms = {"form": form, "gamma": 0.0, "delta": 0.5}
    assert same(UnifiedFocalLoss(**arms, overlap_weight=1.0)(logits, target), 1 - dice.mean(), 1e-6)
    assert same(UnifiedFocalLoss(**arms, overlap_weight=0.0)(logits, target), cross_entropy / 2)


def test_gamma_two_without_the_overlap_arm_is_the_focal_loss_of_lin_et_al() -> None:
    logits, target = draw(1)
    p_t = torch.where(target == 1, logits[:, 0].sigmoid(), (-logits[:, 0]).sigmoid())
    alpha_t = torch.where(target == 1, 0.25, 0.75)
    focal = (-alpha_t * (1 - p_t) ** 2 * p_t.log()).mean()
    arms = {"form": "symmetric", "delta": 0.25, "gamma": 2.0}
    assert same(UnifiedFocalLoss(overlap_weight=0.0, **arms)(logits, target), focal)
    assert same(modified_focal_loss(logits, target, **arms), focal)


@pytest.mark.parametrize("channels", CHANNELS)
def test_boundary_weights_on_plain_cross_entropy_are_the_distance_penalised_one_of_caliva_et_al(channels: int) -> None:
    logits, target = draw(channels)
    masks = one_hot(target, channels)[:, -channels:] > 0
    maps = torch.tensor(closeness_to_the_border(masks.numpy(), torch.ones_like(target).bool().numpy(), None, None))
    phi = (maps * masks).sum(dim=1) if channels > 1 else maps[:, 0]  # the map of the pixel's own class
    cross_entropy = -(one_hot(target, channels) * probabilities(logits).log()).sum(dim=1)
    expected = ((1 + phi) * cross_entropy).mean() / 2
    loss = UnifiedFocalLoss(overlap_weight=0.0, delta=0.5, gamma=0.0, boundary_weight=1.0)
    assert same(loss(logits, target), expected, 1e-9)
    assert same(loss(logits, target, closeness=phi), expected)


# The arms and their twins.


@pytest.mark.parametrize("extra", [{}, BOUNDARY, {"class_weights": (0.5,)}, {"reduction": "none"}, {"ignore_index": 1}])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("channels", CHANNELS)
def test_the_module_and_the_functions_are_one_loss_and_overlap_weight_mixes_its_arms(
    channels: int, form: Any, extra: dict[str, Any]
) -> None:
    logits, target = draw(channels)
    arms = {"form": form, "delta": 0.7, "gamma": 0.3} | extra
    overlap, cross_entropy = (arm(logits, target, **arms) for arm in (modified_focal_tversky_loss, modified_focal_loss))
    for overlap_weight in (0.0, 0.3, 1.0):
        value = UnifiedFocalLoss(overlap_weight=overlap_weight, **arms)(logits, target)
        assert torch.equal(value, unified_focal_loss(logits, target, overlap_weight=overlap_weight, **arms))
        assert torch.allclose(value, overlap_weight * overlap + (1 - overlap_weight) * cross_entropy, rtol=1e-12)


def test_the_functions_take_a_closeness_too() -> None:
    logits, target = draw(3)
    phi = torch.rand(3, 3, 6, 7, dtype=torch.float64)
    value = UnifiedFocalLoss(**BOUNDARY)(logits, target, closeness=phi)
    assert torch.equal(unified_focal_loss(logits, target, closeness=phi, **BOUNDARY), value)
    arms = [arm(logits, target, closeness=phi, **BOUNDARY) for arm in (modified_focal_tversky_loss, modified_focal_loss)]
    assert same((arms[0] + arms[1]) / 2, value)


# Classes.


def test_the_symmetric_form_with_delta_one_half_does_not_know_which_class_is_the_foreground() -> None:
    symmetric, asymmetric = (UnifiedFocalLoss(form=form, delta=0.5, gamma=0.7) for form in ("symmetric", "asymmetric"))
    logits, target = draw(1)
    assert same(symmetric(logits, target), symmetric(-logits, 1 - target))
    assert asymmetric(logits, target).item() != pytest.approx(asymmetric(-logits, 1 - target).item(), rel=1e-3)
    logits, target = draw(4)
    relabelled = torch.tensor([2, 0, 3, 1])
    assert same(symmetric(logits, target), symmetric(logits[:, relabelled.argsort()], relabelled[target]))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("extra", [{}, BOUNDARY])
def test_the_order_of_the_foreground_classes_does_not_matter(form: Any, extra: dict[str, Any]) -> None:
    logits, target = draw(4)
    relabelled = torch.tensor([0, 3, 1, 2])
    loss = UnifiedFocalLoss(form=form, **extra)
    assert same(loss(logits, target), loss(logits[:, relabelled.argsort()], relabelled[target]))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("extra", [{}, BOUNDARY, {"class_weights": (0.5, 3.0)}, {"ignore_index": 0}])
def test_two_channels_with_the_first_at_zero_are_one_channel(form: Any, extra: dict[str, Any]) -> None:
    logits, target = draw(1)
    both = torch.cat([torch.zeros_like(logits), logits], dim=1)
    loss = UnifiedFocalLoss(form=form, **extra)
    assert same(loss(both, target), loss(logits, target))


@pytest.mark.parametrize("constant", [-1000.0, 3.0, 1000.0])
def test_a_constant_added_to_all_channels_changes_nothing(constant: float) -> None:
    logits, target = draw(3)
    assert same(UnifiedFocalLoss()(logits + constant, target), UnifiedFocalLoss()(logits, target), 1e-11)


@pytest.mark.parametrize("channels", CHANNELS)
def test_class_weights_multiply_and_are_not_normalised(channels: int) -> None:
    logits, target = draw(channels)
    classes = max(channels, 2)
    plain = UnifiedFocalLoss()(logits, target)
    assert same(UnifiedFocalLoss(class_weights=(3.0,))(logits, target), 3 * plain)
    assert same(UnifiedFocalLoss(class_weights=(3.0,) * classes)(logits, target), 3 * plain)
    alone = [UnifiedFocalLoss(class_weights=tuple(row.tolist()))(logits, target) for row in torch.eye(classes)]
    assert same(torch.stack(alone).sum(), plain)


# Boundary.


@pytest.mark.parametrize("channels", CHANNELS)
def test_boundary_weight_zero_is_the_plain_loss_to_the_bit(channels: int) -> None:
    logits, target = draw(channels)
    plain = UnifiedFocalLoss()(logits.float(), target)
    off = UnifiedFocalLoss(boundary_weight=0.0, boundary_gamma=3.0, boundary_radius=2.0, spacing_mm=(0.5, 2.0))
    assert torch.equal(off(logits.float(), target), plain)
    assert torch.equal(off(logits.float(), target, closeness=torch.rand(3, 6, 7)), plain)


@pytest.mark.parametrize("channels", CHANNELS)
def test_boundary_gamma_zero_weights_all_pixels_alike_even_where_there_is_no_border(channels: int) -> None:
    logits, target = draw(channels)
    target[0] = 0
    arms = {"boundary_weight": 1.0, "boundary_gamma": 0.0}
    twice = UnifiedFocalLoss(overlap_weight=0.0, **arms)(logits, target)
    assert same(twice, 2 * UnifiedFocalLoss(overlap_weight=0.0)(logits, target))
    unchanged = UnifiedFocalLoss(overlap_weight=1.0, **arms)(logits, target)
    assert same(unchanged, UnifiedFocalLoss(overlap_weight=1.0)(logits, target), 1e-6)


@pytest.mark.parametrize("channels", [2, 4])
def test_a_closeness_a_class_weights_every_class_by_its_own_map(channels: int) -> None:
    logits, target = draw(channels)
    phi = torch.rand(3, channels, 6, 7, dtype=torch.float64)
    of_the_truth = phi.gather(1, target.unsqueeze(1))
    cross_entropy = UnifiedFocalLoss(overlap_weight=0.0, boundary_weight=1.0)
    assert same(cross_entropy(logits, target, closeness=phi), cross_entropy(logits, target, closeness=of_the_truth))
    overlap = UnifiedFocalLoss(overlap_weight=1.0, boundary_weight=1.0)
    alone = []
    for c, weights in enumerate(torch.eye(channels).tolist()):
        one_class = UnifiedFocalLoss(overlap_weight=1.0, boundary_weight=1.0, class_weights=tuple(weights))
        alone.append(one_class(logits, target, closeness=phi[:, c]))
    assert same(overlap(logits, target, closeness=phi), torch.stack(alone).sum())


def test_ignored_pixels_are_on_no_side_of_a_border_and_make_none() -> None:
    logits = torch.linspace(-3, 3, 9, dtype=torch.float64).reshape(1, 1, 9)
    loss = UnifiedFocalLoss(boundary_weight=2.0, ignore_index=255)
    target = torch.tensor([[0, 0, 0, 1, 1, 255, 0, 255, 255]])
    distance = torch.tensor([[2, 1, 0, 0, 1, 0, 3, 0, 0]], dtype=torch.float64)
    phi = 1 - distance / torch.tensor([[3, 3, 3, 1, 1, 1, 3, 1, 1]])
    assert same(loss(logits, target), loss(logits, target, closeness=phi), 1e-9)
    parted = torch.tensor([[0, 0, 0, 255, 1, 1, 1, 1, 1]])
    assert same(loss(logits, parted), UnifiedFocalLoss(ignore_index=255)(logits, parted))


def test_a_mask_without_a_border_has_no_boundary_weight() -> None:
    logits, _ = draw(1)
    for target in (torch.zeros(3, 6, 7), torch.ones(3, 6, 7)):
        assert same(UnifiedFocalLoss(boundary_weight=5.0)(logits, target), UnifiedFocalLoss()(logits, target))


def test_a_large_boundary_gamma_leaves_the_ring_alone() -> None:
    logits, _ = draw(1, (9, 9), batch=1)
    target = torch.zeros(1, 9, 9)
    target[:, 3:7, 2:7] = 1
    ring = torch.zeros(1, 9, 9)
    ring[:, 3:7, 2:7] = 1
    ring[:, 4:6, 3:6] = 0
    ring[:, [2, 7], 2:7] = 1
    ring[:, 3:7, [1, 7]] = 1
    narrow = UnifiedFocalLoss(boundary_weight=2.0, boundary_gamma=1e4)(logits, target)
    assert same(narrow, UnifiedFocalLoss(boundary_weight=2.0)(logits, target, closeness=ring))


def test_the_unit_of_the_spacing_does_not_matter_where_the_radius_has_the_same() -> None:
    logits, target = draw(3, (3, 4, 5))
    for radius in (None, 2.0):
        in_mm = UnifiedFocalLoss(boundary_weight=1.0, boundary_radius=radius, spacing_mm=(3.0, 0.5, 1.0))
        doubled = UnifiedFocalLoss(boundary_weight=1.0, boundary_radius=radius and 2 * radius, spacing_mm=(6.0, 1.0, 2.0))
        assert same(in_mm(logits, target), doubled(logits, target))
        pixels = UnifiedFocalLoss(boundary_weight=1.0, boundary_radius=radius)(logits, target)
        assert in_mm(logits, target).item() != pytest.approx(pixels.item(), rel=1e-4)


# Space, batch, ignored pixels.


@pytest.mark.parametrize("extra", [{}, BOUNDARY])
@pytest.mark.parametrize("channels", CHANNELS)
def test_the_order_of_the_batch_and_the_direction_of_an_axis_do_not_matter(channels: int, extra: dict[str, Any]) -> None:
    logits, target = draw(channels, (3, 4, 5))
    loss = UnifiedFocalLoss(**extra)
    value = loss(logits, target)
    assert same(loss(logits.flip(0), target.flip(0)), value)
    for axis in (2, 3, 4):
        assert same(loss(logits.flip(axis), target.flip(axis - 1)), value)
    assert same(loss(logits.transpose(2, 4), target.transpose(1, 3)), value)


@pytest.mark.parametrize("extra", [{}, BOUNDARY, {"ignore_index": 255}])
@pytest.mark.parametrize("channels", CHANNELS)
def test_sum_adds_the_images_and_mean_averages_them(channels: int, extra: dict[str, Any]) -> None:
    logits, target = draw(channels)
    if "ignore_index" in extra:
        target[0, :, :3] = 255
    each, total, mean = (UnifiedFocalLoss(reduction=r, **extra)(logits, target) for r in ("none", "sum", "mean"))
    assert each.shape == (3,)
    assert same(each.sum(), total)
    assert same(each.mean(), mean)
    if "ignore_index" not in extra:
        alone = [UnifiedFocalLoss(**extra)(logits[[image]], target[[image]]) for image in range(3)]
        assert torch.allclose(torch.stack(alone), each, rtol=1e-12)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("channels", CHANNELS)
def test_ignoring_pixels_is_cropping_them_away(channels: int, form: Any) -> None:
    logits, target = draw(channels, (6, 9))
    logits.requires_grad_()
    ignoring = target.clone()
    ignoring[:, :, 5:] = 255
    loss = UnifiedFocalLoss(form=form, ignore_index=255)
    value, cropped = loss(logits, ignoring), loss(logits[..., :5], target[..., :5])
    assert same(value, cropped)
    gradients = [torch.autograd.grad(v, logits)[0] for v in (value, cropped)]
    assert torch.allclose(*gradients, rtol=1e-9, atol=0)
    assert (gradients[0][..., 5:] == 0).all()


@pytest.mark.parametrize("channels", CHANNELS)
def test_an_image_of_ignored_pixels_adds_nothing_and_a_batch_of_them_costs_nothing(channels: int) -> None:
    logits, target = draw(channels)
    logits.requires_grad_()
    target[1] = -1
    for extra in ({}, BOUNDARY):
        each = UnifiedFocalLoss(ignore_index=-1, reduction="none", **extra)(logits, target)
        assert each[1] == 0
        value = UnifiedFocalLoss(ignore_index=-1, **extra)(logits, torch.full_like(target, -1))
        (gradient,) = torch.autograd.grad(value, logits)
        assert value == 0
        assert (gradient == 0).all()


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("size", [(9,), (4, 5), (3, 4, 2)])
def test_all_forms_of_a_target_agree(channels: int, size: tuple[int, ...]) -> None:
    logits, target = draw(channels, size)
    expected = UnifiedFocalLoss()(logits, target)
    kinds = (torch.uint8, torch.int8, torch.int32, torch.int64, torch.float16, torch.bfloat16, torch.float32, torch.float64)
    for dtype in (*kinds, torch.bool) if channels < 3 else kinds:
        assert torch.equal(UnifiedFocalLoss()(logits, target.to(dtype)), expected)
        assert torch.equal(UnifiedFocalLoss()(logits, target.unsqueeze(1).to(dtype)), expected)
    if channels > 1:
        for dtype in (*kinds, torch.bool):
            assert torch.equal(UnifiedFocalLoss()(logits, one_hot(target, channels).to(dtype)), expected)


# Better predictions cost less.


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    channels=st.integers(1, 4),
    form=st.sampled_from(FORMS),
    gamma=st.sampled_from([0.0, 0.5, 0.9]),
    boundary=st.sampled_from([{}, BOUNDARY]),
)
def test_correcting_one_pixel_lowers_the_loss(
    seed: int, channels: int, form: Any, gamma: float, boundary: dict[str, Any]
) -> None:
    logits, target = draw(channels, (4, 5), batch=2, seed=seed)
    row, column = seed % 4, seed % 5
    truth = int(target[0, row, column])
    better = logits.clone()
    better[0, truth if channels > 1 else 0, row, column] += 3 if truth or channels > 1 else -3
    loss = UnifiedFocalLoss(form=form, gamma=gamma, **boundary)
    assert loss(better, target) < loss(logits, target)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_better_prediction_costs_less_and_a_perfect_one_next_to_nothing(channels: int, form: Any) -> None:
    target = torch.zeros(1, 8, 8, dtype=torch.long)
    target[..., 2:5, 3:6] = 1
    towards_truth = 2 * one_hot(target, channels)[:, -channels:].float() - 1
    sizes = (-20, -5, -1, 0, 1, 5, 20, 100)
    costs = [UnifiedFocalLoss(form=form)(size * towards_truth, target).item() for size in sizes]
    assert costs == sorted(costs, reverse=True)
    assert costs[-1] < 1e-6
