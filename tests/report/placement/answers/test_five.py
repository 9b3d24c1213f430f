"""The first screen of a job's page: whether, which kind, where, how sure, at what price."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from focalseg.records.outcome.claims import Looks
from focalseg.records.outcome.strata import StratumDifference
from focalseg.report.placement.answers.claims import is_shown, name_level, name_look
from focalseg.report.placement.answers.five import Answer, find_headline, list_answers
from focalseg.report.placement.reading import read_placement_contents
from report.conftest import SITES, describe_placement

Make = Callable[..., Path]
MINUS, SPACE = "\N{MINUS SIGN}", "\N{NO-BREAK SPACE}"


def ask(folder: Path) -> dict[str, Answer]:
    return {one.question: one for one in list_answers(read_placement_contents(folder))}


def keep_nothing(content: dict[str, Any]) -> dict[str, Any]:
    return {"sites": [site | {"kept": False, "shut": False} for site in content["sites"]], "folds": []}


def test_the_five_questions_are_asked_in_their_order(make_placement: Make) -> None:
    assert list(ask(make_placement())) == ["Whether", "Which kind", "Where", "How sure", "At what price"]


def test_a_record_of_before_cases_were_told_apart_has_its_answers_too(make_placement: Make) -> None:
    answers = ask(make_placement())
    assert answers["Whether"].answer == f"+0.324 Dice [+0.302, +0.346], placed {MINUS} none"
    assert answers["Whether"].more == ("Dice over all cases: 0.962 placed, 0.658 none.",)
    assert answers["Which kind"].answer == "SE (Squeeze-and-Excitation) and AG (Attention Gate)."
    assert answers["Where"].answer == "2 of 7 sites: encoder.0 and skip.0."
    assert answers["How sure"].answer == f"95{SPACE}% interval from 8 test cases, 2 trainings an arm."
    assert answers["How sure"].more[0].endswith("The test scores were looked at once.")
    assert answers["At what price"] == Answer(
        question="At what price", answer=f"2 modules, parameters 0.0{SPACE}% (all: 0.0{SPACE}%)."
    )


def test_more_false_alarms_are_a_price_and_fewer_misses_a_gain(make_placement: Make, made_strata: dict[str, Any]) -> None:
    answers = ask(make_placement(**made_strata))
    assert answers["Whether"].more == (
        "Dice on cases with the object: 0.686 placed, 0.596 none.",
        f"Fewer objects missed altogether: 2.5{SPACE}% (placed) instead of 9{SPACE}% (none).",
        f"Mean over all cases, with the object or without: +0.024 Dice [{MINUS}0.016, +0.064].",
    )
    assert answers["At what price"].more == (
        f"More false alarms: of cases without the object 22{SPACE}% (placed) instead of 49{SPACE}% (none) are left empty, "
        f"{MINUS}27{SPACE}points [{MINUS}30, {MINUS}24].",
    )


@pytest.mark.parametrize(("change", "word"), [({"high": 0.1}, "False alarms"), ({"holm_p": 0.4}, "False alarms"), ({}, "More")])
def test_what_is_not_shown_is_no_more_than_a_figure(
    make_placement: Make, made_strata: dict[str, Any], change: dict[str, Any], word: str
) -> None:
    made_strata["strata"]["left_empty"]["differences"]["placed - none"] |= change
    assert ask(make_placement(**made_strata))["At what price"].more[0].startswith(f"{word}")


def test_how_sure_tells_folds_looks_and_whom_it_speaks_for(
    make_placement: Make, made_job: dict[str, Any], made_strata: dict[str, Any]
) -> None:
    folder = make_placement(**{**made_job, **made_strata})
    answer = ask(folder)["How sure"]
    assert answer.answer == (
        f"97.5{SPACE}% interval from 259 test cases with the object in 210 groups, 2 folds \N{MULTIPLICATION SIGN} 2 trainings "
        "an arm."
    )
    assert answer.more == ("It speaks for data sets like this one. This is the second look at the test scores.",)


def test_the_claim_for_this_data_set_is_said_to_be_that(make_placement: Make, made_job: dict[str, Any]) -> None:
    assert "this data set, whose training cases are taken as they are" in ask(make_placement(**made_job))["How sure"].more[0]


def test_where_nothing_is_kept_the_answer_is_about_attention_everywhere(
    make_placement: Make, made_job: dict[str, Any], made_strata: dict[str, Any]
) -> None:
    content = {**made_job, **made_strata}
    answers = ask(make_placement(**content | keep_nothing(content)))
    assert (
        answers["Whether"].answer
        == f"No site was kept. Attention at all 7 sites: +0.092 Dice [+0.072, +0.112], all {MINUS} none (adjusted p 0.001)"
    )
    assert answers["Which kind"].answer == "None; offered but not kept: SE and AG."
    assert answers["Where"].answer == "0 of 7 sites."
    assert answers["At what price"].answer.startswith("Nothing: it is the plain network. All: ")
    assert "15" in answers["At what price"].more[0]  # of all, not of placed


def test_kinds_everywhere_are_compared_where_they_were_trained(make_placement: Make, made_job: dict[str, Any]) -> None:
    answers = ask(make_placement(**made_job))
    assert answers["Which kind"].answer == "SE (Squeeze-and-Excitation); offered too but not kept: AG."
    assert answers["Which kind"].more == ("Of one kind at every site, minus none: SE +0.305.",)
    assert answers["Where"].answer == "1 of 7 sites: encoder.0, in at least half of the folds."
    assert answers["Where"].more == ("Skips shut: skip.0.",)


def test_many_sites_are_counted(make_placement: Make, own: dict[str, Any]) -> None:
    own["found"] = {f"block.{number}": ("se", 1.0, 0.1, True) for number in range(12)}
    answer = ask(make_placement(**own))["Where"].answer
    assert answer == "12 of 12 sites: block.0, block.1, block.2, block.3 and 8 more."


@pytest.mark.parametrize(
    ("sentence", "words", "doubts"),
    [
        ("Attention helps: +0.1 Dice. With fewer modules it is as good.", "Attention helps", ()),
        ("Undertrained: the Dice still rose. No difference shown: so.", "No difference shown", ("Undertrained",)),
        ("One training an arm: nobody knows. Attention harms: so.", "Attention harms", ("One training an arm",)),
        ("Attention at all 7 sites helps (+0.1 Dice, so), but no part: so.", "Attention at all 7 sites helps, but no part", ()),
        ("No site was found worth keeping. It stays open.", "No site was found worth keeping", ()),
        ("Undertrained: so.", "Undertrained", ()),
    ],
)
def test_the_headline_is_the_verdict_without_its_figures(
    make_placement: Make, sentence: str, words: str, doubts: tuple[str, ...]
) -> None:
    found = find_headline(read_placement_contents(make_placement(sentence=sentence)))
    assert (found.words, found.doubts) == (words, doubts)


def test_trainings_that_predict_nothing_answer_nothing(make_placement: Make, made_job: dict[str, Any]) -> None:
    made_job["arms"]["placed"]["collapsed"] = 4
    folder = make_placement(**made_job)
    assert ask(folder)["Whether"].answer == "Unknown: too many trainings ended predicting nothing."
    assert find_headline(read_placement_contents(folder)).words.startswith("Not answered: 4 of 4 trainings of the arm placed")


def test_a_difference_is_shown_by_its_interval_and_its_p_together() -> None:
    found = StratumDifference(value=0.1, low=0.05, high=0.2, p_value=0.01, holm_p=0.04)
    assert is_shown(found, Looks())
    assert not is_shown(found, Looks(taken=2, tail=0.015))
    assert not is_shown(StratumDifference(value=0.1, low=-0.05, high=0.2, holm_p=0.001), Looks())
    assert is_shown(StratumDifference(value=-0.1, low=-0.2, high=-0.05), Looks())


def test_a_look_is_named_with_what_it_leaves_of_the_error() -> None:
    assert (name_level(Looks()), name_look(Looks())) == (f"95{SPACE}%", "The test scores were looked at once.")
    assert name_level(Looks(taken=2, tail=0.0125)) == f"97.5{SPACE}%"
    assert name_look(Looks(taken=7, tail=0.02)) == "This is the 7th look at the test scores."


def test_the_headline_says_where_the_kinds_of_cases_disagree(make_placement: Make, made_strata: dict[str, Any]) -> None:
    found = find_headline(read_placement_contents(make_placement(**made_strata)))
    assert (found.words, found.but) == ("Attention helps", "it raises more false alarms")


def test_where_nothing_is_shown_of_the_endpoint_both_effects_are_told(
    make_placement: Make, made_strata: dict[str, Any]
) -> None:
    made_strata |= {"verdict": "no_difference_shown", "sentence": "No difference shown: so."}
    found = find_headline(read_placement_contents(make_placement(**made_strata)))
    assert (found.words, found.but) == ("No difference shown", "it finds more objects and raises more false alarms")


def test_effects_that_agree_with_the_verdict_are_no_but(make_placement: Make, made_strata: dict[str, Any]) -> None:
    del made_strata["strata"]["left_empty"]
    assert find_headline(read_placement_contents(make_placement(**made_strata))).but == ""


def test_help_for_the_training_alone_is_the_headline_of_a_plain_network(make_placement: Make) -> None:
    folder = make_placement(
        sentence="No site was found worth keeping. Attention helps the training; no single site is needed: so.",
        verdict="no_difference_shown",
        **keep_nothing({"sites": describe_placement(SITES)["sites"]}),
    )
    words = find_headline(read_placement_contents(folder)).words
    assert words == "Attention helps the training; no single site is needed"


def test_an_interval_apart_from_0_that_p_takes_away_is_explained(
    make_placement: Make, made_job: dict[str, Any], made_strata: dict[str, Any]
) -> None:
    made_job["comparisons"][0]["holm_p"] = 0.072
    answer = ask(make_placement(**{**made_job, **made_strata, "verdict": "no_difference_shown"}))["Whether"]
    assert answer.answer.endswith("(adjusted p 0.072)")
    assert answer.more[0] == "The interval leaves 0 out, but p, adjusted for all that could be claimed, is not below 0.025."
