"""The sizes that a network takes, found on shapes alone."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from focalseg.hosts.tracing import copy_network

_MULTIPLES = (1, 2, 4, 8, 16, 32, 64)


class Sizes:
    """Which sizes of images (C, *spatial) a network takes. window: a size that it was trained with.

    multiple: what the sides must be multiples of. stride: how many elements of the image the coarsest features have for one.
    """

    def __init__(self, network: nn.Module, channels: int, window: tuple[int, ...]) -> None:
        # Without memory behind its tensors a pass tells whether shapes fit together, and costs next to nothing.
        self._probe = copy_network(network).to("meta").eval()
        self.channels, self.window = channels, window
        self.multiple = next((each for each in _MULTIPLES if self.takes(self.near(each, 1.0, 0))), 1)
        self.stride = self._measure_stride()

    def takes(self, size: tuple[int, ...]) -> bool:
        """Whether the network makes logits of an image of that size, at that size."""
        try:
            with torch.no_grad():
                logits = self._probe(torch.empty(1, self.channels, *size, device="meta"))
        except Exception:  # whatever a network of somebody's own raises
            return False
        return tuple(logits.shape[2:]) == size

    def list_others(self, multiple: int) -> Iterator[tuple[int, ...]]:
        """Sizes that the network takes, besides the window: odd multiples, smaller, larger and not square."""
        seen = {self.window}
        for scale, turn in ((0.5, 0), (0.7, 1), (0.8, 2), (1.0, 1), (1.2, 0), (1.5, 1)):
            size = self.near(multiple, scale, turn)
            if size not in seen and self.takes(size):
                seen.add(size)
                yield size

    def near(self, multiple: int, scale: float, turn: int) -> tuple[int, ...]:
        """About the window times scale, reversed for an odd turn; every side is an odd multiple, and one is longer."""
        window = self.window[:: -1 if turn % 2 else 1]
        # Three at least: torch takes an axis that comes down to one element for a constant.
        sides = [(max(round(side * scale / multiple), 3) // 2 * 2 + 1) * multiple for side in window]
        sides[turn % len(sides)] += 2 * multiple
        return tuple(sides)

    def _measure_stride(self) -> int:
        coarsest = [1.0]

        def note(_module: nn.Module, _arguments: Any, output: Any) -> None:
            if isinstance(output, Tensor) and output.ndim == len(self.window) + 2:
                # An axis of one element may be a mean over space.
                steps = [side / made for side, made in zip(self.window, output.shape[2:], strict=True) if made > 1]
                coarsest[0] = max([coarsest[0], *steps])

        handles = [module.register_forward_hook(note) for module in self._probe.modules()]
        self.takes(self.window)
        for handle in handles:
            handle.remove()
        return 1 << math.floor(math.log2(coarsest[0]))
