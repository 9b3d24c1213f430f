"""The searches for the nearest element find the same, which is what all pairs give."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from focalseg.metrics import nearest
from focalseg.metrics.nearest import list_shells, measure_nearest
from focalseg.metrics.surfaces import Grid
from oracles.surfaces import measure_pairs


def search(here, there, spacing):
    """The distances of places that are coordinates, (N, axes) and (M, axes)."""
    grid = Grid(box=tuple(int(side) + 1 for side in np.concatenate([here, there]).max(axis=0)))
    places, others = (np.ravel_multi_index(tuple(np.transpose(some)), grid.shape) for some in (here, there))
    return measure_nearest(places, others, grid, spacing)


def draw_places(random, shape, share):
    mask = random.random(shape) < share
    mask.flat[random.integers(mask.size)] = True
    return np.argwhere(mask)


@st.composite
def far_places(draw):
    """Places in two boxes of a volume that may lie over one another or far apart, few or many, on the same grid."""
    random = np.random.default_rng(draw(st.integers(0, 2**16)))
    shapes = [tuple(draw(st.integers(1, 11)) for _ in range(3)) for _ in range(2)]
    here, there = (draw_places(random, shape, draw(st.sampled_from([0.01, 0.2, 1.0]))) for shape in shapes)
    shift = np.array([draw(st.sampled_from([0, 3, 15])) for _ in range(3)])
    spacing = draw(st.sampled_from([(1.0, 1.0, 1.0), (0.3, 0.3, 0.3), (0.5, 0.5, 5.0), (5.0, 0.7, 0.7), (0.9, 3.0, 0.4)]))
    return here + draw(st.booleans()) * shift, there + draw(st.booleans()) * shift, spacing


@pytest.fixture
def by_lines(monkeypatch):
    """Lines are searched alone."""
    monkeypatch.setattr(nearest, "list_shells", lambda _: ())
    return monkeypatch.setattr


@pytest.mark.parametrize(("room", "part"), [(80, 5), (1400, 100), (nearest._ROOM, nearest._LEAST_AT_A_TIME)])
def test_lines_find_the_nearest_of_all_pairs(by_lines, room, part):
    """In so little room that slabs and parts are many, too."""
    by_lines(nearest, "_ROOM", room)
    by_lines(nearest, "_LEAST_AT_A_TIME", part)
    by_lines(nearest, "_PART", 10**9)

    @given(far_places())
    @settings(deadline=None, max_examples=60)
    def check(case):
        here, there, spacing = case
        np.testing.assert_allclose(search(here, there, spacing), measure_pairs(here, there, spacing), rtol=1e-13)

    check()


def test_what_is_farther_than_the_window_is_searched_again_in_a_larger_one(by_lines):
    """The sample is every sixteenth place; they lie near, and all others ever farther."""
    by_lines(nearest, "_SAMPLE", 4)
    windows, searched = [], nearest._search_lines
    by_lines(nearest, "_search_lines", lambda *given: windows.append(given[3]) or searched(*given))
    here = np.array([[number if number % 16 else 2, number, 3] for number in range(64)])
    there = np.array([[0, number, number % 3] for number in range(70)])
    np.testing.assert_array_equal(search(here, there, (1.0, 1.0, 1.0)), measure_pairs(here, there, (1.0, 1.0, 1.0)))
    assert len(windows) > 1
    assert windows == sorted(windows)


@pytest.mark.parametrize("distance", [nearest._WIDEST - 1, nearest._WIDEST, 300])
def test_whole_squares_do_not_overflow(by_lines, distance):
    here = np.array(
        [[distance, 0, 0], [0, distance, 0], [0, 0, distance], [distance, distance, 0], [distance, distance, distance]]
    )
    there = np.array([[0, 0, 0], [1, 1, 1]])
    np.testing.assert_allclose(search(here, there, (1.0,) * 3), measure_pairs(here, there, (1.0,) * 3), rtol=1e-15)


@pytest.mark.parametrize("shape", [(300,), (40, 50), (14, 15, 16)])
def test_looking_around_finds_what_tree_and_lines_find(shape, monkeypatch):
    random = np.random.default_rng(1)
    pair = draw_places(random, shape, 0.2), draw_places(random, shape, 0.2)
    spacing = (1.0, 0.6, 1.7)[: len(shape)]
    looked = search(*pair, spacing)
    monkeypatch.setattr(nearest, "list_shells", lambda _: ())
    np.testing.assert_allclose(looked, search(*pair, spacing), rtol=1e-12)


def test_steps_that_are_looked_at_are_all_there_are_up_to_the_longest():
    for spacing in [(1.0,), (1.0, 3.0), (0.5, 0.7, 2.0)]:
        shells = list_shells(spacing)
        lengths = [length for length, _ in shells]
        assert lengths == sorted(lengths)
        assert lengths[0] == 0
        looked = {offset for _, offsets in shells for offset in offsets}
        near = itertools.product(range(-12, 13), repeat=len(spacing))
        assert looked == {one for one in near if np.linalg.norm(np.multiply(one, spacing)) <= lengths[-1] + 1e-9}
