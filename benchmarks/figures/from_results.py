"""Blocks on what was found: whether the truth is found where it is known, intervals, the focal parameter."""

import re
from collections import Counter
from functools import partial
from statistics import fmean

from scipy.stats import binomtest

from figures.blocks import Writer
from figures.markdown import (
    Row,
    cut_section,
    find_tables,
    format_table,
    list_items,
    read_json,
    read_page,
    read_rows,
    read_table,
    show_interval,
    show_range,
    wrap,
)


def write_default_policy(_current: str) -> str:
    """The default policy in the truth table, beside random sites and gamma alone."""
    rows = {row["policy"]: row for row in read_table("placement", "Policies")}
    removal, gamma = rows["removal"], rows["gamma_threshold"]
    return format_table(
        ("what decides", "Dice that it lacks of the best placement", "met every need", "kept nothing where nothing is needed"),
        [
            ("the default, `removal`", removal["regret"], removal["needs met"], removal["nothing where idle"]),
            ("as many sites, at random", removal["of random, as many"], "", ""),
            ("gamma alone, our reading of the paper", gamma["regret"], gamma["needs met"], gamma["nothing where idle"]),
        ],
    )


def write_truth_table(_current: str, *, several: bool) -> str:
    """The truth table: every policy, or those that train layouts with three trainings of each."""
    if not several:
        return find_tables(cut_section(read_page("placement"), "Policies"))[0]
    header, rule, *rows = find_tables(cut_section(read_page("placement"), "From other numbers"))[0].splitlines()
    return "\n".join([header, rule, *(row for row in rows if "three trainings" in row and "| removal" not in row)])


def write_null_verdicts(_current: str) -> str:
    """How often the whole job claims something where there is nothing."""
    found = read_json("null_verdicts")
    jobs = len({one["number"] for one in found})
    names = {"removal": "sites chosen by `removal`, the default", "random": "sites drawn at random"}
    verdicts = Counter((one["policy"], one["verdict"]) for one in found)
    kept = Counter(one["policy"] for one in found if one["kept"])
    claims = Counter(one["policy"] for one in found if one["claims_help"])
    rows = [
        [shown, *map(str, (kept[name], verdicts[name, "helps"], verdicts[name, "harms"], claims[name]))]
        for name, shown in names.items()
    ]
    everywhere = [one["all_minus_none"] for one in found if one["policy"] == "removal"]
    above, below = [one for one in everywhere if one["low"] > 0], [one for one in everywhere if one["high"] < 0]
    rows.append(["all sites, against none", "", str(len(above)), str(len(below)), ""])
    largest = max(abs(one["dice"]) for one in above + below)
    bound = binomtest(kept["removal"], jobs).proportion_ci().high
    frames = read_json("real_data-small-earlier")["cvc_clinicdb"]["all_minus_none"]
    reach = fmean((one["high"] - one["low"]) / 2 for one in everywhere)
    words = (
        "Where nothing is kept, placed and none are the same trainings, and no claim can be false: the first row tells of the "
        f"choice alone. {kept['removal']} of {jobs} means that at most {100 * bound:.1f} % of such jobs keep something, with "
        f"95 % confidence. The last row tries the interval: it should miss 0 in {jobs / 20:.0f} of {jobs}, and the "
        f"{len(above + below)} that did were off by at most {largest:.3f} Dice. These tasks are quiet: the interval of all "
        f"minus none reaches {reach:.3f} Dice to either side, on CVC-ClinicDB {(frames['high'] - frames['low']) / 2:.3f}."
    )
    columns = (f"{jobs} jobs each", "kept something", "*helps*", "*harms*", "last sentence claims help")
    return f"{format_table(columns, rows)}\n\n{wrap(words)}"


def write_planted_truths(_current: str) -> str:
    """The verdicts of the whole job on two tasks whose truth is known, and what each site gains when it is trained alone."""
    results = read_json("planted_truths")
    rows = []
    for found in results["places"]:
        kept = ", ".join(f"{site} ({gate.upper()})" for site, gate in found["kept"].items()) or "nothing"
        verdict = found["verdict"].replace("_", " ")
        rows.append((f"`{found['task']}`", str(found["seed"]), verdict, show_interval(found["difference"]), kept))
    table = format_table(("task", "first seed", "verdict", "placed - none, Dice with 95 % interval", "kept"), rows)
    gains = {row["arm"]: row["gain"]["mean"] for row in results["single_sites"]}
    sites = [f"`{arm}` {gain:+.3f}" for arm, gain in gains.items() if arm not in ("none", "all")]
    alone = f"Gain in Dice of each site trained alone, on `phantom:global-cue`: {', '.join(sites)}."
    words = f"{alone} All together: {gains['all']:+.3f}."
    return f"{table}\n\n{wrap(words)}"


def write_main_job(_current: str) -> str:
    """Time, memory and last sentence of the demo and of a job on real images; what another network gained on two sets."""
    rows = {row["command"].strip("`"): row for row in read_table("main_job")}
    demo, place = rows["focalseg demo"], rows["focalseg place cvc_clinicdb --preset quick"]
    seconds, minutes = round(float(demo["seconds"]), -1), float(place["seconds"]) / 60
    jobs = {
        f"The demo, `phantom:global-cue` with fewer steps: about {seconds:.0f} s": demo,
        f"CVC-ClinicDB, 612 colonoscopy frames split by their 29 video sequences, `quick`: {minutes:.0f} minutes": place,
    }
    items = [f"{job} and {float(row['GiB']):.1f} GiB. *{row['ends with']}*" for job, row in jobs.items()]
    return list_items(items + describe_networks())


def describe_networks() -> list[str]:
    """What attention everywhere gained in MONAI's DynUNet on two sets, and what was kept."""
    names = {"cvc_clinicdb": "DynUNet, the same frames", "hippocampus": "DynUNet, hippocampus volumes with two labels"}
    items = []
    for part in read_page("networks").split("`focalseg place ")[1:]:
        dice = {row["arm"]: row["test Dice"].split(" [")[0] for row in read_rows(find_tables(part)[0])}
        gain = re.search(r"(\S+) \(95 % interval (\S+) to (\S+)\)", part)
        kept = re.search(r"^Kept: (.*?)\. Dead", part, re.MULTILINE)
        assert gain is not None
        assert kept is not None
        sites = kept[1].replace("none", "nothing")
        difference = f"{gain[1]} [{gain[2]}, {gain[3]}]"
        items.append(f"{names[part.split()[0]]}: kept {sites}; all minus none is {difference} at Dice {dice['none']}.")
    return items


def write_coverage(_current: str) -> str:
    """Least and greatest coverage of three kinds of intervals."""
    table = find_tables(cut_section(read_page("coverage"), "Least and greatest"))[0]
    return table.replace("bootstrap over cases", "percentile bootstrap over cases").replace("t over", "t interval over")


def write_coverage_of_folds(_current: str) -> str:
    """The same where folds differ, by their number."""
    return find_tables(cut_section(read_page("coverage_folds"), "Least and greatest"))[0]


def write_coverage_of_overlap(_current: str) -> str:
    """The same where folds share training groups, told of it, widened in the usual way, and not told."""
    return find_tables(cut_section(read_page("coverage_overlap"), "Over 15 to 249"))[0]


def write_false_claims(_current: str) -> str:
    """How often three tests and the interval claim a difference where there is none."""
    columns = ("interval above 0", "interval without 0", "p_value", "permutation_p", "wilcoxon_p")
    groups: dict[str, list[Row]] = {}
    for row in read_table("coverage", "False claims"):
        if int(row["trainings"]) > 1:
            groups.setdefault(row["groups"], []).append(row)
    rows = [(name, *(show_range(float(row[column]) for row in found) for column in columns)) for name, found in groups.items()]
    shown = ("groups", "interval above 0 (`helps`)", "interval without 0", "`p_value`", "`permutation_p`", "`wilcoxon_p`")
    return format_table(shown, rows)


def write_focal_table(_current: str, *, heading: str, number: int) -> str:
    """One of the tables on the focal parameter."""
    return find_tables(cut_section(read_page("focal_role"), heading))[number]


def write_focal_sentences(_current: str, *, first: int, last: int) -> str:
    """Some of the sentences that the page on the focal parameter makes of its own figures."""
    sentences = read_json("focal_role")["sentences"][first:last]
    return list_items(f"{sentence.rstrip('.')}." for sentence in sentences)


def write_standardised_logits(_current: str) -> str:
    """Whether gamma is the better witness where the gate cannot stand in for it, with removal costs beside it."""
    tables = find_tables(read_page("standardised_logits"))
    found = {(row["witness"], row["logits"]): row for row in read_rows(tables[0])}
    dice = {(row["task"], row["logits"]): row["test Dice"].split()[0] for row in read_rows(tables[1])}
    columns = ("logits", "rank correlation with a site's worth: gamma", "removal cost")
    columns = (*columns, "a needed site against the same site of `phantom:local`: gamma", "removal cost", "test Dice")
    rows = []
    for logits in ("as published", "standardised"):
        rows.append([logits])
        for figure in ("rank correlation within a network", "between tasks, needed sites"):
            rows[-1] += [found[witness, logits][figure] for witness in ("gamma", "removal cost")]
        rows[-1].append(dice["phantom:global-cue", logits])
    return format_table(columns, rows)


def write_rankings(_current: str) -> str:
    """How well gamma and removal costs rank the sites of one network, where both were measured."""
    rows = {(row["witness"], row["logits"]): row for row in read_rows(find_tables(read_page("standardised_logits"))[0])}
    gamma, removal = (
        rows[witness, "as published"]["rank correlation within a network"] for witness in ("gamma", "removal cost")
    )
    words = (
        "As a ranking it can be the better one: on `phantom:global-cue`, in networks that always had all of their sites, the "
        f"rank correlation with what a site is worth by itself was {gamma} for gamma and {removal} for removal costs."
    )
    return wrap(words)


EFFECTS = {
    "effect, 150 steps": "phantom:global-cue, 150 steps",
    "effect, 400 steps": "phantom:global-cue, 400 steps",
    "effect, another task": "phantom:context, 150 steps",
}


def write_exports(_current: str) -> str:
    """ONNX exports of trained networks against the originals."""
    return find_tables(read_page("export"))[0]


def write_claims(_current: str, *, heading: str) -> str:
    """How often a claim is made that should not be."""
    return find_tables(cut_section(read_page("coverage_claims"), heading))[0]


def write_noisy_nulls(_current: str) -> str:
    """What is kept and claimed in jobs drawn as noisy as real ones."""
    return find_tables(read_page("noisy_nulls"))[0]


def write_noisy_nulls_in_words(_current: str) -> str:
    """The rows without worth, in a sentence."""
    nulls = [row for row in read_json("noisy_nulls") if row["name"] == "null"]
    shares = [
        f"{100 * row['kept_by_half'] / row['jobs']:.0f} % with {row['folds']} fold{'s' * (row['folds'] > 1)}" for row in nulls
    ]
    before = [f"{100 * row['by_means'] / row['jobs']:.0f}" for row in nulls]
    claims = [f"{row['claims_help']} of {row['judged']}" for row in nulls]
    return wrap(
        "As noisy as CVC-ClinicDB, drawn as numbers (`python benchmarks/null_verdicts.py --simulate 300 --judged 200`), jobs "
        f"without any worth keep a site in {', '.join(shares)}; by a bare threshold of 0.01 in {', '.join(before)} %. "
        f"Sentences that claim help: {', '.join(claims)}."
    )


def write_rules(_current: str) -> str:
    """The rule of `removal` beside point means, by task."""
    return find_tables(read_page("placement_rules"))[0]


FROM_RESULTS: dict[str, Writer] = {
    "noisy nulls": write_noisy_nulls,
    "noisy nulls, in words": write_noisy_nulls_in_words,
    "rules of removal": write_rules,
    "as good": partial(write_claims, heading="As good"),
    "looks": partial(write_claims, heading="Looks after"),
    "default policy": write_default_policy,
    "truth table": partial(write_truth_table, several=False),
    "truth table, three trainings": partial(write_truth_table, several=True),
    "null verdicts": write_null_verdicts,
    "planted truths": write_planted_truths,
    "main job": write_main_job,
    "coverage": write_coverage,
    "coverage of folds": write_coverage_of_folds,
    "coverage of overlap": write_coverage_of_overlap,
    "false claims": write_false_claims,
    "standardised logits": write_standardised_logits,
    "rankings of sites": write_rankings,
    "exports": write_exports,
    **{
        name: partial(write_focal_table, heading="Maps", number=number)
        for number, name in enumerate(("gradients", "gradients of all images", "what a skip passes", "weights at the border"))
    },
    **{name: partial(write_focal_table, heading=heading, number=0) for name, heading in EFFECTS.items()},
    "gradients, in words": partial(write_focal_sentences, first=1, last=4),
    "what a skip passes, in words": partial(write_focal_sentences, first=4, last=5),
    "weights at the border, in words": partial(write_focal_sentences, first=5, last=6),
    "effect, in words": partial(write_focal_sentences, first=0, last=1),
    "effect per gamma, in words": partial(write_focal_sentences, first=6, last=9),
}
