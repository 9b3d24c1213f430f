"""One process on one device, whatever a launcher says in the environment."""

import os
import subprocess
import sys

import pytest
from torch import nn, optim

from focalseg.errors import MachineError
from focalseg.training import loop
from focalseg.training.loop import open_fabric

LAUNCHERS = {
    "Slurm": {
        "SLURM_NTASKS": "4",
        "SLURM_JOB_ID": "1",
        "SLURM_JOB_NAME": "job",
        "SLURM_PROCID": "2",
        "SLURM_LOCALID": "2",
        "SLURM_NODEID": "0",
        "SLURM_NTASKS_PER_NODE": "4",
        "SLURM_NNODES": "2",
        "SLURM_JOB_NODELIST": "node[1-2]",
    },
    "torchrun": {
        "TORCHELASTIC_RUN_ID": "none",
        "WORLD_SIZE": "4",
        "RANK": "2",
        "LOCAL_RANK": "2",
        "LOCAL_WORLD_SIZE": "4",
        "MASTER_ADDR": "nowhere",
        "MASTER_PORT": "29500",
        "GROUP_RANK": "0",
    },
    "by hand": {"WORLD_SIZE": "4", "RANK": "2", "LOCAL_RANK": "2", "NODE_RANK": "1", "MASTER_ADDR": "nowhere"},
    "Open MPI": {"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "2", "OMPI_COMM_WORLD_LOCAL_RANK": "2"},
    "MPICH": {"PMI_RANK": "2", "PMI_SIZE": "4", "PMIX_RANK": "2"},
    "LSF": {
        "LSB_JOBID": "1",
        "LSB_DJOB_RANKFILE": "/nowhere",
        "JSM_NAMESPACE_SIZE": "4",
        "JSM_NAMESPACE_RANK": "2",
        "JSM_NAMESPACE_LOCAL_RANK": "2",
    },
    "Fabric": {
        "LT_CLI_USED": "1",
        "LT_DEVICES": "4",
        "LT_STRATEGY": "ddp",
        "LT_PRECISION": "64-true",
        "LT_NUM_NODES": "2",
        "LT_ACCELERATOR": "cuda",
    },
    "Fabric, without its command": {"LT_DEVICES": "4", "LT_STRATEGY": "ddp", "LT_PRECISION": "64-true"},
}


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_launcher_changes_nothing(launcher, monkeypatch):
    for name, value in LAUNCHERS[launcher].items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    fabric = open_fabric("cpu")
    network = nn.Linear(1, 1)
    fabric.setup(network, optim.SGD(network.parameters(), lr=1.0))
    assert (fabric.world_size, fabric.global_rank, fabric.local_rank, fabric.device.type) == (1, 0, 0, "cpu")
    assert network.weight.dtype.itemsize == 4
    assert dict(os.environ) == before


@pytest.mark.slow
def test_fabric_loads_beside_variables_that_are_no_numbers():
    """It reads its rank while it is imported."""
    script = "from focalseg.training.loop import open_fabric; assert open_fabric('cpu').world_size == 1"
    nonsense = {"RANK": "two", "LOCAL_RANK": "", "SLURM_PROCID": "x", "LT_CLI_USED": "yes", "JSM_NAMESPACE_RANK": "-"}
    done = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, **nonsense}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_device_that_cannot_be_opened_is_told_with_the_cause(monkeypatch):
    def fail(*_):
        raise OSError("no such file")

    monkeypatch.setattr(loop, "build_fabric", fail)
    with pytest.raises(MachineError) as failed:
        open_fabric("cpu")
    assert str(failed.value) == "--device cpu could not be opened: OSError: no such file"


def test_torchmetrics_is_not_loaded_for_its_version_and_can_be_loaded_afterwards():
    pytest.importorskip("torchmetrics")
    script = (
        "import sys, focalseg.training.fabric\n"
        "assert 'torchmetrics' not in sys.modules\n"
        "import torchmetrics\n"
        "assert torchmetrics.Metric\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
