"""Prediction in windows beside MONAI's `sliding_window_inference`: seconds, peak memory, and how far from the whole image.

    OMP_NUM_THREADS=1 python benchmarks/predict.py [--rounds 2] [--quick] [--model MODEL --image IMAGE] [--out FILE]

The same U-Net (made up, 3 classes), the same windows, overlap and Gaussian in both, one window and one thread at a time. What
is timed goes from the prepared image, float32 in memory, to its labels, uint8: ours by `predict_mask`, which looks whether the
image is on the network's scale, measures once how far the network looks, and cuts, blends and chooses; MONAI's by
`sliding_window_inference` and `argmax`. Each measurement is a process of its own that has imported everything, made the image
and predicted one window before; memory is the most that it then held beyond what it held before. Ways take turns and change
who is first. Seconds are CPU time; ratios within a round, medians with the smallest and the largest. The passes of windows
through the network are the same work in both and most of it, and on a busy machine they alone vary by more than all else
takes: so what is done besides, by ours the measuring of the network included, has a column of its own.

exactness: the largest difference of logits from those of the whole image in one pass, over all pixels, borders among them; ours
and MONAI's, for a U-Net that looks no farther than half the overlap.

start: seconds from the start of `focalseg predict MODEL IMAGE` to its end, where a model and an image are given.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

sys.path.pop(0)  # this folder, which has a data.py of its own

import numpy as np
import torch
from torch import Tensor

import focalseg
from focalseg.feeding.preparation import Preparation
from focalseg.inference.prediction import Member, predict_logits, predict_mask

RESULTS = Path(__file__).parent / "results"
CLEAR, STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")
OURS, MONAI = "focalseg", "MONAI"
IMAGES: dict[str, dict[str, Any]] = {
    "picture": {"channels": 3, "size": (4000, 4000), "window": (512, 512), "overlap": 0.5, "widths": (4, 8)},
    "volume": {"channels": 1, "size": (300, 300, 300), "window": (96, 96, 96), "overlap": 0.25, "widths": (4, 8)},
}
QUICK: dict[str, dict[str, Any]] = {
    "picture": {**IMAGES["picture"], "size": (1400, 1400), "window": (256, 256)},
    "volume": {**IMAGES["volume"], "size": (100, 100, 100), "window": (48, 48, 48)},
}
EXACTNESS: dict[str, dict[str, Any]] = {
    "picture": {"channels": 3, "size": (640, 512), "window": (256, 256), "overlap": 0.5, "widths": (8, 16, 32)},
    "volume": {"channels": 1, "size": (96, 96, 64), "window": (48, 48, 48), "overlap": 0.5, "widths": (4, 8)},
}
CLASSES = 3
Record = dict[str, Any]


def main() -> None:
    """Measures, prints the page and writes it with its numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="small images, to see that it runs")
    parser.add_argument("--model", type=Path, help="a job, a run or a lean folder, for the time to the first mask")
    parser.add_argument("--image", type=Path, help="an image for that model")
    parser.add_argument("--out", type=Path, default=RESULTS / "predict.md")
    parser.add_argument("--measure", nargs=2, metavar=("WAY", "IMAGE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    images = QUICK if arguments.quick else IMAGES
    if arguments.measure:
        way, name = arguments.measure
        print(json.dumps(measure_here(way, images[name])))
        return
    load = os.getloadavg()[0]
    rounds = {name: [run_round(name, number, quick=arguments.quick) for number in range(arguments.rounds)] for name in images}
    record: Record = {"blending": rounds, "exactness": {name: measure_exactness(setup) for name, setup in EXACTNESS.items()}}
    if arguments.model and arguments.image:
        record["start"] = measure_start(arguments.model, arguments.image)
    record["run"] = describe_run(arguments, f"{load:.1f} at the start, {os.getloadavg()[0]:.1f} at the end")
    text = "\n".join(["# Prediction in windows", "", *record["run"], *format_page(record, images)]) + "\n"
    print(text, end="")
    arguments.out.parent.mkdir(exist_ok=True)
    arguments.out.write_text(text, encoding="utf-8")
    arguments.out.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def run_round(name: str, number: int, *, quick: bool) -> dict[str, Record]:
    """Both ways once, each in a process of its own; who is first changes from round to round."""
    measured = {}
    for way in sorted((OURS, MONAI), reverse=number % 2 == 1):
        command = [sys.executable, __file__, "--measure", way, name, *(["--quick"] if quick else [])]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        measured[way] = json.loads(done.stdout.splitlines()[-1])
        print(name, number, way, {key: value for key, value in measured[way].items() if key != "counts"}, flush=True)
    return measured


def measure_here(way: str, setup: Record) -> Record:
    """Seconds and peak memory of one way in this process, and how many pixels got each label."""
    torch.set_num_threads(1)
    member = build_member(setup)
    image = np.random.default_rng(0).normal(0, 1, (setup["channels"], *setup["size"])).astype(np.float32)
    passes = Passes(setup["window"])
    predict = {OURS: predict_ours, MONAI: predict_by_monai}[way]
    part = image[:, *(slice(length) for length in setup["window"])]
    predict(build_member({**setup, "size": setup["window"]}), part, setup)
    member.network.register_forward_pre_hook(lambda *_: passes.begin())
    member.network.register_forward_hook(lambda _network, given, _logits: passes.end(given[0]))
    CLEAR.write_text("5")  # makes Linux forget the largest size of this process so far
    before = read_status("VmRSS")
    clock, cpu = time.perf_counter(), time.process_time()
    labels = predict(member, image, setup)
    cpu, clock = time.process_time() - cpu, time.perf_counter() - clock
    return {
        "windows": passes.count,
        "cpu_seconds": cpu,
        "clock_seconds": clock,
        "besides": cpu - passes.seconds,
        "peak_mib": (read_status("VmHWM") - before) / 2**20,
        "counts": np.bincount(labels.ravel(), minlength=CLASSES).tolist(),
    }


class Passes:
    """CPU time of the passes of whole windows through a network, and how many there were."""

    def __init__(self, window: tuple[int, ...]) -> None:
        self.window, self.count, self.seconds, self.started = window, 0, 0.0, 0.0

    def begin(self) -> None:
        """Before a pass, of a window or of a smaller image."""
        self.started = time.process_time()

    def end(self, images: Tensor) -> None:
        """After it."""
        if tuple(images.shape[2:]) == self.window:
            self.count += 1
            self.seconds += time.process_time() - self.started


def build_member(setup: Record) -> Member:
    """A U-Net whose norms have statistics as after a training, and images that come prepared."""
    torch.manual_seed(0)
    axes = len(setup["size"])
    network = focalseg.UNet(spatial_dims=axes, in_channels=setup["channels"], classes=CLASSES, widths=setup["widths"])
    for module in network.modules():
        if hasattr(module, "running_var"):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.1, 0.5)
    ones = (1.0,) * setup["channels"]
    preparation = Preparation(
        size=setup["size"], mean=(0.0,) * setup["channels"], standard_deviation=ones, patch=setup["window"]
    )
    return Member(network.eval(), preparation)


def predict_ours(member: Member, image: np.ndarray, setup: Record) -> np.ndarray:
    """Labels by our own windows."""
    return predict_mask([member], image, overlap=setup["overlap"], windows_at_a_time=1)


def predict_by_monai(member: Member, image: np.ndarray, setup: Record) -> np.ndarray:
    """Labels by MONAI's windows."""
    labels: np.ndarray = slide(member, image, setup).argmax(dim=1)[0].to(torch.uint8).numpy()
    return labels


@torch.no_grad()
def slide(member: Member, image: np.ndarray, setup: Record) -> Tensor:
    """MONAI's logits (1, K, *spatial)."""
    from monai.inferers.utils import sliding_window_inference

    given = torch.from_numpy(image)[None]
    logits: Tensor = sliding_window_inference(
        given, setup["window"], 1, member.network, overlap=setup["overlap"], mode="gaussian"
    )
    return logits


def measure_exactness(setup: Record) -> Record:
    """The largest differences of logits from those of the whole image, and the standard deviation of these."""
    torch.set_num_threads(1)
    image = np.random.default_rng(0).normal(0, 1, (setup["channels"], *setup["size"])).astype(np.float32)
    member = build_member(setup)
    with torch.no_grad():
        whole = member.network(torch.from_numpy(image)[None])[0].numpy()
    ours = predict_logits(member, image, overlap=setup["overlap"])
    monai = slide(member, image, setup)[0].numpy()
    reaches = [member.find_reach(axis) for axis in range(len(setup["size"]))]
    return {
        "logits": float(whole.std()),
        "margin": max(reach.margin if reach else 0 for reach in reaches),
        OURS: float(np.abs(ours - whole).max()),
        MONAI: float(np.abs(monai - whole).max()),
    }


def measure_start(model: Path, image: Path) -> Record:
    """Seconds by the clock of five runs of the command on one image."""
    seconds = []
    for _ in range(5):
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            command = [sys.executable, "-m", "focalseg", "predict", str(model), str(image), "--out", f"{folder}/out"]
            subprocess.run(command, check=True, capture_output=True)
            seconds.append(time.perf_counter() - started)
    return {"seconds": seconds, "median": statistics.median(seconds)}


def read_status(name: str) -> int:
    """A size of this process, in bytes."""
    lines = STATUS.read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


def format_page(record: Record, images: dict[str, Record]) -> list[str]:
    """A table of the blending, one of the exactness, and the time to the first mask where it was measured."""
    heads = ("CPU seconds", "of these besides the passes", "peak memory, MiB", "CPU time / MONAI's", "besides / MONAI's")
    lines = ["", f"| image | way | windows | {' | '.join(heads)} | memory / MONAI's |", "|---" * 9 + "|"]
    for name, rounds in record["blending"].items():
        for way in (MONAI, OURS):
            cells = [
                f"{statistics.median(each[way][key] for each in rounds):.1f}" for key in ("cpu_seconds", "besides", "peak_mib")
            ]
            compared = ("cpu_seconds", "besides", "peak_mib")
            ratios = [format_ratio(rounds, way, key) if way == OURS else "1" for key in compared]
            start = f"| {describe_image(images[name])} | {way} | {rounds[0][way]['windows']}"
            lines.append(f"{start} | {' | '.join((*cells, *ratios))} |")
    lines += [
        "",
        "| image | a U-Net that looks | deviation of the logits | MONAI's difference | ours |",
        "|---|---|---|---|---|",
    ]
    for name, found in record["exactness"].items():
        shown = f"{found['margin']} elements far | {found['logits']:.2g} | {found[MONAI]:.1e} | {found[OURS]:.1e}"
        lines.append(f"| {describe_image(EXACTNESS[name])} | {shown} |")
    if "start" in record:
        lines += ["", f"`focalseg predict` on one image: {record['start']['median']:.1f} s (median of five)."]
    return lines


def format_ratio(rounds: list[dict[str, Record]], way: str, key: str) -> str:
    """The median of the ratios to MONAI within each round, with the smallest and the largest."""
    ratios = [each[way][key] / each[MONAI][key] for each in rounds]
    return f"{statistics.median(ratios):.3f} [{min(ratios):.3f}, {max(ratios):.3f}]"


def describe_image(setup: Record) -> str:
    """Its size, windows and network."""
    size, window = (" x ".join(map(str, setup[key])) for key in ("size", "window"))
    widths = "-".join(map(str, setup["widths"]))
    return f"{setup['channels']} x {size}, windows {window}, overlap {setup['overlap']:g}, U-Net {widths}"


def describe_run(arguments: argparse.Namespace, load: str) -> list[str]:
    """What was run on what, beside which other work."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "monai", "numpy"))
    return [
        f"`python benchmarks/predict.py --rounds {arguments.rounds}{' --quick' if arguments.quick else ''}`",
        "",
        f"{versions}; {os.cpu_count()} processors, one thread each; load average {load}.",
        f"From the prepared image to its labels, {CLASSES} classes. Medians over the rounds; ratios within a round with the",
        "smallest and the largest. Memory: the most held beyond the image, the network and the imports.",
    ]


if __name__ == "__main__":
    main()
