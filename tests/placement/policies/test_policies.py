"""What holds for every policy of the catalogue: it asks about candidates, decides on all of them and says why."""

import copy
import itertools

import pytest

from focalseg.placement.decision import record_choice
from focalseg.placement.exponents import REGIMES
from focalseg.placement.policies import POLICIES
from placement.policies.planned import draw_search, record_site

NETWORKS = {
    "no site": (),
    "one site": ("bottleneck",),
    "two levels": ("encoder.0", "bottleneck", "skip.0", "decoder.0"),
    "three levels": ("encoder.0", "encoder.1", "bottleneck", "skip.0", "skip.1", "decoder.0", "decoder.1"),
    "named by a person": ("layer1", "layer2", "skip-a"),
}

every_policy = pytest.mark.parametrize("policy", list(POLICIES))


@every_policy
def test_a_policy_keeps_candidates_in_their_order_and_gives_a_reason_for_each(policy):
    for names, seed in itertools.product(NETWORKS.values(), range(4)):
        choice = draw_search(names, seed).choose(policy)
        assert list(choice.kept) == [name for name in names if name in choice.kept]
        assert set(choice.shut) <= {name for name in names if name.startswith("skip")} - set(choice.kept)
        assert list(choice.reasons) == list(names)
        assert all(choice.reasons.values())


@every_policy
def test_a_policy_that_is_asked_again_decides_the_same_and_edits_nothing(policy):
    for names in NETWORKS.values():
        search = draw_search(names, seed=1)
        before = copy.deepcopy((dict(search.everywhere), dict(search.dice), dict(search.evidence), search.seed))
        first, second = search.choose(policy), draw_search(names, seed=1).choose(policy)
        assert first == second == search.choose(policy)
        assert (dict(search.everywhere), dict(search.dice), dict(search.evidence), search.seed) == before


@every_policy
def test_a_policy_asks_for_known_regimes_and_names_the_evidence_it_decided_on(policy):
    search = draw_search(NETWORKS["two levels"], seed=2)
    choice = search.choose(policy)
    probed = [question for question in search.questions if isinstance(question, str)]
    assert set(probed) <= set(REGIMES)
    assert choice.evidence == tuple(training for regime in probed for training in search.evidence[regime])


@every_policy
def test_the_placement_says_of_every_site_what_the_policy_said(policy):
    search = draw_search(NETWORKS["three levels"], seed=3)
    choice = search.choose(policy)
    looked_at = choice.evidence or search.evidence["free"]
    placement = record_choice(choice, policy, search.everywhere, looked_at)
    assert placement.policy == policy
    assert [(one.site, one.gate) for one in placement.sites] == list(search.everywhere.items())
    assert [one.site for one in placement.sites if one.kept] == list(choice.kept)
    assert [one.site for one in placement.sites if one.shut] == list(choice.shut)
    assert {one.site: one.why for one in placement.sites} == choice.reasons
    assert placement.modules == len(choice.kept)
    for number, one in enumerate(placement.sites):
        assert one.gamma == pytest.approx(sum(training.sites[number].gamma for training in looked_at) / 2)


@every_policy
def test_trainings_that_show_nothing_of_worth_keep_nothing(policy):
    """But for the two policies that look at nothing."""
    search = draw_search(NETWORKS["two levels"], seed=4)
    flat = dict.fromkeys(search.dice, 0.5)
    evidence = {
        regime: tuple(
            type(training)(sites=tuple(map(show_nothing, training.sites)), path=training.path[-1:]) for training in some
        )
        for regime, some in search.evidence.items()
    }
    search = type(search)(everywhere=search.everywhere, dice=flat, evidence=evidence)
    kept = search.choose(policy).kept
    assert len(kept) == {"all": 4, "random": 2}.get(policy, 0)


def show_nothing(record):
    return record_site(record.site, on=0.0)
