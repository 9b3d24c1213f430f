"""Numbers and names as a person reads them."""

import re
from collections.abc import Iterable

from focalseg.networks.building import UNET, NetworkConfig
from focalseg.placement.instrument import OWN
from focalseg.placement.sites import SHUT
from focalseg.study.presets import RANDOM, RIVALS, WIDER

MINUS = "\N{MINUS SIGN}"
GATE_NAMES = {
    "se": "Squeeze-and-Excitation",
    "eca": "Efficient Channel Attention",
    "spatial": "Spatial Gate",
    "scse": "Concurrent Spatial and Channel Squeeze-and-Excitation",
    "cbam": "Convolutional Block Attention",
    "ag": "Attention Gate",
    "focus": "Focus Gate",
    OWN: "the network's own gate, made focal",
    SHUT: "a skip where nothing passes",
}
NAMED_BY_A_WORD = ("spatial", "focus", OWN, SHUT)
ARM_NAMES = {WIDER: "wider plain network, no attention", RANDOM: "as many sites at random"}
TRAINED_WITH = {
    "free": "every site acting throughout",
    "dropout": "sites left out at random in the later part of the training",
    "path": "every exponent pressed towards 0 ever harder",
    "hard_concrete": "sites switched on and off at random, each as often as it learned",
}
"""How exponents trained, by regime."""
BY_MEAN = "validation Dice lost when the site's coefficients are replaced by their mean, everything else unchanged"
BY_HOST = "validation Dice lost when the site is left out, everything else unchanged"
REMOVAL_COSTS = {
    "": "validation Dice lost when the site is taken away, everything else unchanged.",
    "free": f"{BY_MEAN}. It tells what the trained network leans on; one trained without the site need not miss it.",
    "dropout": (
        f"{BY_HOST}. Sites were left out at random in the later part of these trainings, so the networks had learned to do "
        "without any: what is lost is what no other site makes up for."
    ),
    "path": f"{BY_HOST}. At the end of these trainings exponents were pressed to 0, where little is left to lose.",
    "hard_concrete": f"{BY_HOST}. Sites were switched on and off at random while these networks trained.",
}
"""What a removal cost is after trainings of a regime; the first where nobody knows of which."""


def decimal(value: float, places: int = 3) -> str:
    """A number with a true minus sign; what rounds to zero has no sign."""
    text = f"{value:.{places}f}"
    if float(text) == 0:
        return text.lstrip("-")
    return text.replace("-", MINUS)


def signed(value: float, places: int = 3) -> str:
    """A difference, its sign always shown unless it rounds to zero."""
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


def percent_more(value: float, base: float) -> str:
    """How much more value is than base, in percent. Empty for a base of 0."""
    return f"{signed(100 * (value - base) / base, 1)}\N{NO-BREAK SPACE}%" if base else ""


def describe_gate(gate: str) -> str:
    """A gate by its short and its long name."""
    long = GATE_NAMES.get(gate)
    return f"{name_gate(gate)} ({long})" if long else name_gate(gate)


def name_gate(gate: str) -> str:
    """A gate by its short name: SE; a word stays as it is."""
    return gate if gate in NAMED_BY_A_WORD else gate.upper()


def name_arm(arm: str) -> str:
    """An arm in plain words: a rival by what it is, any other by its name."""
    if arm in RIVALS:
        return ARM_NAMES.get(arm) or f"{name_gate(arm)} everywhere"
    return arm


def explain_removal(regime: str) -> str:
    """What a removal cost is after trainings of that regime."""
    return REMOVAL_COSTS[regime]


def split_sentences(text: str) -> list[str]:
    """A verdict sentence by sentence."""
    return re.split(r"(?<=\.) (?=[A-Z])", text)


def probability(value: float) -> str:
    """A p-value, three digits; what is smaller says so."""
    return f"{value:.3f}" if value >= 0.001 else "<0.001"


def explain_gates(gates: Iterable[str]) -> str:
    """The long name of each kind of gate once: SE: Squeeze-and-Excitation; AG: Attention Gate."""
    return "; ".join(f"{name_gate(gate)}: {GATE_NAMES.get(gate, gate)}" for gate in dict.fromkeys(gates))


def describe_network(network: NetworkConfig) -> str:
    """A network by its name, our own with its channels a level besides."""
    if network.name != UNET:
        return network.name
    return f"U-Net, widths {', '.join(str(width) for width in network.widths)}"


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


def counted(number: int, noun: str) -> str:
    """1 case, 2 cases."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def listed(items: list[str]) -> str:
    """0, 1 and 2."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else ""
