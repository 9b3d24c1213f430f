"""What the folders on the way to a case say of it: its side of a split, its group, and its name where file names recur."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from focalseg.imagesets.case import CaseFiles
from focalseg.imagesets.nesting.sides import find_part, is_diagnosis
from focalseg.imagesets.nesting.tree import Place

WRAPPERS = frozenset((
    "images", "image", "imgs", "img", "masks", "mask", "labels", "label", "gt", "data", "all", "png", "jpg", "tif", "frames",
    "slices", "scans",
))  # fmt: skip
"""Names, in lower case, of a folder that holds everything and says nothing."""
Placed = tuple[Place, CaseFiles]
"""A case, named by its file alone, and the folders on the way to it."""


def name_cases(placed: Sequence[Placed]) -> list[CaseFiles]:
    """The cases with what their folders say.

    The first folder is the side of a split where all are named so, official where training and test cases are there. The next
    is the group, unless all are named by diagnoses. Names get their folders before them where they recur, and with sides.
    """
    sided = bool(placed) and all(place and find_part(place[0]) for place, _ in placed)
    rests = [place[1:] if sided else place for place, _ in placed]
    sorted_by_diagnosis = bool(rests) and all(rest and is_diagnosis(rest[0]) for rest in rests)
    groups = _find_groups([rest[1:] if sorted_by_diagnosis else rest for rest in rests])
    parts = [find_part(place[0]) if sided else "" for place, _ in placed]
    official = {"train", "test"} <= set(parts)
    recurs = sided or max(Counter(case.name.casefold() for _, case in placed).values(), default=0) > 1
    return [
        replace(
            case,
            name="/".join((*place, case.name)) if recurs else case.name,
            group=f"folder_{group}" if group else "",
            part=part if official else "",
            columns={"folder": "/".join(place), **({"class": rest[0]} if sorted_by_diagnosis else {})} if place else {},
        )
        for (place, case), rest, group, part in zip(placed, rests, groups, parts, strict=True)
    ]


def _find_groups(places: Sequence[Place]) -> list[str]:
    """The first folder of each; of a single one that says nothing, as Keras wants it, the next."""
    firsts = {place[0] for place in places if place}
    while len(firsts) == 1 and (only := next(iter(firsts))) and (only.isdigit() or only.casefold() in WRAPPERS):
        places = [place[1:] for place in places]
        firsts = {place[0] for place in places if place}
    return [place[0] if place else "" for place in places]
