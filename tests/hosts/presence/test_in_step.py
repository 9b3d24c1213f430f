"""Two processes train one network together: they stay in step whatever is done to attention, or say why they cannot."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from hosts.presence.two_processes import SCENARIOS, build, run, weights_of

pytestmark = pytest.mark.slow

HERE = Path(__file__).resolve().parent
MEND = "Wrap the network with find_unused_parameters=True"
REFUSED = {
    "refused: off": "Attention is off at encoder.0, bottleneck, decoder.0, skip.0, and DistributedDataParallel waits for the "
    f"gradients of its weights. {MEND}.",
    "refused: stand-in": "Attention is off at encoder.0, and DistributedDataParallel waits for the gradients of its weights. "
    f"{MEND}.",
    "refused: frozen after": "22 weights were frozen after the network was wrapped in DistributedDataParallel, which waits for "
    f"their gradients. {MEND}, or call freeze_host(network) before wrapping it.",
    "refused: thawed after": "22 weights train that did not when the network was wrapped in DistributedDataParallel, which "
    "does not keep them in step. Call unfreeze_host(network) before wrapping it.",
}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, list[float] | str]]:
    """What each of the two processes found, by scenario."""
    folder = tmp_path_factory.mktemp("processes")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    outs = [folder / f"{rank}.json" for rank in (0, 1)]
    processes = [
        subprocess.Popen(
            [sys.executable, str(HERE / "two_processes.py"), str(rank), str(folder / "meeting"), str(out)],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank, out in enumerate(outs)
    ]
    try:
        said = [process.communicate(timeout=300)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], said
    return [json.loads(out.read_text(encoding="utf-8")) for out in outs]


@pytest.mark.parametrize("name", [name for name in SCENARIOS if name not in REFUSED])
def test_both_processes_end_with_the_weights_of_one_that_sees_all_images(name: str, both) -> None:
    def alone(network: nn.Module, **_settings: bool) -> nn.Module:
        return network

    one, other = both[0][name], both[1][name]
    assert one == other
    expected = run(SCENARIOS[name], alone, [0, 1])
    assert torch.allclose(torch.tensor(one), torch.tensor(expected), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_bring_them_out_of_step_or_to_a_halt_is_refused_at_the_first_pass(name: str, both) -> None:
    assert [found[name] for found in both] == [REFUSED[name]] * 2


def test_weights_that_are_off_throughout_stay_as_they_were_to_the_bit(both) -> None:
    fresh = weights_of(build())
    added = sum(weight.numel() for weight in build().focal_attention.parameters())
    for name in ("off throughout", "off, static graph"):
        assert both[0][name][-added:] == fresh[-added:]
        assert both[0][name][:-added] != fresh[:-added]
