"""Fabric on one device, whatever a scheduler or a launcher says in the environment.

A training of ours is one process on one device. Fabric would take devices, processes and even the precision from variables of a
launcher, and refuses some of them: it neither loads nor is made where it could read one.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from types import ModuleType
from typing import Literal

_LAUNCHERS = ("SLURM_", "LSB_", "JSM_", "OMPI_", "PMI_", "PMIX_", "TORCHELASTIC_", "LT_", "PL_", "GROUP_", "ROLE_")
_VARIABLES = ("RANK", "LOCAL_RANK", "NODE_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""What launchers tell their processes: Slurm, LSF, MPI, torchrun and Fabric's own."""


@contextmanager
def _without_launcher() -> Iterator[None]:
    """Inside, the environment says nothing of a launcher."""
    hidden = {name: value for name, value in os.environ.items() if name.startswith(_LAUNCHERS) or name in _VARIABLES}
    for name in hidden:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(hidden)


@contextmanager
def _without_torchmetrics() -> Iterator[None]:
    """Inside, torchmetrics is its version alone. Fabric imports the whole of it, where it is installed, to ask for that, which
    takes two seconds in every process."""
    name = "torchmetrics"
    if name in sys.modules or find_spec(name) is None:
        yield
        return
    stand_in = ModuleType(name)
    stand_in.__dict__["__version__"] = version(name)
    sys.modules[name] = stand_in
    try:
        yield
    finally:
        del sys.modules[name]


with _without_launcher(), _without_torchmetrics():
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.environments.lightning import LightningEnvironment


def build_fabric(accelerator: str, precision: Literal["32-true", "bf16-mixed"]) -> Fabric:
    """Fabric on one device of this process alone. Raises what Fabric raises where it is not to be had."""
    with _without_launcher():
        # The environment is given, for Fabric not to look for one: it would start MPI where mpi4py is installed.
        return Fabric(accelerator=accelerator, devices=1, precision=precision, plugins=[LightningEnvironment()])
