"""Folds that are tested in turn: each with statistics, a search, a placement and arms of its own, and one answer from all."""

import json
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from focalseg.errors import SettingError
from focalseg.inference.loading import load_lean
from focalseg.placement.policies.questions import Score
from focalseg.records.evidence import EVIDENCE
from focalseg.records.placement import Collapsed, Placement
from focalseg.records.result import RESULT
from focalseg.records.site_decision import SiteDecision
from focalseg.study.arms.agreement import agree, choose_lean
from focalseg.study.arms.design import plan_design
from focalseg.study.arms.search import name_trial
from focalseg.study.outcome.stacking import stack_folds
from focalseg.study.place import place, train_arms
from focalseg.study.planning.groundwork import lay_groundwork
from focalseg.study.presets import MOST_TRAININGS
from focalseg.study.running.listeners import NOBODY, Listeners
from focalseg.study.running.scores import read_scores
from focalseg.yaml_files import read_yaml
from study.made_up import MadeUp, make_result, make_score

pytestmark = pytest.mark.slow


def with_folds(settings, count, **changes):
    return replace(settings, split=replace(settings.split, test_folds=count), **changes)


@pytest.fixture
def design_of(make_folder, tiny_settings, tmp_path, made_up):
    """The design of a job on a folder of 15 cases, with so many folds tested and runs that are made up."""

    def build(folds=2, **changes):
        settings = with_folds(tiny_settings, folds, **changes)
        ground = lay_groundwork(str(make_folder(count=15)), settings, 0, "cpu")
        folder = tmp_path / "out"
        return plan_design(ground, settings, folder, device="cpu", workers=1, listeners=NOBODY, engine=made_up)

    return build


@pytest.fixture
def made_up():
    """Runs whose Dice is 0.5; what the probes of both folds miss is skip.0, what those of the second alone: encoder.0."""
    return MadeUp(
        dice=lambda _: 0.5,
        cost=lambda plan, site: 0.5 if site == "skip.0" or (site, plan.config.fold) == ("encoder.0", 1) else 0.0,
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory, write_folder, tiny_settings):
    """A finished job that tested two folds, with what was watched, and its settings."""
    out = tmp_path_factory.mktemp("folds") / "out"
    data, watched = write_folder(out.parent / "data", count=15), []
    settings = with_folds(tiny_settings, 2, training=replace(tiny_settings.training, steps=3), rivals=("random", "wider"))
    listeners = Listeners(watch=lambda _, plans: watched.append(list(plans)) or nullcontext())
    result = place(str(data), out, settings, seed=3, device="cpu", workers=1, listeners=listeners)
    return result, out, watched, settings


CASES = "3 validation cases"


def dice_of(folder):
    return {score.case: score.dice for score in read_scores(folder / "cases.csv") if score.part == "test"}


def test_every_fold_is_normalised_by_its_own_training_cases(finished):
    _, out, _, _ = finished
    folds = json.loads((out / "splits.json").read_text())["folds"]
    for fold in (0, 1):
        config = read_yaml(out / "runs" / "none" / f"fold_{fold}" / f"seed_{3 + 2000 * fold}" / "config.yaml")
        names = folds[fold]["train"]
        pixels = [np.asarray(Image.open(out.parent / "data" / "images" / f"{name}.png"), float) for name in names]
        assert config["fold"] == fold
        assert config["preparation"]["mean"] == pytest.approx(np.concatenate(pixels).mean(axis=(0, 1)).tolist())


def test_the_difference_is_that_of_every_case_in_the_fold_that_tests_it(finished):
    result, out, _, _ = finished
    differences = {}
    for fold in (0, 1):
        for seed in (3 + 2000 * fold, 4 + 2000 * fold):
            plain = dice_of(out / "runs" / "none" / f"fold_{fold}" / f"seed_{seed}")
            placed = out / "runs" / "placed" / f"fold_{fold}" / f"seed_{seed}"
            lean = dice_of(placed) if placed.exists() else plain
            differences |= {(case, seed): lean[case] - plain[case] for case in plain}
    assert len(differences) == 2 * 6
    content = json.loads((out / "placement.json").read_text(), parse_constant=pytest.fail)
    assert result.verdict.difference.mean == pytest.approx(np.mean(list(differences.values())), abs=1e-6)
    assert content["difference"]["dice"] == result.verdict.difference.mean
    assert (content["arms"]["none"]["cases"], content["arms"]["none"]["folds"]) == (6, 2)
    each = [fold["difference"]["dice"] for fold in content["folds"]]
    assert np.mean(each) == pytest.approx(content["difference"]["dice"])


def test_the_lean_network_is_that_of_the_fold_and_seed_that_are_named(finished):
    _, out, _, _ = finished
    config, _ = load_lean(out / "lean")
    content = json.loads((out / "placement.json").read_text())
    assert content["lean"] == {"fold": config.fold, "seed": config.seed}
    assert "2 trainings on each of 2 folds" in (out / "lean" / "README.md").read_text()


def test_the_same_call_again_trains_nothing_and_changes_nothing(finished, monkeypatch):
    _, out, _, settings = finished
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file() and path.suffix != ".npz"}
    monkeypatch.setattr("focalseg.study.running.runs.train", pytest.fail)
    place(str(out.parent / "data"), out, settings, seed=3, device="cpu", workers=1)
    assert {path: path.read_bytes() for path in before} == before


def test_the_runs_of_all_folds_go_on_together(finished):
    _, _, watched, _ = finished
    for plans in watched:
        assert {plan.config.fold for plan in plans} == {0, 1}
    assert {plan.arm for plan in watched[0]} == {"none", "all", "wider"}
    assert {plan.arm for plan in watched[1]} == {"probe_dropout"}
    seeds = [{plan.config.seed for plan in plans} for plans in watched]
    assert seeds[0] == {3, 4, 2003, 2004}
    assert seeds[1] == {1003, 1004, 3003, 3004}


def test_no_seed_trains_on_two_folds_or_in_an_arm_and_a_search(design_of):
    design = replace(design_of(folds=5), seeds=MOST_TRAININGS)
    of_arms = [set(design.list_seeds(trainer)) for trainer in design.trainers]
    of_searches = [set(design.search(trainer).seeds) for trainer in design.trainers]
    assert [len(seeds) for seeds in of_arms] == [MOST_TRAININGS] * 5
    assert len(set().union(*of_arms, *of_searches)) == sum(map(len, (*of_arms, *of_searches)))
    more = [set(replace(design, seeds=3).list_seeds(trainer)) for trainer in design.trainers]
    assert all(few < many for few, many in zip(more, of_arms, strict=True))


def test_every_round_of_a_policy_is_trained_for_all_folds_together(design_of, made_up):
    # A site gains 0.1 in fold 0 and nothing in fold 1, so that there the search ends a round earlier.
    made_up.dice = lambda plan: 0.5 + 0.1 * ("encoder.0" in plan.config.attention and plan.config.fold == 0)
    design = design_of(policy="greedy_forward")
    _, decided = train_arms(design)
    assert [placement.layout for placement in decided.placements] == [{"encoder.0": "se"}, {}]
    # Both folds asked for the plain network and four of one site, the first one for three of two sites as well; two seeds each.
    assert decided.search == Collapsed(0, 2 * (5 + 3 + 5))
    rounds = [[(plan.arm, plan.config.fold) for plan in batch] for batch in made_up.batches[1:-1]]
    singles = ["trial_encoder.0", "trial_bottleneck", "trial_skip.0", "trial_decoder.0"]
    pairs = [f"trial_encoder.0+{site.removeprefix('trial_')}" for site in singles[1:]]
    assert [set(batch) for batch in rounds] == [
        {(arm, fold) for arm in ["trial_none", *singles] for fold in (0, 1)},
        {(arm, 0) for arm in pairs},
    ]


def test_a_fold_decides_by_all_trainings_but_those_that_validate_on_its_test_part(design_of, made_up):
    # Fold 0 validates on what fold 1 tests, so that fold 1 decides by its own trainings alone, and fold 0 by those of both.
    design = design_of()
    plans, decided = train_arms(design)
    placements = decided.placements
    assert [placement.layout for placement in placements] == [{"skip.0": "ag"}, {"encoder.0": "se", "skip.0": "ag"}]
    assert [fold["placed"][0].config.attention for fold in plans] == [placement.layout for placement in placements]
    agreed = agree(placements)
    found = {site.site: site for site in agreed.sites}
    assert [name for name, site in found.items() if site.kept] == ["encoder.0", "skip.0"]
    assert found["encoder.0"].why == (
        "kept in 1 of 2 folds, for instance: taking it away costs 0.500 Dice (0.500 and 0.500 in 2 trainings, "
        f"{CASES}), at least 0.01 in both"
    )
    assert found["bottleneck"].why.startswith(
        "kept in 0 of 2 folds, for instance: taking it away costs 0.000 Dice "
        "(0.000, 0.000, 0.000 and 0.000 in 4 trainings, 6 validation cases), less than 0.01 in all"
    )
    assert found["encoder.0"].removal_cost == pytest.approx(0.25)
    assert found["encoder.0"].gamma == pytest.approx(1.5)


def test_a_fold_where_nothing_is_placed_takes_the_plain_trainings(design_of, made_up):
    made_up.cost = lambda plan, site: 0.5 * (site == "skip.0" and plan.config.fold == 1)
    plans, _ = train_arms(design_of())
    assert plans[0]["placed"] == plans[0]["none"]
    assert {plan.folder.parent.name for plan in made_up.batches[-1]} == {"fold_1"}


@pytest.mark.parametrize(("silent", "counted"), [(("fold_0/seed_1001", "fold_1/seed_3001"), (2, 4)), (("fold_1/",), (2, 2))])
def test_collapsed_trainings_of_the_search_are_counted_over_folds_unless_one_fold_learned_nothing(
    silent, counted, design_of, made_up
):
    made_up.collapses = lambda plan: any(f"probe_dropout/{part}" in plan.folder.as_posix() for part in silent)
    _, decided = train_arms(design_of())
    assert decided.search == Collapsed(*counted)


def test_a_policy_that_asks_nothing_has_no_search(design_of, made_up):
    _, decided = train_arms(design_of(policy="none"))
    assert decided.search == Collapsed(0, 0)


def test_a_policy_that_looks_at_no_evidence_is_given_that_of_the_networks_with_all_attention(design_of, made_up):
    design = design_of(policy="none")
    for trainer in design.trainers:
        for plan in design.plan_known(trainer)["all"]:
            made_up.write(plan)
            (plan.folder / EVIDENCE).unlink()
    plans, decided = train_arms(design)
    everywhere = [plan.folder for fold in plans for plan in fold["all"]]
    assert [plan.folder for plan in made_up.batches[-1]] == everywhere
    assert [placement.layout for placement in decided.placements] == [{}, {}]
    assert [placement.sites[0].removal_cost for placement in decided.placements] == [0.0, 0.5]
    assert decided.witness == everywhere[0]


def test_a_fold_does_not_wait_for_runs_that_are_finished(design_of, made_up):
    made_up.dice = lambda plan: 0.5 + 0.1 * ("encoder.0" in plan.config.attention)
    design = design_of(policy="greedy_forward")
    one, other = (design.search(trainer) for trainer in design.trainers)
    first = Score([{}, *({site: gate} for site, gate in design.everywhere.items())])
    for plan in next(one.answer(first)).plans:
        made_up.write(plan)
    _, decided = train_arms(design)
    rounds = [{(plan.arm, plan.config.fold) for plan in batch} for batch in made_up.batches[1:-1]]
    pairs = {name_trial({"encoder.0": "se", site: gate}) for site, gate in design.everywhere.items() if site != "encoder.0"}
    assert rounds == [
        {*((plan.arm, 1) for plan in next(other.answer(first)).plans), *((arm, 0) for arm in pairs)},
        {(arm, 1) for arm in pairs},
    ]
    assert [placement.layout for placement in decided.placements] == [{"encoder.0": "se"}] * 2


def test_what_was_trained_before_a_stop_is_not_trained_again(design_of, made_up):
    design = design_of()
    made_up.write(design.plan_known(design.trainers[1])["all"][0])
    plans, _ = train_arms(design)
    trained = [plan.folder for batch in made_up.batches for plan in batch]
    assert plans[1]["all"][0].folder not in trained
    assert len(trained) == len(set(trained))
    assert all((plan.folder / RESULT).exists() for fold in plans for runs in fold.values() for plan in runs)


def test_more_folds_than_there_are_are_refused(make_folder, tiny_settings):
    with pytest.raises(SettingError) as raised:
        lay_groundwork(str(make_folder(count=15)), with_folds(tiny_settings, 6), 0, "cpu")
    assert str(raised.value) == (
        "split.test_folds was 6; the split has 5 folds. Test fewer, or raise split.folds, which counts for data without an "
        "official validation part."
    )


def test_cases_that_every_fold_tests_count_as_their_mean_over_folds():
    one, other = ([make_result([make_score(case, dice) for case, dice in zip("ab", row, strict=True)])] for row in
                  ((0.2, 0.6), (0.4, 1.0)))  # fmt: skip
    table = stack_folds([one, other], "test")
    assert table.tolist() == [[0.2, 0.6, 0.4, 1.0]]
    assert table.mean() == pytest.approx(np.mean([(0.2 + 0.4) / 2, (0.6 + 1.0) / 2]))


def decision(site, *, kept=False, shut=False, cost=0.0):
    return SiteDecision(
        site=site, gate="ag", gamma=1.0, removal_cost=cost, spread=0.1, kept=kept, why="so", removal_low=cost,
        removal_high=cost, joint_cost=cost, shut=shut,
    )  # fmt: skip


def placement(*decisions):
    return Placement(policy="removal", sites=decisions)


@pytest.mark.parametrize(
    ("votes", "kept", "shut"),
    [
        ("kkd", True, False),
        ("kdd", False, False),
        ("kkdd", True, False),
        ("ssd", False, True),
        ("kkss", True, False),
        ("ksd", False, False),
    ],
)
def test_a_site_is_kept_or_shut_where_half_of_the_folds_do_so(votes, kept, shut):
    agreed = agree([placement(decision("skip.0", kept=vote == "k", shut=vote == "s")) for vote in votes])
    assert (agreed.sites[0].kept, agreed.sites[0].shut) == (kept, shut)


def test_the_placement_of_one_fold_is_that_of_the_job():
    one = placement(decision("skip.0", kept=True))
    assert agree([one]) is one


def results(*dice, collapsed=()):
    """Runs with that Dice on their validation case."""
    return [
        make_result([make_score("a", value, part="validation", predicted=0 if number in collapsed else 10)])
        for number, value in enumerate(dice)
    ]


def test_the_lean_network_gains_most_on_validation_data_among_folds_with_the_agreed_placement():
    keeps, drops = placement(decision("skip.0", kept=True)), placement(decision("skip.0"))
    placed = [results(0.5, 0.6), results(0.9, 0.9), results(0.4, 0.7)]
    none = [results(0.4, 0.4)] * 3
    assert choose_lean(keeps, [keeps, drops, keeps], placed=placed, none=none) == (2, 1)


def test_the_fold_with_the_easiest_cases_does_not_win_by_that():
    keeps = placement(decision("skip.0", kept=True))
    placed, none = [results(0.92, 0.93), results(0.6, 0.62)], [results(0.92, 0.92), results(0.5, 0.5)]
    assert choose_lean(keeps, [keeps, keeps], placed=placed, none=none) == (1, 1)


def test_of_one_fold_the_lean_network_is_the_best_on_validation_data_whichever_plain_training_had_its_seed():
    keeps = placement(decision("skip.0", kept=True))
    assert choose_lean(keeps, [keeps], placed=[results(0.7, 0.8, 0.6)], none=[results(0.6, 0.79, 0.2)]) == (0, 1)


def test_collapsed_trainings_neither_win_nor_make_others_win():
    keeps = placement(decision("skip.0", kept=True))
    placed = [results(0.75, 0.0, collapsed=(1,)), results(0.61, 0.6)]
    none = [results(0.5, 0.0, collapsed=(1,)), results(0.3, 0.3)]
    assert choose_lean(keeps, [keeps] * 2, placed=placed, none=none) == (1, 0)  # 0.31 over 0.3, and 0.25 over 0.5
    lost = [results(0.0, 0.0, collapsed=(0, 1))]
    assert choose_lean(keeps, [keeps], placed=lost, none=lost) == (0, 0)


def test_where_no_fold_has_the_agreed_placement_the_nearest_one_gives_the_lean_network():
    def keep(*names):
        return placement(*(decision(name, kept=name in names) for name in ("a", "b", "c")))

    none = [results(0.0)] * 2
    assert choose_lean(keep("a", "b", "c"), [keep("a"), keep("b", "c")], placed=[results(0.9), results(0.1)], none=none) == (
        1,
        0,
    )
