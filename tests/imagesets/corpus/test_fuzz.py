"""Files altered at random: nothing but the declared error comes out, none takes long, and memory stays bounded.

The full figure, on 20,000 files, is in benchmarks/results/faults.md.
"""

import pytest

from imagesets.corpus.fuzzing import fuzz, make_targets, survey_all
from imagesets.corpus.looking import measure

pytestmark = pytest.mark.slow

EACH = 60
"""Altered files a format."""


@pytest.fixture(scope="module")
def targets(tmp_path_factory):
    return {target.name: target for target in make_targets(tmp_path_factory.mktemp("fuzz"))}


NAMES = [
    "PNG", "palette PNG", "PNG mask", "JPEG", "progressive JPEG", "TIFF", "LZW TIFF", "float TIFF mask",
    "ImageJ TIFF", "OME TIFF", "BMP", "GIF mask",
    ".nii", ".nii labels", ".nii.gz",
    *(name + way for name in ("dataset.json", "dataset.json of nnU-Net", "labels.csv", "cases.csv", "manifest.csv")
      for way in ("", ", as text")),
]  # fmt: skip


def test_every_format_is_tried(targets):
    assert list(targets) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_altered_files_are_refused_as_declared_or_read(name, targets):
    tally, cost = measure(lambda: fuzz(targets[name], EACH, seed=1))
    assert dict(tally.strangers) == {}
    assert tally.files == EACH
    assert tally.refused > 0
    assert tally.slowest < 1
    assert cost.memory is None or cost.memory < 200


@pytest.mark.parametrize("name", NAMES)
def test_the_survey_raises_nothing_but_the_declared_error_either(name, targets):
    tally = fuzz(targets[name], 10, seed=2, look=survey_all)
    assert dict(tally.strangers) == {}


@pytest.mark.parametrize("name", ["PNG", ".nii.gz"])
def test_where_checksums_are_no_altered_data_are_read(name, targets):
    assert fuzz(targets[name], EACH, seed=3).other == 0
