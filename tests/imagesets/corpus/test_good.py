"""Three hundred good cases of every legal kind: no false alarm."""

import unicodedata

import numpy as np
import pytest

from focalseg.imagesets.opening import open_dataset
from imagesets.corpus.catalogue import good_sets
from imagesets.corpus.fault import fingerprint
from imagesets.corpus.looking import look_at

SETS = good_sets()


def assert_the_same_labels(mask: np.ndarray, truth: np.ndarray, name: str) -> None:
    """Pictures pixel by pixel; volumes, which are read with their axes in another order, by the count of every label."""
    if truth.ndim == 2:
        assert np.array_equal(mask, truth), name
    assert np.bincount(mask.ravel(), minlength=3).tolist() == np.bincount(truth.ravel(), minlength=3).tolist(), name


def test_there_are_three_hundred_good_cases():
    assert sum(len(good.masks) for good in SETS) >= 300


@pytest.mark.slow
@pytest.mark.parametrize("good", SETS, ids=lambda good: good.name)
def test_good_cases_are_read_without_a_false_alarm(good, tmp_path):
    folder = tmp_path / "data"
    notes = good.make(folder)
    before = fingerprint(tmp_path)
    findings = look_at(folder)
    assert [str(finding) for finding in findings if finding.level == "error"] == []
    told: dict[str, set[str]] = {}
    for finding in findings:
        for file in (finding.file, *finding.others):
            told.setdefault(file, set()).add(finding.kind)
    assert told == {str(path): kinds for path, kinds in notes.items()}
    dataset = open_dataset(str(folder))
    truth = {unicodedata.normalize("NFC", name): mask for name, mask in good.masks.items()}
    assert sorted(dataset.names) == sorted(truth)
    for number, name in enumerate(dataset.names):
        assert_the_same_labels(dataset.read_case(number).mask, truth[name], name)
    assert fingerprint(tmp_path) == before
