"""Names from files as text of a drawing: nothing that cannot be seen, and no wider than their place."""

import unicodedata

ELLIPSIS, REPLACEMENT = "\N{HORIZONTAL ELLIPSIS}", "\N{REPLACEMENT CHARACTER}"
NARROW, BROAD = frozenset("fijlrtI.,:;'`|!()[]{}/\\ -"), frozenset("mwMW@%")
_BOLD = 1.1


def show_characters(text: str) -> str:
    """The text with a mark for every character that cannot be seen: controls, breaks, and those that turn the reading order."""
    return "".join(character if character.isprintable() else REPLACEMENT for character in text)


def estimate_width(text: str) -> float:
    """The width of a text in em in a bold and rather wide sans serif: too large rather than too small."""
    return _BOLD * sum(_width_of(character) for character in text)


def shorten(text: str, room: float) -> str:
    """The text, or as much of its end as stands in that many em after an ellipsis: the ends of paths tell them apart."""
    if estimate_width(text) <= room:
        return text
    kept = text
    while kept and estimate_width(ELLIPSIS + kept) > room:
        kept = kept[1:]
    return ELLIPSIS + kept.lstrip()


def _width_of(character: str) -> float:
    if not character.isascii():
        return 1.4 if unicodedata.category(character) in ("So", "Lo") else 1.0
    if character in NARROW:
        return 0.42
    if character in BROAD:
        return 1.0
    return 0.76 if character.isupper() else 0.64
