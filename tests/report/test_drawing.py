"""The drawing of the network and the small axes."""

import itertools

import pytest

from focalseg.evaluation.statistics import Estimate
from focalseg.report.contents import SiteFinding
from focalseg.report.curves import spread_labels
from focalseg.report.drawing import MARK_HEIGHT, MARK_WIDTH, draw_network
from focalseg.report.intervals import difference_axis, score_axis


def find(site: str, gamma: float) -> SiteFinding:
    return SiteFinding(site=site, gate="se", gamma=gamma, removal_cost=0.0, spread=0.0, kept=True)


@pytest.mark.parametrize("levels", range(1, 8))
def test_a_network_of_any_depth_has_its_sites_apart_and_inside(levels: int) -> None:
    drawing = draw_network([8 * 2**level for level in range(levels + 1)], [find("bottleneck", 1.0)])
    assert len(drawing.blocks) == 2 * levels + 1
    assert len(drawing.marks) == 3 * levels + 1
    for one, other in itertools.combinations(drawing.marks, 2):
        assert abs(one.x - other.x) >= MARK_WIDTH or abs(one.y - other.y) >= MARK_HEIGHT
    for mark in drawing.marks:
        assert 0 <= mark.x <= drawing.width - MARK_WIDTH
        assert 0 <= mark.y <= drawing.height - MARK_HEIGHT


def test_bars_share_one_scale_and_one_tick() -> None:
    drawing = draw_network((8, 16), [find("encoder.0", 4.0), find("decoder.0", 1.0)])
    lengths = {mark.name: mark.length for mark in drawing.marks}
    assert lengths["encoder.0"] == drawing.track
    assert lengths["decoder.0"] == drawing.one == drawing.track / 4


def test_blocks_grow_wider_with_channels_and_lower_with_depth() -> None:
    encoder = draw_network((8, 16, 64), []).blocks[:3]
    assert encoder[0].width < encoder[1].width < encoder[2].width
    assert encoder[0].height > encoder[1].height > encoder[2].height


def test_a_network_of_unknown_widths_is_as_deep_as_its_sites() -> None:
    drawing = draw_network((), [find("skip.3", 1.0)])
    assert len(drawing.blocks) == 9
    assert {block.channels for block in drawing.blocks} == {""}


@pytest.mark.parametrize("bounds", [(0.0, 0.0, 0.0), (-0.2, -0.1, -0.05), (0.3, 0.32, 0.35), (-0.001, 0.0, 0.9), (-1, 0, 1)])
def test_an_axis_of_differences_holds_zero_and_the_interval(bounds: tuple[float, float, float]) -> None:
    low, mean, high = bounds
    axis = difference_axis([Estimate(mean=mean, low=low, high=high)])
    assert axis.low <= min(low, 0) + 1e-12
    assert axis.high >= max(high, 0) - 1e-12
    assert axis.place(low) <= axis.place(mean) <= axis.place(high)
    assert 2 <= len(axis.ticks(signs=True)) <= 7


@pytest.mark.parametrize("score", [0.0, 0.5, 1.0])
def test_an_axis_of_equal_scores_has_a_width(score: float) -> None:
    axis = score_axis([Estimate(mean=score, low=score, high=score)], [score], width=160.0)
    assert axis.low < axis.high
    assert axis.low <= score <= axis.high


def test_labels_stand_apart_in_the_order_of_their_lines() -> None:
    placed = spread_labels({"a": 1.0, "b": 1.0, "c": 1.02, "d": 0.0}, 0.2, 0.0, 2.0)
    heights = sorted(placed.values())
    assert all(upper - lower >= 0.2 - 1e-12 for lower, upper in itertools.pairwise(heights))
    assert placed["d"] < placed["a"] < placed["c"]
