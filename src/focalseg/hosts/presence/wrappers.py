"""Modules that stand around another and hand everything through: torch.compile, parallel training, running averages."""

from typing import Any

from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel

_AROUND = ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_original_module")
"""What the module inside is called by torch.compile, FullyShardedDataParallel, activation checkpointing and Fabric."""


def unwrap(network: nn.Module) -> nn.Module:
    """The network itself, without the wrappers that hand everything through."""
    while (inner := _find_inner(network)) is not None:
        network = inner
    return network


def keeps_in_step(module: nn.Module) -> bool:
    """Whether a module keeps the weights that it was made with in step over processes, and no others."""
    # By its child, since importing FullyShardedDataParallel takes two seconds.
    return isinstance(module, DistributedDataParallel) or "_fsdp_wrapped_module" in _children(module)


def find_inside(network: nn.Module, path: str) -> nn.Module | None:
    """The module of a path, whatever wrappers stand around it or around its parents; None where there is none."""
    module = network
    for part in path.split(".") if path else ():
        while (child := _children(module).get(part)) is None:
            inner = _find_inner(module)
            if inner is None:
                return None
            module = inner
        module = child
    return unwrap(module)


def _children(module: nn.Module) -> dict[str, nn.Module | None]:
    # The dictionary itself: a pass looks here for every site, and named_children() would walk over all of them.
    children: Any = vars(module).get("_modules", {})
    # Modules of TorchScript have none there where they were traced, and what is like a dictionary where they were scripted.
    return children if isinstance(children, dict) else dict(children.items())


def _find_inner(module: nn.Module) -> nn.Module | None:
    inside = _children(module)
    for name in _AROUND:
        inner = inside.get(name)
        if inner is not None:
            return inner
    return inside.get("module") if isinstance(module, DistributedDataParallel | nn.DataParallel | AveragedModel) else None
