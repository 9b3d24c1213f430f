"""JSON as the standard means it: read strictly, and refused where it is made to be slow."""

import json
import math
import re
from collections import Counter
from itertools import accumulate
from typing import Any

MOST_DEPTH = 64
MOST_DIGITS = 100
MOST_LISTS = 500_000
MOST_VALUES = 3_000_000
"""So many lists and objects, or values besides, take some 150 MB: a list that is two bytes in a file is sixty in memory."""
_LONG_NUMBER = re.compile(rf"(?<![\w.+-])(?:-\d{{{MOST_DIGITS},}}|\d{{{MOST_DIGITS + 1},}})(?![\d.eE])")
"""A whole number of more signs than MOST_DIGITS, the minus among them."""


class DepthError(ValueError):
    """More than MOST_DEPTH levels of brackets within one another. The message continues the name of a file."""


def parse_json(content: bytes, *, constants_are: str = "no number", nan: bool = False) -> Any:
    """What JSON text in UTF-8 holds; no key twice, no NaN or infinity, within the limits of this module.

    constants_are: the word for NaN and infinity in the message. nan: whether a bare NaN is a number, as the files of some
    programs have it against the standard. Raises ValueError: UnicodeDecodeError, DepthError,
    json.JSONDecodeError with the line, or a plain one for a key, a number or too many values.
    """

    def read_constant(text: str) -> float:
        if nan and text == "NaN":
            return math.nan
        raise ValueError(f"{text} is {constants_are}")

    text = content.decode("utf-8-sig")
    if text.count('"') > 2 * MOST_VALUES or text.count("\\") > MOST_VALUES:
        raise ValueError(f"more than {MOST_VALUES:,} texts")
    outside_strings = " ".join(re.sub(r"\\.", "", text, flags=re.DOTALL).split('"')[::2])
    if sum(map(outside_strings.count, "[]{}")) > 2 * MOST_LISTS:
        raise ValueError(f"more than {MOST_LISTS:,} lists and objects")
    if outside_strings.count(",") > MOST_VALUES:
        raise ValueError(f"more than {MOST_VALUES:,} values")
    # The depth comes first: the parser itself would recurse without end.
    steps = (1 if bracket in "[{" else -1 for bracket in re.findall(r"[\[\]{}]", outside_strings))
    if (depth := max(accumulate(steps), default=0)) > MOST_DEPTH:
        raise DepthError(f"is nested {depth:,} levels deep")
    # Looked for here and not at each whole number, of which a file may hold millions.
    if long := _LONG_NUMBER.search(outside_strings):
        raise ValueError(f"a number of {len(long[0]):,} digits")
    return json.loads(text, object_pairs_hook=_keep_unique, parse_constant=read_constant, parse_float=_read_finite)


def _keep_unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = Counter(name for name, _ in pairs)
    if twice := [name for name, count in names.items() if count > 1]:
        raise ValueError(f"the key {twice[0][:40]!r} is given twice")
    return dict(pairs)


def _read_finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is no finite number")
    return number
