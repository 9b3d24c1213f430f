"""A training small enough for a test, and what compares two of them."""

import torch

from focalseg.feeding.feed import Feed
from focalseg.training.loop import TrainingData, train


def make_data():
    generator = torch.Generator().manual_seed(0)
    masks = torch.rand(14, 16, 16, generator=generator) > 0.7
    images = masks[:, None] * 2.0 + torch.randn(14, 1, 16, 16, generator=generator) * 0.2
    return TrainingData(train=Feed.from_tensors(images[:10], masks[:10]), validation=Feed.from_tensors(images[10:], masks[10:]))


def train_small(config, folder):
    """For a process of its own."""
    torch.set_num_threads(1)
    train(config, make_data(), folder, device="cpu")


def state_of(run):
    return {name: tensor.clone() for name, tensor in run.network.state_dict().items()}


def assert_same_bits(one, other):
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), name
