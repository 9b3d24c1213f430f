"""The drawing of the network and the small axes."""

import itertools

import pytest

from focalseg.hosts.building import NetworkConfig
from focalseg.records.estimate import Estimate
from focalseg.records.site_decision import SiteDecision
from focalseg.report.charts import spread_labels
from focalseg.report.lettering import estimate_width
from focalseg.report.placement.drawing import LETTER, MARK_HEIGHT, MARK_WIDTH, draw_list, draw_network, draw_unet
from focalseg.report.placement.intervals import WIDTH, cost_axis, difference_axis, lay_rows, score_axis


def find(site: str, gamma: float) -> SiteDecision:
    return SiteDecision(site=site, gate="se", gamma=gamma, removal_cost=0.0, spread=0.0, kept=True, why="so")


@pytest.mark.parametrize("levels", range(1, 8))
def test_a_network_of_any_depth_has_its_sites_apart_and_inside(levels: int) -> None:
    drawing = draw_unet([8 * 2**level for level in range(levels + 1)], [find("bottleneck", 1.0)])
    assert len(drawing.blocks) == 2 * levels + 1
    assert len(drawing.marks) == 3 * levels + 1
    for one, other in itertools.combinations(drawing.marks, 2):
        assert abs(one.x - other.x) >= MARK_WIDTH or abs(one.y - other.y) >= MARK_HEIGHT
    for mark in drawing.marks:
        assert 0 <= mark.x <= drawing.width - MARK_WIDTH
        assert 0 <= mark.y <= drawing.height - MARK_HEIGHT


def test_bars_share_one_scale_and_one_tick() -> None:
    drawing = draw_unet((8, 16), [find("encoder.0", 4.0), find("decoder.0", 1.0)])
    lengths = {mark.name: mark.length for mark in drawing.marks}
    assert lengths["encoder.0"] == drawing.track
    assert lengths["decoder.0"] == drawing.one == drawing.track / 4


def test_blocks_grow_wider_with_channels_and_lower_with_depth() -> None:
    encoder = draw_unet((8, 16, 64), []).blocks[:3]
    assert encoder[0].width < encoder[1].width < encoder[2].width
    assert encoder[0].height > encoder[1].height > encoder[2].height


def test_a_network_of_unknown_widths_is_as_deep_as_its_sites() -> None:
    drawing = draw_unet((), [find("skip.3", 1.0)])
    assert len(drawing.blocks) == 9
    assert {block.inside for block in drawing.blocks} == {""}


UNET_NAMES = ("encoder.0", "encoder.1", "bottleneck", "skip.0", "skip.1", "decoder.1")
MONAI = NetworkConfig(name="monai:UNet")


def find_all(*names: str) -> list[SiteDecision]:
    return [find(name, 1.0) for name in names]


def test_a_network_with_the_sites_of_a_unet_is_drawn_as_one_and_its_missing_sites_stay_empty() -> None:
    drawing = draw_network(MONAI, find_all(*UNET_NAMES))
    assert drawing is not None
    assert not drawing.listed
    assert len(drawing.blocks) == 5
    assert {mark.name for mark in drawing.marks if mark.state == "empty"} == {"decoder.0"}


def test_the_gate_of_the_host_itself_stands_beside_its_site_as_own() -> None:
    finding = SiteDecision(site="skip.0", gate="own", gamma=1.0, removal_cost=0.0, spread=0.0, kept=True, why="so")
    mark = next(mark for mark in draw_unet((8, 16), [finding]).marks if mark.name == "skip.0")
    assert mark.gate == "own"
    assert "own (the network's own gate, made focal)" in mark.tooltip


def test_a_dead_site_makes_the_drawing_as_deep_as_it_stood_and_says_why_nothing_is_there() -> None:
    drawing = draw_network(MONAI, find_all("encoder.0", "bottleneck"), {"encoder.1": "a norm cancels it"})
    assert drawing is not None
    tooltips = {mark.name: mark.tooltip for mark in drawing.marks}
    assert tooltips["encoder.1"] == "encoder.1: no attention stands here, left out before training: a norm cancels it"


@pytest.mark.parametrize("names", [("layer1", "layer2.0"), ("encoder.0", "head"), ("skip.1",), ("encoder.1", "bottleneck")])
def test_sites_that_do_not_make_a_whole_unet_are_listed_in_their_order(names: tuple[str, ...]) -> None:
    drawing = draw_network(NetworkConfig(name="monai:UNet"), find_all(*names))
    assert drawing is not None
    assert drawing.listed
    assert tuple(mark.name for mark in drawing.marks) == names
    assert [block.inside for block in drawing.blocks] == [str(number + 1) for number in range(len(names))]
    assert drawing.arrows == ()


def test_places_that_a_person_named_are_listed_though_they_sound_like_a_unet() -> None:
    network = NetworkConfig(name="mine:build", stages=("encoder.*", "bottleneck"))
    drawing = draw_network(network, find_all("encoder.0", "bottleneck"))
    assert drawing is not None
    assert drawing.listed


def test_a_network_of_unknown_shape_without_attention_is_not_drawn() -> None:
    assert draw_network(NetworkConfig(name="mine:build"), []) is None
    assert draw_network(NetworkConfig(), []) is not None  # our own, whose widths are known


@pytest.mark.parametrize("count", [1, 2, 8, 9, 17, 60])
def test_a_list_has_its_sites_apart_and_its_names_and_bars_inside(count: int) -> None:
    drawing = draw_list([find(f"{'W' * 100}.{number}", float(number % 3)) for number in range(count)])
    for one, other in itertools.combinations(drawing.marks, 2):
        assert abs(one.x - other.x) > drawing.track or abs(one.y - other.y) >= MARK_HEIGHT
    for mark in drawing.marks:
        assert mark.x + estimate_width(f"{mark.shown} {mark.gate}") * LETTER <= drawing.width
        assert mark.length <= drawing.track
        assert 0 <= mark.y <= drawing.height - MARK_HEIGHT


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


def test_labels_that_crowd_stand_about_what_they_want() -> None:
    placed = spread_labels({"a": 1.0, "b": 1.0, "c": 1.0}, 0.2, 0.0, 2.0)
    assert sorted(placed.values()) == pytest.approx([0.8, 1.0, 1.2])


def shut(site: str) -> SiteDecision:
    return SiteDecision(site=site, gate="ag", gamma=1.0, removal_cost=0.0, spread=0.0, kept=False, shut=True, why="so")


@pytest.mark.parametrize("known", [True, False])
def test_a_shut_skip_ends_before_the_decoder_and_says_so(known: bool) -> None:
    drawing = draw_network(MONAI, [*find_all(*UNET_NAMES[:3]), *([shut("skip.1")] if known else [])], shut=["skip.1"])
    assert drawing is not None
    mark = next(mark for mark in drawing.marks if mark.name == "skip.1")
    assert (mark.state, mark.gate) == ("shut", "shut")
    assert len(drawing.dead_ends) == 1
    height = next(block.y for block in drawing.blocks if block.x > mark.x and block.y == drawing.blocks[1].y)
    assert not [arrow for arrow in drawing.arrows if f" {height:g}H" in arrow]  # nothing goes across on that level
    assert drawing.states == {"kept", "shut", "empty"}


def test_a_shut_skip_in_a_list_has_no_bar_and_the_word() -> None:
    mark = next(mark for mark in draw_list([find("a", 1.0), shut("b")]).marks if mark.name == "b")
    assert (mark.state, mark.gate) == ("shut", "shut")


@pytest.mark.parametrize("mean", [-1.0, 0.0, 0.4, 1.0])
@pytest.mark.parametrize("name", ["placed", "placed - a wider plain network", "W" * 300])
def test_a_name_above_an_interval_stays_inside_the_plot(mean: float, name: str) -> None:
    estimate = Estimate(mean=mean, low=mean, high=mean)
    axis = difference_axis([Estimate(mean=0.0, low=-1.0, high=1.0)])
    (row,) = lay_rows(axis, [(name, estimate)])
    half = estimate_width(row.shown) * LETTER / 2
    assert half - 0.01 <= row.x <= WIDTH - half + 0.01
    assert row.name == name


@pytest.mark.parametrize("bounds", [(-1.0, 1.0), (0.0, 0.0), (-0.003, 0.012), (0.2, 0.36), (-0.5, -0.4)])
def test_an_axis_of_costs_holds_0_and_the_costs_and_its_numbers_stand_apart(bounds: tuple[float, float]) -> None:
    low, high = bounds
    axis = cost_axis([Estimate(mean=(low + high) / 2, low=low, high=high)], width=160.0)
    assert axis.low <= min(low, 0.0)
    assert axis.high >= max(high, 0.0)
    ticks = [tick.x for tick in axis.ticks(signs=False)]
    assert ticks
    assert all(right - left >= 45.9 for left, right in itertools.pairwise(ticks))
    assert cost_axis([], width=160.0).low == 0.0
