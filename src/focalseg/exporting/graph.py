"""A network as an ONNX graph whose batch and spatial axes are free, compared with torch before it is taken for one."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.export import Dim

from focalseg.errors import SettingError
from focalseg.exporting.sizes import Sizes
from focalseg.hosts.tracing import copy_network

INPUT, OUTPUT = "image", "logits"
TOLERANCE = 1e-4
"""How far the logits of the graph may lie from torch's; beyond 100, a millionth of the largest, as float32 has it."""
_COMPARED = 4
"""Sizes besides the window that graph and network are compared at."""
_MEND = "Give --format bundle, which runs the network with torch."
_AXES = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}


class Graph(NamedTuple):
    """What is known of a graph that was written. sizes: (B, C, *spatial) at which it was compared with torch."""

    multiple: int
    opset: int
    largest_difference: float
    sizes: tuple[tuple[int, ...], ...]


def write_graph(network: nn.Module, path: Path, *, channels: int, window: tuple[int, ...]) -> Graph:
    """Writes the network as path, and compares the graph with torch in onnxruntime: at the window and at sizes that the export
    never saw, in batches of one to three.

    Raises SettingError where the network cannot be written as a graph, or the graph does not compute what the network does.
    """
    network = copy_network(network).cpu().eval()
    sizes = Sizes(network, channels, window)
    try:
        return _write_for(network, path, sizes, sizes.multiple)
    except SettingError:
        # A network may take any size since it looks at sizes and goes another way, of which a graph holds one alone; images
        # whose sides are multiples of its stride all go the same.
        if sizes.stride == sizes.multiple or any(side % sizes.stride for side in window):
            raise
    return _write_for(network, path, sizes, sizes.stride)


def _write_for(network: nn.Module, path: Path, sizes: Sizes, multiple: int) -> Graph:
    """The graph for images whose sides are multiples."""
    channels = sizes.channels
    traced, *compared = [*islice(sizes.list_others(multiple), _COMPARED + 1)] or [sizes.window]
    opset = _trace(network, torch.zeros(2, channels, *traced), path, multiple)
    shapes = [(1 + number % 3, channels, *size) for number, size in enumerate([sizes.window, *compared])]
    return Graph(multiple, opset, max(_compare(network, path, shapes)), tuple(shapes))


class _FreeMaxPool(nn.Module):
    """A MaxPool1d that torch's exporter can follow: of one along one axis it takes the length for a constant."""

    def __init__(self, pool: nn.MaxPool1d) -> None:
        super().__init__()
        self.pool = pool

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, length) -> (B, C, shorter), the same as the pool gives."""
        pool = self.pool
        along, step, padding, dilation = (
            (first, *(value if isinstance(value, tuple) else (value,)))
            for first, value in zip((1, 1, 0, 1), (pool.kernel_size, pool.stride, pool.padding, pool.dilation), strict=True)
        )
        return F.max_pool2d(features[:, :, None], along, step, padding, dilation, ceil_mode=pool.ceil_mode)[:, :, 0]


def _trace(network: nn.Module, example: Tensor, path: Path, multiple: int) -> int:
    """Writes the graph; returns the version of its operators."""
    import onnx

    network = copy_network(network)
    for name, module in list(network.named_modules()):
        if isinstance(module, nn.MaxPool1d) and not module.return_indices:
            network.set_submodule(name, _FreeMaxPool(module))
    names = _AXES[example.ndim - 2]
    free: dict[int, Any] = {0: Dim("batch")}
    # Sides as multiples of a number let torch prove that what was halved and doubled fits what was not.
    free |= {axis: Dim.DYNAMIC if multiple == 1 else multiple * Dim(name) for axis, name in enumerate(names, start=2)}
    try:
        with _quiet():
            program = torch.onnx.export(
                network,
                (example,),
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_shapes=(free,),
                dynamo=True,
                verbose=False,
            )
            assert program is not None  # noqa: S101 - it is None only where a file is named
            program.save(path)
    except OSError:  # a full disk, which no other format would help
        raise
    except Exception as error:
        raise SettingError(
            f"The network {type(network).__name__} cannot be written as ONNX: {_find_reason(error)}. {_MEND}"
        ) from error
    model = onnx.load(path, load_external_data=False)
    for value in (*model.graph.input, *model.graph.output):
        for dimension, name in zip(value.type.tensor_type.shape.dim, ("batch", None, *names), strict=True):
            if name is None:
                continue
            if dimension.HasField("dim_value"):
                raise SettingError(
                    f"The ONNX graph of {type(network).__name__} came out with a fixed {name}; expected a free one."
                )
            dimension.dim_param = name
    del model.graph.value_info[:]  # it speaks of the axes by their old names, and is worked out anew by whoever loads the graph
    onnx.save(model, path)
    return next(int(one.version) for one in model.opset_import if not one.domain)


def _compare(network: nn.Module, path: Path, shapes: list[tuple[int, ...]]) -> Iterator[float]:
    """The largest difference of the logits by shape. Raises SettingError where it is above TOLERANCE."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    for seed, shape in enumerate(shapes):
        images = torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
        with torch.no_grad():
            expected = network(images).numpy()
        try:
            (given,) = session.run([OUTPUT], {INPUT: images.numpy()})
        except Exception as error:
            raise SettingError(
                f"The ONNX graph fails on images of shape {shape}, which the network takes: {_find_reason(error)}. {_MEND}"
            ) from error
        apart = float(np.abs(given - expected).max()) if given.shape == expected.shape else float("inf")
        if not apart <= TOLERANCE * max(1.0, float(np.abs(expected).max()) / 100):
            raise SettingError(
                f"The logits of the ONNX graph differ from torch's by up to {apart:.1e} on images of shape {shape}; expected "
                f"at most {TOLERANCE:.0e}. {_MEND}"
            )
        yield apart


def _find_reason(error: BaseException) -> str:
    """The first line that tells what went wrong at the bottom of a chain of errors."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:200].rstrip(".")


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what torch's exporter says of libraries that are not there, and of changes to come in its own code."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
