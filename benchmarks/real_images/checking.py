"""Whether the figures of a job are those of its scores per case: every mean, computed once more in plain Python."""

from collections.abc import Iterable, Iterator, Mapping
from statistics import fmean
from typing import Any

from real_images.cases import Row
from real_images.strata import average, count_cases, measure_rescue, subtract, take_apart

TOLERANCE = 2e-5
"""Scores per case are rounded to five digits."""


def list_misfits(found: Mapping[str, Any], rows: Iterable[Row]) -> list[str]:
    """A line for every figure that does not follow from the scores. found: a set as `real_data.py` keeps it in its JSON."""
    rows = list(rows)
    parts = take_apart(rows)
    faults = [
        *_misfit_strata("strata", found["strata"], parts),
        *_misfit_strata("these_images", found["these_images"], parts),
        *_misfit_strata("tuned", found["tuned"], take_apart(rows, tuned=True)),
    ]
    for arm, summary in found["arms"].items():
        faults += _misfit(f"arms.{arm}.dice", summary["dice"], average(parts[arm], "all_cases"))
    faults += _misfit_endpoint(found, parts)
    for pair, summands in found["rescues"].items():
        one, other = pair.split(" - ")
        changes = subtract(parts[one], parts[other], "with_object")
        apart = [parts[one][key].missed != parts[other][key].missed for key in changes]
        rescued = sum(change for change, differs in zip(changes.values(), apart, strict=True) if differs) / len(changes)
        faults += _misfit(f"rescues.{pair}.rescued", summands["rescued"], rescued)
        faults += _misfit(f"rescues.{pair}", sum(summands.values()), fmean(changes.values()))
    return faults


def _misfit_endpoint(found: Mapping[str, Any], parts: Mapping[str, Any]) -> Iterator[str]:
    """What the verdict rests on, and the mean over all cases beside it."""
    stratum = "with_object" if found["endpoint"] == "dice_with_object" else "all_cases"

    def follow(one: str, other: str, stratum: str) -> float:
        return fmean(subtract(parts[one], parts[other], stratum).values())

    yield from _misfit("difference", found["difference"]["dice"], follow("placed", "none", stratum))
    yield from _misfit("all_minus_none", found["all_minus_none"]["dice"], follow("all", "none", stratum))
    if over_all := found["difference_all_cases"]:
        yield from _misfit("difference_all_cases", over_all["dice"], follow("placed", "none", "all_cases"))
    for pair in found["comparisons"]:
        one, other = pair["one"], pair["other"]
        yield from _misfit(f"comparisons, {one} - {other}", pair["dice"], follow(one, other, stratum))
    for pair in found["rescue"]:
        one, other = pair["one"], pair["other"]
        rescued, _ = measure_rescue(parts[one], parts[other])
        yield from _misfit(f"rescue, {one} - {other}", pair["rescued"] + pair["lost"], rescued)


def _misfit_strata(name: str, strata: Mapping[str, Any], parts: Mapping[str, Any]) -> Iterator[str]:
    for stratum, found in strata.items():
        for arm, shown in found["arms"].items():
            yield from _misfit(f"{name}.{stratum}.arms.{arm}", shown["value"], average(parts[arm], stratum))
            if shown["cases"] != (count := count_cases(parts[arm], stratum)):
                yield f"{name}.{stratum}.arms.{arm}: {shown['cases']} cases; the scores have {count}."
        for pair, shown in found["differences"].items():
            one, other = pair.split(" - ")
            mean = fmean(subtract(parts[one], parts[other], stratum).values())
            yield from _misfit(f"{name}.{stratum}.differences.{pair}", shown["value"], mean)


def _misfit(name: str, said: float, follows: float | None) -> Iterator[str]:
    if follows is None or abs(said - follows) > TOLERANCE:
        yield f"{name} is {said}; the scores say {follows}."
