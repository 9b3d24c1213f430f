"""clDice: tubes whose skeletons are known. scikit-image makes the skeletons; without it the error says so."""

import numpy as np
import pytest

from focalseg.errors import SettingError
from focalseg.metrics import centreline_dice, measure, tubes


def draw_tube(shape, along, width):
    """A straight tube along the last axis, of an odd width, in the middle of the other axes."""
    mask = np.zeros(shape, bool)
    middle = tuple(slice(side // 2 - width // 2, side // 2 + width // 2 + 1) for side in shape[:-1])
    mask[(*middle, along)] = True
    return mask


@pytest.mark.parametrize("shape", [(31, 60), (15, 15, 40)])
def test_width_does_not_matter_and_a_gap_costs_its_length(shape):
    pytest.importorskip("skimage")
    whole, thin = draw_tube(shape, slice(4, -4), 5), draw_tube(shape, slice(4, -4), 1)
    assert centreline_dice(whole, whole) == centreline_dice(thin, thin) == 1
    assert 0.95 < centreline_dice(thin, whole) <= 1  # the ends of a thick tube's skeleton may lean to a side
    length = int(thin.sum())
    broken = thin.copy()
    broken[..., 10:20] = False
    assert centreline_dice(broken, thin) == pytest.approx(2 * (length - 10) / (2 * length - 10))
    apart = np.roll(thin, 5, axis=0)
    assert centreline_dice(apart, thin) == 0


def test_empty_masks_follow_the_policy():
    pytest.importorskip("skimage")
    none, some = np.zeros((9, 9), bool), draw_tube((9, 9), slice(1, 8), 1)
    assert [centreline_dice(none, none, empty=policy) for policy in ("one", "zero")] == [1, 0]
    assert centreline_dice(none, some) == centreline_dice(some, none) == 0
    for pair in ((none, none), (none, some), (some, none)):
        assert np.isnan(centreline_dice(*pair, empty="leave-out"))


def test_the_record_has_it_where_it_is_asked_for():
    pytest.importorskip("skimage")
    thin = draw_tube((31, 60), slice(4, -4), 1)
    assert measure(thin, thin, cldice=True)[1].cldice == 1
    assert np.isnan(measure(thin, thin)[1].cldice)
    with pytest.raises(SettingError, match=r"^clDice compares tubes in 2-D and 3-D; these masks are 1-D\. Leave it out\.$"):
        centreline_dice(thin[15], thin[15])


def test_without_scikit_image_the_error_names_the_extra_before_anything_is_measured(monkeypatch):
    def refuse(name):
        raise ImportError(name)

    monkeypatch.setattr(tubes.importlib, "import_module", refuse)
    with pytest.raises(SettingError) as raised:
        measure(np.ones((3, 3)), np.ones((3, 3)), cldice=True)
    assert str(raised.value) == "clDice needs scikit-image, which is not installed: pip install 'focalseg[tubes]'."
