"""Text that a person hands over, altered at random: the declared error or a reading, in bounded time and memory.

The full figures are in benchmarks/results/fuzz_inputs.md.
"""

import pytest

from hostile_text.reading import MOST_SECONDS, put_mutants
from hostile_text.targets import list_targets
from imagesets.corpus.looking import measure

pytestmark = pytest.mark.slow

EACH = 25
"""Mutants a kind of file."""
NAMES = [
    "--config", "--config of a job", "--attention", "placement.json", "split.file", "split.file of nnU-Net", "splits.json",
    "evidence.json", "summary.json of nnU-Net", "scores.csv", "scores of MONAI", "groups.csv", "config.yaml of a run",
    "dataset.json", "dataset.json of nnU-Net", "labels.csv", "cases.csv", "manifest.csv",
]  # fmt: skip


@pytest.fixture(scope="module")
def targets(tmp_path_factory):
    return {target.name: target for target in list_targets(tmp_path_factory.mktemp("mutants"))}


def test_every_kind_of_file_is_tried(targets):
    assert list(targets) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_mutants_are_refused_as_declared_or_read(name, targets):
    tally, cost = measure(lambda: put_mutants(targets[name], EACH, seed=1))
    assert dict(tally.strangers) == {}
    assert tally.mutants == EACH
    assert tally.refused > 0
    assert tally.slowest < MOST_SECONDS
    assert cost.memory is None or cost.memory < 300
