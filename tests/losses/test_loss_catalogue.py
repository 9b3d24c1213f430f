"""What every loss of the catalogue keeps, whoever wrote it."""

import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from scipy.ndimage import distance_transform_edt

from focalseg.errors import DataError, SettingError, ShapeError
from focalseg.losses import LOSSES
from focalseg.losses.from_monai import FROM_MONAI


@pytest.fixture(params=LOSSES, ids=str)
def loss(request):
    if request.param in FROM_MONAI:
        pytest.importorskip("monai")
    return LOSSES[request.param]()


@pytest.fixture(params=[1, 3], ids=lambda count: f"{count} channels")
def labels_and_classes(request):
    labels = torch.zeros(2, 12, 14, dtype=torch.long)
    labels[0, 2:7, 3:9] = 1
    labels[1, 5:10, 2:12] = min(2, request.param)
    return labels.clamp(max=max(1, request.param - 1)), request.param


def towards(labels, classes):
    """Logits that favour the truth, of size 1."""
    if classes == 1:
        return 2.0 * labels.unsqueeze(1) - 1
    return 2.0 * F.one_hot(labels, classes).movedim(-1, 1) - 1


@pytest.mark.slow
def test_a_loss_falls_as_the_prediction_turns_right_and_its_gradient_is_finite(loss, labels_and_classes):
    labels, classes = labels_and_classes
    direction, costs = towards(labels, classes), []
    for size in (-4.0, -1.0, 1.0, 4.0):
        logits = (size * direction).requires_grad_()
        value = loss(logits, labels)
        value.backward()
        assert value.shape == ()
        assert torch.isfinite(logits.grad).all()
        assert logits.grad.abs().sum() > 0
        costs.append(value.item())
    assert costs == sorted(costs, reverse=True)
    assert costs[0] > costs[-1]


def test_a_target_may_have_a_channel_axis_of_one(loss, labels_and_classes):
    labels, classes = labels_and_classes
    logits = towards(labels, classes)
    assert torch.equal(loss(logits, labels), loss(logits, labels.unsqueeze(1)))


def test_a_target_out_of_range_or_of_another_shape_is_refused(loss, labels_and_classes):
    labels, classes = labels_and_classes
    with pytest.raises(DataError, match="The target holds 7; expected"):
        loss(towards(labels, classes), labels.masked_fill(labels > 0, 7))
    with pytest.raises(ShapeError, match="The target has shape"):
        loss(towards(labels, classes), labels[:, 1:])


def test_the_boundary_loss_is_the_signed_distance_times_the_probability():
    labels = torch.zeros(3, 9, 8, dtype=torch.long)
    labels[0, 2:6, 1:5], labels[1] = 1, 1  # the second is full, the third empty: no border, no cost
    logits = torch.randn(3, 1, 9, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    mask = labels[0].numpy() == 1
    signed = distance_transform_edt(~mask) - (distance_transform_edt(mask) - 1) * mask
    expected = (torch.sigmoid(logits[0, 0]) * torch.tensor(signed)).sum() / logits.numel()
    assert LOSSES["boundary"]()(logits, labels).item() == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize("classes", [1, 3])
def test_monais_dice_cross_entropy_equals_its_closed_form(classes):
    pytest.importorskip("monai")
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(2, classes, 6, 5, generator=generator)
    labels = torch.randint(0, max(2, classes), (2, 6, 5), generator=generator)
    p = torch.sigmoid(logits) if classes == 1 else logits.softmax(1)
    y = labels.unsqueeze(1).float() if classes == 1 else F.one_hot(labels, classes).movedim(-1, 1).float()
    dice = 1 - 2 * (p * y).sum((2, 3)) / (p.sum((2, 3)) + y.sum((2, 3)))
    entropy = F.binary_cross_entropy_with_logits(logits, y) if classes == 1 else F.cross_entropy(logits, labels)
    assert LOSSES["dice_cross_entropy"]()(logits, labels).item() == pytest.approx((dice.mean() + entropy).item(), rel=1e-4)


def test_a_loss_of_monai_without_monai_names_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "monai.losses", None)
    with pytest.raises(SettingError) as raised:
        LOSSES["dice_focal"]()
    assert str(raised.value) == "dice_focal is a loss of MONAI, which is not installed; pip install 'focalseg[monai]'."


def test_a_setting_that_monai_does_not_know_is_refused():
    pytest.importorskip("monai")
    with pytest.raises(SettingError, match="MONAI's DiceFocalLoss refuses these settings: .*bogus"):
        LOSSES["dice_focal"](bogus=1)


@pytest.mark.slow
def test_naming_the_losses_imports_neither_monai_nor_scipy():
    code = "import sys, focalseg.losses; sys.exit(any(name in sys.modules for name in ('monai', 'scipy', 'edt')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
