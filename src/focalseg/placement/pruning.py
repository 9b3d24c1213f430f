"""Doing what a placement says."""

import copy

from torch import nn

from focalseg.attention import GATES
from focalseg.errors import SiteError
from focalseg.networks.unet import Passage
from focalseg.placement.decision import Placement
from focalseg.placement.instrument import fill_sites
from focalseg.placement.sites import attention_sites, select_sites


def apply_placement(network: nn.Module, placement: Placement) -> nn.Module:
    """A copy of the network with attention at the kept sites and nowhere else; the network itself is left as it was.

    Kept sites that already hold attention keep it, weights and gamma; kept sites that are empty get a fresh gate; all other
    attention is gone. Where the gammas of the sites taken away are 0, the outputs are the same to the bit.
    Raises SiteError for a site that the network does not have or that holds another kind of gate.
    """
    select_sites(network, placement.layout)
    for name, attention in attention_sites(network).items():
        planned = placement.layout.get(name)
        if planned is not None and not isinstance(attention.gate, GATES[planned]):
            raise SiteError(
                f"{name} holds {type(attention.gate).__name__} where the placement has {planned!r}; start from a plain one."
            )
    lean = copy.deepcopy(network)
    filled = attention_sites(lean)
    for site in select_sites(lean, [name for name in filled if name not in placement.layout]):
        lean.set_submodule(site.path, Passage())
    fill_sites(lean, {name: gate for name, gate in placement.layout.items() if name not in filled})
    return lean
