"""The Unified Focal loss as a part of other people's code: autograd in its forms, memory layouts, MONAI."""

import pytest
import torch
from torch import Tensor

from focalseg.losses import UnifiedFocalLoss


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
