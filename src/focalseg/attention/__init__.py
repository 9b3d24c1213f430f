"""What attention is: gates, which give log-coefficients, and the site module, which alone multiplies."""

from focalseg.attention.attention_gate import AttentionGate
from focalseg.attention.cbam import ConvolutionalBlockAttention
from focalseg.attention.efficient_channel import EfficientChannelAttention
from focalseg.attention.focus import FocusGate
from focalseg.attention.gate import Gate
from focalseg.attention.scse import ConcurrentSqueezeExcitation
from focalseg.attention.spatial import SpatialGate
from focalseg.attention.squeeze_excitation import SqueezeExcitation
from focalseg.catalogue import Catalogue

GATES: Catalogue[type[Gate]] = Catalogue(
    "gate",
    {
        "se": SqueezeExcitation,
        "eca": EfficientChannelAttention,
        "spatial": SpatialGate,
        "scse": ConcurrentSqueezeExcitation,
        "cbam": ConvolutionalBlockAttention,
        "ag": AttentionGate,
        "focus": FocusGate,
    },
)
