"""Networks of several labels on a set that has these in another order, or some of them alone."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from focalseg.inference.folders import find_run
from focalseg.networks.state import read_state
from focalseg.records.record import write_record
from focalseg.records.result import CONFIG, RESULT, WEIGHTS, Result
from focalseg.records.seals import hash_file
from focalseg.study.external.beginning import Training
from focalseg.study.external.reading import WHOLE, read_set
from focalseg.study.external.scoring import plan_scoring, read_external, score_all
from focalseg.study.running.listeners import NOBODY
from focalseg.training.run import build_network
from inference.models import PREPARATION, make_config, write_run
from study.external.test_fitting import write_labelled
from study.external.untrained import balance

pytestmark = pytest.mark.slow


@pytest.fixture
def scored(tmp_path: Path):
    """Scores of one network on a set: by case and label."""
    config = make_config(labels=("vein", "artery"), preparation=PREPARATION)
    run = write_run(tmp_path / "run", config)
    network = balance(build_network(config).eval(), torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)))
    save_file(read_state(network), run / WEIGHTS)
    digests = {name: hash_file(run / name) for name in (CONFIG, WEIGHTS)}
    write_record(run / RESULT, Result(modules=2, parameters=1, flops=1, seconds=1.0, files=digests))

    def read(folder: Path) -> dict[tuple[str, str], float]:
        on = read_set(str(folder), [config], WHOLE, NOBODY, splits=None, folds=()).scored
        trainings = {"none": ((Training(fold=0, seed=0, files=find_run(run)),),)}
        plans = plan_scoring(trainings, on, folder.parent / f"scores of {folder.name}", device="cpu")
        score_all(plans, workers=1)
        found = read_external(plans[0].places[0])
        return {(score.case, label): overlap.dice for score in found for label, overlap in score.overlaps.items()}

    return read


def test_the_order_of_a_table_changes_no_score(tmp_path: Path, scored) -> None:
    straight = write_labelled(tmp_path / "straight", "label,value\nvein,1\nartery,2\n")
    turned = write_labelled(tmp_path / "turned", "label,value\nartery,1\nvein,2\n", values=(2, 1))
    found = scored(straight)
    assert scored(turned) == found
    assert len(found) == 16
    assert len(set(found.values())) > 2


def test_a_label_that_is_scored_alone_scores_what_it_does_beside_others(tmp_path: Path, scored) -> None:
    both = write_labelled(tmp_path / "both", "label,value\nvein,1\nartery,2\n")
    alone = write_labelled(tmp_path / "alone", "label,value\nartery,2\n", values=(0, 2))
    expected = {key: value for key, value in scored(both).items() if key[1] == "artery"}
    assert scored(alone) == expected
