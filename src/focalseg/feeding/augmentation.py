"""Whole batches augmented on their device: a pure function of (seed, step), so that a resumed run sees the same.

Flips and quarter turns move pixels and are exact. Rotation, scale and elastic displacement are put together with them into
one map of where each pixel comes from, and a case is read once. Intensities follow: blur, power law, contrast and brightness,
noise.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from focalseg.errors import SettingError, ShapeError
from focalseg.feeding.augmentation_config import AugmentationConfig
from focalseg.feeding.batches import AUGMENTATION_STREAM, OPERATION_STREAM, step_generator
from focalseg.feeding.warping import bend, map_linearly, read_at

_SHARED = ("rotation", "scale", "elastic", "blur", "power_law", "noise")
"""Operations that are applied to a share of the cases, in the order of their random draws; a new one goes to the end."""


@dataclass(frozen=True)
class _Draws:
    """The random draws of one step. flips (B, D) bool, turns (B,), contrast and brightness (B, 1, ...).

    touched: by operation, (B,) bool. amounts: by operation, (B, 3) from 0 to 1. fields: by operation, the seed of each case.
    """

    flips: Tensor
    turns: Tensor
    contrast: Tensor
    brightness: Tensor
    touched: dict[str, Tensor]
    amounts: dict[str, Tensor]
    fields: dict[str, list[int]]


def augment(
    images: Tensor,
    *maps: Tensor,
    config: AugmentationConfig,
    seed: int,
    step: int,
    spacing_mm: Sequence[float] | None = None,
) -> tuple[Tensor, ...]:
    """images (B, C, *spatial) float32, normalised, and maps (B, *spatial) or (B, K, *spatial) of any dtype that move with them.

    Images are read linearly, maps (masks, and what is measured on them) at the nearest pixel; beyond the border both repeat
    its values. spacing_mm: size of a pixel along each axis, so that a rotation keeps the shapes of things where pixels are
    not square; all alike without it. What happens to a case depends on (seed, step), its place in the batch and the batch's
    length, not on what the other cases show. Returns the images and the maps, new and on the images' device.
    Raises ShapeError for shapes that do not fit together, SettingError for a spacing that does not.
    """
    size = tuple(images.shape[2:])
    _check(images, maps, spacing_mm)
    spacing = np.asarray(spacing_mm or (1.0,) * len(size))
    # A quarter turn of a plane whose pixels are not square would change the shapes of things.
    square = len(size) > 1 and size[-1] == size[-2] and spacing[-1] == spacing[-2]
    draws = _draw(len(images), len(size), config, square=square, seed=seed, step=step)
    return tuple(_move((images, *maps), len(size), config, draws, square=square, spacing=spacing))


def _check(images: Tensor, maps: Sequence[Tensor], spacing_mm: Sequence[float] | None) -> None:
    size = tuple(images.shape[2:])
    if not 1 <= len(size) <= 3:
        raise ShapeError(f"The images are {tuple(images.shape)}; expected (B, C, *spatial) with one to three spatial axes.")
    for values in maps:
        if len(values) != len(images) or tuple(values.shape[-len(size) :]) != size or values.ndim - len(size) not in (1, 2):
            raise ShapeError(
                f"A map is {tuple(values.shape)} and the images are {tuple(images.shape)}; "
                "expected maps (B, *spatial) or (B, K, *spatial)."
            )
    if spacing_mm is not None and (len(spacing_mm) != len(size) or min(spacing_mm) <= 0):
        raise SettingError(f"spacing_mm was {tuple(spacing_mm)}; expected {len(size)} positive number(s), one a spatial axis.")


def _draw(count: int, axes: int, config: AugmentationConfig, *, square: bool, seed: int, step: int) -> _Draws:
    """The order of the draws is what a resumed or repeated run rests on: whatever is off, all are made."""
    generator = step_generator(seed, step, AUGMENTATION_STREAM)
    flips = (torch.rand((count, axes), generator=generator) < 0.5) & config.flip
    turns = torch.randint(0, 4 if square else 1, (count,), generator=generator) * config.turn
    a_case = (count, *(1,) * (axes + 1))
    contrast = 1 + config.contrast * (2 * torch.rand(a_case, generator=generator) - 1)
    brightness = config.brightness * (2 * torch.rand(a_case, generator=generator) - 1)
    # A stream of their own: switching an operation on leaves what the others draw as it was.
    generator = step_generator(seed, step, OPERATION_STREAM)
    touched, amounts, fields = {}, {}, {}
    for operation in _SHARED:
        touched[operation] = torch.rand(count, generator=generator) < config.share
        amounts[operation] = torch.rand((count, 3), generator=generator, dtype=torch.float64)
        fields[operation] = torch.randint(2**62, (count,), generator=generator).tolist()
    return _Draws(flips, turns, contrast, brightness, touched, amounts, fields)


def _move(
    all_values: Sequence[Tensor], axes: int, config: AugmentationConfig, draws: _Draws, *, square: bool, spacing: np.ndarray
) -> list[Tensor]:
    """Every case where it belongs: resampled where rotation, scale or elastic displacement touch it, else pixel by pixel.

    The intensities of the first of the values change as well.
    """
    count = len(all_values[0])
    amounts = {"rotation": config.largest_angle(axes), "scale": config.scale, "elastic": config.elastic_pixels}
    touched = torch.zeros(count, dtype=torch.bool)
    for operation, amount in amounts.items():
        touched |= draws.touched[operation] & (amount > 0)
    moved = [torch.empty_like(values) for values in all_values]
    for case in (~touched).nonzero()[:, 0].tolist():
        flipped = [axis - axes for axis in range(axes) if draws.flips[case, axis]]
        for values, target in zip(all_values, moved, strict=True):
            one = values[case].flip(flipped)
            target[case] = one.rot90(int(draws.turns[case]), (-2, -1)) if square else one
        _change_intensities(moved[0][case], case, config, draws)
    cases = touched.nonzero()[:, 0].tolist()
    at_once = torch.get_num_threads() if moved[0].device.type == "cpu" else count
    for first in range(0, len(cases), at_once):
        some = cases[first : first + at_once]
        _resample(all_values, moved, some, config, draws, spacing)
        for case in some:  # while it is in the processor's cache
            _change_intensities(moved[0][case], case, config, draws)
    return moved


def _resample(
    all_values: Sequence[Tensor],
    moved: Sequence[Tensor],
    cases: list[int],
    config: AugmentationConfig,
    draws: _Draws,
    spacing: np.ndarray,
) -> None:
    """Reads the cases where they come from and writes them to `moved`."""
    axes, size, device = len(spacing), tuple(all_values[0].shape[2:]), all_values[0].device
    matrices = np.stack([_find_matrix(case, config, draws, spacing) for case in cases])
    places = map_linearly(size, matrices, device=device)
    if config.elastic_pixels > 0:
        for position, case in enumerate(cases):
            if draws.touched["elastic"][case]:
                generator = torch.Generator().manual_seed(draws.fields["elastic"][case])
                places[position] += bend(size, config.elastic_pixels, generator, device=device)
    chosen = [torch.stack([values[case] for case in cases]) for values in all_values]
    layered = [values.unsqueeze(1) if values.ndim == axes + 1 else values for values in chosen]
    images, maps = read_at(places, layered[0], layered[1:])
    for target, read, before in zip(moved, (images, *maps), chosen, strict=True):
        for case, one in zip(cases, read.reshape(before.shape), strict=True):
            target[case] = one


def _find_matrix(case: int, config: AugmentationConfig, draws: _Draws, spacing: np.ndarray) -> np.ndarray:
    """(D, D) float64: from an offset in the result to the offset in the image that it comes from, both in pixels."""
    axes = len(spacing)
    matrix = np.eye(axes)
    if draws.touched["rotation"][case] and (largest := math.radians(config.largest_angle(axes))):
        planes = [(0, 1)] if axes == 2 else [(1, 2), (0, 2), (0, 1)]
        for plane, amount in zip(planes, draws.amounts["rotation"][case].tolist(), strict=False):
            matrix = matrix @ _rotate(axes, plane, largest * (2 * amount - 1))
    if draws.touched["scale"][case]:
        matrix = matrix * (1 + config.scale) ** (1 - 2 * float(draws.amounts["scale"][case, 0]))
    matrix = matrix * spacing / spacing[:, None]  # pixels to mm, then back
    for _ in range(int(draws.turns[case])):
        matrix = _rotate(axes, (axes - 2, axes - 1), -math.pi / 2) @ matrix
    flipped: np.ndarray = np.where(draws.flips[case].numpy(), -1.0, 1.0)[:, None] * matrix
    return flipped


def _rotate(axes: int, plane: tuple[int, int], radians: float) -> np.ndarray:
    matrix = np.eye(axes)
    cosine, sine = math.cos(radians), math.sin(radians)
    matrix[np.ix_(plane, plane)] = [[cosine, -sine], [sine, cosine]]
    return matrix


def _change_intensities(image: Tensor, case: int, config: AugmentationConfig, draws: _Draws) -> None:
    """Changes the intensities of one case, (C, *spatial), in place."""

    def touches(operation: str, amount: float) -> bool:
        return amount > 0 and bool(draws.touched[operation][case])

    if touches("blur", config.blur_pixels):
        image.copy_(_blur(image, config.blur_pixels * float(draws.amounts["blur"][case, 0])))
    if touches("power_law", config.power_law):
        exponent = (1 + config.power_law) ** (2 * float(draws.amounts["power_law"][case, 0]) - 1)
        image.copy_(_raise_to_power(image, exponent))
    if config.contrast > 0 or config.brightness > 0:
        image.mul_(draws.contrast[case].to(image.device)).add_(draws.brightness[case].to(image.device))
    if touches("noise", config.noise):
        generator = torch.Generator().manual_seed(draws.fields["noise"][case])
        deviation = config.noise * float(draws.amounts["noise"][case, 0])
        image.add_(torch.randn(image.shape, generator=generator).to(image.device), alpha=deviation)


def _raise_to_power(image: Tensor, exponent: float) -> Tensor:
    """Applies a power law to (C, *spatial), each channel scaled to 0 to 1 by its own range and back; a constant one stays."""
    values = image.flatten(1)
    low, high = values.amin(dim=1, keepdim=True), values.amax(dim=1, keepdim=True)
    span = high - low
    unit = (values - low).div_(torch.where(span > 0, span, 1))
    return torch.minimum(unit.pow_(exponent).mul_(span).add_(low), high).reshape(image.shape)


def _blur(image: Tensor, sigma: float) -> Tensor:
    """Blurs (C, *spatial) by a Gaussian, mirrored at the border, which keeps the mean."""
    for axis in range(1, image.ndim):
        length = image.shape[axis]
        radius = min(math.ceil(4 * sigma), length)
        kernel = torch.exp(-0.5 * (torch.arange(-radius, radius + 1).double() / max(sigma, 1e-3)) ** 2)
        ends = image.narrow(axis, 0, radius).flip(axis), image.narrow(axis, length - radius, radius).flip(axis)
        padded = torch.cat([ends[0], image, ends[1]], dim=axis)
        # A sum of shifted copies: of so few weights it takes less than a convolution of torch's.
        image = torch.zeros_like(image)
        for shift, weight in enumerate((kernel / kernel.sum()).tolist()):
            image.add_(padded.narrow(axis, shift, length), alpha=weight)
    return image
