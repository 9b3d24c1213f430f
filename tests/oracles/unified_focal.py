"""The Unified Focal loss with its boundary weight in NumPy float64: value and gradient, each term differentiated by hand.

Written from the equations alone. Nothing here takes a difference of near equals: 1 - p is the sum of the other classes' p, in
logarithms. One channel is two classes with the logits (0, z).
"""

from dataclasses import dataclass

import numpy as np

EPSILON = 1e-7


@dataclass(frozen=True, kw_only=True)
class Settings:
    form: str = "asymmetric"
    overlap_weight: float = 0.5
    delta: float = 0.6
    gamma: float = 0.5
    boundary_weight: float = 0.0
    boundary_gamma: float = 1.0
    boundary_radius: float | None = None
    spacing_mm: tuple[float, ...] | None = None
    ignore_index: int | None = None
    class_weights: tuple[float, ...] | None = None
    reduction: str = "mean"


def unified_focal(
    logits: np.ndarray, target: np.ndarray, *, closeness: np.ndarray | None = None, **settings: object
) -> tuple[np.ndarray, np.ndarray]:
    """Value, () or (B,), and the gradient of its sum in the logits, (B, K, *spatial)."""
    s = Settings(**settings)  # type: ignore[arg-type]
    one_hot, counted = read_target(target, logits.shape, s.ignore_index)
    if closeness is None and s.boundary_weight:
        closeness = closeness_to_the_border(hard_masks(one_hot, logits.shape[1]), counted, s.boundary_radius, s.spacing_mm)
    phi = np.zeros(()) if closeness is None else closeness.astype(float)
    if phi.ndim == logits.ndim - 1:
        phi = phi[:, None]
    boundary = 1 + s.boundary_weight * phi**s.boundary_gamma
    two_or_more = np.concatenate([np.zeros_like(logits), logits], axis=1) if logits.shape[1] == 1 else logits
    batch, classes = two_or_more.shape[:2]
    flat = (batch, classes, -1)
    z, y = two_or_more.reshape(flat).astype(float), one_hot.reshape(flat)
    w = (np.broadcast_to(boundary, two_or_more.shape) * counted[:, None]).reshape(flat)
    each, slope = per_image(z, y, w, max(counted.sum(), 1), s)
    scale = 1 / batch if s.reduction == "mean" else 1.0
    gradient = (scale * slope).reshape(two_or_more.shape)[:, -logits.shape[1] :]
    return {"none": each, "sum": each.sum(), "mean": each.mean()}[s.reduction], gradient


def per_image(z: np.ndarray, y: np.ndarray, w: np.ndarray, counted: int, s: Settings) -> tuple[np.ndarray, np.ndarray]:
    """Of (B, K, N) logits, truth and pixel weights: the loss an image, (B,), and the gradient of its sum, (B, K, N)."""
    batch, classes = z.shape[:2]
    foreground = (np.arange(classes) > 0)[:, None]
    symmetric = s.form == "symmetric"
    overlap_gamma = np.where(foreground | symmetric, s.gamma, 0.0)
    entropy_gamma = np.where(~foreground | symmetric, s.gamma, 0.0)
    class_weights = np.broadcast_to(1.0 if s.class_weights is None else s.class_weights, classes)[:, None]
    value, slope = np.zeros(batch), np.zeros_like(z)
    if s.overlap_weight > 0:
        terms, in_logits = overlap_arm(z, y, w, s.delta, overlap_gamma, class_weights / classes)
        value, slope = value + s.overlap_weight * terms, slope + s.overlap_weight * in_logits
    if s.overlap_weight < 1:
        share = class_weights * np.where(foreground, s.delta, 1 - s.delta) * batch / counted
        terms, in_logits = cross_entropy_arm(z, share * w * y, entropy_gamma)
        value, slope = value + (1 - s.overlap_weight) * terms, slope + (1 - s.overlap_weight) * in_logits
    return value, slope


def overlap_arm(
    z: np.ndarray, y: np.ndarray, w: np.ndarray, delta: float, gamma: np.ndarray, share: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """sum_c share_c (1 - TI_c)^(1 - gamma_c) an image. u = 1 - TI is taken as errors / (hits + errors + eps)."""
    p, q = (np.exp(log) for log in log_probabilities(z))
    hits = (w * y * p).sum(axis=2, keepdims=True)
    errors = (w * (delta * y * q + (1 - delta) * (1 - y) * p)).sum(axis=2, keepdims=True)
    whole = hits + errors + EPSILON
    u = errors / whole
    outer = share * (1 - gamma) * np.where(u > 0, u, 1.0) ** -gamma / whole**2
    in_errors, in_hits = outer * (hits + EPSILON), -outer * errors
    in_p = w * (in_hits * y + in_errors * ((1 - delta) * (1 - y) - delta * y))
    in_logits = p * sum(p[:, [c]] * (in_p - in_p[:, [c]]) for c in range(z.shape[1]))  # dp_c / dz_k = p_c ([c = k] - p_k)
    return (share * u ** (1 - gamma)).sum(axis=(1, 2)), in_logits


def cross_entropy_arm(z: np.ndarray, share: np.ndarray, gamma: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """sum_n sum_c share (1 - p)^gamma (-log p) an image."""
    log_p, log_q = log_probabilities(z)
    p, q = np.exp(log_p), np.exp(log_q)
    focus = share * np.exp(gamma * log_q)
    in_own = focus * (gamma * p * log_p - q)  # in the class's own logit; what the others gain is shared as their p
    in_logits = in_own.copy()
    for c in range(z.shape[1]):
        others = np.arange(z.shape[1]) != c
        in_logits[:, others] -= np.exp(log_p[:, others] - log_q[:, [c]]) * in_own[:, [c]]
    return (focus * -log_p).sum(axis=(1, 2)), in_logits


def log_probabilities(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """log p and log(1 - p), each from the log-odds of the other classes against this one."""
    against = np.stack([np.logaddexp.reduce(np.delete(z, c, axis=1) - z[:, [c]], axis=1) for c in range(z.shape[1])], axis=1)
    return -np.logaddexp(0, against), -np.logaddexp(0, -against)


def read_target(target: np.ndarray, shape: tuple[int, ...], ignore_index: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Truth of every class, (B, max(K, 2), *spatial), and which pixels count, (B, *spatial) bool."""
    channels, y = shape[1], target.astype(float)
    if channels == 1 or y.ndim < len(shape) or y.shape[1] == 1:
        labels = y.reshape(shape[0], *shape[2:])
        counted = np.ones(labels.shape, bool) if ignore_index is None else labels != ignore_index
        if channels == 1:
            return np.stack([1 - labels, labels], axis=1) * counted[:, None], counted
        return np.stack([labels == c for c in range(channels)], axis=1) * counted[:, None].astype(float), counted
    counted = np.ones((shape[0], *shape[2:]), bool)
    if ignore_index is not None:
        counted = y.sum(axis=1) > 0
        if 0 <= ignore_index < channels:
            counted &= y[:, ignore_index] < 0.5
    return y * counted[:, None], counted


def hard_masks(one_hot: np.ndarray, channels: int) -> np.ndarray:
    """Where each class's mask lies, (B, K, *spatial) bool; one channel has one mask, the foreground's."""
    if channels == 1:
        return one_hot[:, 1:] >= 0.5
    return np.stack([one_hot.argmax(axis=1) == c for c in range(channels)], axis=1)


def closeness_to_the_border(
    masks: np.ndarray, counted: np.ndarray, radius: float | None, spacing_mm: tuple[float, ...] | None
) -> np.ndarray:
    """phi, (B, K, *spatial): every pixel against every border pixel; 0 where there is no border."""
    closeness = np.zeros(masks.shape)
    spacing = np.ones(masks.ndim - 2) if spacing_mm is None else np.array(spacing_mm)
    for image, channel in np.ndindex(masks.shape[:2]):
        mask, use = masks[image, channel], counted[image]
        border = border_of(mask, use)
        if not border.any():
            continue
        places = np.indices(mask.shape).reshape(mask.ndim, -1).T * spacing
        apart = places[:, None] - places[border.ravel()][None]
        distance = np.sqrt((apart**2).sum(axis=2)).min(axis=1).reshape(mask.shape)
        for side in (mask & use, ~mask & use):
            farthest = distance[side].max() if radius is None else radius
            relative = distance[side] / farthest if farthest > 0 else 0 * distance[side]
            closeness[image, channel][side] = np.maximum(0, 1 - relative)
    return closeness


def border_of(mask: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Counted pixels, on both sides, with a counted face neighbour on the other side."""
    border = np.zeros(mask.shape, bool)
    for axis in range(mask.ndim):
        here, there = np.moveaxis(mask, axis, 0), np.moveaxis(counted, axis, 0)
        crossing = (here[1:] != here[:-1]) & there[1:] & there[:-1]
        ring = np.moveaxis(border, axis, 0)
        ring[1:] |= crossing
        ring[:-1] |= crossing
    return border
