"""What empty masks count, and what the kinds of cases are called: the one place from which every page and paragraph says it."""

from collections.abc import Mapping

from focalseg.records.outcome.strata import STRATA, WITH_OBJECT_DICE, Stratum, StratumName, StratumValue

_OVERLAPS = {
    "one": "two empty masks score 1, one empty mask of the two 0",
    "zero": "an empty mask scores 0, alone or beside another empty one",
    "leave-out": "what empty masks leave undefined stays out of the mean, as in nnU-Net's own; an object that was missed has "
    "the Dice 0",
}
_DISTANCES = {
    "one": "; as a distance that is 0 and the image's diagonal",
    "zero": "; as a distance that is the image's diagonal",
    "leave-out": " and no distance",
}
_COUNTS = {"one": "counts as perfect", "zero": "counts as 0", "leave-out": "is left out, as nnU-Net's own mean has it"}
STRATUM_TITLES: dict[StratumName, str] = {
    "with_object": "Dice where the object is",
    "missed": "objects missed altogether (share)",
    "left_empty": "left empty where nothing is (share)",
}
"""What is told of each kind of case, as the head of a line or a table. Of the second one a smaller share is the better one."""
ALL_CASES = "Dice of all cases"


def title_stratum(name: str) -> str:
    """What a kind of case is called; a name that is not known as it is."""
    return next((title for known, title in STRATUM_TITLES.items() if known == name), name)


def name_endpoint(endpoint: str, *, lacking: bool) -> str:
    """What a figure is of, as it follows it. lacking: whether some cases lack the object, so that it is not of all."""
    return "Dice of the cases that have the object" if endpoint == WITH_OBJECT_DICE and lacking else "Dice"


def titled(strata: Mapping[str, Stratum]) -> dict[str, Stratum]:
    """The kinds of cases under what they are called, in the order they are shown in."""
    return {STRATUM_TITLES[name]: strata[name] for name in STRATA if name in strata}


def describe_empty(empty: str = "one", *, distances: bool = True) -> str:
    """What a score of empty masks is under a policy of `metrics.emptiness`, as half a sentence. distances: whether there are
    any. What a job's own scores follow is `one`."""
    return _OVERLAPS[empty] + (_DISTANCES[empty] if distances else "")


def describe_nothing_found(empty: str) -> str:
    """What a score counts where nothing was to be found and nothing was, as the end of a sentence that begins with it."""
    return f"{_COUNTS[empty]} (--empty {empty})"


def show_stratum(found: StratumValue, *, signs: bool = False) -> str:
    """A mean over a kind of case, or a difference of two, with its interval. signs: whether it is a difference."""
    sign = "+" if signs else ""
    value, low, high = ("unknown" if end is None else f"{end:{sign}z.3f}" for end in (found.value, found.low, found.high))
    return f"{value} [{low}, {high}]"
