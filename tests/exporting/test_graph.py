"""Networks as ONNX graphs: the same logits as torch's, at sizes and batches that the export never saw."""

import numpy as np
import pytest
import torch
from torch import nn

import focalseg
from focalseg.attention import GATES
from focalseg.errors import SettingError
from focalseg.exporting.graph import TOLERANCE, write_graph
from focalseg.hosts.building import NetworkConfig, build_host, plan_arguments
from focalseg.hosts.instrument import fill_sites

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")
pytestmark = pytest.mark.slow

WINDOWS = {1: (36,), 2: (24, 40), 3: (16, 24, 16)}
UNSEEN = {1: (52,), 2: (56, 32), 3: (24, 16, 40)}
HOSTS = ["UNet", "BasicUNet", "DynUNet", "SegResNet", "AttentionUnet"]


def unsettle(network, window):
    """Gammas far from 1, and norms that have learnt what passes: the logits of a new network hardly vary."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if name.endswith("gamma"):
                weight.copy_(0.5 + 2 * torch.rand(weight.shape, generator=generator))
        for _ in range(10):
            network.train()(torch.randn(2, 2, *window, generator=generator))
    return network.eval()


def run(path, images):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(["logits"], {"image": images.numpy()})[0]


def check(network, path, size, *, channels=2):
    """The graph's logits are torch's, for five images of a size that is no part of the export."""
    images = torch.randn(5, channels, *size, generator=torch.Generator().manual_seed(9))
    with torch.no_grad():
        expected = network(images).numpy()
    assert expected.std() > 10 * TOLERANCE
    np.testing.assert_allclose(run(path, images), expected, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize(("axes", "norm"), [(1, "group"), (2, "batch"), (3, "instance")])
def test_every_gate_of_the_catalogue_is_in_the_graph(axes, norm, tmp_path):
    """A gate at each site, which are as many."""
    torch.manual_seed(4)  # the logits of one in twenty such networks hardly vary, with five gates on one another
    network = focalseg.UNet(spatial_dims=axes, in_channels=2, widths=(4, 8, 16), norm=norm)
    candidates = focalseg.sites(network, (2, *WINDOWS[axes]))
    steered = [kind for kind, gate in GATES.items() if gate.needs_gating_signal]
    free = [kind for kind in GATES if kind not in steered]
    layout = {site.name: (steered if site.kind == "skip" else free).pop() for site in candidates}
    assert (steered, free) == ([], [])
    fill_sites(network, layout, candidates=candidates, standardise=axes == 2)
    graph = write_graph(unsettle(network, WINDOWS[axes]), tmp_path / "model.onnx", channels=2, window=WINDOWS[axes])
    assert graph.multiple == 1
    assert graph.largest_difference <= TOLERANCE
    assert {size[0] for size in graph.sizes} == {1, 2, 3}
    check(network, tmp_path / "model.onnx", UNSEEN[axes])
    check(network, tmp_path / "model.onnx", tuple(side - 9 for side in UNSEEN[axes]))


@pytest.mark.parametrize(("name", "axes"), [*((name, 2) for name in HOSTS), ("UNet", 3)])
def test_networks_of_monai_are_graphs_with_attention_at_every_site(name, axes, tmp_path):
    pytest.importorskip("monai")
    arguments = plan_arguments(f"monai:{name}", widths=(4, 8, 16))
    network = build_host(NetworkConfig(name=f"monai:{name}", spatial_dims=axes, in_channels=2, classes=2, arguments=arguments))
    window = (48, 32, 32)[:axes]
    candidates = focalseg.sites(network, (2, *window))
    kinds = {"skip": "ag", "stage": "se", "own": "own"}
    fill_sites(network, {site.name: kinds[site.kind] for site in candidates}, candidates=candidates)
    graph = write_graph(unsettle(network, window), tmp_path / "model.onnx", channels=2, window=window)
    check(network, tmp_path / "model.onnx", tuple(graph.multiple * count for count in (5, 3, 4)[:axes]))


def test_batch_and_space_are_free_by_name_and_the_names_are_the_contract(tmp_path):
    network = focalseg.UNet(in_channels=2, widths=(4, 8))
    write_graph(network, tmp_path / "model.onnx", channels=2, window=(16, 16))
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    assert [(one.name, one.shape) for one in session.get_inputs()] == [("image", ["batch", 2, "height", "width"])]
    assert [(one.name, one.shape) for one in session.get_outputs()] == [("logits", ["batch", 1, "height", "width"])]
    assert network.training  # left as it was


class Clocked(nn.Module):
    """Gives other logits each time."""

    def __init__(self):
        super().__init__()
        self.head, self.count = nn.Conv2d(2, 1, 1), 0

    def forward(self, image):
        self.count += 1
        return self.head(image) + self.count


class Branching(nn.Module):
    """Looks at the values."""

    def __init__(self):
        super().__init__()
        self.head = nn.Conv2d(2, 1, 1)

    def forward(self, image):
        return self.head(image) if image.mean() > 0 else -self.head(image)


def test_a_graph_that_computes_something_else_is_refused(tmp_path):
    with pytest.raises(
        SettingError, match=r"The logits of the ONNX graph differ from torch's by up to .*; expected at most 1e-04"
    ):
        write_graph(Clocked(), tmp_path / "model.onnx", channels=2, window=(8, 8))


def test_a_network_that_no_graph_can_hold_is_refused_with_another_way(tmp_path):
    with pytest.raises(
        SettingError, match=r"The network Branching cannot be written as ONNX: .* Give --format bundle"
    ) as caught:
        write_graph(Branching(), tmp_path / "model.onnx", channels=2, window=(8, 8))
    assert len(str(caught.value).splitlines()) == 1


def test_a_full_disk_is_no_fault_of_the_network(tmp_path, monkeypatch):
    """Another format would not find room either."""

    def save(*_arguments, **_named):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch.onnx.ONNXProgram, "save", save)
    with pytest.raises(OSError, match="No space left") as caught:
        write_graph(nn.Conv2d(2, 1, 1), tmp_path / "model.onnx", channels=2, window=(8, 8))
    assert not isinstance(caught.value, SettingError)
