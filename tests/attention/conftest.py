"""Every gate of the catalogue in one, two and three spatial axes, even and odd: a new gate is tested on arrival."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from focalseg.attention import GATES
from focalseg.attention.gate import Gate, SiteShape
from oracles.gates import ORACLES, Squash, sigmoid

GateCase = tuple[Gate, Tensor, Tensor | None]
CHANNELS, GATING_CHANNELS, STRIDE = 6, 10, 2
SIZES = {1: [(8,), (9,)], 2: [(6, 4), (5, 7)], 3: [(4, 4, 6), (5, 4, 3)]}
EVERY_SIZE = [size for sizes in SIZES.values() for size in sizes]


def build(
    kind: str,
    size: tuple[int, ...],
    *,
    seed: int = 0,
    sharpness: float = 3.0,
    channels: int = CHANNELS,
    stride: int = STRIDE,
    round_up: bool = False,
) -> GateCase:
    """A gate with weights large enough that its coefficients spread over (0, 1), with features and signal for it.

    The gating signal, for the gates that use one, lies on the grid of floor(n / stride) elements that pooling leaves, or of
    ceil(n / stride), which strided convolutions leave.
    """
    torch.manual_seed(seed)
    shape = SiteShape(channels=channels, size=size, gating_channels=GATING_CHANNELS, gating_stride=(stride,) * len(size))
    gate = GATES[kind].for_site(shape)
    with torch.no_grad():
        for parameter in gate.parameters():
            if parameter.ndim > 1:
                parameter.mul_(sharpness)
    features = torch.randn(3, channels, *size)
    coarser = [-(-n // stride) if round_up else n // stride for n in size]
    signal = torch.randn(3, GATING_CHANNELS, *coarser) if gate.needs_gating_signal else None
    return gate, features, signal


def published(
    kind: str, gate: Gate, features: Tensor, signal: Tensor | None, *, stride: int = STRIDE, squash: Squash = sigmoid
) -> np.ndarray:
    """What the gate's paper multiplies by, in NumPy float64, with the gate's weights."""
    weights = {name: tensor.detach().double().numpy() for name, tensor in gate.state_dict().items()}
    given = {} if signal is None else {"g": signal.detach().double().numpy(), "stride": (stride,) * (features.ndim - 2)}
    return ORACLES[kind](weights, features.detach().double().numpy(), squash=squash, **given)


def alter_logits(gate: Gate, change: Callable[[Tensor], Tensor]) -> Gate:
    """The gate with each of its logit maps changed before anything is made of them."""
    compute = gate.compute_logits
    gate.compute_logits = lambda *given: tuple(change(logit) for logit in compute(*given))
    return gate


@pytest.fixture(name="build_gate_case")
def build_gate_case_fixture() -> Callable[..., GateCase]:
    return build


@pytest.fixture(name="published")
def published_fixture() -> Callable[..., np.ndarray]:
    return published


@pytest.fixture(name="alter_logits")
def alter_logits_fixture() -> Callable[[Gate, Callable[[Tensor], Tensor]], Gate]:
    return alter_logits


@pytest.fixture(params=list(GATES))
def kind(request: pytest.FixtureRequest) -> str:
    """Every gate of the catalogue."""
    return request.param


@pytest.fixture(params=EVERY_SIZE, ids=str)
def size(request: pytest.FixtureRequest) -> tuple[int, ...]:
    """One, two and three spatial axes, even and odd."""
    return request.param


@pytest.fixture
def gate_case(kind: str, size: tuple[int, ...]) -> GateCase:
    return build(kind, size)
