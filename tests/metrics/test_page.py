"""The page on scores: its examples run as they stand, and its claims on definitions hold."""

import re
from pathlib import Path

import numpy as np
import pytest

from focalseg.metrics import SCORES, measure_surfaces

PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")


def test_the_examples_run_as_they_stand(capsys):
    names: dict[str, object] = {}
    exec("\n".join(re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)), names)
    scores = names["scores"][1]
    assert scores.hd == pytest.approx(2 * 0.8)
    assert scores.nsd == 1.0
    assert [found.dice for found in names["by_channel"]] == [found[1].dice for found in names["by_label"]] == [1, 1]
    assert names["mean"].counted + names["mean"].left_out == 4
    assert capsys.readouterr().out.count("\n") == 2


def test_every_score_is_defined():
    assert [name for name in SCORES if f"`{name}`" not in PAGE] == []


def test_counting_voxels_weighs_a_face_by_how_coarse_it_is_and_areas_do_not():
    """A box whose two kinds of faces have the same area, one off at the first, the other at the second."""
    sides = (8, 40, 40)  # of 5, 1 and 1 mm: 40 mm each
    shares = {}
    for kind in ("surfels", "voxels"):
        for axis in (0, 1):
            one, other = np.zeros((2, 20, 80, 80), bool)
            start = [6, 20, 20]
            one[tuple(slice(first, first + side) for first, side in zip(start, sides, strict=True))] = True
            grown = [side + (2 if place == axis == 0 else 10 if place == axis else 0) for place, side in enumerate(sides)]
            other[tuple(slice(first, first + side) for first, side in zip(start, grown, strict=True))] = True
            found = measure_surfaces(one, other, spacing_mm=(5.0, 1.0, 1.0), surface=kind)
            shares[kind, axis] = 1 - found.surface_dice(4.0)
    assert shares["surfels", 0] == pytest.approx(shares["surfels", 1], rel=0.1)
    assert shares["voxels", 0] > 2 * shares["voxels", 1]
