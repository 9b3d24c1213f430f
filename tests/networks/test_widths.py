"""How deep a U-Net should be: as deep as leaves the bottleneck twelve pixels (four voxels), within what is asked."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focalseg.networks.widths import plan_widths


@pytest.mark.parametrize(
    ("size", "levels"),
    [
        ((64, 64), 3),
        ((96, 128), 4),
        ((128, 96), 4),
        ((288, 384), 5),
        ((47, 400), 2),
        ((48, 48), 3),
        ((95, 95), 3),
        ((36, 50, 36), 4),
        ((31, 50, 36), 3),
        ((96, 96, 96), 5),
        ((4096,), 5),
    ],
)
def test_the_depth_follows_the_shortest_side(size: tuple[int, ...], levels: int) -> None:
    assert plan_widths(size, base_width=8, most_levels=5) == tuple(8 * 2**level for level in range(levels))


@pytest.mark.parametrize("side", [1, 8, 23])
def test_the_smallest_images_still_get_two_levels(side: int) -> None:
    assert plan_widths((side, side), base_width=3, most_levels=5) == (3, 6)


@given(
    sides=st.lists(st.integers(1, 2000), min_size=1, max_size=3), most_levels=st.integers(2, 8), base_width=st.integers(1, 64)
)
def test_one_level_more_would_leave_too_little_or_is_not_allowed(sides: list[int], most_levels: int, base_width: int) -> None:
    widths = plan_widths(tuple(sides), base_width=base_width, most_levels=most_levels)
    levels, least = len(widths), 4 if len(sides) == 3 else 12
    assert widths[0] == base_width
    assert all(coarser == 2 * finer for finer, coarser in pairwise(widths))
    assert 2 <= levels <= most_levels
    assert levels == 2 or min(sides) // 2 ** (levels - 1) >= least
    assert levels == most_levels or min(sides) // 2**levels < least
