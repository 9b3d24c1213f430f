"""Exports of trained networks against the originals, on real images.

    focalseg train DATA --out RUN --attention all     # any run or job
    python benchmarks/export.py --run RUN --images FOLDER [--run RUN --images FOLDER ...] [--count 50]

For each pair: the ONNX graph in onnxruntime beside the network in torch, on so many of the images, evenly spread over the
folder. Logits on the prepared images; masks at the images' own sizes, once with the graph in the place of the network in
`focalseg.load(RUN).predict`, once by predict.py, which knows nothing of focalseg. Writes
benchmarks/results/export.{json,md}.
"""

import argparse
import importlib.util
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from PIL import Image
from torch import Tensor, nn

import focalseg
from focalseg.exporting.onnx_folder import export_onnx
from focalseg.inference.model import Model, TrainedNetwork
from machine import describe_machine

RESULTS = Path(__file__).parent / "results"
SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"}


class Graph(nn.Module):
    """An ONNX graph in the place of the network that it was made of."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        self.place = nn.Parameter(torch.zeros(1))  # a network has a device

    def forward(self, images: Tensor) -> Tensor:
        """images (B, C, *spatial) -> logits (B, K, *spatial)."""
        return torch.from_numpy(self.session.run(["logits"], {"image": images.numpy()})[0])


def main() -> None:
    """Measures every pair and writes both files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, action="append", required=True)
    parser.add_argument("--images", type=Path, action="append", required=True)
    parser.add_argument("--count", type=int, default=50)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = [measure(run, images, arguments.count) for run, images in zip(arguments.run, arguments.images, strict=True)]
    content = {"machine": describe_machine(), "onnxruntime": onnxruntime.__version__, "rows": rows}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "export.json").write_text(json.dumps(content, indent=1) + "\n")
    (RESULTS / "export.md").write_text(format_table(content))


def measure(run: Path, images: Path, count: int) -> dict[str, Any]:
    """Everything about one trained network."""
    model = focalseg.load(run, one=True, device="cpu")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "onnx")
        seconds, exported = timed(lambda: export_onnx(model, out))
        graph = Model((TrainedNetwork(model.config, Graph(out / "model.onnx")),))
        program = load_program(out)
        rows = [compare(model, graph, program, path) for path in choose(images, count)]
    config = model.config
    return {
        "data": images.parent.name if images.name == "images" else images.name,
        "network": config.network.name,
        "attention": dict(config.attention),
        "seen_at": list(config.preparation.size),
        "labels": len(config.labels),
        "export_seconds": seconds,
        "sizes_compared_at_export": [list(size) for size in exported.sizes],
        "images": len(rows),
        "sizes_of_images": len({row["size"] for row in rows}),
        "largest_logit": max(row["largest_logit"] for row in rows),
        "largest_difference": max(row["difference"] for row in rows),
        "masks_differ": sum(row["pixels_by_graph"] > 0 for row in rows),
        "pixels_differ": sum(row["pixels_by_graph"] for row in rows),
        "masks_of_program_differ": sum(row["pixels_by_program"] > 0 for row in rows),
        "pixels": sum(row["pixels"] for row in rows),
        "pixels_of_program_differ": sum(row["pixels_by_program"] for row in rows),
        "foreground": sum(row["foreground"] for row in rows),
        "torch_seconds": statistics.median(row["torch_seconds"] for row in rows),
        "graph_seconds": statistics.median(row["graph_seconds"] for row in rows),
    }


@torch.no_grad()
def compare(model: Model, graph: Model, program: Callable[[np.ndarray], np.ndarray], path: Path) -> dict[str, Any]:
    """One image, through all three."""
    image = read(path, model.config.network.in_channels)
    prepared = model.preparation.prepare_image(image)[None]
    torch_seconds, expected = timed(lambda: model.network(prepared))
    graph_seconds, given = timed(lambda: graph.network(prepared))
    mask = model.predict(image)
    return {
        "size": image.shape[1:],
        "pixels": mask.size,
        "foreground": int((mask > 0).sum()),
        "largest_logit": float(expected.abs().max()),
        "difference": float((expected - given).abs().max()),
        "pixels_by_graph": int((graph.predict(image) != mask).sum()),
        "pixels_by_program": int((program(image) != mask).sum()),
        "torch_seconds": torch_seconds,
        "graph_seconds": graph_seconds,
    }


def choose(folder: Path, count: int) -> Iterator[Path]:
    """Images evenly spread over a folder, without what is a mask by its name or folder."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    paths = [path for path in paths if not any("mask" in part.lower() for part in path.relative_to(folder).parts)]
    for number in np.linspace(0, len(paths) - 1, min(count, len(paths))).round().astype(int):
        yield paths[number]


def read(path: Path, channels: int) -> np.ndarray:
    """(C, H, W) uint8."""
    pixels = np.array(Image.open(path).convert("RGB" if channels == 3 else "L"))
    return np.ascontiguousarray(np.moveaxis(pixels, -1, 0)) if channels == 3 else pixels[None]


def load_program(folder: Path) -> Callable[[np.ndarray], np.ndarray]:
    """predict(image) of predict.py in an export."""
    spec = importlib.util.spec_from_file_location("exported_predict", folder / "predict.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    predict: Callable[[np.ndarray], np.ndarray] = module.predict
    return predict


def timed(do: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds by the clock, and the result."""
    start = time.perf_counter()
    result = do()
    return time.perf_counter() - start, result


HEAD = (
    *("images", "network", "sites", "seen at", "images (sizes)", "largest logit", "difference of logits"),
    *("masks that differ", "pixels that differ", "masks that differ, predict.py", "pixels, predict.py"),
    "torch / onnxruntime, ms",
)
TEXT = """# ONNX exports against the originals, on real images

Written by `python benchmarks/export.py`. Logits: the largest difference between onnxruntime and torch on the prepared images.
Masks: how many differ from those of `focalseg.load(RUN).predict` in any pixel, with the graph in the place of the network, and
by the program `predict.py` that lies beside the graph and prepares the images itself. A pixel differs where its logit is so
near 0 that the rounding of float32 decides.
"""


def format_table(content: dict[str, Any]) -> str:
    """The report."""
    rows = [
        (
            row["data"],
            row["network"],
            str(len(row["attention"])),
            " x ".join(map(str, row["seen_at"])),
            f"{row['images']} ({row['sizes_of_images']})",
            f"{row['largest_logit']:.1f}",
            f"{row['largest_difference']:.1e}",
            str(row["masks_differ"]),
            f"{row['pixels_differ']} of {row['pixels']:,}",
            str(row["masks_of_program_differ"]),
            f"{row['pixels_of_program_differ']} of {row['pixels']:,}",
            f"{1000 * row['torch_seconds']:.1f} / {1000 * row['graph_seconds']:.1f}",
        )
        for row in content["rows"]
    ]
    lines = "\n".join(f"| {' | '.join(row)} |" for row in (HEAD, ("---",) * len(HEAD), *rows))
    machine = f"{content['machine']} onnxruntime {content['onnxruntime']}. Times on a machine that was busy otherwise."
    return f"{TEXT}\n{lines}\n\n{machine}\n"


if __name__ == "__main__":
    main()
