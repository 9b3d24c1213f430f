"""What a job will train: known before it starts, and at most."""

from dataclasses import replace

import pytest

from focalseg.errors import SettingError
from focalseg.study.arms.design import plan_design
from focalseg.study.budget.estimate import estimate_runs
from focalseg.study.place import train_arms
from focalseg.study.planning.groundwork import lay_groundwork
from focalseg.study.running.listeners import NOBODY
from focalseg.study.running.local import run_locally
from study.made_up import MadeUp

pytestmark = pytest.mark.slow

SITES = 4


@pytest.fixture
def design_of(make_folder, tiny_settings, tmp_path):
    def build(policy="removal", *, rivals=(), folds=2, engine=run_locally):
        split = replace(tiny_settings.split, test_folds=folds)
        settings = replace(tiny_settings, policy=policy, rivals=rivals, split=split)
        ground = lay_groundwork(str(make_folder(count=15)), settings, 0, "cpu")
        folder = tmp_path / "out"
        return plan_design(ground, settings, folder, device="cpu", workers=1, listeners=NOBODY, engine=engine)

    return build


def test_arms_and_probes_are_certain_and_what_follows_from_the_decision_is_as_dear_as_all(design_of):
    runs = estimate_runs(design_of(rivals=("wider", "random", "se")))
    # Two folds, two seeds.
    assert sorted({plan.arm for plan in runs.certain}) == ["all", "none", "probe_dropout", "se", "wider"]
    assert len(runs.certain) == 5 * 4
    assert sorted(plan.arm for plan in runs.at_most) == ["placed"] * 4 + ["random"] * 4
    assert all(len(plan.config.attention) == SITES for plan in runs.at_most)


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
def test_a_policy_is_counted_with_all_the_rounds_that_it_may_have(design_of, policy, trials):
    runs = estimate_runs(design_of(policy))
    found = [plan for plan in (*runs.certain, *runs.at_most) if plan.arm.startswith("trial_")]
    assert len(found) == 4 * trials


def test_a_policy_that_cannot_be_afforded_is_refused_before_anything_is_trained(design_of):
    design = design_of("exhaustive", folds=1)
    many = replace(design, everywhere={f"site.{number}": "se" for number in range(11)})
    with pytest.raises(SettingError, match=r"exhaustive would train 2\^11 networks"):
        estimate_runs(many)


@pytest.mark.parametrize("policy", ["removal", "greedy_forward", "greedy_backward", "gamma_threshold"])
@pytest.mark.parametrize("worth", [0.0, 0.2])
def test_a_job_trains_what_is_certain_and_nothing_that_is_not_listed(design_of, policy, worth):
    engine = MadeUp(dice=lambda plan: 0.1 + worth * len(plan.config.attention), cost=lambda _, site: worth * (site != "skip.0"))
    design = design_of(policy, rivals=("random",), engine=engine)
    runs = estimate_runs(design)
    train_arms(design)
    trained = {plan.folder for batch in engine.batches for plan in batch}
    certain, at_most = ({plan.folder for plan in plans} for plans in (runs.certain, runs.at_most))
    assert certain <= trained <= certain | at_most
