"""Surface distances against brute force, MONAI, closed forms and laws."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from focalseg.errors import SettingError
from focalseg.metrics import average_surface_distance, hausdorff_distance, measure_surfaces, surface_dice
from focalseg.metrics.surfaces import measure_codes
from metrics.masks import ball, box, mask_pairs
from oracles.surfaces import list_contour, list_corners, list_voxels, measure_pairs

KINDS = ["surfels", "voxels"]


def read_all(found, tolerance=1.5):
    return [
        found.surface_dice(tolerance),
        found.hausdorff(95),
        found.hausdorff(100),
        found.average_symmetric(),
        found.mean_average(),
    ]


def pick_by_share(distances, weights, percentile):
    """The smallest distance within which that share of the weight lies; a hair's rounding does not count."""
    order = np.argsort(distances)
    share = np.cumsum(weights[order]) / weights.sum()
    return distances[order][share >= percentile / 100 - 1e-9][0]


@given(mask_pairs(), st.sampled_from(KINDS))
@settings(deadline=None, max_examples=40)
def test_every_measure_is_that_of_all_pairs_of_elements(pair, kind):
    predicted, reference, spacing = pair
    if kind == "voxels":
        sides = [list_voxels(mask) for mask in (predicted, reference)]
    elif predicted.ndim == 3:  # the areas have tests of their own
        sides = [list_corners(mask, measure_codes(spacing)) for mask in (predicted, reference)]
    else:
        sides = [list_contour(mask, spacing) for mask in (predicted, reference)]
    (places, weights), (others, other_weights) = sides
    there, back = measure_pairs(places, others, spacing), measure_pairs(others, places, spacing)
    found = measure_surfaces(predicted, reference, spacing_mm=spacing, surface=kind)
    np.testing.assert_allclose(found.predicted_distances, there, rtol=1e-9)
    np.testing.assert_allclose(found.reference_distances, back, rtol=1e-9)
    total = weights.sum() + other_weights.sum()
    within = [(one * (far <= 1.5 + 1e-9)).sum() for one, far in ((weights, there), (other_weights, back))]
    means = [np.average(there, weights=weights), np.average(back, weights=other_weights)]
    both = (there, weights), (back, other_weights)
    if kind == "voxels":
        most = max(np.percentile(far, 95) for far, _ in both)
    else:
        most = max(pick_by_share(*side, 95) for side in both)
    expected = [
        sum(within) / total,
        most,
        max(there.max(), back.max()),
        (there @ weights + back @ other_weights) / total,
        np.mean(means),
    ]
    np.testing.assert_allclose(read_all(found), expected, rtol=1e-9, atol=1e-12)


CASES = {
    "disc": (ball((60, 50), (30, 25), 17), ball((60, 50), (28, 27), 18)),
    "far": (ball((90, 40), (15, 20), 9), ball((90, 40), (70, 18), 11)),
    "small": (ball((40, 40), (9, 9), 1), ball((40, 40), (11, 9), 2)),
    "at the edge": (box((30, 30), (0, 0), (12, 9)), box((30, 30), (0, 2), (14, 10))),
    "ball": (ball((26, 24, 22), (12, 12, 11), 8), ball((26, 24, 22), (13, 11, 11), 9)),
    "scattered": tuple(np.random.default_rng(0).random((2, 14, 15, 16)) < 0.05),
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:monai.metrics.utils get_mask_edges:FutureWarning")
@pytest.mark.parametrize("spacing", [1.0, 0.4], ids=["even", "uneven"])
@pytest.mark.parametrize("name", CASES)
def test_measures_are_monai_s_where_the_definitions_are(name, spacing):
    metrics = pytest.importorskip("monai.metrics")
    predicted, reference = CASES[name]
    steps = (1.0, spacing, 2.0 * spacing)[: predicted.ndim] if spacing != 1 else (1.0,) * predicted.ndim
    tensors = [torch.from_numpy(mask)[None, None].float() for mask in (predicted, reference)]
    keywords = {"include_background": True, "spacing": steps}
    voxels = measure_surfaces(predicted, reference, spacing_mm=steps, surface="voxels")
    surfels = measure_surfaces(predicted, reference, spacing_mm=steps)
    pairs = [
        (voxels.hausdorff(95), metrics.compute_hausdorff_distance(*tensors, percentile=95, **keywords)),
        (voxels.hausdorff(100), metrics.compute_hausdorff_distance(*tensors, **keywords)),
        (voxels.surface_dice(2.05), metrics.compute_surface_dice(*tensors, [2.05], **keywords)),
        (voxels.average_symmetric(), metrics.compute_average_surface_distance(*tensors, symmetric=True, **keywords)),
        (surfels.surface_dice(2.05), metrics.compute_surface_dice(*tensors, [2.05], use_subvoxels=True, **keywords)),
    ]
    for ours, theirs in pairs:
        assert ours == pytest.approx(float(theirs), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("steps", [0, 1, 3, 7, 20])
def test_shifted_half_spaces_are_as_far_apart_as_the_shift(kind, steps):
    """The edge of the image is surface too, but far enough from the middle of the planes."""
    for others in ((), (61,), (45, 45)):
        place = np.arange(60).reshape(-1, *(1 for _ in others))
        one, other = (np.broadcast_to(place < end, (60, *others)) for end in (30, 30 + steps))
        found = measure_surfaces(one, other, spacing_mm=(0.5, *(1.0 for _ in others)), surface=kind)
        assert found.hausdorff(100) == pytest.approx(0.5 * steps)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("margin", [1, 2, 6])
def test_a_box_in_a_box_is_its_margin_away_and_the_corners_are_farthest(kind, margin):
    inner, outer = (
        box((40, 40, 40), (10, 12, 14), (9, 8, 7)),
        box((40, 40, 40), (10 - margin, 12 - margin, 14 - margin), (9 + 2 * margin, 8 + 2 * margin, 7 + 2 * margin)),
    )
    found = measure_surfaces(inner, outer, spacing_mm=(0.7,) * 3, surface=kind)
    np.testing.assert_allclose(found.predicted_distances, 0.7 * margin, rtol=1e-12)
    assert found.hausdorff(100) == pytest.approx(0.7 * margin * np.sqrt(3))
    assert found.surface_dice(0.7 * margin - 0.01) == 0.0
    assert found.surface_dice(0.7 * margin * np.sqrt(3)) == 1.0


@pytest.mark.parametrize("axes", [2, 3])
def test_concentric_discs_and_balls_are_their_difference_in_radius_apart(axes):
    side = {2: 201, 3: 71}[axes]
    small, large = {2: (60, 90), 3: (22, 33)}[axes]
    middle = (side // 2,) * axes
    found = measure_surfaces(ball((side,) * axes, middle, large), ball((side,) * axes, middle, small))
    for measured in (found.hausdorff(95), found.average_symmetric(), found.mean_average(), found.hausdorff(100)):
        assert measured == pytest.approx(large - small, abs=1.0)


@given(mask_pairs(), st.sampled_from(KINDS), st.sampled_from([0.1, 3.0, 250.0]))
@settings(deadline=None, max_examples=50)
def test_scaling_the_spacing_scales_the_distances_and_swapping_changes_nothing(pair, kind, factor):
    predicted, reference, spacing = pair
    once = measure_surfaces(predicted, reference, spacing_mm=spacing, surface=kind)
    scaled = measure_surfaces(predicted, reference, spacing_mm=tuple(factor * step for step in spacing), surface=kind)
    assert scaled.surface_dice(0.7 * factor) == pytest.approx(once.surface_dice(0.7), abs=1e-9)
    np.testing.assert_allclose(read_all(scaled)[1:], np.array(read_all(once))[1:] * factor, rtol=1e-8)
    np.testing.assert_allclose(
        read_all(measure_surfaces(reference, predicted, spacing_mm=spacing, surface=kind)), read_all(once)
    )
    assert read_all(measure_surfaces(reference, reference, spacing_mm=spacing, surface=kind)) == [1.0, 0, 0, 0, 0]


@given(mask_pairs(axes=(3,), most=7), st.sampled_from(KINDS))
@settings(deadline=None, max_examples=6)
def test_all_48_orientations_of_a_volume_score_the_same(pair, kind):
    predicted, reference, spacing = pair
    expected = read_all(measure_surfaces(predicted, reference, spacing_mm=spacing, surface=kind))
    for axes, flips in itertools.product(itertools.permutations(range(3)), itertools.product((1, -1), repeat=3)):
        turn = tuple(slice(None, None, flip) for flip in flips)
        turned = [mask.transpose(axes)[turn] for mask in (predicted, reference)]
        found = measure_surfaces(*turned, spacing_mm=tuple(spacing[axis] for axis in axes), surface=kind)
        np.testing.assert_allclose(read_all(found), expected, rtol=1e-9)


def test_rounding_does_not_decide_what_is_within_a_tolerance():
    one, other = box((20, 9), (2, 0), (5, 9)), box((20, 9), (5, 0), (5, 9))
    assert 3 * 0.1 > 0.3
    assert surface_dice(one, other, tolerance_mm=0.3, spacing_mm=(0.1, 0.1)) == 1.0
    assert surface_dice(one, other, tolerance_mm=0.299, spacing_mm=(0.1, 0.1)) < 1.0


def test_an_empty_mask_is_as_far_as_the_diagonal_or_is_left_out():
    full, empty = ball((30, 40), (15, 20), 5), np.zeros((30, 40), bool)
    diagonal = np.hypot(30 * 0.5, 40 * 2.0)
    keywords = {"spacing_mm": (0.5, 2.0)}
    for policy, both in (("one", 0.0), ("zero", diagonal)):
        assert hausdorff_distance(full, empty, empty=policy, **keywords) == pytest.approx(diagonal)
        assert average_surface_distance(empty, full, empty=policy, **keywords) == pytest.approx(diagonal)
        assert hausdorff_distance(empty, empty, empty=policy, **keywords) == pytest.approx(both)
        assert surface_dice(empty, full, tolerance_mm=1, empty=policy) == 0.0
    assert surface_dice(empty, empty, tolerance_mm=1, empty="one") == 1.0
    assert surface_dice(empty, empty, tolerance_mm=1, empty="zero") == 0.0
    for pair in ((full, empty), (empty, full), (empty, empty)):
        assert np.isnan(hausdorff_distance(*pair, empty="leave-out"))
        assert np.isnan(average_surface_distance(*pair, empty="leave-out"))
    assert surface_dice(full, empty, tolerance_mm=1, empty="leave-out") == 0.0
    assert np.isnan(surface_dice(empty, empty, tolerance_mm=1, empty="leave-out"))


@pytest.mark.parametrize("empty", ["one", "leave-out"])
def test_worse_predictions_never_have_a_better_mean_than_missed_objects_under_one(empty):
    """Of ten objects five are missed: HD95 gets worse by the diagonal, and left out it does not even notice."""
    true, near = ball((50, 50), (25, 25), 9), ball((50, 50), (25, 28), 9)
    hits = [hausdorff_distance(near, true, empty=empty)] * 10
    missed = hits[:5] + [hausdorff_distance(np.zeros_like(true), true, empty=empty)] * 5
    change = np.nanmean(missed) - np.mean(hits)
    assert change > 30 if empty == "one" else change == 0


def test_outside_the_field_of_view_nothing_is_a_surface():
    true, predicted = box((40, 40), (10, 10), (20, 20)), box((40, 40), (10, 10), (20, 28))
    inside = np.zeros((40, 40), bool)
    inside[:, :30] = True
    assert hausdorff_distance(predicted, true, percentile=100) == 8.0
    assert hausdorff_distance(predicted, true, percentile=100, inside=inside) == 0.0


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"percentile": 0}, "percentile is 0; expected a number above 0 and up to 100, as in percentile=95."),
        ({"percentile": 101}, "percentile is 101; expected a number above 0 and up to 100, as in percentile=95."),
        ({"surface": "mesh"}, 'surface is \'mesh\'; expected "surfels" (areas, as DeepMind) or "voxels" (counts, as MONAI).'),
        ({"empty": "nan"}, "empty is 'nan'; expected one of 'one', 'zero', 'leave-out', such as empty=\"one\"."),
        (
            {"spacing_mm": (1.0,)},
            "spacing_mm is (1.0,); expected positive, finite numbers, one for each of the 2 axes, "
            "as in spacing_mm=(1.0, 1.0); None for pixels.",
        ),
        (
            {"spacing_mm": (1.0, -1.0)},
            "spacing_mm is (1.0, -1.0); expected positive, finite numbers, one for each of the 2 axes, "
            "as in spacing_mm=(1.0, 1.0); None for pixels.",
        ),
    ],
)
def test_settings_that_make_no_sense_are_refused_with_a_mend(keywords, message):
    mask = ball((9, 9), (4, 4), 2)
    with pytest.raises(SettingError) as raised:
        hausdorff_distance(mask, mask, **keywords)
    assert str(raised.value) == message


@pytest.mark.parametrize("tolerance", [-1, float("nan"), float("inf"), "2"])
def test_a_tolerance_is_a_length(tolerance):
    mask = ball((9, 9), (4, 4), 2)
    with pytest.raises(SettingError, match=r"tolerance_mm is .*; expected a finite number, at least 0, .*tolerance_mm=2\.0\."):
        surface_dice(mask, mask, tolerance_mm=tolerance)
