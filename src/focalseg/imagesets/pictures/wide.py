"""16 bits a colour, which Pillow squeezes into 8: decoded twice, for the upper bytes and for the lower ones."""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

_OTHER_ORDER = {"16L": "16B", "16B": "16L", "16N": "16B" if sys.byteorder == "little" else "16L"}


def join_halves(upper: Any, reopen: Callable[[], Any]) -> np.ndarray:
    """(H, W, samples) uint16. upper: Pillow's image of RGB or RGBA, decoded; reopen: gives it once more, not decoded.

    Pillow keeps the upper byte of each sample. Told that the bytes stand in the other order, it keeps the lower one.
    """
    lower = reopen()
    lower.tile = [tile._replace(args=_turn(tile.args)) for tile in lower.tile]
    lower.load()
    samples: np.ndarray = np.asarray(upper).astype(np.uint16) << 8 | np.asarray(lower)
    return samples


def _turn(args: Any) -> Any:
    """What Pillow's decoder is told of the bytes, with their order turned."""
    told, *rest = (args,) if isinstance(args, str) else args
    name, _, order = told.partition(";")
    turned = f"{name};{_OTHER_ORDER[order]}"
    return turned if isinstance(args, str) else (turned, *rest)
