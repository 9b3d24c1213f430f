"""Numbers, counts and lists as a person reads them."""

import re
from collections.abc import Sequence

from focalseg.records.site_decision import MOST_LISTED

MINUS = "\N{MINUS SIGN}"


def decimal(value: float, places: int = 3) -> str:
    """A number with a true minus sign; what rounds to zero has no sign."""
    text = f"{value:.{places}f}"
    if float(text) == 0:
        return text.lstrip("-")
    return text.replace("-", MINUS)


def signed(value: float, places: int = 3) -> str:
    """A difference in words; its sign is always shown unless it rounds to zero."""
    text = decimal(value, places)
    return text if text.startswith(MINUS) or float(text) == 0 else f"+{text}"


def grouped(value: float) -> str:
    """A whole number with a thin space between thousands."""
    return f"{value:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def magnitude(value: float) -> str:
    """A large count with its prefix, three digits: 49.5 M."""
    for prefix, size in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.3g}\N{NO-BREAK SPACE}{prefix}"
    return f"{value:.0f}"


def duration(seconds: float) -> str:
    """A time in the unit that suits it."""
    if seconds < 100:
        return f"{seconds:.1f}\N{NO-BREAK SPACE}s"
    if seconds < 6000:
        return f"{seconds / 60:.1f}\N{NO-BREAK SPACE}min"
    return f"{seconds / 3600:.1f}\N{NO-BREAK SPACE}h"


def step_time(seconds: float) -> str:
    """The time of a step, three digits."""
    if seconds < 1:
        return f"{1e3 * seconds:.3g}\N{NO-BREAK SPACE}ms"
    return f"{seconds:.3g}\N{NO-BREAK SPACE}s" if seconds < 100 else duration(seconds)


def each_training(values: Sequence[float]) -> str:
    """A difference in each of a few trainings, `+0.212, +0.220`; of many the least and the largest."""
    if len(values) > MOST_LISTED:
        return f"{signed(min(values))} to {signed(max(values))} ({len(values)})"
    return ", ".join(map(signed, values))


def percent_more(value: float, base: float) -> str:
    """How much more value is than base, in percent. Empty for a base of 0."""
    return f"{signed(100 * (value - base) / base, 1)}\N{NO-BREAK SPACE}%" if base else ""


def share(value: float) -> str:
    """A share in percent: 49 %, and below a tenth with a decimal, 3.9 %."""
    return f"{_percent(value)}\N{NO-BREAK SPACE}%"


def points(difference: float) -> str:
    """A difference of two shares in points of percent, with its sign: \N{MINUS SIGN}12 points."""
    text = _percent(difference)
    sign = "" if text.startswith(MINUS) or float(text) == 0 else "+"
    return f"{sign}{text}\N{NO-BREAK SPACE}{'point' if text.strip(MINUS) == '1' else 'points'}"


def _percent(value: float) -> str:
    percent = 100 * value
    text = decimal(percent, 0 if abs(percent) >= 9.95 else 1)
    return text.removesuffix(".0")


def split_sentences(text: str) -> list[str]:
    """A verdict sentence by sentence."""
    return re.split(r"(?<=\.) (?=[A-Z])", text)


def probability(value: float) -> str:
    """A p-value, three digits; what is smaller says so."""
    return f"{value:.3f}" if value >= 0.001 else "<0.001"


def megaflops(flops: float) -> str:
    """Millions of operations, three digits; what is less than a thousandth says so."""
    millions = flops / 1e6
    if not flops or millions >= 100:
        return grouped(millions)
    return f"{millions:.3g}" if millions >= 1e-3 else "<0.001"


def milliseconds(seconds: float, step: float) -> str:
    """A time in ms and, where the whole step has a time, its share of it."""
    share = f" ({100 * seconds / step:.1f}\N{NO-BREAK SPACE}%)" if step else ""
    return f"{1e3 * seconds:.2f}{share}"


def listed(items: list[str]) -> str:
    """A list in words: 0, 1 and 2."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else ""
