"""Blocks on real images: what each arm finds, misses and leaves empty, per set.

A set that `benchmarks/real_data.py` has finished is told with intervals. One that was only trained before scores were kept per
case is told without, from the strata that follow from what was kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scipy.stats import binomtest

from figures.blocks import Writer
from figures.markdown import RESULTS, format_table, list_items, read_json
from real_images.earlier import WITHOUT_OBJECT, derive_strata, split_gain
from real_images.page import show_change, show_ends

NEW, EARLIER = "real_data-small", "real_data-small-earlier"
SHOWN = {"cvc_clinicdb": "CVC-ClinicDB", "chase_db1": "CHASE_DB1", "busi": "BUSI"}
ARMS = {"none": "none", "se": "SE", "all": "SE and AG", "placed": "placed", "wider": "wider"}
COUNTS = {1: "one", 2: "two", 3: "three", 5: "five", 10: "ten"}


@dataclass(frozen=True, kw_only=True)
class Told:
    """One set, from either source. strata: by name and arm the mean; left_empty is lacking where no case lacks the object.

    gain, over_all: what SE everywhere and what was placed differ by from none, in Dice with the object and over all cases, as
    text; of the former, rescued is what comes from objects missed. tuned: the same at tuned thresholds, where that is known.
    alarms: whether SE everywhere finds more objects and leaves fewer images empty, as far as intervals tell, if there are any.
    least: the gain of what was placed that four studies of five would show, in the score that the job judged. placed: whether
    any fold placed or shut something.
    """

    seen: str
    protocol: str
    cases: Mapping[str, int]
    strata: Mapping[str, Mapping[str, float]]
    gain: Mapping[str, str]
    over_all: Mapping[str, str]
    rescued: Mapping[str, float]
    tuned: Mapping[str, str]
    alarms: bool
    least: float | None
    placed: bool
    groups: int


def read_sets() -> dict[str, Told]:
    """Every set, anew where it is there."""
    anew = read_json(NEW) if (RESULTS / f"{NEW}.json").exists() else {}
    before = read_json(EARLIER)
    return {name: _tell_new(anew[name]) if name in anew else _tell_earlier(before[name], name) for name in SHOWN}


def _tell_new(one: Mapping[str, Any]) -> Told:
    strata, protocol = one["strata"], one["protocol"]
    changes = strata["with_object"]["differences"]
    tuned = (one["tuned"].get("with_object") or {"differences": {}})["differences"]
    fewer_misses = strata["missed"]["differences"]["se - none"]["high"] < 0
    fewer_empty = "left_empty" in strata and strata["left_empty"]["differences"]["se - none"]["high"] < 0
    return Told(
        seen=one["seen"],
        protocol=_name_protocol(protocol["folds"], protocol["trainings"]),
        cases={name: found["arms"]["none"]["cases"] for name, found in strata.items()},
        strata={name: {arm: row["value"] for arm, row in found["arms"].items()} for name, found in strata.items()},
        gain={arm: f"{show_change(changes[f'{arm} - none'])} ({_show_narrow(one, arm)})" for arm in ("se", "placed")},
        over_all={arm: show_change(strata["all_cases"]["differences"][f"{arm} - none"]) for arm in ("se", "placed")},
        rescued={arm: one["rescues"][f"{arm} - none"]["rescued"] for arm in ("se", "placed")},
        tuned={arm: show_change(tuned[f"{arm} - none"]) for arm in ("se", "placed") if f"{arm} - none" in tuned},
        alarms=fewer_misses and fewer_empty,
        **_tell_job(one),
    )


def _show_narrow(one: Mapping[str, Any], arm: str) -> str:
    """The interval that speaks for these images alone."""
    return f"{show_ends(one['these_images']['with_object']['differences'][f'{arm} - none'])} for these images alone"


def _tell_earlier(one: Mapping[str, Any], name: str) -> Told:
    without, arms = WITHOUT_OBJECT.get(name, 0), one["arms"]
    parts = {arm: derive_strata(row, without) for arm, row in arms.items()}
    first, all_cases = parts["none"], arms["none"]["cases"]
    strata: dict[str, Mapping[str, float]] = {
        "with_object": {arm: part.with_object for arm, part in parts.items()},
        "missed": {arm: part.missed for arm, part in parts.items()},
    }
    if without:
        strata["left_empty"] = {arm: part.left_empty or 0.0 for arm, part in parts.items()}
    over_all = {found["one"]: found for found in one["comparisons"] if found["other"] == "none"}
    fewer_misses = parts["se"].missed < first.missed
    return Told(
        seen=one["seen"],
        protocol=_name_protocol(arms["none"]["folds"], arms["none"]["trainings"]),
        cases={"with_object": all_cases - without, "missed": all_cases - without, "left_empty": without},
        strata=strata,
        gain={
            arm: f"{parts[arm].with_object - first.with_object:+.3f}" if without else show_change(over_all[arm])
            for arm in ("se", "placed")
        },
        over_all={arm: show_change(over_all[arm]) for arm in ("se", "placed")},
        rescued={arm: split_gain(parts[arm], first)[0] for arm in ("se", "placed")},
        tuned={},
        alarms=bool(without) and fewer_misses and strata["left_empty"]["se"] < strata["left_empty"]["none"],
        **_tell_job(one),
    )


def _tell_job(one: Mapping[str, Any]) -> dict[str, Any]:
    """What both sources have alike."""
    found = next(pair for pair in one["comparisons"] if (pair["one"], pair["other"]) == ("placed", "none"))
    return {
        "least": found["smallest_difference"],
        "placed": any(fold["kept"] or fold["shut"] for fold in one["folds"]),
        "groups": one["arms"]["none"]["groups"],
    }


def _name_protocol(folds: int, trainings: int) -> str:
    words = f"{COUNTS.get(folds, folds)} folds, {COUNTS.get(trainings, trainings)} training"
    return f"{words}{'' if trainings == 1 else 's'} per arm and fold"


def write_real_images(_current: str) -> str:
    """Per set and arm: Dice where the object is there, objects missed altogether, images without it left empty."""
    titles = {
        "with_object": "Dice, {} images with the object",
        "missed": "objects missed altogether",
        "left_empty": "left empty, of {} images without it",
    }
    rows = []
    for name, told in read_sets().items():
        for stratum, title in titles.items():
            if stratum not in told.strata:
                continue
            values = told.strata[stratum]
            shown = [_show(stratum, values[arm]) if arm in values else "-" for arm in ARMS]
            first = f"{SHOWN[name]}, {told.seen}" if stratum == "with_object" else ""
            rows.append((first, title.format(told.cases[stratum]), *shown))
    return format_table(("images, seen at", "", *ARMS.values()), rows)


def _show(stratum: str, value: float) -> str:
    return f"{value:.3f}" if stratum == "with_object" else f"{100 * value:.1f} %"


def write_words(_current: str) -> str:
    """What the table says, per set."""
    items = [f"**{SHOWN[name]}** ({told.protocol}). {_describe(told)}" for name, told in read_sets().items()]
    return list_items([*items, _describe_chance()])


def _describe_chance() -> str:
    """What was placed against as many sites drawn at random, which the earlier trainings compared."""
    changes = [
        f"{show_change(pair)} on {SHOWN[name]}"
        for name, one in read_json(EARLIER).items()
        for pair in one["comparisons"]
        if (pair["one"], pair["other"]) == ("placed", "random")
    ]
    return f"What was placed, minus as many sites at random (five folds, all images): {' and '.join(changes)}."


def _describe(told: Told) -> str:
    sentences = [_describe_everywhere(told)]
    if told.tuned:
        sentences.append(f"At tuned thresholds it is {told.tuned['se']}")
    if empty := told.strata.get("left_empty"):
        kept = f"{100 * empty['se']:.0f} % empty in place of {100 * empty['none']:.0f} %"
        sentences.append(f"Of the {told.cases['left_empty']} images without the object it leaves {kept}")
    if told.alarms:
        sentences.append(
            f"So it finds more and raises more false alarms; the mean over all images, {told.over_all['se']}, hides it"
        )
    return ". ".join([*sentences, *_describe_placed(told)]) + "."


def _describe_everywhere(told: Told) -> str:
    missed = told.strata["missed"]
    changed = f"With SE everywhere the Dice of images with the object changes by {told.gain['se']}"
    if missed["se"] == missed["none"] == 0:
        return f"{changed}, and nothing is missed altogether"
    shares = f"{100 * missed['se']:.1f} % in place of {100 * missed['none']:.1f} %"
    return f"{changed}, {told.rescued['se']:+.3f} of it owed to objects missed altogether ({shares})"


def _describe_placed(told: Told) -> list[str]:
    if not told.placed:
        most = binomtest(0, told.groups).proportion_ci().high
        bound = (
            f"{told.groups} groups without a failure still leave room for {100 * most:.0f} % of such groups failing altogether"
        )
        return ["Nothing was placed", f"That the plain network is as good is not proven: {bound}"]
    if "left_empty" not in told.strata:
        sentences, score = [f"What was placed changes it by {told.gain['placed']}"], ""
    else:
        over_all = f"that of all images by {told.over_all['placed']}"
        sentences = [f"What was placed changes the Dice with the object by {told.gain['placed']}, {over_all}"]
        score = "" if told.tuned or "[" in told.gain["placed"] else " of the latter"
    if told.least is not None:
        sentences.append(f"Four studies of five would show a gain{score} of {told.least:.2f}")
    return sentences


FROM_REAL_IMAGES: dict[str, Writer] = {"real images": write_real_images, "real images, in words": write_words}
