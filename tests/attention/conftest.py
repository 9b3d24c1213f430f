"""Every gate of the catalogue in one, two and three spatial axes, even and odd: a new gate is tested on arrival."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from focalseg.attention import GATES
from focalseg.attention.gate import Gate

GateCase = tuple[Gate, Tensor, Tensor | None]
CHANNELS, GATING_CHANNELS = 6, 10
SIZES = {1: [(8,), (9,)], 2: [(6, 4), (5, 7)], 3: [(4, 4, 6), (5, 4, 3)]}


def build(kind: str, size: tuple[int, ...], *, seed: int = 0, sharpness: float = 4.0) -> GateCase:
    """A gate with weights large enough that its coefficients spread over (0, 1), with features and signal for it.

    The gating signal, for the gates that use one, lies on the grid of floor(n / 2) elements that pooling leaves.
    """
    torch.manual_seed(seed)
    gate = GATES[kind].for_site(channels=CHANNELS, gating_channels=GATING_CHANNELS, spatial_dims=len(size))
    with torch.no_grad():
        for parameter in gate.parameters():
            parameter.mul_(sharpness)
    features = torch.randn(3, CHANNELS, *size)
    signal = torch.randn(3, GATING_CHANNELS, *(n // 2 for n in size)) if gate.needs_gating_signal else None
    return gate, features, signal


@pytest.fixture
def build_gate_case() -> Callable[..., GateCase]:
    return build


@pytest.fixture(params=[(kind, size) for kind in GATES for sizes in SIZES.values() for size in sizes], ids=str)
def gate_case(request: pytest.FixtureRequest) -> GateCase:
    return build(*request.param)
