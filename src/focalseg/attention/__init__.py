"""What attention is: gates, which give log-coefficients, and the site module, which alone multiplies."""

from typing import TYPE_CHECKING

from focalseg.catalogue import Catalogue, DeferredCatalogue

if TYPE_CHECKING:
    from focalseg.attention.gate import Gate

GATES: "Catalogue[type[Gate]]" = DeferredCatalogue(
    "gate",
    {
        "se": "focalseg.attention.squeeze_excitation:SqueezeExcitation",
        "eca": "focalseg.attention.efficient_channel:EfficientChannelAttention",
        "spatial": "focalseg.attention.spatial:SpatialGate",
        "scse": "focalseg.attention.scse:ConcurrentSqueezeExcitation",
        "cbam": "focalseg.attention.cbam:ConvolutionalBlockAttention",
        "ag": "focalseg.attention.attention_gate:AttentionGate",
        "focus": "focalseg.attention.focus:FocusGate",
    },
)
