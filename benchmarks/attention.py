"""What focal attention costs in a training step, beside MONAI's attention and MONAI's networks, in one run.

    python benchmarks/attention.py [--threads 2] [--repeats 11] [--parts networks,sites,formats] [--out FILE]

networks: a training step (forward, binary cross-entropy, backward, AdamW) of the U-Net, plain, with every site filled
(SE after all stages, AG on all skips), and so without the exponent (the same gates, multiplying by their sigmoid), and of
MONAI's networks at equal widths. sites: forward and backward of one gate with its product. formats: the plain U-Net's step by
precision and memory format, the trainer's network at two sizes.

Rows run in a shuffled order round after round and a ratio is taken within its round: medians over rounds with their
quartiles, by the clock, and by the process's CPU time beside it, which other work on the machine disturbs less. With several
threads the CPU time includes the waiting of one for another. Prints the tables and writes them to --out.
"""

import argparse
import os
import random
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from monai.networks.blocks import ChannelSELayer
from monai.networks.nets import AttentionUnet, BasicUNet, DynUNet
from monai.networks.nets import UNet as MonaiUNet
from monai.networks.nets.attentionunet import AttentionBlock
from torch import Tensor, nn

import focalseg
from focalseg.attention import GATES
from focalseg.attention.focal_site import AttentionSite
from focalseg.attention.gate import SiteShape
from focalseg.hosts.attachment import attention_sites
from machine import read_processor

RESULTS = Path(__file__).parent / "results"
WIDTHS, IMAGES = (32, 64, 128, 256, 512), (8, 3, 128, 128)
FORMAT_CASES = [((8, 16, 32, 64), (12, 3, 96, 128)), ((16, 32, 64, 128, 256), (12, 3, 256, 256))]
SITE_CASES = [(64, 128), (256, 32)]
PARTS = ("networks", "sites", "formats")
Row = Callable[[], None]
Measured = dict[str, list[tuple[float, float]]]


class Mode(NamedTuple):
    """How a network is run: its memory format, and whether under bfloat16 autocast."""

    channels_last: bool
    autocast: bool

    def __str__(self) -> str:
        return ("bf16 autocast" if self.autocast else "fp32") + (", channels_last" if self.channels_last else "")

    def arrange(self, values: nn.Module | Tensor) -> nn.Module | Tensor:
        """In the memory format."""
        return values.to(memory_format=torch.channels_last if self.channels_last else torch.contiguous_format)

    @property
    def dtype(self) -> torch.dtype:
        """Of the features inside."""
        return torch.bfloat16 if self.autocast else torch.float32


FP32, FP32_LAST, BF16, BF16_LAST = Mode(False, False), Mode(True, False), Mode(False, True), Mode(True, True)


def main() -> None:
    """Measures the parts asked for and writes their tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=11)
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--out", type=Path, default=RESULTS / "attention.md")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    started_load = os.getloadavg()[0]
    tables: list[str] = []
    for part in arguments.parts.split(","):
        made = {"networks": run_networks, "sites": run_sites, "formats": run_formats}[part](arguments.repeats)
        print("\n".join(made), flush=True)
        tables += made
        load = f"{started_load:.1f} at the start, {os.getloadavg()[0]:.1f} at the end"
        arguments.out.parent.mkdir(exist_ok=True)
        arguments.out.write_text("\n".join([*describe_run(arguments, load), *tables]) + "\n")


def run_networks(repeats: int) -> list[str]:
    """The U-Net plain, filled, and filled without the exponent; MONAI's networks."""
    base = "MONAI BasicUNet, fp32"
    rows: dict[str, Row] = {}
    against: dict[str, list[str]] = {}
    for mode in (FP32, FP32_LAST, BF16_LAST):
        rows[f"U-Net, {mode}"] = build_step(build_unet(), mode)
        rows[f"U-Net, all sites, {mode}"] = build_step(build_unet(filled=True), mode)
        rows[f"U-Net, all sites without exponent, {mode}"] = build_step(drop_exponent(build_unet(filled=True)), mode)
        for name, network in build_peers().items():
            rows[f"{name}, {mode}"] = build_step(network, mode)
        plain, filled, bare = (f"U-Net{what}, {mode}" for what in ("", ", all sites", ", all sites without exponent"))
        against |= {filled: [plain, bare, f"MONAI AttentionUnet, {mode}"]}
    for name in rows:
        against[name] = [*against.get(name, []), base]
        peer, mode_name = name.split(", ", 1)
        if peer.startswith("MONAI") and mode_name != str(FP32) and f"{peer}, {FP32}" != base:
            against[name].insert(0, f"{peer}, {FP32}")
    title = f"## A training step: widths {WIDTHS}, batch {IMAGES[0]} of {IMAGES[1:]}"
    return ["", title, "", *format_table(measure(rows, repeats), against)]


def run_sites(repeats: int) -> list[str]:
    """One gate and its product, forward and backward, ours and MONAI's.

    The features are (8, C, N, N). Ours takes the signal from one level below, (8, 2C, N/2, N/2). MONAI's block takes one on
    the grid of the features, C channels as in its AttentionUnet, which another layer has upsampled; or the same signal as
    ours, upsampled (nearest) within the row.
    """
    lines: list[str] = []
    for channels, length in SITE_CASES:
        rows: dict[str, Row] = {}
        against: dict[str, list[str]] = {}
        for mode in (FP32, FP32_LAST, BF16_LAST):
            names = {key: f"{key}, {mode}" for key in ("AG", "MONAI AttentionBlock", "MONAI AttentionBlock, upsampling", "SE")}
            names["MONAI SE"] = f"MONAI ChannelSELayer, {mode}"
            shape = (8, channels, length, length)
            below = (8, 2 * channels, length // 2, length // 2)
            half = {"f_l": channels, "f_int": channels // 2}
            block, wide = AttentionBlock(2, f_g=channels, **half), AttentionBlock(2, f_g=2 * channels, **half)
            gate = GATES["ag"].for_site(
                SiteShape(channels=channels, size=shape[2:], gating_channels=2 * channels, gating_stride=(2, 2))
            )
            channel_gate = GATES["se"].for_site(SiteShape(channels=channels, size=shape[2:]))
            rows |= {
                names["AG"]: build_pass(AttentionSite(gate), mode, shape, below),
                names["MONAI AttentionBlock"]: build_pass(block, mode, shape, shape),
                names["MONAI AttentionBlock, upsampling"]: build_pass(Upsampling(wide), mode, below, shape),
                names["SE"]: build_pass(AttentionSite(channel_gate), mode, shape),
                names["MONAI SE"]: build_pass(ChannelSELayer(2, channels), mode, shape),
            }
            against[names["AG"]] = [names["MONAI AttentionBlock"], names["MONAI AttentionBlock, upsampling"]]
            against[names["SE"]] = [names["MONAI SE"]]
        title = f"## One site: features (8, {channels}, {length}, {length}), forward and backward"
        lines += ["", title, "", *format_table(measure(rows, 3 * repeats), against)]
    return lines


def run_formats(repeats: int) -> list[str]:
    """The plain U-Net by precision and memory format, at one thread and at as many as asked for."""
    lines: list[str] = []
    threads = torch.get_num_threads()
    for widths, images in FORMAT_CASES:
        for count in sorted({1, threads}):
            torch.set_num_threads(count)
            modes = (FP32, FP32_LAST, BF16, BF16_LAST)
            rows = {f"U-Net, {mode}": build_step(build_unet(widths=widths), mode, images) for mode in modes}
            base = f"U-Net, {FP32}"
            title = f"## Formats: widths {widths}, batch {images[0]} of {images[1:]}, {count} thread(s)"
            lines += ["", title, "", *format_table(measure(rows, repeats), {name: [base] for name in rows})]
    torch.set_num_threads(threads)
    return lines


def build_unet(*, filled: bool = False, widths: tuple[int, ...] = WIDTHS) -> nn.Module:
    """Ours, with every site filled or plain."""
    network = focalseg.UNet(spatial_dims=2, in_channels=IMAGES[1], classes=1, widths=widths)
    if filled:
        focalseg.instrument(network)
    return network


def drop_exponent(network: nn.Module) -> nn.Module:
    """The same gates, multiplying by the sigmoid of their logit: an SE or an AG as it is written without gamma."""
    for site in attention_sites(network).values():
        site.gate.take_log = torch.sigmoid
        site.compute_coefficients = site.gate.forward
    return network


def build_peers() -> dict[str, nn.Module]:
    """MONAI's networks at our widths."""
    steps = len(WIDTHS) - 1
    dyn_strides = [1, *[2] * steps]
    return {
        "MONAI BasicUNet": BasicUNet(2, IMAGES[1], 1, features=(*WIDTHS, WIDTHS[0])),
        "MONAI AttentionUnet": AttentionUnet(2, IMAGES[1], 1, channels=WIDTHS, strides=(2,) * steps),
        "MONAI DynUNet": DynUNet(2, IMAGES[1], 1, [3] * len(WIDTHS), dyn_strides, dyn_strides[1:], filters=WIDTHS),
        "MONAI UNet": MonaiUNet(2, IMAGES[1], 1, channels=WIDTHS, strides=(2,) * steps, num_res_units=2),
    }


class Upsampling(nn.Module):
    """MONAI's block with a signal from one level below."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, signal: Tensor, features: Tensor) -> Tensor:
        """(B, G, *coarser), (B, C, *spatial) -> (B, C, *spatial)."""
        return self.block(F.interpolate(signal, size=features.shape[2:], mode="nearest-exact"), features)


def build_step(network: nn.Module, mode: Mode, images: tuple[int, ...] = IMAGES) -> Row:
    """Forward, loss, backward, optimiser."""
    generator = torch.Generator().manual_seed(0)
    image = mode.arrange(torch.randn(images, generator=generator))
    mask = (torch.rand((images[0], 1, *images[2:]), generator=generator) < 0.3).float()
    network = mode.arrange(network.train())
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-4)

    def run() -> None:
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=mode.autocast):
            logits = network(image)
        F.binary_cross_entropy_with_logits(logits.float(), mask).backward()
        optimiser.step()

    return run


def build_pass(module: nn.Module, mode: Mode, *shapes: tuple[int, ...]) -> Row:
    """Forward and backward, gradients of all inputs and weights; the inputs are what an activation gave, as in a network."""
    generator = torch.Generator().manual_seed(0)
    inputs = [mode.arrange(torch.randn(shape, generator=generator).relu().to(mode.dtype)).requires_grad_() for shape in shapes]
    module = mode.arrange(module.train())

    def run() -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=mode.autocast):
            output = module(*inputs)
        torch.autograd.grad(output, [*inputs, *module.parameters()], output.detach())

    return run


def measure(rows: dict[str, Row], repeats: int) -> Measured:
    """Seconds by the clock and of CPU time, a pair a round."""
    for row in rows.values():
        for _ in range(2):
            row()
    times: Measured = {name: [] for name in rows}
    order = random.Random(0)
    for _ in range(repeats):
        for name in order.sample(list(rows), len(rows)):
            clock, spent = time.perf_counter(), time.process_time()
            rows[name]()
            times[name].append((time.perf_counter() - clock, time.process_time() - spent))
    return times


def format_table(measured: Measured, against: dict[str, list[str]]) -> list[str]:
    """Lines of Markdown: a row's milliseconds, and its ratios to other rows, within a round."""
    lines = [
        "| row | ms | CPU ms | against | time / its time [quartiles] | CPU time / its CPU time [quartiles] |",
        "|---" * 6 + "|",
    ]
    for name, times in measured.items():
        clock, spent = (f"{1e3 * statistics.median(one):.4g}" for one in zip(*times, strict=True))
        head = f"| {name} | {clock} | {spent} |"
        others = [other for other in against.get(name, []) if other != name]
        for other in others:
            cells = [format_ratios([a[i] / b[i] for a, b in zip(times, measured[other], strict=True)]) for i in (0, 1)]
            lines.append(f"{head} {other} | {cells[0]} | {cells[1]} |")
            head = "| | | |"
        if not others:
            lines.append(f"{head} | | |")
    return lines


def format_ratios(ratios: list[float]) -> str:
    """Median and quartiles."""
    low, middle, high = statistics.quantiles(ratios, n=4)
    return f"{middle:.3f} [{low:.3f}, {high:.3f}]"


def describe_run(arguments: argparse.Namespace, load: str) -> list[str]:
    """What was run on what, beside which other work."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "monai"))
    command = f"python benchmarks/attention.py --threads {arguments.threads} --repeats {arguments.repeats}"
    return [
        "# What focal attention costs",
        "",
        f"`{command} --parts {arguments.parts}`",
        "",
        f"{packages}; {read_processor()}, {os.cpu_count()} cores, {arguments.threads} thread(s); load average {load}.",
        "Medians over rounds of the ratios within a round, rows in a fresh order in each. An AG site takes a signal of twice",
        "the channels from one level below; MONAI's AttentionBlock one on the grid of the features (of as many channels, made",
        "by another layer), or, upsampling, the signal that ours takes.",
    ]


if __name__ == "__main__":
    main()
