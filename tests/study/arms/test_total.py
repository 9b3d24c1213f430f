"""What attention everywhere gains on validation cases: whether the kept sites account for it, and what is placed where not."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from focalseg.placement.policies.questions import Choice
from focalseg.records.evidence import Evidence, SiteEvidence
from focalseg.records.placement import Placement
from focalseg.records.site_decision import SiteDecision
from focalseg.study.arms import total
from focalseg.study.arms.total import TotalEffects
from study.made_up import make_result, make_score

CASES = 40
EVERYWHERE = {"encoder.0": "se", "bottleneck": "se", "skip.0": "ag"}
LAYOUTS = {"none": {}, "all": EVERYWHERE, "se": {"encoder.0": "se", "bottleneck": "se"}}


class Job:
    """Folds whose arms score what is asked, with a little noise; counts how often each training is read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, dice: Mapping[str, float], *, folds: int = 1) -> None:
        self.read: list[Path] = []
        self.dice = dice
        monkeypatch.setattr(total, "read_result", self.read_result)
        trainers = []
        for fold in range(folds):
            split = SimpleNamespace(fold=fold, train=(f"train {fold}",), validation=(f"v{fold}",), test=(f"t{fold}",))
            trainers.append(SimpleNamespace(split=split, groups={}))
        known = [{arm: [SimpleNamespace(folder=Path(f"{arm}/{fold}/{seed}")) for seed in range(3)] for arm in dice}
                 for fold in range(folds)]  # fmt: skip
        design = SimpleNamespace(trainers=trainers, layouts=LAYOUTS, everywhere=EVERYWHERE)
        searches = [SimpleNamespace(trainer=trainer, others=()) for trainer in trainers]
        self.searches = [
            SimpleNamespace(trainer=one.trainer, others=[other for other in searches if other is not one]) for one in searches
        ]
        self.effects = TotalEffects(design, known)  # type: ignore[arg-type]

    def read_result(self, folder: Path) -> object:
        self.read.append(folder)
        arm, fold, seed = folder.parts
        noise = np.random.default_rng([int(fold), int(seed), len(arm)]).normal(0, 0.01, CASES)
        scores = [make_score(f"{fold}.{case}", self.dice[arm] + float(noise[case]), part="validation") for case in range(CASES)]
        return make_result(scores)

    def reconsider(self, kept: Mapping[str, float], fold: int = 0) -> Placement:
        """kept: what each kept site costs; the others cost nothing."""
        evidence = Evidence(
            sites=tuple(
                SiteEvidence(site=site, gate=gate, gamma=1.0, spread=0.1, case_costs=(kept.get(site, 0.0),) * CASES)
                for site, gate in EVERYWHERE.items()
            )
        )
        choice = Choice(kept=tuple(kept), reasons=dict.fromkeys(EVERYWHERE, "measured"), evidence=(evidence,))
        sites = tuple(
            SiteDecision(
                site=site, gate=gate, gamma=1, spread=0, removal_cost=kept.get(site, 0), kept=site in kept, why="measured"
            )
            for site, gate in EVERYWHERE.items()
        )
        return self.effects.reconsider(Placement(sites=sites), choice, self.searches[fold])  # type: ignore[arg-type]


def test_a_gain_that_no_site_accounts_for_places_all_and_says_so(monkeypatch):
    placement = Job(monkeypatch, {"none": 0.5, "all": 0.62}).reconsider({})
    assert placement.layout == EVERYWHERE
    assert placement.total_effect.mean == pytest.approx(0.12, abs=0.01)
    assert not placement.total_effect.explained
    told = "measured; but attention at every site gains 0.1"
    assert all(site.why.startswith(told) for site in placement.sites)


def test_the_leanest_whole_arm_that_gains_as_much_is_placed(monkeypatch):
    placement = Job(monkeypatch, {"none": 0.5, "all": 0.62, "se": 0.615}).reconsider({})
    assert placement.layout == LAYOUTS["se"]
    assert placement.sites[0].why.startswith("measured; but attention of the kind se wherever it fits gains 0.11")
    assert placement.sites[2].why == "measured"


@pytest.mark.parametrize(("kept", "explained"), [({"bottleneck": 0.1}, True), ({"bottleneck": 0.02}, False)])
def test_sites_that_cost_half_of_the_gain_account_for_it(monkeypatch, kept, explained):
    placement = Job(monkeypatch, {"none": 0.5, "all": 0.62}).reconsider(kept)
    assert placement.total_effect.explained is explained
    assert placement.layout == ({"bottleneck": "se"} if explained else EVERYWHERE)


@pytest.mark.parametrize("gain", [0.0, 0.005, -0.1])
def test_what_is_no_gain_needs_no_explanation(monkeypatch, gain):
    placement = Job(monkeypatch, {"none": 0.5, "all": 0.5 + gain}).reconsider({})
    assert placement.total_effect.explained
    assert placement.layout == {}


def test_collapsed_trainings_say_nothing_of_it(monkeypatch):
    job = Job(monkeypatch, {"none": 0.5, "all": 0.62})
    whole = job.read_result

    def collapse(folder: Path) -> object:
        result = whole(folder)
        if folder.parts[0] == "none":
            empty = [
                replace(score, overlaps={name: replace(one, predicted_pixels=0) for name, one in score.overlaps.items()})
                for score in result.scores
            ]
            return replace(result, scores=tuple(empty))
        return result

    monkeypatch.setattr(total, "read_result", collapse)
    assert job.reconsider({}).total_effect is None


def test_every_training_is_read_once_however_many_folds_ask_for_it(monkeypatch):
    job = Job(monkeypatch, {"none": 0.5, "all": 0.62}, folds=4)
    for fold in range(4):
        assert job.reconsider({}, fold).layout == EVERYWHERE
    assert len(job.read) == len(set(job.read)) == 2 * 4 * 3
