"""Threads of one training on a CPU.

Sums that several threads share come out in another order, so the number of threads is part of what makes a training the same to
the bit. It follows from the network and the settings alone, never from how busy the machine is, and a checkpoint keeps it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from focalseg.hosts.costs import count_flops
from focalseg.training.run import RunConfig

OPERATIONS_PER_THREAD = 4e9
"""Of a step, below which another thread gains little: about a tenth of a second of arithmetic (benchmarks/threads.py)."""
_PASSES = 3
"""A step takes about so many times the operations of a forward pass: forward, and backward to features and to weights."""


def choose_threads(config: RunConfig, network: nn.Module) -> int:
    """The threads that the work of a step is worth, for a network on the CPU that has just been built.

    No more than torch has in this process, and all of these where the person has said how many.
    """
    most = torch.get_num_threads()
    if most == 1 or "OMP_NUM_THREADS" in os.environ or "MKL_NUM_THREADS" in os.environ:
        return most
    image = torch.zeros(1, *config.image_shape)
    with torch.no_grad():
        work = _PASSES * config.training.batch_size * count_flops(network.eval(), image)
    network.train()
    return max(min(int(work // OPERATIONS_PER_THREAD), most), 1)


@contextmanager
def kept_threads() -> Iterator[None]:
    """Puts back, at the end, the number of threads that torch has in this process."""
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)
