"""Gates, which give log-coefficients, and the site, which multiplies."""

from focalseg.attention.attention_gate import AttentionGate
from focalseg.attention.gate import Gate
from focalseg.attention.squeeze_excitation import SqueezeExcitation
from focalseg.catalogue import Catalogue

GATES: Catalogue[type[Gate]] = Catalogue("gate", {"se": SqueezeExcitation, "ag": AttentionGate})
