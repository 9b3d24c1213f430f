"""Compiled whole, the loss is what it is eagerly. Skipped where torch.compile finds no C++ compiler."""

import shutil

import pytest
import torch

from focalseg.losses import UnifiedFocalLoss

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not any(map(shutil.which, ("g++", "clang++"))), reason="torch.compile needs a C++ compiler"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning"),
]
CASES = {
    "one channel": ((2, 1, 12, 16), {}),
    "one channel, odd": ((2, 1, 5, 7), {}),
    "two channels, symmetric": ((2, 2, 12, 16), {"form": "symmetric"}),
    "four channels": ((2, 4, 12, 16), {}),
    "boundary": ((2, 3, 12, 16), {"boundary_weight": 1.0}),
    "ignore": ((2, 3, 12, 16), {"ignore_index": 255, "reduction": "none"}),
}


@pytest.fixture(autouse=True)
def fresh():
    yield
    torch.compiler.reset()


def value_and_gradient(loss, logits, labels):
    logits = logits.clone().requires_grad_()
    value = loss(logits, labels)
    return value.detach(), torch.autograd.grad(value.sum(), logits)[0]


@pytest.mark.parametrize("name", CASES)
def test_compiled_whole_it_is_the_same(name):
    shape, settings = CASES[name]
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(shape, generator=generator)
    labels = torch.randint(0, max(2, shape[1]), (shape[0], *shape[2:]), generator=generator)
    if "ignore_index" in settings:
        labels[:, :2] = 255
    loss = UnifiedFocalLoss(**settings)
    value, gradient = value_and_gradient(loss, logits, labels)
    compiled, slope = value_and_gradient(torch.compile(loss, fullgraph=True), logits, labels)
    assert torch.allclose(compiled, value, rtol=1e-6, atol=0)
    assert (slope - gradient).abs().max() <= 1e-6 * gradient.abs().max()


def test_compiled_a_target_out_of_range_makes_the_value_not_a_number():
    logits, labels = torch.zeros(1, 2, 4, 4), torch.full((1, 4, 4), 2)
    assert torch.compile(UnifiedFocalLoss(), fullgraph=True)(logits, labels).isnan()
