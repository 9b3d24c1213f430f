"""Forward and backward from logits: the Unified Focal loss beside what a user has today, in one run.

    python benchmarks/losses.py [--device cpu|cuda] [--dtype float32|bfloat16] [--threads 1] [--rounds 15] [--only NAME,...]

Every row is a callable of (logits, labels) that leaves a gradient; each does its own one-hot and activation, as its
documentation asks. Rows run in a shuffled order round after round, and a ratio is taken within its round: medians over rounds.
The lower bound is one fused pass that reads logits and labels, takes a softmax (a sigmoid for one channel) and writes a
gradient. Time is CPU time of the process (by the clock on a device). Peak: the most memory held at once beyond logits and
labels, gradient included, over the size of the logits. Writes benchmarks/results/losses-DEVICE-DTYPE.md; --only prints alone.
Peers that are not installed are left out.
"""

import argparse
import random
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from focalseg.losses import UnifiedFocalLoss
from machine import read_processor

RESULTS = Path(__file__).parent / "results"
SHAPES = [(8, 2, 256, 256), (16, 2, 512, 512), (4, 5, 512, 512), (2, 3, 96, 96, 96), (8, 1, 512, 512)]
BOUND, COPY = "lower bound: one fused pass", "copy"
OURS, COMPILED = "focalseg", "focalseg compiled"
Row = Callable[[Tensor, Tensor], object]
Measured = dict[str, tuple[list[float], float]]


def main() -> None:
    """Measures every shape and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16", "float16"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", default="")
    parser.add_argument("--shapes", default="01234", help="which of the shapes, by their places")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    only = [name for name in arguments.only.split(",") if name]
    lines = describe_run(arguments)
    for shape in [SHAPES[int(place)] for place in arguments.shapes]:
        torch.compiler.reset()
        measured = measure(shape, arguments, only)
        lines += ["", f"### {shape}", "", *format_table(measured)]
        print("\n".join(lines[-len(measured) - 5 :]), flush=True)
    if not only and len(arguments.shapes) == len(SHAPES):
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"losses-{arguments.device}-{arguments.dtype}.md").write_text("\n".join(lines) + "\n")


def build_rows(classes: int) -> dict[str, Row]:
    """The table: a name and a callable each, for logits of this many channels."""
    rows: dict[str, Row] = {
        COPY: lambda logits, _: torch.empty_like(logits).copy_(logits.detach()),
        BOUND: fused_pass(),
        "torch cross_entropy": backward(cross_entropy),
        OURS: backward(UnifiedFocalLoss()),
        COMPILED: backward(torch.compile(UnifiedFocalLoss())),
    }
    if find_spec("monai"):
        rows |= build_monai_rows(classes)
    return rows


def build_monai_rows(classes: int) -> dict[str, Row]:
    """MONAI's losses. Its Unified Focal loss takes probabilities and knows two classes at most."""
    from monai.losses import AsymmetricUnifiedFocalLoss, DiceCELoss, DiceFocalLoss

    activation = {"softmax": classes > 1, "sigmoid": classes == 1}
    dice_focal, dice_ce = DiceFocalLoss(**activation), DiceCELoss(**activation)
    rows = {
        "MONAI DiceCELoss": backward(lambda logits, labels: dice_ce(logits, one_hot(labels, classes))),
        "MONAI DiceFocalLoss": backward(lambda logits, labels: dice_focal(logits, one_hot(labels, classes))),
    }
    if classes <= 2:
        unified = AsymmetricUnifiedFocalLoss()
        activate = torch.sigmoid if classes == 1 else lambda logits: logits.softmax(1)
        rows["MONAI AsymmetricUnifiedFocalLoss"] = backward(
            lambda logits, labels: unified(activate(logits), one_hot(labels, classes))
        )
    return rows


def fused_pass() -> Row:
    """Reads logits and labels, writes a gradient of their size, in one compiled pass."""

    def run(logits: Tensor, labels: Tensor) -> Tensor:
        wide = logits.float()
        if logits.shape[1] == 1:
            return (torch.sigmoid(wide) - (labels.unsqueeze(1) == 1).float()).to(logits.dtype)
        classes = torch.arange(logits.shape[1], device=logits.device).view(1, -1, *[1] * (logits.ndim - 2))
        return (wide.softmax(1) - (labels.unsqueeze(1) == classes).float()).to(logits.dtype)

    compiled = torch.compile(run)
    return lambda logits, labels: compiled(logits.detach(), labels)


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """torch's own, for one channel the binary one."""
    if logits.shape[1] == 1:
        return F.binary_cross_entropy_with_logits(logits[:, 0], labels.to(logits.dtype))
    return F.cross_entropy(logits, labels)


def one_hot(labels: Tensor, classes: int) -> Tensor:
    """As the peers want it."""
    return labels.unsqueeze(1).float() if classes == 1 else F.one_hot(labels, classes).movedim(-1, 1).float()


def backward(loss: Callable[[Tensor, Tensor], Tensor]) -> Row:
    """A forward and a backward pass, the old gradient thrown away."""

    def run(logits: Tensor, labels: Tensor) -> None:
        logits.grad = None
        loss(logits, labels).backward()

    return run


def measure(shape: tuple[int, ...], arguments: argparse.Namespace, only: list[str]) -> Measured:
    """Times of every row, a round each, and its peak."""
    generator = torch.Generator().manual_seed(0)
    logits = (
        (3 * torch.randn(shape, generator=generator)).to(arguments.device, getattr(torch, arguments.dtype)).requires_grad_()
    )
    labels = torch.randint(0, max(2, shape[1]), (shape[0], *shape[2:]), generator=generator).to(arguments.device)
    rows = {name: row for name, row in build_rows(shape[1]).items() if not only or name in {BOUND, *only}}
    for row in rows.values():
        for _ in range(3):
            row(logits, labels)
    peaks = {name: measure_peak(row, logits, labels) for name, row in rows.items()}
    times: dict[str, list[float]] = {name: [] for name in rows}
    order = random.Random(0)
    for _ in range(arguments.rounds):
        for name in order.sample(list(rows), len(rows)):
            times[name].append(measure_time(rows[name], logits, labels))
    return {name: (times[name], peaks[name]) for name in rows}


def measure_time(row: Row, logits: Tensor, labels: Tensor) -> float:
    """Seconds."""
    logits.grad = None
    if logits.device.type == "cpu":
        started = time.process_time()
        row(logits, labels)
        return time.process_time() - started
    torch.cuda.synchronize()
    started = time.perf_counter()
    row(logits, labels)
    torch.cuda.synchronize()
    return time.perf_counter() - started


def measure_peak(row: Row, logits: Tensor, labels: Tensor) -> float:
    """The most bytes held at once beyond what was there before, over those of the logits."""
    logits.grad = None
    whole = logits.numel() * logits.element_size()
    if logits.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        row(logits, labels)
        return (torch.cuda.max_memory_allocated() - before) / whole
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        result = row(logits, labels)
    del result
    held = highest = 0
    for event in recorded.profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            highest = max(highest, held)
    return highest / whole


def format_table(measured: Measured) -> list[str]:
    """Lines of Markdown: ratios to the lower bound and to the peers, within a round."""
    peers = ["torch cross_entropy", "MONAI AsymmetricUnifiedFocalLoss", "MONAI DiceFocalLoss"]
    peers = [peer for peer in peers if peer in measured]
    lines = [
        "| row | ms | / lower bound [quartiles] | " + " | ".join(f"{peer} / it" for peer in peers) + " | peak / logits |",
        "|---" * (4 + len(peers)) + "|",
    ]
    for name, (times, peak) in measured.items():
        bound = ratios(times, measured[BOUND][0])
        low, middle, high = statistics.quantiles(bound, n=4)
        against = [f"{statistics.median(ratios(measured[peer][0], times)):.2f}" for peer in peers]
        spent = f"{1e3 * statistics.median(times):.2f}"
        cells = [name, spent, f"{middle:.2f} [{low:.2f}, {high:.2f}]", *against, f"{peak:.2f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def ratios(times: list[float], base: list[float]) -> list[float]:
    """Round by round."""
    return [time / other for time, other in zip(times, base, strict=True)]


def describe_run(arguments: argparse.Namespace) -> list[str]:
    """What was run on what."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "monai") if find_spec(name))
    processor = torch.cuda.get_device_name() if arguments.device == "cuda" else read_processor()
    chosen = f"--device {arguments.device} --dtype {arguments.dtype} --threads {arguments.threads} --rounds {arguments.rounds}"
    note = "Forward and backward from logits and integer labels, medians over rounds; `A / it`: how many times as fast as A."
    return [
        "# What the losses cost",
        "",
        f"`python benchmarks/losses.py {chosen}`",
        "",
        f"{packages}; {processor}, {arguments.threads} thread(s). {note}",
    ]


if __name__ == "__main__":
    main()
