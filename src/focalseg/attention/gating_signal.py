"""What gates share that a gating signal steers: the check that there is a signal, and the step from one grid to another."""

import torch
import torch.nn.functional as F
from torch import Tensor

from focalseg.attention.gate import Gate, SiteShape
from focalseg.errors import SettingError, ShapeError
from focalseg.layers import LINEAR_INTERPOLATIONS


def check_site_has_signal(kind: type[Gate], shape: SiteShape) -> None:
    """Raises SettingError for a site without a gating signal, where a gate of this kind cannot be built."""
    if not shape.gating_channels or len(shape.gating_stride) != shape.spatial_dims:
        raise SettingError(
            f"{kind.__name__} needs the channels of its gating signal and a stride along each axis; "
            f"gating_channels was {shape.gating_channels} and gating_stride {shape.gating_stride} for size {shape.size}."
        )


def require_signal(gate: Gate, gating_signal: Tensor | None) -> Tensor:
    """Returns the gating signal, and raises ShapeError where none was given."""
    if gating_signal is None:
        raise ShapeError(f"{type(gate).__name__} needs the gating signal, features of the level below; none was given.")
    return gating_signal


def resample(values: Tensor, size: tuple[int, ...]) -> Tensor:
    """(B, C, *spatial) -> (B, C, *size), linear between the centres of the elements; the argument where the grids agree."""
    # A graph that is exported would go one of the two ways for all sizes; where the grids agree the other one changes nothing.
    if not torch.compiler.is_exporting() and tuple(values.shape[2:]) == size:
        return values
    return F.interpolate(values, size=size, mode=LINEAR_INTERPOLATIONS[len(size)], align_corners=False)


def fill_stride(features: Tensor, stride: tuple[int, ...]) -> Tensor:
    """(B, C, *spatial) with every axis at least as long as its stride: the last element goes on; else the argument.

    A volume of one slice is thus read as that slice repeated, as `resample` reads it; a kernel as wide as the stride fits.
    """
    for axis, step in enumerate(stride, start=2):
        lacking = step - features.shape[axis]
        if lacking > 0:
            last = features.narrow(axis, features.shape[axis] - 1, 1)
            features = torch.cat([features, *[last] * lacking], dim=axis)
    return features
