"""The Unified Focal loss as a part of other people's code: autograd in its forms, memory layouts, MONAI."""

import math

import pytest
import torch
from torch import Tensor

from focalseg.errors import DataError, GradientError, SettingError, ShapeError
from focalseg.losses import UnifiedFocalLoss, gradient, unified_focal_loss


def draw(channels: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(0)
    logits = torch.randn(2, channels, 8, 8, dtype=dtype, generator=random)
    return logits, torch.randint(0, max(channels, 2), (2, 8, 8), generator=random)


def gradient_of(loss: UnifiedFocalLoss, logits: Tensor, target: Tensor) -> Tensor:
    logits = logits.detach().requires_grad_()
    return torch.autograd.grad(loss(logits, target), logits)[0]


def alike(first: Tensor, second: Tensor) -> bool:
    return bool((first - second).abs().max() <= 1e-6 * second.abs().max())


@pytest.fixture(params=[1, 3], ids=["one channel", "three channels"])
def pair(request: pytest.FixtureRequest) -> tuple[Tensor, Tensor]:
    return draw(request.param)


@pytest.fixture(params=[0.0, 1.0], ids=["plain", "boundary"])
def boundary_weight(request: pytest.FixtureRequest) -> float:
    return request.param


@pytest.fixture
def loss(boundary_weight: float) -> UnifiedFocalLoss:
    return UnifiedFocalLoss(boundary_weight=boundary_weight)


def test_nothing_is_edited_and_the_loss_has_no_state(loss: UnifiedFocalLoss, pair: tuple[Tensor, Tensor]) -> None:
    logits, target = pair
    before = logits.clone(), target.clone()
    first = loss(logits, target)
    assert not first.requires_grad
    assert torch.equal(loss(logits, target), first)
    assert torch.equal(logits, before[0])
    assert torch.equal(target, before[1])
    assert loss.state_dict() == {}
    assert list(loss.parameters()) == []


def test_the_value_is_the_same_with_and_without_a_gradient(loss: UnifiedFocalLoss, pair: tuple[Tensor, Tensor]) -> None:
    logits, target = pair
    with torch.no_grad():
        silent = loss(logits.clone().requires_grad_(), target)
    with torch.inference_mode():
        inferred = loss(logits.clone(), target)
    tracked = loss(logits.clone().requires_grad_(), target)
    assert tracked.requires_grad
    assert not silent.requires_grad
    assert torch.equal(silent, tracked.detach())
    assert torch.equal(inferred, tracked.detach())


def test_the_functional_gradient_is_that_of_autograd(loss: UnifiedFocalLoss, pair: tuple[Tensor, Tensor]) -> None:
    logits, target = pair
    assert alike(torch.func.grad(loss)(logits, target), gradient_of(loss, logits, target))


def test_a_second_backward_gives_the_same_gradient(loss: UnifiedFocalLoss, pair: tuple[Tensor, Tensor]) -> None:
    logits, target = pair[0].requires_grad_(), pair[1]
    value = loss(logits, target)
    value.backward(retain_graph=True)
    first = logits.grad.clone()
    logits.grad = None
    value.backward()
    assert torch.equal(logits.grad, first)


def test_the_gradient_follows_what_is_done_with_the_value(boundary_weight: float, pair: tuple[Tensor, Tensor]) -> None:
    loss, an_image = (UnifiedFocalLoss(boundary_weight=boundary_weight, reduction=r) for r in ("mean", "none"))
    logits, target = pair[0].requires_grad_(), pair[1]
    gradient = gradient_of(loss, logits, target)
    (tripled,) = torch.autograd.grad(3 * loss(logits, target), logits)
    assert alike(tripled, 3 * gradient)
    (second,) = torch.autograd.grad(an_image(logits, target)[1], logits)
    assert (second[0] == 0).all()
    assert alike(second[1] / 2, gradient[1])


def test_the_layout_in_memory_does_not_matter(loss: UnifiedFocalLoss, pair: tuple[Tensor, Tensor]) -> None:
    logits, target = pair
    value, gradient = loss(logits, target), gradient_of(loss, logits, target)
    wider = torch.zeros(2, logits.shape[1], 8, 16)
    wider[..., ::2] = logits
    for other in (
        logits.contiguous(memory_format=torch.channels_last),
        logits.transpose(2, 3).contiguous().transpose(2, 3),
        logits.movedim(0, -1).contiguous().movedim(-1, 0),
        wider[..., ::2],
    ):
        assert torch.equal(other, logits)
        assert torch.allclose(loss(other, target), value, rtol=1e-6)
        assert alike(gradient_of(loss, other, target), gradient)
    assert torch.equal(loss(logits, target.transpose(1, 2).contiguous().transpose(1, 2)), value)


def test_a_network_learns_from_it() -> None:
    torch.manual_seed(0)
    image, target = torch.randn(4, 1, 8, 8), torch.zeros(4, 8, 8, dtype=torch.long)
    target[image[:, 0] > 1] = 1
    network = torch.nn.Conv2d(1, 2, 1)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.1)
    loss, costs = UnifiedFocalLoss(boundary_weight=1.0), []
    for _ in range(100):
        cost = loss(network(image), target)
        optimiser.zero_grad()
        cost.backward()
        optimiser.step()
        costs.append(cost.item())
    assert costs[-1] < costs[0] / 3
    assert (network(image).argmax(dim=1) == target).float().mean() > 0.97


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("channels", [1, 3])
def test_it_takes_the_tensors_of_monai_and_runs_in_its_deep_supervision(channels: int) -> None:
    monai_data, monai_losses = pytest.importorskip("monai.data"), pytest.importorskip("monai.losses")
    logits, target = draw(channels)
    labels = target.unsqueeze(1).float()
    loss = UnifiedFocalLoss(boundary_weight=1.0)
    value = loss(monai_data.MetaTensor(logits), monai_data.MetaTensor(labels))
    assert value.item() == pytest.approx(loss(logits, target).item(), rel=1e-6)
    coarse = torch.nn.functional.avg_pool2d(logits, 2)
    heads = [logits.clone().requires_grad_(), coarse.clone().requires_grad_()]
    supervised = monai_losses.DeepSupervisionLoss(loss)(heads, labels)
    coarse_labels = torch.nn.functional.interpolate(labels, size=(4, 4), mode="nearest-exact")
    expected = loss(logits, labels) + loss(coarse, coarse_labels) / 2  # its weights halve from head to head
    assert supervised.item() == pytest.approx(expected.item(), rel=1e-6)
    supervised.backward()
    assert all(head.grad.isfinite().all() for head in heads)


@pytest.mark.parametrize("channels", [1, 2, 4])
@pytest.mark.parametrize("values_a_piece", [1, 50, 200, 1000])
@pytest.mark.parametrize(
    "settings", [{}, {"boundary_weight": 1.0, "ignore_index": 3, "reduction": "none"}], ids=["plain", "all"]
)
def test_cut_into_pieces_of_any_size_it_is_the_same(monkeypatch, channels, values_a_piece, settings):
    generator = torch.Generator().manual_seed(channels)
    logits = 3 * torch.randn(3, channels, 7, 9, generator=generator)
    labels = torch.randint(0, max(2, channels), (3, 7, 9), generator=generator)
    soft = torch.rand(3, channels, 7, 9, generator=generator).softmax(1)
    loss = UnifiedFocalLoss(**settings)
    for target in (labels, soft if channels > 1 else soft.squeeze(1) / 2):
        whole = value_and_gradient(loss, logits, target)
        monkeypatch.setattr(gradient, "VALUES_A_PIECE", values_a_piece)
        pieces = value_and_gradient(loss, logits, target)
        monkeypatch.undo()
        for one, other in zip(whole, pieces, strict=True):
            assert (one - other).abs().max() <= 1e-6 * one.abs().max()


def test_a_second_derivative_is_refused_and_never_taken_for_zero():
    logits = torch.randn(1, 2, 4, 4, requires_grad=True)
    value = UnifiedFocalLoss()(logits, torch.zeros(1, 4, 4))
    (slope,) = torch.autograd.grad(value, logits, create_graph=True)
    with pytest.raises(GradientError) as raised:
        (value + slope.square().sum()).backward()
    assert str(raised.value) == "The Unified Focal loss has no second derivative; take its gradient without create_graph."


def value_and_gradient(loss, logits, target):
    logits = logits.clone().requires_grad_()
    value = loss(logits, target)
    return value.detach(), torch.autograd.grad(value.sum(), logits)[0]


def test_a_graph_of_the_gradient_may_be_asked_for_after_another_use_of_it():
    logits, target = draw(3)
    logits.requires_grad_()
    value = UnifiedFocalLoss()(logits, target)
    (first,) = torch.autograd.grad(value, logits, retain_graph=True)
    (second,) = torch.autograd.grad(value, logits, retain_graph=True, create_graph=True)
    (squared,) = torch.autograd.grad(value.square(), logits, create_graph=True)
    assert torch.equal(first, second)
    assert alike(squared, 2 * value.detach() * first)
    with pytest.raises(GradientError):
        squared.sum().backward()


def test_a_second_gradient_is_memory_of_its_own_and_knows_nothing_of_the_scale_of_the_first():
    logits, target = draw(2)
    logits.requires_grad_()
    value = UnifiedFocalLoss()(logits, target)
    (first,) = torch.autograd.grad(3 * value, logits, retain_graph=True)
    kept = first.clone()
    (second,) = torch.autograd.grad(value, logits)
    assert alike(3 * second, first)
    second.zero_()
    assert torch.equal(first, kept)


def test_a_target_edited_before_a_second_backward_is_noticed():
    logits, target = draw(1)
    mask = target.float()
    logits.requires_grad_()
    value = UnifiedFocalLoss()(logits, mask)
    torch.autograd.grad(value, logits, retain_graph=True)
    mask.zero_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        torch.autograd.grad(value, logits)


def test_float16_is_rounded_after_the_loss_scale():
    generator = torch.Generator().manual_seed(0)
    logits = (3 * torch.randn(1, 2, 512, 512, generator=generator)).half().requires_grad_()
    target = torch.randint(0, 2, (1, 512, 512), generator=generator)
    exact = gradient_of(UnifiedFocalLoss(), logits.double(), target)
    (scaled,) = torch.autograd.grad(65536 * UnifiedFocalLoss()(logits, target), logits)
    error = scaled.double() / 65536 - exact
    assert error.norm() < 1e-3 * exact.norm()


def test_many_pixels_are_summed_in_double_precision():
    logits, target = torch.zeros(1, 1, 256, 256, 64), torch.zeros(1, 256, 256, 64, dtype=torch.uint8)
    expected = 0.4 * 0.5**0.5 * math.log(2)
    assert UnifiedFocalLoss(overlap_weight=0.0)(logits, target).item() == pytest.approx(expected, rel=2e-7)


def test_nothing_is_edited_by_a_backward_either_whatever_the_kind_of_target():
    generator = torch.Generator().manual_seed(0)
    for target in (torch.rand(2, 8, 8, generator=generator), torch.ones(2, 8, 8, dtype=torch.uint8)):
        logits, closeness = torch.randn(2, 1, 8, 8, generator=generator), torch.rand(2, 8, 8, generator=generator)
        before = [values.clone() for values in (logits, target, closeness)]
        UnifiedFocalLoss(boundary_weight=1.0, ignore_index=1)(logits.requires_grad_(), target, closeness).backward()
        assert all(torch.equal(one, other) for one, other in zip((logits, target, closeness), before, strict=True))


def test_pixels_that_do_not_count_may_be_no_number():
    logits, target = draw(3)
    target[0, 2, 3], logits[0, :, 2, 3] = 255, torch.nan
    loss = UnifiedFocalLoss(ignore_index=255)
    assert alike(gradient_of(loss, logits, target), gradient_of(loss, logits.nan_to_num(), target))


def test_logits_may_be_as_far_apart_as_they_can():
    for channels in (2, 3):
        largest = torch.finfo(torch.float32).max
        logits = torch.full((1, channels, 2, 2), -largest)
        logits[:, 1] = largest
        for target in (torch.ones(1, 2, 2), torch.zeros(1, 2, 2)):
            assert torch.isfinite(gradient_of(UnifiedFocalLoss(), logits, target)).all()


def test_an_ignored_label_that_the_targets_kind_of_number_cannot_hold_ignores_nothing():
    logits, target = draw(3)
    for label, kind in ((257, torch.uint8), (-100, torch.uint8), (1000, torch.int8)):
        assert torch.equal(UnifiedFocalLoss(ignore_index=label)(logits, target.to(kind)), UnifiedFocalLoss()(logits, target))


@pytest.mark.parametrize("kind", [torch.uint16, torch.uint32, torch.uint64, torch.int8, torch.float16])
def test_labels_may_be_of_every_kind_of_real_number(kind):
    logits, target = draw(3)
    assert torch.equal(UnifiedFocalLoss()(logits, target.to(kind)), UnifiedFocalLoss()(logits, target))


def test_what_is_no_tensor_of_real_numbers_is_refused():
    logits, target = draw(3)
    for given, truth, message in (
        (logits, target.numpy(), "The target is a ndarray; a torch tensor was expected."),
        (logits.long(), target, "The logits are torch.int64; floating numbers were expected."),
        (logits, target.cfloat(), "The target is torch.complex64; expected class indices, a mask or classes in real numbers."),
    ):
        with pytest.raises(DataError) as raised:
            UnifiedFocalLoss()(given, truth)
        assert str(raised.value) == message


def test_weights_and_spacing_may_be_a_number_a_sequence_an_array_or_a_tensor():
    logits, target = draw(3)
    for weights in (2.0, [2.0], torch.tensor([2.0])):
        expected = 2 * UnifiedFocalLoss()(logits, target)
        assert UnifiedFocalLoss(class_weights=weights)(logits, target).item() == pytest.approx(expected.item())
        assert unified_focal_loss(logits, target, class_weights=weights).item() == pytest.approx(expected.item())


def test_the_boundary_weight_may_be_set_and_is_checked_like_the_setting():
    loss = UnifiedFocalLoss()
    loss.boundary_weight = 2.0
    assert repr(loss) == "UnifiedFocalLoss(boundary_weight=2.0)"
    assert UnifiedFocalLoss.from_config(loss.config).boundary_weight == 2.0
    with pytest.raises(SettingError) as raised:
        loss.boundary_weight = -5.0
    assert str(raised.value) == "boundary_weight was -5.0; expected a finite number at least 0."


def test_a_target_that_is_trusted_is_not_looked_at_and_one_that_is_not_is():
    logits, target = draw(3)
    closeness = torch.full((2, 8, 8), 1.5)
    trusting, checking = (UnifiedFocalLoss(check_target=check) for check in (False, True))
    assert torch.isfinite(trusting(logits, target + 5, closeness))
    with pytest.raises(DataError, match="The target holds 7"):
        checking(logits, target + 5)
    with pytest.raises(DataError, match="The closeness holds 1.5; expected values from 0 to 1"):
        checking(logits, target, closeness)
    with pytest.raises(ShapeError, match="The closeness has shape"):
        trusting(logits, target, closeness[:1])


@pytest.mark.parametrize("channels", [1, 2, 4])
@pytest.mark.parametrize("settings", [{}, {"ignore_index": 255, "boundary_radius": 3.0, "spacing_mm": (0.5, 2.0)}], ids=str)
def test_closeness_that_the_loss_measures_is_that_which_it_uses(channels, settings):
    logits, target = draw(channels)
    if settings:
        target[:, :2] = 255
    loss = UnifiedFocalLoss(boundary_weight=1.0, **settings)
    closeness = loss.measure_closeness(target.unsqueeze(1), classes=channels)
    assert torch.equal(loss(logits, target, closeness), loss(logits, target))
