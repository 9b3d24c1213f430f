"""Pages on real images, as Markdown."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from focalseg.findings import counted
from real_images.cases import sort_arms
from real_images.earlier import WITHOUT_OBJECT, Strata, derive_strata, split_gain

NAMES = {
    "none": "no attention",
    "se": "SE everywhere",
    "ag": "AG everywhere",
    "all": "SE and AG everywhere",
    "placed": "placed",
    "random": "as many sites at random",
    "wider": "wider, no attention",
}
SHARES = ("missed", "left_empty")
"""Strata that are shares of cases and not a Dice; their differences are in points of a hundred."""
Found = Mapping[str, Any]


def format_set(name: str, one: Found) -> list[str]:
    """All tables of a finished job. one: as `real_data.py` keeps it in its JSON."""
    first, folds = one["arms"]["none"], one["protocol"]["folds"]
    trainings = counted(one["protocol"]["trainings"], "training")
    *_, (step, before), (steps, last) = one["plain_curve"].items()
    return [
        f"## {name}: {one['verdict']}",
        "",
        one["sentence"],
        "",
        f"`{one['command']}`",
        "",
        f"{first['cases']} cases in {first['groups']} groups at {one['seen']}; {folds} folds, {trainings} per arm and fold.",
        f"From step {step} to {steps}, the last, the plain network's validation Dice went from {before:.3f} to {last:.3f}.",
        f"Scores per case: [{one['cases_file']}]({one['cases_file']}).",
        "",
        *format_strata(one["strata"], one["arms"]),
        "",
        *_format_misses_and_threshold(one),
        "",
        *_format_sizes(one),
        *format_comparisons(one),
        "",
        "| fold | placed | placed - none |",
        "|---|---|---|",
        *(f"| {fold['fold']} | {_list_kept(fold)} | {show_change(fold['difference'])} |" for fold in one["folds"]),
    ]


def format_strata(strata: Mapping[str, Any], costs: Mapping[str, Any] | None = None) -> list[str]:
    """A row per arm: every stratum, and how it differs from no attention. costs: modules and parameters by arm, where known."""
    titles = {
        "with_object": "Dice with the object",
        "missed": "missed altogether",
        "left_empty": "left empty, of those without it",
        "all_cases": "Dice, all cases",
    }
    shown = [stratum for stratum in titles if stratum in strata]
    arms = sort_arms(strata[shown[0]]["arms"])
    header = ["arm", *(title for stratum in shown for title in (titles[stratum], "minus none")), "modules", "parameters"]
    rows = []
    for arm in arms:
        cells = [NAMES.get(arm, arm)]
        for stratum in shown:
            found = strata[stratum]
            cells.append(_show_value(stratum, found["arms"][arm]))
            change = found["differences"].get(f"{arm} - none")
            cells.append(_show_difference(stratum, change) if change else "")
        cells += [str(costs[arm]["modules"]), f"{costs[arm]['parameters']:,}"] if costs else []
        rows.append(cells)
    counts = ", ".join(f"{titles[stratum]}: {strata[stratum]['arms'][arms[0]]['cases']} cases" for stratum in shown)
    return [*format_table(header if costs else header[:-2], rows), "", f"{counts}."]


def _format_misses_and_threshold(one: Found) -> list[str]:
    """What misses make of every difference in Dice with the object, and what is left of it at tuned thresholds."""
    changes, tuned = one["strata"]["with_object"]["differences"], one["tuned"]
    narrow = one["these_images"]["with_object"]["differences"]
    rows = []
    for pair, parts in one["rescues"].items():
        left = tuned.get("with_object", {}).get("differences", {}).get(pair)
        words = name_pair(*pair.split(" - "))
        change = show_change(changes[pair]) if pair in changes else f"{sum(parts.values()):+.3f}"
        rows.append(
            [
                words,
                change,
                show_ends(narrow[pair]),
                f"{parts['rescued']:+.3f}",
                f"{parts['others']:+.3f}",
                show_change(left) if left else "-",
            ]
        )
    columns = [
        "Dice with the object",
        "at 0.5",
        "for these images alone",
        "from cases that one of the two missed",
        "from the others",
        "at tuned thresholds",
    ]
    lines = format_table(columns, rows)
    if not tuned:
        return [*lines, "", "These trainings were scored at 0.5 alone."]
    dice = tuned["with_object"]["arms"]
    means = ", ".join(f"{NAMES.get(arm, arm)} {dice[arm]['value']:.3f}" for arm in sort_arms(dice))
    lines += ["", f"Dice with the object at the tuned thresholds: {means}."]
    spans = [f"{NAMES.get(arm, arm)} {row['least']} to {row['greatest']}" for arm, row in one["thresholds"].items()]
    return [*lines, f"Tuned were, from the least to the greatest: {', '.join(spans)}."] if spans else lines


def _format_sizes(one: Found) -> list[str]:
    """Dice by the size of the object, and how SE everywhere and what was placed differ from no attention there."""
    if not (sizes := one["by_size"]):
        return []
    arms, pairs = sort_arms(sizes[0]["arms"]), ("se - none", "placed - none")
    rows = []
    for found in sizes:
        pixels = f"{found['least_pixels']:,} to {found['most_pixels']:,}"
        changes = [show_change(found["differences"][pair]) if pair in found["differences"] else "" for pair in pairs]
        rows.append([found["size"], pixels, *(f"{found['arms'][arm]['value']:.3f}" for arm in arms), *changes])
    named = [NAMES.get(arm, arm) for arm in arms]
    return [*format_table(["objects", "pixels", *named, "SE minus none", "placed minus none"], rows), ""]


def format_comparisons(one: Found) -> list[str]:
    """Every pair of arms with its tests, and how small a difference could have been seen."""
    rows = []
    for found in one["comparisons"]:
        least = "-" if found["smallest_difference"] is None else f"{found['smallest_difference']:.3f}"
        pair = name_pair(found["one"], found["other"])
        chances = [f"{found[name]:.2g}" for name in ("p_value", "permutation_p", "holm_p")]
        rows.append([pair, show_change(found), *chances, least])
    chances = ["p", "p over new groups alone", "p, adjusted (Holm)"]
    return format_table(["pair", "difference", *chances, "smallest difference shown in 80 % of studies"], rows)


def _list_kept(fold: Found) -> str:
    placed = [f"{site} ({gate})" for site, gate in fold["kept"].items()] + [f"{site} shut" for site in fold["shut"]]
    return ", ".join(placed) or "nothing"


def format_earlier(name: str, one: Found) -> list[str]:
    """The strata of a set whose scores per case were not kept, as they follow from means and counts."""
    parts = {arm: derive_strata(row, WITHOUT_OBJECT.get(name, 0)) for arm, row in one["arms"].items()}
    first = parts["none"]
    columns = [
        "arm",
        "Dice with the object",
        "minus none",
        "of it from fewer misses",
        "missed",
        "left empty",
        "Dice, all cases",
    ]
    rows = []
    for arm in sort_arms(parts):
        found = parts[arm]
        empty = "-" if found.left_empty is None else show_count(found.left_count, found.without_count)
        gain = ["", ""] if arm == "none" else _show_gain(found, first)
        missed = show_count(found.missed_count, found.with_count)
        rows.append([NAMES[arm], f"{found.with_object:.3f}", *gain, missed, empty, f"{one['arms'][arm]['dice']:.3f}"])
    return format_table(columns, rows)


def format_earlier_tests(one: Found) -> list[str]:
    """The tests of every arm against none, of the mean over all cases."""
    against = [found for found in one["comparisons"] if found["other"] == "none"]
    rows = format_comparisons({"comparisons": against})
    return [rows[0].replace("| difference |", "| Dice, all cases |"), *rows[1:]]


def _show_gain(found: Strata, first: Strata) -> list[str]:
    gain = found.with_object - first.with_object
    return [f"{gain:+.3f}", f"{split_gain(found, first)[0]:+.3f}"]


def name_pair(one: str, other: str) -> str:
    """A difference in words."""
    return " minus ".join(NAMES.get(arm, arm).removesuffix(", no attention") for arm in (one, other))


def show_count(count: int, of: int) -> str:
    """How many of how many, and the share."""
    return f"{count} of {of} ({count / of:.1%})".replace("%", " %")


def show_change(found: Mapping[str, Any]) -> str:
    """A difference with its interval, under either of the names that records give its middle."""
    middle = found["value"] if "value" in found else found["dice"]
    if found["low"] is None or found["high"] is None:
        return f"{middle:+.3f}"
    return f"{middle:+.3f} [{found['low']:+.3f}, {found['high']:+.3f}]"


def show_ends(found: Mapping[str, Any]) -> str:
    """An interval by itself."""
    return f"[{found['low']:+.3f}, {found['high']:+.3f}]"


def _show_difference(stratum: str, found: Mapping[str, Any]) -> str:
    """Of a share: in points of a hundred."""
    if stratum not in SHARES:
        return show_change(found)
    points = {end: None if found[end] is None else 100 * found[end] for end in ("value", "low", "high")}
    if points["low"] is None or points["high"] is None:
        return f"{points['value']:+.1f}"
    return f"{points['value']:+.1f} [{points['low']:+.1f}, {points['high']:+.1f}]"


def _show_value(stratum: str, found: Mapping[str, Any]) -> str:
    if stratum in SHARES:
        return f"{100 * found['value']:.1f} %"
    if found["low"] is None or found["high"] is None:
        return f"{found['value']:.3f}"
    return f"{found['value']:.3f} ({found['low']:.3f} to {found['high']:.3f})"


def format_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table."""
    first, *others = (f"| {' | '.join(cells)} |" for cells in (columns, *rows))
    return [first, "|---" * len(columns) + "|", *others]
