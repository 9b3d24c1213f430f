"""Derivatives of losses in anything but the logits: there are none, and whoever asks for one is told."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from focalseg.errors import GradientError, SettingError
from focalseg.losses import LOSSES, UnifiedFocalLoss, unified_focal_loss
from focalseg.losses.from_monai import FROM_MONAI

REFUSED = "The {} requires a gradient, and only the logits of this loss get one. Hand on {}.detach()."


def draw(channels: int) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(0)
    logits = torch.randn(2, channels, 8, 8, generator=random)
    return logits, torch.randint(0, max(channels, 2), (2, 8, 8), generator=random)


@pytest.mark.parametrize("asked", ["target", "closeness"])
def test_a_gradient_in_target_or_closeness_is_refused_and_detached_they_are_taken(asked):
    logits, _ = draw(3)
    given = {"target": torch.randn(2, 3, 8, 8).softmax(1), "closeness": torch.rand(2, 8, 8)}
    loss = UnifiedFocalLoss(boundary_weight=1.0)
    expected = loss(logits, **given)
    wanting = {**given, asked: given[asked].clone().requires_grad_()}
    for one in (logits, logits.clone().requires_grad_()):
        with pytest.raises(GradientError) as raised:
            loss(one, **wanting)
        assert str(raised.value) == REFUSED.format(asked, asked)
    assert torch.equal(loss(logits, **{**wanting, asked: wanting[asked].detach()}), expected)
    with torch.no_grad():
        assert torch.equal(loss(logits, **wanting), expected)
    if asked == "target":
        with pytest.raises(GradientError, match=r"Hand on target.detach\(\)"):
            loss.measure_closeness(wanting["target"], 3)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")  # torch's own, on its first forward-mode call
@pytest.mark.parametrize("asked", ["target", "closeness"])
def test_functional_derivatives_in_target_or_closeness_are_refused(asked):
    logits, _ = draw(3)
    given = torch.randn(2, 3, 8, 8).softmax(1), torch.rand(2, 1, 8, 8)
    loss, number = UnifiedFocalLoss(boundary_weight=1.0), 1 if asked == "target" else 2
    tangents = tuple(torch.zeros_like(one) for one in given)

    def of_one(values):
        return loss(logits, *[values if index == number else one for index, one in enumerate(given, start=1)])

    for differentiate in (
        lambda: torch.func.grad(of_one)(given[number - 1]),
        lambda: torch.func.jvp(of_one, (given[number - 1],), (tangents[number - 1],)),
    ):
        with pytest.raises(GradientError, match=f"The {asked} requires a gradient"):
            differentiate()


@pytest.mark.slow
def test_a_compiled_loss_refuses_a_gradient_in_the_target_too():
    logits, _ = draw(3)
    target = torch.randn(2, 3, 8, 8).softmax(1).requires_grad_()
    torch.compiler.reset()
    try:
        with pytest.raises(GradientError, match="The target requires a gradient"):
            torch.compile(UnifiedFocalLoss(), backend="eager")(logits.requires_grad_(), target)
    finally:
        torch.compiler.reset()


@pytest.mark.parametrize("name", ["class_weights", "spacing_mm"])
def test_settings_of_several_numbers_may_be_a_tensor_unless_it_requires_a_gradient(name):
    logits, target = draw(3)
    numbers = {"class_weights": [1.0, 2.0, 0.5], "spacing_mm": [2.0, 0.5]}[name]
    settings = {"boundary_weight": 1.0, "delta": 0.7}
    expected = UnifiedFocalLoss(**settings, **{name: numbers})(logits, target)
    assert torch.equal(UnifiedFocalLoss(**settings, **{name: torch.tensor(numbers)})(logits, target), expected)
    wanting = {name: torch.tensor(numbers, requires_grad=True)}
    for call in (
        lambda: UnifiedFocalLoss(**settings, **wanting),
        lambda: unified_focal_loss(logits, target, **settings, **wanting),
    ):
        with pytest.raises(GradientError) as raised:
            call()
        assert str(raised.value) == REFUSED.format(name, name)
    assert UnifiedFocalLoss(**{name: torch.tensor(2.0)}).config == UnifiedFocalLoss(**{name: 2.0}).config


@pytest.mark.parametrize("name", ["overlap_weight", "delta", "gamma", "boundary_weight", "boundary_gamma", "boundary_radius"])
def test_a_setting_of_one_number_is_never_a_tensor_that_could_require_a_gradient(name):
    with pytest.raises(SettingError, match=f"^{name} was tensor"):
        UnifiedFocalLoss(**{name: torch.tensor(0.4, requires_grad=True)})


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")  # torch's own, on its first forward-mode call
def test_forward_mode_in_the_logits_raises_and_gives_no_tangent_in_silence():
    logits, target = draw(3)
    for loss in (UnifiedFocalLoss(), UnifiedFocalLoss(check_target=False, overlap_weight=0.0)):
        with pytest.raises(NotImplementedError):
            torch.func.jvp(lambda values, loss=loss: loss(values, target), (logits,), (torch.ones_like(logits),))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_refuses_a_target_that_requires_a_gradient(name, channels):
    if name in FROM_MONAI:
        pytest.importorskip("monai")
    logits, labels = draw(channels)
    target = labels.float().unsqueeze(1) if channels == 1 else F.one_hot(labels, channels).movedim(-1, 1).float()
    expected = LOSSES[name]()(logits, target)
    with pytest.raises(GradientError) as raised:
        LOSSES[name]()(logits, target.clone().requires_grad_())
    assert str(raised.value) == REFUSED.format("target", "target")
    assert torch.equal(LOSSES[name]()(logits, target.clone().requires_grad_().detach()), expected)


def test_a_weight_of_classes_that_requires_a_gradient_is_refused_by_losses_of_monai():
    pytest.importorskip("monai")
    with pytest.raises(GradientError) as raised:
        LOSSES["dice_cross_entropy"](weight=torch.ones(3, requires_grad=True))
    assert str(raised.value) == REFUSED.format("weight", "weight")
