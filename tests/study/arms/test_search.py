"""What a policy is told by trainings: evidence under a regime, scores of layouts, each from seeds that are not used again."""

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest

from focalseg.placement.exponents import REGIMES
from focalseg.placement.policies.at_random import draw_sites
from focalseg.placement.policies.questions import Probe, Score, ask
from focalseg.records.placement import Collapsed
from focalseg.study.arms.search import LONGEST_NAME, TrainedSearch, name_trial
from focalseg.study.planning.groundwork import lay_groundwork
from focalseg.study.running.listeners import NOBODY
from focalseg.study.running.trainer import Trainer
from study.made_up import MadeUp

pytestmark = pytest.mark.slow

EVERYWHERE = {"encoder.0": "se", "bottleneck": "se", "skip.0": "ag"}


@pytest.fixture
def made_up():
    """Trainings whose Dice says which they were: a hundredth for each seed, a tenth for each site."""
    return MadeUp(
        dice=lambda plan: 0.1 * len(plan.config.attention) + 0.01 * plan.config.seed,
        cost=lambda plan, _site: 0.01 * plan.config.seed,
    )


@pytest.fixture
def watched():
    return []


@pytest.fixture
def search(make_folder, tiny_settings, tmp_path, made_up, watched):
    ground = lay_groundwork(str(make_folder()), tiny_settings, 0, "cpu", NOBODY)
    trainer = Trainer(
        base=ground.config,
        split=ground.split,
        folder=tmp_path / "out",
        device="cpu",
        workers=1,
        watch=lambda title, plans: watched.append((title, list(plans))) or nullcontext(),
        cache_mib=64,
        groups=ground.groups,
        engine=made_up,
    )
    return TrainedSearch(trainer=trainer, everywhere=EVERYWHERE, seeds=range(3, 5))


def answer(search, question):
    """The answer to a question of a policy, once its runs are made."""
    course = search.answer(question)
    search.trainer.run(*next(course))
    return ask(course)


@pytest.mark.parametrize(("seeds", "probed"), [(1, (3, 4)), (2, (3, 4)), (5, (3, 4))])
def test_evidence_comes_from_two_trainings_however_many_an_arm_has(search, made_up, seeds, probed):
    answer(replace(search, seeds=range(3, 3 + seeds)), Probe("dropout"))
    assert tuple(plan.config.seed for plan in made_up.batches[-1]) == probed


@pytest.mark.parametrize("first", range(3))
def test_a_policy_starts_from_all_sites_and_draws_by_the_first_seed_of_its_search(search, first):
    choice = ask(replace(search, seeds=range(first, first + 2)).start("random"))
    assert choice.kept == tuple(draw_sites(EVERYWHERE, 2, seed=first))
    assert list(choice.reasons) == list(EVERYWHERE)


@pytest.mark.parametrize("regime", list(REGIMES))
def test_a_probe_trains_all_candidates_under_the_regime_with_the_seeds_of_the_search(search, made_up, regime):
    evidence = answer(search, Probe(regime))
    ((first, second),) = made_up.batches
    for plan, seed in ((first, 3), (second, 4)):
        assert dict(plan.config.attention) == EVERYWHERE
        assert (plan.config.seed, plan.config.training.exponents) == (seed, regime)
        assert plan.folder.parts[-3:] == (f"probe_{regime}", "fold_0", f"seed_{seed}")
    assert [training.sites[0].removal_cost for training in evidence] == pytest.approx([0.03, 0.04])
    assert [record.site for record in evidence[0].sites] == list(EVERYWHERE)


def test_the_probes_of_two_regimes_do_not_share_a_folder(search, made_up):
    folders = []
    for regime in REGIMES:
        answer(search, Probe(regime))
        folders += [plan.folder for plan in made_up.batches[-1]]
    assert len(set(folders)) == len(folders) == 2 * len(REGIMES)


def test_scores_are_of_trainings_and_validation_cases_in_the_order_of_the_layouts(search):
    layouts = [EVERYWHERE, {}, {"skip.0": "ag"}]
    scores = answer(search, Score(layouts))
    cases = len(search.trainer.split.validation)
    assert [table.shape for table in scores] == [(2, cases)] * 3
    for table, layout in zip(scores, layouts, strict=True):
        expected = 0.1 * len(layout) + 0.01 * np.array([[3], [4]])
        assert np.allclose(table, expected + np.zeros((2, cases)), atol=1e-9)


def test_layouts_are_trained_as_free_networks_side_by_side(search, made_up, watched):
    answer(search, Score([{}, {"bottleneck": "se"}]))
    (batch,) = made_up.batches
    assert [(plan.arm, plan.config.seed) for plan in batch] == [
        ("trial_none", 3),
        ("trial_none", 4),
        ("trial_bottleneck", 3),
        ("trial_bottleneck", 4),
    ]
    assert {plan.config.training.exponents for plan in batch} == {"free"}
    assert [dict(plan.config.attention) for plan in batch[1:3]] == [{}, {"bottleneck": "se"}]
    assert watched == [("trying 2 placements", batch)]


def test_a_question_that_was_asked_before_trains_nothing_and_has_the_same_answer(search, made_up):
    first, evidence = answer(search, Score([EVERYWHERE, {}])), answer(search, Probe("free"))
    again, more = answer(search, Score([{}, EVERYWHERE])), answer(search, Probe("free"))
    assert [len(batch) for batch in made_up.batches] == [4, 2, 0, 0]
    assert evidence == more
    assert all(np.array_equal(one, other) for one, other in zip(first, again[::-1], strict=True))


@pytest.mark.parametrize(("collapsed", "costs"), [((3,), [0.04]), ((3, 4), [0.03, 0.04])])
def test_a_collapsed_probe_does_not_water_the_evidence_down(search, made_up, collapsed, costs):
    made_up.collapses = lambda plan: plan.config.seed in collapsed
    evidence = answer(search, Probe("dropout"))
    assert [training.sites[0].removal_cost for training in evidence] == pytest.approx(costs)


def test_a_collapsed_training_scores_no_layout(search, made_up):
    made_up.collapses = lambda plan: plan.config.seed == 3
    (table,) = answer(search, Score([{"skip.0": "ag"}]))
    assert np.isnan(table[0]).all()
    assert np.allclose(table[1], 0.14)


def test_a_search_counts_every_training_that_it_asked_for_once_and_those_that_collapsed(search, made_up):
    made_up.collapses = lambda plan: plan.config.seed == 3
    assert search.collapsed == Collapsed(0, 0)
    answer(search, Probe("dropout"))
    assert search.collapsed == Collapsed(1, 2)
    answer(search, Score([{}, {"skip.0": "ag"}]))
    answer(search, Score([{}]))
    assert search.collapsed == Collapsed(3, 6)


def test_the_seeds_of_a_search_are_its_own(search, made_up):
    answer(replace(search, seeds=range(8, 9)), Score([{}]))
    assert [plan.config.seed for plan in made_up.batches[0]] == [8]


def test_a_trial_is_named_by_its_sites_and_many_sites_by_a_digest():
    assert name_trial({}) == "trial_none"
    assert name_trial(EVERYWHERE) == "trial_encoder.0+bottleneck+skip.0"
    many, others = ({f"a.rather.long.name.of.a.site.{number}": "se" for number in range(count)} for count in (30, 31))
    assert len(name_trial(many)) < LONGEST_NAME
    assert name_trial(many) != name_trial(others)
    assert name_trial(many) == name_trial(dict(many))
