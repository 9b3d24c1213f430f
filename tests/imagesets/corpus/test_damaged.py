"""Over two hundred damaged files, not one of them accepted; and small files that would fill the memory, refused at once."""

import pytest

from imagesets.corpus.bombs import BOMBS
from imagesets.corpus.damage import damaged_files
from imagesets.corpus.fault import as_tuple
from imagesets.corpus.looking import look_at, measure

pytestmark = pytest.mark.slow

DAMAGED = list(damaged_files())
BLAMED = {"damaged", "not_an_image", "empty_file", "too_large", "too_small", "wrong_axes", "not_real", "not_supported"}
"""What a damaged file may look like."""


def test_there_are_two_hundred_damaged_files():
    assert len({content for _, content, _ in DAMAGED}) >= 200


@pytest.mark.parametrize(("content", "write"), [case[1:] for case in DAMAGED], ids=[case[0] for case in DAMAGED])
def test_a_damaged_file_is_refused_by_name(content, write, tmp_path):
    folder, path = write(tmp_path / "data", content)
    errors = [finding for finding in look_at(folder) if finding.level == "error"]
    assert {finding.file for finding in errors} == {str(path)}
    assert {finding.kind for finding in errors} & BLAMED


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
def test_a_bomb_is_refused_in_two_seconds_and_300_mib(bomb, tmp_path):
    planted = as_tuple(bomb(tmp_path / "data"))
    findings, cost = measure(lambda: look_at(tmp_path / "data"))
    assert [finding.file for finding in findings if finding.level == "error"] == [str(path) for path in planted]
    assert cost.seconds < 2
    assert cost.memory is None or cost.memory < 300
