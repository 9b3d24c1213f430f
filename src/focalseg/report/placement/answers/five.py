"""The five questions that a job answers, in a line or two each: whether, which kind, where, how sure, at what price."""

from collections.abc import Iterator
from dataclasses import dataclass

from focalseg.evaluation.verdict import decide_sign
from focalseg.findings import counted
from focalseg.records.estimate import Estimate
from focalseg.records.outcome.strata import LEFT_EMPTY, MISSED, WITH_OBJECT, WITH_OBJECT_DICE, StratumDifference
from focalseg.records.placement import ALL, NONE, PLACED, ArmSummary
from focalseg.report.placement.answers.claims import is_shown, name_claim, name_level, name_look
from focalseg.report.placement.answers.strata import describe_value
from focalseg.report.placement.contents import PlacementContents
from focalseg.report.placement.naming import DOUBTS, describe_gate, name_gate
from focalseg.report.wording import (
    MINUS,
    decimal,
    listed,
    percent_more,
    points,
    probability,
    share,
    signed,
    split_sentences,
)
from focalseg.study.presets import RANDOM, RIVALS, WIDER

MOST_SITES = 5
"""Sites that are named on the first screen; of more, the rest are counted."""
KINDS = tuple(rival for rival in RIVALS if rival not in (WIDER, RANDOM))
"""Rivals that have one kind of attention at every site."""
CAVEATS = (*DOUBTS, "One training an arm", "No test image has the object")
"""What may stand before the answer in a verdict."""


_TOTAL = "Attention helps the training"


@dataclass(frozen=True, kw_only=True)
class Headline:
    """What the verdict says in a few words. but: what is shown that says another thing. doubts: what has to be known before it
    is believed, in a word or three each."""

    words: str
    but: str = ""
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A question in a word or three, its answer, and what else belongs to it, a line each."""

    question: str
    answer: str
    more: tuple[str, ...] = ()


def find_headline(contents: PlacementContents) -> Headline:
    """The words that the verdict begins with, without its figures; of what is not answered, why."""
    if contents.unanswered:
        return Headline(words=contents.unanswered)
    sentences = split_sentences(contents.record.sentence)
    leads = [sentence.partition(":")[0].removesuffix(".") for sentence in sentences]
    doubts = [lead for lead in leads[:-1] if lead in CAVEATS]
    answers = [lead for lead in leads if lead not in doubts]
    lead = next((lead for lead in answers if lead.startswith(_TOTAL)), answers[0]) if contents.plain else answers[0]
    before, opened, after = lead.partition(" (")
    words = before + after.partition(")")[2] if opened else lead
    return Headline(words=words, but=_tell_apart(contents), doubts=tuple(doubts))


def _tell_apart(contents: PlacementContents) -> str:
    """What is shown of misses and false alarms that says another thing than the verdict; empty where nothing does."""
    record, arm = contents.record, contents.shown
    sign = {"helps": 1, "harms": -1}.get(record.verdict, 0)
    if contents.plain:
        pair = record.find_comparison(ALL, NONE)
        sign = decide_sign(record.all_minus_none.estimate, holm_p=pair.holm_p if pair else None, level=record.looks.level)
    missed, empty = (_find_shown(contents, name, arm) for name in (MISSED, LEFT_EMPTY))
    told = [(-missed.sign, f"{'finds more' if missed.sign < 0 else 'misses more'} objects")] if missed else []
    told += [(empty.sign, f"raises {'fewer' if empty.sign > 0 else 'more'} false alarms")] if empty else []
    if all(better == sign for better, _ in told):
        return ""
    subject = f"attention at all {counted(len(record.sites), 'site')}" if contents.plain else "it"
    return f"{subject} {listed([words for better, words in told if sign == 0 or better != sign])}"


def list_answers(contents: PlacementContents) -> tuple[Answer, ...]:
    """The five, in the order in which they are asked."""
    return (
        _tell_whether(contents),
        _tell_which(contents),
        _tell_where(contents),
        _tell_how_sure(contents),
        _tell_price(contents),
    )


def _tell_whether(contents: PlacementContents) -> Answer:
    """The difference that the answer is about: placed minus none or, where these are one network, all minus none."""
    question, record, arm = "Whether", contents.record, contents.shown
    if contents.unanswered:
        return Answer(question=question, answer="Unknown: too many trainings ended predicting nothing.")
    if arm in contents.lost:
        return Answer(question=question, answer=f"Unknown: most trainings of {arm} ended predicting nothing.")
    difference = (record.difference if arm == PLACED else record.all_minus_none).estimate
    pair = record.find_comparison(arm, NONE)
    tested = f" (adjusted p {probability(pair.holm_p)})" if pair else ""
    answer = f"{_describe(difference)}, {arm} {MINUS} {NONE}{tested}"
    if contents.plain:
        answer = f"No site was kept. Attention at all {counted(len(record.sites), 'site')}: {answer}"
    return Answer(question=question, answer=answer, more=tuple(_add_to_whether(contents, arm)))


def _add_to_whether(contents: PlacementContents, arm: str) -> Iterator[str]:
    """What the difference is of, what else was found of the object, and the mean over all cases."""
    record = contents.record
    pair, stratum = record.find_comparison(arm, NONE), record.strata.get(WITH_OBJECT)
    if record.strata and pair and (pair.low > 0 or pair.high < 0) and pair.holm_p >= record.looks.level:
        least = f"{record.looks.level:.4f}".rstrip("0")
        yield f"The interval leaves 0 out, but p, adjusted for all that could be claimed, is not below {least}."
    if record.endpoint == WITH_OBJECT_DICE and stratum and {arm, NONE} <= stratum.arms.keys():
        values, of = {name: stratum.arms[name].value for name in (arm, NONE)}, contents.of_object
    else:
        values, of = {name: contents.arms[name].dice for name in (arm, NONE)}, " over all cases"
    yield f"Dice{of}: {decimal(values[arm])} {arm}, {decimal(values[NONE])} {NONE}."
    if missed := _find_shown(contents, MISSED, arm):
        yield f"{'Fewer' if missed.value < 0 else 'More'} objects missed altogether: {_of_both(contents, MISSED, arm)}."
    if contents.mean_differs:
        whole = record.difference_all_cases
        yield f"Mean over all cases, with the object or without: {_describe(whole.estimate)}." if whole else ""


def _tell_which(contents: PlacementContents) -> Answer:
    """The kinds of attention that were kept, and what each does where every site has it."""
    kept = list(dict.fromkeys(site.gate for site in contents.record.sites if site.kept))
    offered = [gate for gate in dict.fromkeys(site.gate for site in contents.record.sites) if gate not in kept]
    answer = listed([describe_gate(gate) for gate in kept]) or "None"
    if offered:
        answer += f"; offered {'too ' if kept else ''}but not kept: {listed([name_gate(gate) for gate in offered])}"
    return Answer(question="Which kind", answer=f"{answer}.", more=tuple(_compare_kinds(contents)))


def _compare_kinds(contents: PlacementContents) -> Iterator[str]:
    """How the kinds compare where every site has one, where such rivals were trained."""
    kinds = [
        f"{name_gate(pair.one)} {signed(pair.dice)}"
        for pair in contents.telling
        if pair.other == NONE and pair.one in KINDS and not pair.collapsed
    ]
    if kinds:
        yield f"Of one kind at every site, minus {NONE}: {', '.join(kinds)}."


def _tell_where(contents: PlacementContents) -> Answer:
    record = contents.record
    kept, shut = ([site.site for site in record.sites if getattr(site, state)] for state in ("kept", "shut"))
    folds = ", in at least half of the folds" if len(record.folds) > 1 and kept else ""
    more = (f"Skips shut{folds if not kept else ''}: {_name_sites(shut)}.",) if shut else ()
    number = f"{len(kept)} of {counted(len(record.sites), 'site')}"
    return Answer(question="Where", answer=f"{number}{f': {_name_sites(kept)}' if kept else ''}{folds}.", more=more)


def _name_sites(sites: list[str]) -> str:
    """The sites by name; of many the first, and how many more there are."""
    shown = sites if len(sites) <= MOST_SITES else [*sites[: MOST_SITES - 1], f"{len(sites) - MOST_SITES + 1} more"]
    return listed(shown)


def _tell_how_sure(contents: PlacementContents) -> Answer:
    record, plain = contents.record, contents.arms[NONE]
    stratum = record.strata.get(WITH_OBJECT) if record.endpoint == WITH_OBJECT_DICE else None
    cases, groups = (stratum.cases, stratum.groups) if stratum else (plain.cases, plain.groups)
    what = f"{counted(cases, 'test case')}{' with the object' if cases != plain.cases else ''}"
    if groups != cases:
        what += f" in {counted(groups, 'group')}"
    folds = f"{counted(plain.folds, 'fold')} \N{MULTIPLICATION SIGN} " if plain.folds > 1 else ""
    trainings = f"{folds}{counted(plain.trainings, 'training')} an arm"
    return Answer(
        question="How sure",
        answer=f"{name_level(record.looks)} interval from {what}, {trainings}.",
        more=(f"{name_claim(record)} {name_look(record.looks)}",),
    )


def _tell_price(contents: PlacementContents) -> Answer:
    """What is paid in modules, parameters and time, and in false alarms."""
    plain, arm = contents.arms[NONE], contents.shown
    beside = "" if contents.plain else percent_more(contents.arms[ALL].parameters, plain.parameters)
    paid = _describe_costs(contents.arms[arm], plain, beside)
    answer = f"Nothing: it is the plain network. {ALL.capitalize()}: {paid}" if contents.plain else paid
    return Answer(question="At what price", answer=f"{answer}.", more=tuple(_tell_false_alarms(contents, arm)))


def _describe_costs(arm: ArmSummary, plain: ArmSummary, beside: str) -> str:
    """What an arm takes more than the plain network. beside: how many parameters more attention everywhere has."""
    parameters = f"parameters {percent_more(arm.parameters, plain.parameters)}{f' ({ALL}: {beside})' if beside else ''}"
    parts = [counted(arm.modules, "module"), parameters]
    if arm.step_seconds and plain.step_seconds:
        parts.append(f"time of a training step {percent_more(arm.step_seconds, plain.step_seconds)}")
    return ", ".join(parts)


def _tell_false_alarms(contents: PlacementContents, arm: str) -> Iterator[str]:
    """How many cases without the object are left empty, where there are any."""
    stratum = contents.record.strata.get(LEFT_EMPTY)
    found = stratum.find(arm, NONE) if stratum else None
    if found is None or arm in contents.lost:
        return
    sign = found.sign if is_shown(found, contents.record.looks) else 0
    kind = {0: "False alarms", 1: "Fewer false alarms", -1: "More false alarms"}[sign]
    values = _of_both(contents, LEFT_EMPTY, arm)
    yield f"{kind}: of cases without the object {values} are left empty, {describe_value(found, points)}."


def _find_shown(contents: PlacementContents, name: str, arm: str) -> StratumDifference | None:
    """The difference of an arm to the plain network in a stratum, where it is shown."""
    stratum = contents.record.strata.get(name)
    found = stratum.find(arm, NONE) if stratum else None
    return found if found and is_shown(found, contents.record.looks) else None


def _of_both(contents: PlacementContents, name: str, arm: str) -> str:
    attended, plain = (share(contents.record.strata[name].arms[one].value) for one in (arm, NONE))
    return f"{plain} (both)" if attended == plain else f"{attended} ({arm}) instead of {plain} ({NONE})"


def _describe(difference: Estimate) -> str:
    return f"{signed(difference.mean)} Dice [{signed(difference.low)}, {signed(difference.high)}]"
