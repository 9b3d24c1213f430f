"""The coefficients of every gate in NumPy float64, written from the papers' equations: a convolution is a sum over its taps.

Weights come by the names under which a gate saves them. `squash` turns a logit map into coefficients: the sigmoid, or the
sigmoid of the standardised map. A result broadcasts to the features (B, C, *spatial).
"""

from collections.abc import Callable
from functools import partial

import numpy as np

Weights = dict[str, np.ndarray]
Squash = Callable[[np.ndarray], np.ndarray]
Oracle = Callable[..., np.ndarray]


def sigmoid(logit: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logit))


def sigmoid_of_the_standardised(logit: np.ndarray) -> np.ndarray:
    """Each case's logits less their mean, over their standard deviation, whose square is raised by 1e-5 as in torch's norms."""
    rows = logit.reshape(len(logit), -1)
    scores = (rows - rows.mean(axis=1, keepdims=True)) / np.sqrt(rows.var(axis=1, keepdims=True) + 1e-5)
    return sigmoid(scores.reshape(logit.shape))


def squeeze_and_excitation(w: Weights, x: np.ndarray, *, squash: Squash = sigmoid, **_: object) -> np.ndarray:
    """Hu et al. 2018: s = sigmoid(W2 relu(W1 z + b1) + b2), z the mean over space. -> (B, C, 1, ...)."""
    return squash(channel_map(two_layers(w, "", pixels(x).mean(axis=2)), x))


def efficient_channel(w: Weights, x: np.ndarray, *, squash: Squash = sigmoid, **_: object) -> np.ndarray:
    """Wang et al. 2020: w = sigmoid(C1D_k(z)), z the mean over space. -> (B, C, 1, ...)."""
    return squash(channel_map(along_channels(w["convolution.weight"], pixels(x).mean(axis=2)), x))


def spatial(w: Weights, x: np.ndarray, *, squash: Squash = sigmoid, **_: object) -> np.ndarray:
    """Woo et al. 2018, spatial module: sigmoid(f7([mean_c; max_c]) + b). -> (B, 1, *spatial)."""
    return squash(seven_wide(w["convolution.weight"], x) + w["convolution.bias"])


def cbam(w: Weights, x: np.ndarray, *, squash: Squash = sigmoid, **_: object) -> np.ndarray:
    """Woo et al. 2018: channel module, then spatial module on what it lets through; their product. -> (B, C, *spatial)."""
    both = two_layers(w, "channel.", pixels(x).mean(axis=2)) + two_layers(w, "channel.", pixels(x).max(axis=2))
    channel = squash(channel_map(both, x))
    return channel * squash(seven_wide(w["spatial.convolution.weight"], channel * x) + w["spatial.convolution.bias"])


def concurrent(w: Weights, x: np.ndarray, *, squash: Squash = sigmoid, **_: object) -> np.ndarray:
    """Roy et al. 2018: channel and spatial squeeze and excitation side by side; ours takes their mean. -> (B, C, *spatial)."""
    channel = squash(channel_map(two_layers(w, "channel.", pixels(x).mean(axis=2)), x))
    return (channel + squash(convolve(w["spatial.weight"], x) + w["spatial.bias"])) / 2


def attention_gate(
    w: Weights, x: np.ndarray, *, g: np.ndarray, stride: tuple[int, ...], squash: Squash = sigmoid
) -> np.ndarray:
    """Oktay et al. 2018: additive attention on the grid of g, its logit raised linearly to the grid of x. -> (B, 1, ...)."""
    joined = additive(w, x, g, stride)
    return squash(raise_linearly(convolve(w["score.weight"], joined) + w["score.bias"], x.shape[2:]))


def focus(w: Weights, x: np.ndarray, *, g: np.ndarray, stride: tuple[int, ...], squash: Squash = sigmoid) -> np.ndarray:
    """Yeung et al. 2021: channel times spatial weights of q = relu(W_g g + W_x x), no biases on either. -> (B, C, *spatial)."""
    joined = additive(w, x, g, stride)
    channel = channel_map(along_channels(w["channel.weight"], pixels(joined).mean(axis=2)), x)
    level = convolve(w["spatial.weight"], joined.mean(axis=1, keepdims=True), same=True)
    return squash(channel) * squash(raise_linearly(level, x.shape[2:]))


ORACLES: dict[str, Oracle] = {
    "se": squeeze_and_excitation,
    "eca": efficient_channel,
    "spatial": spatial,
    "scse": concurrent,
    "cbam": cbam,
    "ag": attention_gate,
    "focus": focus,
}


def timm_cbam(
    fc1: np.ndarray, fc2: np.ndarray, kernel: np.ndarray, norm: dict[str, float], x: np.ndarray, *, epsilon: float = 1e-5
) -> np.ndarray:
    """x times both coefficients as timm's CbamModule computes them at inference, x (B, C, H, W).

    Its two fully connected layers and its 7 x 7 convolution have no bias; a batch norm with scale, shift, mean and variance
    follows the convolution.
    """
    averaged, largest = x.mean(axis=(2, 3)), x.max(axis=(2, 3))
    channel = sigmoid(np.maximum(averaged @ fc1.T, 0) @ fc2.T + np.maximum(largest @ fc1.T, 0) @ fc2.T)
    refined = x * channel[:, :, None, None]
    level = seven_wide(kernel, refined)
    return refined * sigmoid((level - norm["mean"]) / np.sqrt(norm["variance"] + epsilon) * norm["scale"] + norm["shift"])


def two_layers(w: Weights, prefix: str, z: np.ndarray) -> np.ndarray:
    hidden = np.maximum(z @ w[f"{prefix}squeeze.weight"].T + w[f"{prefix}squeeze.bias"], 0)
    return hidden @ w[f"{prefix}excite.weight"].T + w[f"{prefix}excite.bias"]


def along_channels(kernel: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Each channel's weighted sum with its neighbours in order, zeros beyond the ends. (B, C) -> (B, C)."""
    taps = kernel.ravel()
    reach, channels = len(taps) // 2, z.shape[1]
    banded = np.zeros((channels, channels))
    for to in range(channels):
        for start in range(max(to - reach, 0), min(to + reach + 1, channels)):
            banded[to, start] = taps[start - to + reach]
    return z @ banded.T


def seven_wide(kernel: np.ndarray, x: np.ndarray) -> np.ndarray:
    assert set(kernel.shape[2:]) == {7}
    return convolve(kernel, np.stack([x.mean(axis=1), x.max(axis=1)], axis=1), same=True)


def additive(w: Weights, x: np.ndarray, g: np.ndarray, stride: tuple[int, ...]) -> np.ndarray:
    """relu(W_x x + W_g g + b_g), on the grid of W_x x."""
    projected = convolve(w["project_features.weight"], x, stride=stride)
    bias = w["project_signal.bias"].reshape(-1, *[1] * len(stride))
    signal = raise_linearly(convolve(w["project_signal.weight"], g) + bias, projected.shape[2:])
    return np.maximum(projected + signal, 0)


def convolve(kernel: np.ndarray, x: np.ndarray, *, stride: tuple[int, ...] = (), same: bool = False) -> np.ndarray:
    """Sum over the taps of an (O, I, *k) kernel; `same` puts k // 2 zeros around, else a kernel must fit."""
    widths = kernel.shape[2:]
    steps = stride or (1,) * len(widths)
    if same:
        x = np.pad(x, [(0, 0), (0, 0), *((k // 2, k // 2) for k in widths)])
    grid = [(n - k) // step + 1 for n, k, step in zip(x.shape[2:], widths, steps, strict=True)]
    total = np.zeros((len(x), len(kernel), *grid))
    for tap in np.ndindex(*widths):
        seen = (slice(start, start + step * (n - 1) + 1, step) for start, step, n in zip(tap, steps, grid, strict=True))
        total += np.einsum("oi,bi...->bo...", kernel[(..., *tap)], x[(..., *seen)])
    return total


def raise_linearly(x: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Linear interpolation at the centres of the new pixels, (i + 1/2) n / size - 1/2, held constant beyond the ends."""
    for axis, length in enumerate(size, start=2):
        n = x.shape[axis]
        centres = np.clip((np.arange(length) + 0.5) * n / length - 0.5, 0, n - 1)
        x = np.apply_along_axis(partial(np.interp, centres, np.arange(n)), axis, x)
    return x


def pixels(x: np.ndarray) -> np.ndarray:
    return x.reshape(*x.shape[:2], -1)


def channel_map(values: np.ndarray, x: np.ndarray) -> np.ndarray:
    return values.reshape(*values.shape, *(1,) * (x.ndim - 2))
