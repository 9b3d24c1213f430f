"""How much of a weight counts at a step of a training."""

import math
from typing import Literal

Schedule = Literal["constant", "linear", "cosine"]


def share_at(schedule: Schedule, step: int, steps: int) -> float:
    """The share in [0, 1] at a step, counted from 0, of a training of so many steps.

    "constant": 1 throughout. "linear" and "cosine" (half a wave) grow from 0 at the first step to 1 at the last.
    """
    if schedule == "constant" or steps < 2:
        return 1.0
    done = min(1.0, step / (steps - 1))
    return done if schedule == "linear" else (1 - math.cos(math.pi * done)) / 2
