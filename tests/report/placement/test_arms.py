"""What the page says of rivals, folds, shut skips and the trainings that the evidence comes from."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from focalseg.errors import SettingError
from focalseg.report.placement.page import MOST_PATHS, write_report
from report.page_reader import Reader

pytestmark = pytest.mark.slow

Make = Callable[..., Path]
AddProbes = Callable[..., None]
MINUS = "\N{MINUS SIGN}"


def read(folder: Path) -> Reader:
    return Reader(write_report(folder).read_text(encoding="utf-8"))


def test_rivals_stand_after_the_three_networks_in_plain_words(make_placement: Make, made_job: dict[str, Any]) -> None:
    text = read(make_placement(**made_job)).text
    names = ("none", "all", "placed", "wider plain network, no attention", "as many sites at random", "SE everywhere", "of_old")
    places = [text.index(f"{name} 0.{'7' if number < 3 else '6'}00 [") for number, name in enumerate(names)]
    assert places == sorted(places)


def test_every_comparison_has_its_interval_in_the_chart_and_its_figures_in_the_table(
    make_placement: Make, made_job: dict[str, Any]
) -> None:
    reader = read(make_placement(**made_job))
    chart = next(attributes["aria-label"] for tag, attributes in reader.elements if "Difference in test" in str(attributes))
    for name in ("none", "all", "wider plain network, no attention", "as many sites at random", "SE everywhere"):
        assert f"placed {MINUS} {name} " in str(chart)
    assert f"placed {MINUS} none +0.324 [+0.304, +0.344] <0.001 0.031" in reader.text
    assert f"placed {MINUS} all {MINUS}0.003 [{MINUS}0.023, +0.017] 0.610 0.031" in reader.text
    assert f"all {MINUS} none +0.328 [+0.308, +0.348] 0.001 0.031" in reader.text
    assert "adjusted for 9 comparisons" in reader.text
    assert "the seeds of the two arms differ" not in reader.text


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (
            True,
            f"Placed is as good as attention at every site: with 97.5 % confidence placed {MINUS} all is at least {MINUS}0.004",
        ),
        (False, f"was not shown: placed {MINUS} all may be as low as {MINUS}0.004, beyond the margin of 0.010 Dice"),
    ],
)
def test_non_inferiority_is_a_sentence(make_placement: Make, made_job: dict[str, Any], shown: bool, text: str) -> None:
    made_job["non_inferiority"] |= {"bound": -0.004, "shown": shown}
    assert text in read(make_placement(**made_job)).text


@pytest.mark.parametrize(
    ("noise", "text"),
    [
        ((0.011, 0.14, 2), "differ in their seed alone come out up to 0.140 Dice apart"),
        ((0.1, 1.8, 2), "2 trainings are too few to bound the difference that luck alone can make"),
        ((None, None, 1), "Noise of the seed: not told from what differs between the folds"),
    ],
)
def test_the_noise_of_the_seed_is_a_sentence(
    make_placement: Make, made_job: dict[str, Any], noise: tuple[float | None, float | None, int], text: str
) -> None:
    made_job["seed_noise"] = dict(zip(("deviation", "range_of_difference", "trainings"), noise, strict=True))
    assert text in read(make_placement(**made_job)).text


def test_folds_are_told_with_what_each_kept_shut_and_gained(make_placement: Make, made_job: dict[str, Any]) -> None:
    text = read(make_placement(**made_job)).text
    assert "Over 2 folds: on each, sites were chosen and networks trained and tested anew." in text
    assert "Site Fold 0 Fold 1 encoder.0 kept kept encoder.1 dropped dropped bottleneck dropped kept skip.0 shut shut" in text
    assert f"placed {MINUS} none +0.300 [+0.280, +0.320] +0.350 [+0.330, +0.370]" in text
    assert "of which 2 were tested in turn" in text


def test_one_fold_has_no_table_of_folds(make_placement: Make, made_job: dict[str, Any]) -> None:
    made_job["folds"] = made_job["folds"][:1]
    text = read(make_placement(**made_job)).text
    assert "Fold 0" not in text
    assert "The data were split once into 24 training" in text


def test_evidence_has_a_whisker_a_joint_cost_and_the_decision_in_words(make_placement: Make, made_job: dict[str, Any]) -> None:
    reader = read(make_placement(**made_job))
    assert "encoder.0 SE kept +0.251 [+0.201, +0.321] +0.502 2.25 0.100 taking it away costs 0.251 Dice" in reader.text
    assert "skip.0 AG shut +0.148 [+0.098, +0.218] +0.296" in reader.text
    assert "skip.1 AG dropped" in reader.text
    assert len(reader.of_class("whisker")) == 7
    lengths = [float(str(bar["width"])) for bar in reader.of_class("cost")]
    assert lengths[0] / lengths[3] == pytest.approx(0.251 / 0.148, rel=0.01)
    assert "Skips shut: skip.0." in reader.text


def test_evidence_shows_what_each_training_said_in_place_of_an_interval_that_spans_the_scale(
    make_placement: Make, made_job: dict[str, Any]
) -> None:
    each = {"encoder.0": [0.21, 0.292], "skip.0": [0.1, 0.15, 0.2, 0.14, 0.15]}
    made_job["sites"] = [
        site | {"removal_low": -0.629, "removal_high": 1.0, "removal_costs": each.get(site["site"], [site["removal_cost"]] * 2)}
        for site in made_job["sites"]
    ]
    reader = read(make_placement(**made_job))
    assert "encoder.0 SE kept +0.251 +0.210, +0.292 2 of 2 +0.502 2.25" in reader.text
    assert "skip.0 AG shut +0.148 +0.100 to +0.200 (5) 5 of 5 +0.296" in reader.text
    assert "\N{MINUS SIGN}0.629" not in reader.text
    assert not reader.of_class("whisker")
    assert len(reader.of_class("dot")) == 6 * 2 + 5 + 7 * 2  # of seven sites, and of seven arms with two trainings


def test_each_training_stands_in_its_line_with_its_own_interval_over_cases(
    make_placement: Make, made_job: dict[str, Any]
) -> None:
    made_job["sites"] = [
        site
        | {"removal_costs": [site["removal_cost"] - 0.1, site["removal_cost"] + 0.1], "removal_cases": [40, 40]}
        | {"why": "it costs 0.3 Dice (0.1 and 0.5 in 2 trainings, 40 validation cases), at least (so) in both"}
        | {"removal_lows": [site["removal_cost"] - 0.12, -1.0], "removal_highs": [site["removal_cost"] - 0.07, 1.0]}
        for site in made_job["sites"]
    ]
    reader = read(make_placement(**made_job))
    assert "In each training [95 % interval over cases] 0.01 or more in" in reader.text
    # the second is of a single group of cases, whose interval is all of the scale and tells nothing
    assert "encoder.0 SE kept +0.251 +0.151 [+0.131, +0.181]+0.351 2 of 2 +0.502" in reader.text
    assert f"encoder.1 SE dropped 0.000 {MINUS}0.100 [{MINUS}0.120, {MINUS}0.070]+0.100 1 of 2 +0.001" in reader.text
    assert "Each was measured on 40 validation cases; its interval is of new cases for that very training." in reader.text
    assert "1.000" not in reader.text.split("Evidence at every site")[1].split("Why")[1]
    assert len(reader.of_class("reach")) == 7
    assert reader.text.count("it costs 0.3 Dice, at least (so) in both") == 7  # the columns say the rest


def test_a_step_is_shown_where_it_was_measured_and_the_time_by_the_clock_where_not(
    make_placement: Make, made_job: dict[str, Any]
) -> None:
    for name, arm in made_job["arms"].items():
        arm["step_seconds"] = None if name == "of_old" else 0.0681
    text = read(make_placement(**made_job)).text
    assert "FLOPs Step Trainings" in text
    assert "49.5 M 68.1 ms 2" in text
    assert "49.5 M not measured 2" in text
    assert "12.8 s" not in text
    assert "Step: processor time of one training step" in text


def test_a_page_of_before_says_what_its_time_is(make_placement: Make, made_job: dict[str, Any]) -> None:
    text = read(make_placement(**made_job)).text
    assert "49.5 M 12.8 s 2" in text
    assert "Time: one training by the clock, which other programs on the machine lengthen" in text


def test_where_nothing_is_placed_no_network_is_shown_twice(make_placement: Make) -> None:
    folder = make_placement()
    path = folder / "placement.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["sites"] = [site | {"kept": False} for site in content["sites"]]
    path.write_text(json.dumps(content), encoding="utf-8")

    def list_shown() -> list[str]:
        labels = [str(attributes.get("aria-label")) for _, attributes in read(folder).elements]
        return [found[1] for label in labels if (found := re.search(r"prediction of (\w+)", label))]

    assert list_shown() == ["none", "none"]  # two cases, in a folder of before
    with np.load(folder / "examples.npz") as arrays:
        renamed = {name.replace("placed", "all"): array for name, array in arrays.items()}
    np.savez_compressed(folder / "examples.npz", **renamed)
    assert list_shown() == ["none", "all"] * 2
    text = read(folder).text
    assert "all, attention at every site" in text
    assert "The lean network is the plain one, beside which stands attention at every site." in text


def test_a_shut_skip_is_told_from_a_dropped_one_without_colour(make_placement: Make, made_job: dict[str, Any]) -> None:
    reader = read(make_placement(**made_job))
    states = {str(mark["data-site"]): str(mark["class"]).split()[1] for mark in reader.of_class("site")}
    assert states["skip.0"] == "shut"
    assert states["skip.1"] == "dropped"
    assert "skip.0 shut nothing passes" in reader.text
    assert len(reader.of_class("dead-end")) == 1
    assert len(reader.of_class("bar")) == 6
    assert "shut, nothing passes the skip" in reader.text


def test_the_evidence_is_told_with_the_trainings_it_comes_from(make_placement: Make, add_probes: AddProbes) -> None:
    folder = make_placement()
    add_probes(folder)
    reader = read(folder)
    assert (
        "was trained with seeds 0 and 1, sites left out at random in the later part of the training; from its behaviour"
        in reader.text
    )
    assert "what is lost is what no other site makes up for" in reader.text
    assert "one panel a training that the decision rests on" in reader.text
    for fold in (0, 1):
        for seed in (0, 1):
            assert f"Training with seed {seed} on fold {fold}" in reader.text
    assert "replaced by their mean" not in reader.text


def test_without_such_trainings_the_evidence_is_of_all_attention(make_placement: Make) -> None:
    text = read(make_placement()).text
    assert "replaced by their mean, everything else unchanged. It tells what the trained network leans on" in text
    assert "one panel a training of the network with all attention" in text


@pytest.mark.parametrize("name", ["config.yaml", "metrics.csv"])
def test_trainings_whose_files_are_gone_are_not_spoken_of(make_placement: Make, add_probes: AddProbes, name: str) -> None:
    folder = make_placement()
    add_probes(folder)
    for path in folder.glob(f"runs/probe_dropout/*/*/{name}"):
        path.unlink()
    assert "one panel a training of the network with all attention" in read(folder).text


def test_a_damaged_training_that_the_decision_rests_on_is_named(make_placement: Make, add_probes: AddProbes) -> None:
    folder = make_placement()
    add_probes(folder)
    path = folder / "runs" / "probe_dropout" / "fold_1" / "seed_0" / "metrics.csv"
    path.write_bytes(b"step,loss\nx,\xff\x00y\n: :")
    with pytest.raises(SettingError, match=re.escape(str(path))):
        write_report(folder)


def test_a_policy_that_asked_for_no_evidence_is_not_said_to_rest_on_any(make_placement: Make, made_job: dict[str, Any]) -> None:
    text = read(make_placement(**made_job, policy="leave_one_out")).text
    assert "The policy leave_one_out chose the sites on validation data alone." in text
    assert "that the decision rests on" not in text


def test_very_many_paths_of_gamma_are_folded_away(make_placement: Make, add_probes: AddProbes) -> None:
    folder = make_placement()
    add_probes(folder, folds=4, seeds=2)
    page = write_report(folder).read_text(encoding="utf-8")
    shown, hidden = page.split(f"{8 - MOST_PATHS} more trainings")
    assert shown.count("gamma of every site over") == MOST_PATHS
    assert hidden.count("gamma of every site over") == 8 - MOST_PATHS
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_what_was_not_answered_leads_with_the_reason(make_placement: Make, made_job: dict[str, Any]) -> None:
    made_job["arms"]["none"]["collapsed"] = 3  # of 2 seeds on 2 folds
    reason = "Not answered: 3 of 4 trainings of the arm none ended predicting nothing at all; more steps may mend that."
    page = write_report(make_placement(**made_job, verdict="no_difference_shown", sentence=reason)).read_text(encoding="utf-8")
    heading = re.search(r"<h1.*?</h1>", page, re.DOTALL)
    assert heading
    assert Reader(heading.group(0)).text.startswith("Not answered: 3 of 4 trainings of the arm none ended predicting nothing")
    text = Reader(page).text
    assert "it tells nothing of attention" in text
    assert "as good as attention at every site" not in text
    assert "Trainings that ended predicting nothing: none 3 of 4." in text


def test_only_the_first_sentence_of_a_verdict_is_its_heading(make_placement: Make) -> None:
    sentence = "Attention helps: +0.324 Dice. But it may be capacity, not attention: a plain network may do as well."
    page = write_report(make_placement(sentence=sentence)).read_text(encoding="utf-8")
    heading, rest = page.split("</h1>")
    assert "Attention helps</strong>" in heading
    assert "<b>But it may be capacity, not attention:</b> a plain network may do as well." in rest


def test_a_fold_that_kept_something_makes_another_network_than_the_plain_one(
    make_placement: Make, made_job: dict[str, Any]
) -> None:
    made_job["sites"] = [site | {"kept": False, "shut": False} for site in made_job["sites"]]
    assert "the same trainings" not in read(make_placement(**made_job)).text


def test_what_could_have_been_seen_is_the_smallest_difference_of_placed_and_none(
    make_placement: Make, made_job: dict[str, Any]
) -> None:
    made_job["comparisons"][0]["smallest_difference"] = 0.047
    text = read(make_placement(**made_job)).text
    assert "show a true difference of 0.047 Dice in 80 % of studies; a smaller one may well have gone unseen" in text


def test_no_difference_larger_than_dice_can_have_is_shown(make_placement: Make, made_job: dict[str, Any]) -> None:
    made_job["comparisons"][0]["smallest_difference"] = 3.889
    text = read(make_placement(**made_job)).text
    assert "not even the largest difference there can be is shown in 80 % of studies" in text
    assert "3.889" not in text


@pytest.mark.parametrize("change", [{"smallest_difference": None}, {"collapsed": True}])
def test_nothing_is_said_of_what_could_have_been_seen_where_nothing_tells(
    make_placement: Make, made_job: dict[str, Any], change: dict[str, Any]
) -> None:
    made_job["comparisons"][0] |= change
    assert "gone unseen" not in read(make_placement(**made_job)).text


def test_a_comparison_with_an_arm_that_collapsed_is_not_made(make_placement: Make, made_job: dict[str, Any]) -> None:
    made_job["arms"]["all"]["collapsed"] = 3  # of 2 seeds on 2 folds
    for comparison in made_job["comparisons"]:
        comparison["collapsed"] = "all" in (comparison["one"], comparison["other"])
    reader = read(make_placement(**made_job))
    reason = "not compared: most trainings of all ended predicting nothing"
    assert f"placed {MINUS} all {reason}" in reader.text
    assert f"all {MINUS} none {reason}" in reader.text
    assert reader.text.count(reason) == 2
    assert f"placed {MINUS} none +0.324 [+0.304, +0.344] <0.001 0.031" in reader.text
    chart = str(next(attributes["aria-label"] for _, attributes in reader.elements if "Difference in test" in str(attributes)))
    assert f"placed {MINUS} none" in chart
    assert f"placed {MINUS} all" not in chart
    assert f"all {MINUS} none" not in chart
    assert "as good as attention at every site" not in reader.text


def test_comparisons_from_before_arms_that_collapsed_were_marked_are_shown(
    make_placement: Make, made_job: dict[str, Any]
) -> None:
    for comparison in made_job["comparisons"]:
        del comparison["collapsed"]
    del made_job["search"]
    assert "not compared" not in read(make_placement(**made_job)).text


def test_a_search_half_of_which_collapsed_answers_nothing(make_placement: Make, made_job: dict[str, Any]) -> None:
    made_job["search"] = {"collapsed": 2, "trainings": 4}
    text = read(make_placement(**made_job)).text
    assert "Not answered: 2 of 4 trainings of the search for sites ended predicting nothing at all" in text
    assert "it tells nothing of attention" in text
    assert "Trainings that ended predicting nothing: search for sites 2 of 4." in text


def test_less_than_half_of_a_search_is_a_note(make_placement: Make, made_job: dict[str, Any]) -> None:
    made_job["arms"]["none"]["collapsed"] = 1
    made_job["search"] = {"collapsed": 1, "trainings": 4}
    text = read(make_placement(**made_job)).text
    assert "Not answered" not in text
    assert "Trainings that ended predicting nothing: none 1 of 4; search for sites 1 of 4." in text


def test_the_plain_network_that_collapsed_is_named_once(make_placement: Make, made_job: dict[str, Any]) -> None:
    made_job["sites"] = [site | {"kept": False, "shut": False} for site in made_job["sites"]]
    made_job["folds"] = [fold | {"kept": {}, "shut": []} for fold in made_job["folds"]]
    for arm in ("none", "placed"):
        made_job["arms"][arm]["collapsed"] = 4
    text = read(make_placement(**made_job, verdict="no_difference_shown")).text
    assert "Not answered: 4 of 4 trainings of the arm none ended predicting nothing at all;" in text


def test_a_placement_that_keeps_nothing_does_not_claim_to_see_any_difference_to_itself(
    make_placement: Make, made_job: dict[str, Any]
) -> None:
    made_job["sites"] = [site | {"kept": False, "shut": False} for site in made_job["sites"]]
    made_job["folds"] = [fold | {"kept": {}, "shut": []} for fold in made_job["folds"]]
    made_job["comparisons"][0] |= {"dice": 0.0, "low": 0.0, "high": 0.0, "holm_p": 1.0, "smallest_difference": None}
    text = read(make_placement(**made_job)).text
    assert "the rows none and placed are the same trainings" in text
    assert f"placed {MINUS} none 0.000 [0.000, 0.000] 1.000 the same trainings" in text
    assert "gone unseen" not in text


def test_a_run_tells_its_own_regime_and_draws_the_skips_that_it_shut(make_run: Make) -> None:
    reader = read(make_run(exponents="dropout", shut=("skip.1",), found={"encoder.0": ("se", 1.0, 0.1, True)}))
    assert "in the later part of these trainings, so the networks had learned to do without any" in reader.text
    assert "shut at skip.1" in reader.text
    assert "skip.1 shut nothing passes" in reader.text
    assert len(reader.of_class("dead-end")) == 1


def test_hostile_names_of_arms_are_text_and_nothing_else(make_placement: Make, made_job: dict[str, Any]) -> None:
    name = "<img src=x onerror=alert(1)>\"' helps" + "W" * 300
    made_job["arms"][name] = made_job["arms"].pop("of_old")
    made_job["comparisons"].append(made_job["comparisons"][0] | {"other": name})
    folder = make_placement(**made_job)
    reader = read(folder)
    assert name in reader.text
    assert not {tag for tag, _ in reader.elements} & {"img", "script"}
    assert len(reader.of_class("helps")) == 2
    assert json.loads((folder / "placement.json").read_text(encoding="utf-8"))["arms"][name]
