"""What a job will train: known before it starts, and at most."""

from dataclasses import replace

import pytest

from focalseg.errors import SettingError
from focalseg.study.arms.design import plan_contest
from focalseg.study.budget.outline import list_plans
from focalseg.study.place import train_arms
from focalseg.study.planning.groundwork import lay_groundwork
from focalseg.study.running.listeners import NOBODY
from study.made_up import MadeUp

SITES = 4


@pytest.fixture
def contest_of(make_folder, tiny_settings, tmp_path):
    def build(policy="removal", *, rivals=(), folds=2):
        split = replace(tiny_settings.split, test_folds=folds)
        settings = replace(tiny_settings, policy=policy, rivals=rivals, split=split)
        ground = lay_groundwork(str(make_folder(count=15)), settings, 0, "cpu")
        return plan_contest(ground, settings, tmp_path / "out", device="cpu", workers=1, audience=NOBODY)

    return build


def test_arms_and_probes_are_certain_and_what_follows_from_the_decision_is_as_dear_as_all(contest_of):
    outline = list_plans(contest_of(rivals=("wider", "random", "se")))
    # Two folds, two seeds.
    assert sorted({plan.arm for plan in outline.certain}) == ["all", "none", "probe_dropout", "se", "wider"]
    assert len(outline.certain) == 5 * 4
    assert sorted(plan.arm for plan in outline.at_most) == ["placed"] * 4 + ["random"] * 4
    assert all(len(plan.config.attention) == SITES for plan in outline.at_most)


@pytest.mark.parametrize(
    ("policy", "trials"),
    [
        ("none", 0),
        ("one_at_a_time", 1 + SITES),
        ("leave_one_out", 1 + SITES),
        ("deep_first", 1 + SITES),
        ("exhaustive", 2**SITES),
        ("greedy_forward", 1 + SITES * (SITES + 1) // 2),
        ("greedy_backward", 1 + SITES * (SITES + 1) // 2),
    ],
)
def test_a_policy_is_counted_with_all_the_rounds_that_it_may_have(contest_of, policy, trials):
    outline = list_plans(contest_of(policy))
    found = [plan for plan in (*outline.certain, *outline.at_most) if plan.arm.startswith("trial_")]
    assert len(found) == 4 * trials


def test_a_policy_that_cannot_be_afforded_is_refused_before_anything_is_trained(contest_of):
    contest = contest_of("exhaustive", folds=1)
    many = replace(contest, candidates={f"site.{number}": "se" for number in range(11)})
    with pytest.raises(SettingError, match=r"exhaustive would train 2\^11 networks"):
        list_plans(many)


@pytest.mark.parametrize("policy", ["removal", "greedy_forward", "greedy_backward", "gamma_threshold"])
@pytest.mark.parametrize("worth", [0.0, 0.2])
def test_a_job_trains_what_is_certain_and_nothing_that_is_not_listed(contest_of, policy, worth, monkeypatch):
    runs = MadeUp(dice=lambda plan: 0.1 + worth * len(plan.config.attention), cost=lambda _, site: worth * (site != "skip.0"))
    monkeypatch.setattr("focalseg.study.running.trainer.run_locally", runs)
    contest = contest_of(policy, rivals=("random",))
    outline = list_plans(contest)
    train_arms(contest)
    trained = {plan.folder for batch in runs.batches for plan in batch}
    certain, at_most = ({plan.folder for plan in plans} for plans in (outline.certain, outline.at_most))
    assert certain <= trained <= certain | at_most
