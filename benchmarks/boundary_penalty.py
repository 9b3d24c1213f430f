"""What the focal distance penalty adds to a training step: the standard network on images of 256 x 256 pixels.

    python benchmarks/boundary_penalty.py [--threads 1] [--rounds 9]

A step is forward, loss, backward and AdamW on a batch of 12; the loss is the Unified Focal loss without a penalty, with maps
made from the masks of the step (by SciPy, and by edt where it is installed), and with maps that were made before. Steps run in
a shuffled order round after round; ratios within a round, medians over rounds, CPU time. Writes
benchmarks/results/boundary_penalty.md.
"""

import argparse
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from focalseg import distance
from focalseg.losses import UnifiedFocalLoss
from focalseg.networks.unet import UNet

RESULT = Path(__file__).parent / "results" / "boundary_penalty.md"
SIZE, BATCH = 256, 12
WIDTHS = (16, 32, 64, 128, 256)
PLAIN, CACHED = "no penalty", "maps made before"
Loss = Callable[[Tensor], Tensor]


def main() -> None:
    """Measures the steps and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    masks = draw_masks()
    network = UNet(spatial_dims=2, in_channels=3, classes=1, widths=WIDTHS).to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(network.parameters())
    images = torch.randn(BATCH, 3, SIZE, SIZE).contiguous(memory_format=torch.channels_last)
    losses = build_losses(masks)
    times: dict[str, list[float]] = {name: [] for name in losses}
    order = random.Random(0)
    for turn in range(arguments.rounds + 1):
        for name in order.sample(list(losses), len(losses)):
            seconds = measure_step(network, optimiser, images, losses[name])
            if turn:  # the first warms up
                times[name].append(seconds)
    lines = format_table(times, arguments)
    RESULT.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


def build_losses(masks: Tensor) -> dict[str, Loss]:
    """The loss of logits, by how the maps are had."""
    plain, penalised = UnifiedFocalLoss(), UnifiedFocalLoss(boundary_weight=1.0)
    closeness = distance.closeness_to_border(masks.unsqueeze(1))

    def by_scipy(logits: Tensor) -> Tensor:
        found, distance.find_edt = distance.find_edt, lambda: None
        try:
            return penalised(logits, masks)
        finally:
            distance.find_edt = found

    losses: dict[str, Loss] = {
        PLAIN: lambda logits: plain(logits, masks),
        "maps of the step, SciPy": by_scipy,
        CACHED: lambda logits: penalised(logits, masks, closeness),
    }
    if distance.find_edt() is not None:
        losses["maps of the step, edt"] = lambda logits: penalised(logits, masks)
    return losses


def draw_masks() -> Tensor:
    """(B, H, W) bool: smooth blobs, about a fifth of the image."""
    noise = torch.randn(BATCH, 1, SIZE // 16, SIZE // 16)
    smooth = torch.nn.functional.interpolate(noise, size=(SIZE, SIZE), mode="bicubic")
    return smooth[:, 0] > smooth.quantile(0.8)


def measure_step(network: UNet, optimiser: torch.optim.Optimizer, images: Tensor, loss: Loss) -> float:
    """Seconds of CPU time."""
    started = time.process_time()
    optimiser.zero_grad()
    loss(network(images)).backward()
    optimiser.step()
    return time.process_time() - started


def format_table(times: dict[str, list[float]], arguments: argparse.Namespace) -> list[str]:
    """Lines of Markdown."""
    lines = [
        "# What the focal distance penalty adds to a training step",
        "",
        f"`python benchmarks/boundary_penalty.py --threads {arguments.threads} --rounds {arguments.rounds}`",
        "",
        f"torch {torch.__version__}, {arguments.threads} thread(s). U-Net {WIDTHS}, batch {BATCH} of {SIZE} x {SIZE}; medians.",
        "",
        "| loss | ms a step | against no penalty [quartiles] |",
        "|---|---|---|",
    ]
    for name, seconds in times.items():
        ratios = [one / plain for one, plain in zip(seconds, times[PLAIN], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        lines.append(f"| {name} | {1e3 * statistics.median(seconds):.0f} | {middle:.3f} [{low:.3f}, {high:.3f}] |")
    return lines


if __name__ == "__main__":
    main()
