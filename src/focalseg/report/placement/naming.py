"""Gates, arms, regimes and networks in plain words."""

from collections.abc import Iterable

from focalseg.hosts.building import NetworkConfig
from focalseg.hosts.instrument import OWN
from focalseg.hosts.libraries.choice import UNET
from focalseg.records.placement import SHUT
from focalseg.study.presets import RANDOM, RIVALS, WIDER

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
DOUBTS = ("Undertrained", "Too few groups to tell", "Too few trainings to tell")
"""What a verdict begins with where it is doubtful."""
PICTURED = {"none": "none, without attention", "all": "all, attention at every site", "placed": "placed, the lean network"}
"""Whose prediction an outline is, by arm."""
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


def explain_gates(gates: Iterable[str]) -> str:
    """The long name of each kind of gate once: SE: Squeeze-and-Excitation; AG: Attention Gate."""
    return "; ".join(f"{name_gate(gate)}: {GATE_NAMES.get(gate, gate)}" for gate in dict.fromkeys(gates))


def describe_network(network: NetworkConfig) -> str:
    """A network by its name, our own with its channels a level besides."""
    if network.name != UNET:
        return network.name
    return f"U-Net, widths {', '.join(str(width) for width in network.widths)}"
