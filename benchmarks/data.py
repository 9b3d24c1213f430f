"""Feeding a training: augmentation beside MONAI's dictionary transforms, its share of a training step, and the store of cases.

    python benchmarks/data.py [--repeats 9] [--batches 16] [--parts augmentation,feeding,store] [--out FILE]

augmentation: images of 3 x 256 x 256 in batches of 16, and patches of 64 x 64 x 64 in batches of 4, each with its mask, from
memory to augmented batches. The same operations in every row: `affine` (flips, quarter turns, rotation and scale of every
case, contrast, brightness), `everything` (elastic displacement, power law, noise and blur of every case besides), `standard`
(the preset: a fifth of the cases for each). MONAI once in this process and once through a DataLoader of two workers, which
stay alive; without its record of metadata, which makes it faster by an eighth. Timed by the epoch, for a loader's workers run
ahead between batches; rows in a fresh order round after round, a ratio within its round, medians with quartiles. CPU time is
of this process and of its workers.
feeding: gather, normalise and augment a batch, against one training step of the U-Net of two presets.
store: batches and patches from memory and from the memory-mapped file, which the system has in its own cache.

Writes the tables to --out, and the numbers beside it as JSON.
"""

import argparse
import json
import math
import multiprocessing
import os
import random
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import monai.transforms as monai_transforms
import numpy as np
import torch
from monai.data import set_track_meta
from torch import Tensor, nn
from torch.utils.data import DataLoader

import focalseg
from focalseg.feeding.augmentation import augment
from focalseg.feeding.augmentation_config import AUGMENTATIONS, AugmentationConfig
from focalseg.feeding.batches import select_batch
from focalseg.feeding.patches import cut_patch
from focalseg.feeding.store import CaseStore
from focalseg.losses.unified_focal import UnifiedFocalLoss
from focalseg.networks.widths import plan_widths
from focalseg.study.presets import build_settings
from focalseg.training.loop import choose_precision
from machine import read_processor

RESULTS = Path(__file__).parent / "results"
PARTS = ("augmentation", "feeding", "store")
SHAPES = (((3, 256, 256), 16), ((1, 64, 64, 64), 4))
SETS = ("affine", "everything", "standard")
CACHED = 32
WORKERS = 2
ONE, TWO = "focalseg, one thread", "focalseg, two threads"
IN_PROCESS, LOADER = "MONAI, in process, one thread", f"MONAI, DataLoader of {WORKERS} workers"
GOALS = {"CPU": 5.0, "clock": 1.7}
Row = Callable[[], object]
Record = dict[str, Any]


class Spent(NamedTuple):
    """Seconds by the clock, and of CPU time of this process and its workers."""

    clock: float
    cpu: float


def main() -> None:
    """Measures the parts asked for and writes their tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--batches", type=int, default=16, help="an epoch of the augmentation part")
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--out", type=Path, default=RESULTS / "data.md")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", module="monai")
    set_track_meta(False)
    started_load = os.getloadavg()[0]
    lines: list[str] = []
    records: Record = {}
    measured = {"augmentation": run_augmentation, "feeding": run_feeding, "store": run_store}
    for part in arguments.parts.split(","):
        table, records[part] = measured[part](arguments)
        print("\n".join(table), flush=True)
        lines += table
    head = describe_run(arguments, f"{started_load:.1f} at the start, {os.getloadavg()[0]:.1f} at the end")
    arguments.out.parent.mkdir(exist_ok=True)
    arguments.out.write_text("\n".join([*head, *lines]) + "\n")
    arguments.out.with_suffix(".json").write_text(json.dumps({"run": head[2:], **records}, indent=1) + "\n")


def run_augmentation(arguments: argparse.Namespace) -> tuple[list[str], Record]:
    """Ours and MONAI's, by shape and set of operations."""
    lines, records = [], {}
    for shape, batch in SHAPES:
        generator = torch.Generator().manual_seed(0)
        images = torch.randn(CACHED, *shape, generator=generator)
        masks = torch.randint(0, 3, (CACHED, *shape[1:]), generator=generator, dtype=torch.uint8)
        for name in SETS:
            rows, loader = build_rows(images, masks, name, batch=batch, batches=arguments.batches)
            times = measure(rows, arguments.repeats)
            del loader
            table, record = compare(times, cases=batch * arguments.batches)
            title = f"## Augmentation, {name}: {' x '.join(map(str, shape))}, batches of {batch}"
            lines += ["", title, "", *table]
            records[f"{name}, {' x '.join(map(str, shape))}"] = record
            print("\n".join(lines[-len(table) - 3 :]), flush=True)
    return lines, records


def build_rows(
    images: Tensor, masks: Tensor, name: str, *, batch: int, batches: int
) -> tuple[dict[str, Row], DataLoader[dict[str, Tensor]]]:
    """An epoch each; the loader keeps its workers as long as it is held."""
    config, transforms = choose_augmentation(name), choose_transforms(name, axes=images.ndim - 2)
    cases = Cases(images, masks, transforms, count=batch * batches)
    loader = DataLoader(cases, batch_size=batch, num_workers=WORKERS, persistent_workers=True)

    def ours(threads: int) -> None:
        torch.set_num_threads(threads)
        for step in range(batches):
            chosen = select_batch(len(images), batch, seed=0, step=step)
            augment(images[chosen], masks[chosen], config=config, seed=0, step=step)

    def in_process() -> None:
        torch.set_num_threads(1)
        for step in range(batches):
            torch.utils.data.default_collate([cases[step * batch + place] for place in range(batch)])

    def through_loader() -> None:
        torch.set_num_threads(1)
        for _ in loader:
            pass

    return {ONE: lambda: ours(1), TWO: lambda: ours(2), IN_PROCESS: in_process, LOADER: through_loader}, loader


class Cases:
    """What a DataLoader asks for: cases from memory through the transforms."""

    def __init__(self, images: Tensor, masks: Tensor, transforms: Callable[[Any], Any], *, count: int) -> None:
        self.images, self.masks, self.transforms, self.count = images, masks, transforms, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        place = number % len(self.images)
        return self.transforms({"image": self.images[place], "mask": self.masks[place][None]})


def choose_augmentation(name: str) -> AugmentationConfig:
    """Of ours."""
    affine = {"rotation_degrees": 180.0, "volume_rotation_degrees": 30.0, "scale": 0.4}
    rest = {"elastic_pixels": 2.0, "power_law": 0.5, "noise": 0.3, "blur_pixels": 1.0}
    return {
        "affine": AugmentationConfig(**affine),
        "everything": AugmentationConfig(**affine, **rest),
        "standard": AUGMENTATIONS["standard"],
    }[name]


def choose_transforms(name: str, *, axes: int) -> Callable[[Any], Any]:
    """The same of MONAI's: equal in work, and in distribution as far as its transforms allow."""
    both = {"keys": ["image", "mask"]}
    share = 0.2 if name == "standard" else 1.0
    flips = [monai_transforms.RandFlipd(**both, prob=0.5, spatial_axis=axis) for axis in range(axes)]
    turns = monai_transforms.RandRotate90d(**both, prob=0.75, max_k=3, spatial_axes=(axes - 2, axes - 1))
    warp = {
        **both,
        "prob": 1 - (1 - share) ** 2,  # rotation, scale or both, which are one transform here
        "rotate_range": [math.pi] if axes == 2 else [math.radians(30)] * 3,
        "scale_range": [(-0.3, 0.4)] * axes,
        "mode": ["bilinear", "nearest"],
        "padding_mode": "border",
    }
    image = {"keys": "image", "prob": share}
    rest = [
        monai_transforms.RandGaussianSmoothd(**image, **{f"sigma_{axis}": (0.01, 1.0) for axis in "xyz"[:axes]}),
        monai_transforms.RandAdjustContrastd(**image, gamma=(1 / 1.5, 1.5)),
        monai_transforms.RandGaussianNoised(**image, std=0.3),
    ]
    resample = monai_transforms.RandAffined(**warp)
    if name == "everything":
        elastic_2d = {"spacing": (16, 16), "magnitude_range": (1, 2)}
        elastic_3d = {"sigma_range": (5, 6), "magnitude_range": (50, 100)}
        resample = (
            monai_transforms.Rand2DElasticd(**warp, **elastic_2d)
            if axes == 2
            else monai_transforms.Rand3DElasticd(**warp, **elastic_3d)
        )
    jitter = [
        monai_transforms.RandScaleIntensityd(keys="image", factors=0.2, prob=1.0),
        monai_transforms.RandShiftIntensityd(keys="image", offsets=0.2, prob=1.0),
    ]
    return monai_transforms.Compose([*flips, turns, resample, *([] if name == "affine" else rest), *jitter])


def measure(rows: dict[str, Row], repeats: int) -> dict[str, list[Spent]]:
    """One a round, after one that does not count."""
    for row in rows.values():
        row()
    times: dict[str, list[Spent]] = {name: [] for name in rows}
    order = random.Random(0)
    for _ in range(repeats):
        for name in order.sample(list(rows), len(rows)):
            clock, cpu = time.perf_counter(), read_cpu_seconds()
            rows[name]()
            times[name].append(Spent(time.perf_counter() - clock, read_cpu_seconds() - cpu))
    return times


def read_cpu_seconds() -> float:
    """Of this process and of the workers that are alive, to a hundredth of a second for these."""
    ticks = 0
    for worker in multiprocessing.active_children():
        fields = Path(f"/proc/{worker.pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])  # utime and stime, proc(5)
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def compare(times: dict[str, list[Spent]], *, cases: int) -> tuple[list[str], Record]:
    """A row's images per second, and how many times as many as MONAI's, by CPU time and by the clock."""
    lines = [
        f"| row | images per CPU second | images per second | / {IN_PROCESS}: CPU, clock | / {LOADER}: CPU, clock |",
        "|---" * 5 + "|",
    ]
    record: Record = {}
    for name, spent in times.items():
        rates = [cases / statistics.median(column) for column in zip(*spent, strict=True)]
        record[name] = {"images_per_second": rates[0], "images_per_cpu_second": rates[1]}
        cells = [f"{rates[1]:.0f}", f"{rates[0]:.0f}"]
        for peer in (IN_PROCESS, LOADER):
            quartiles = {
                kind: find_quartiles([getattr(b, kind) / getattr(a, kind) for a, b in zip(spent, times[peer], strict=True)])
                for kind in ("cpu", "clock")
            }
            record[name][f"times as fast as {peer}"] = quartiles
            cells.append("" if peer == name else ", ".join(map(show_quartiles, quartiles.values())))
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines, record


def run_feeding(arguments: argparse.Namespace) -> tuple[list[str], Record]:
    """The share of a training step that gathering and augmenting its batch takes, on as many threads as there are cores."""
    threads = os.cpu_count() or 1
    torch.set_num_threads(threads)
    lines = [
        "",
        f"## Feeding a training step, {threads} thread(s)",
        "",
        "| preset | step, ms | augmentation | gather, ms | augment, ms | feeding / step |",
        "|---" * 6 + "|",
    ]
    record: Record = {}
    for preset in ("quick", "standard"):
        settings = build_settings(preset)
        side, batch = settings.data.longest_side, settings.training.batch_size
        with (
            tempfile.TemporaryDirectory() as folder,
            build_store((3, side, side), folder=Path(folder), most_bytes=2**40) as store,
        ):
            step = build_step(settings.network.base_width, settings.network.most_levels, (batch, 3, side, side))
            for name in ("light", "standard"):
                times = measure(build_feeding(store, batch, AUGMENTATIONS[name]) | {"step": step}, arguments.repeats)
                shown = {row: statistics.median(spent.clock for spent in column) * 1e3 for row, column in times.items()}
                whole = zip(times["gather"], times["augment"], times["step"], strict=True)
                share = find_quartiles([(gather.clock + moved.clock) / spent.clock for gather, moved, spent in whole])
                record[f"{preset}, {name}"] = {"ms": shown, "feeding_by_step": share}
                lines.append(
                    f"| {preset}: {batch} x 3 x {side} x {side} | {shown['step']:.0f} | {name} | {shown['gather']:.2f} "
                    f"| {shown['augment']:.1f} | {show_quartiles(share, 3)} |"
                )
    return lines, record


def build_feeding(store: CaseStore, batch: int, config: AugmentationConfig) -> dict[str, Row]:
    """A batch out of the store as normalised floats, and its augmentation."""
    steps: Iterator[int] = iter(range(10**9))

    def gather() -> tuple[Tensor, Tensor]:
        images, masks = store.gather(select_batch(len(store), batch, seed=0, step=next(steps)))
        return images.to(torch.float32).sub_(127.0).div_(60.0), masks

    images, masks = gather()
    return {"gather": gather, "augment": lambda: augment(images, masks, config=config, seed=0, step=next(steps))}


def build_step(base_width: int, most_levels: int, shape: tuple[int, ...]) -> Row:
    """Forward, loss, backward and optimiser of the plain U-Net, at the precision that the trainer chooses here."""
    widths = plan_widths(shape[2:], base_width=base_width, most_levels=most_levels)
    mixed = choose_precision("auto", "cpu") == "bf16-mixed"
    layout = torch.channels_last if mixed else torch.contiguous_format
    network: nn.Module = focalseg.UNet(spatial_dims=2, in_channels=3, classes=1, widths=widths).train().to(memory_format=layout)
    optimiser, loss = torch.optim.AdamW(network.parameters(), lr=1e-4), UnifiedFocalLoss()
    images = torch.randn(shape).contiguous(memory_format=layout)
    masks = (torch.rand(shape[0], *shape[2:]) < 0.3).to(torch.uint8)

    def run() -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=mixed):
            logits = network(images)
        loss(logits.float(), masks).backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)

    return run


def run_store(arguments: argparse.Namespace) -> tuple[list[str], Record]:
    """Whole cases a batch at a time, and patches, from memory and from the file."""
    torch.set_num_threads(1)
    lines = [
        "",
        "## The store, one thread",
        "",
        "| kept | 3 x 256 x 256 uint8, cases per second | 64 x 64 x 64 int16 patches per second |",
    ]
    lines.append("|---" * 3 + "|")
    record: Record = {}
    for name, most_bytes in (("in memory", 2**40), ("in the file", 0)):
        with (
            tempfile.TemporaryDirectory() as folder,
            build_store((3, 256, 256), folder=Path(folder), most_bytes=most_bytes) as planes,
            build_store((1, 128, 128, 128), folder=Path(folder), most_bytes=most_bytes, dtype=np.int16, count=8) as volumes,
        ):
            rows = {"cases": lambda: gather_epoch(planes), "patches": lambda: cut_epoch(volumes)}
            times = measure(rows, arguments.repeats)
        counts = {"cases": 12 * 8, "patches": 8 * 8}
        rates = {row: counts[row] / statistics.median(spent.clock for spent in column) for row, column in times.items()}
        record[name] = {f"{row}_per_second": rate for row, rate in rates.items()}
        lines.append(f"| {name} | {rates['cases']:.0f} | {rates['patches']:.0f} |")
    return lines, record


def build_store(shape: tuple[int, ...], *, folder: Path, most_bytes: int, dtype: type = np.uint8, count: int = 48) -> CaseStore:
    """Cases of noise."""
    noise = np.random.default_rng(0)

    def read(_: int) -> tuple[np.ndarray, np.ndarray]:
        return noise.integers(0, 255, shape).astype(dtype), noise.integers(0, 2, shape[1:]).astype(np.uint8)

    return CaseStore.build(count, read, most_bytes=most_bytes, folder=folder)


def gather_epoch(store: CaseStore) -> None:
    """Eight batches of twelve cases."""
    for step in range(8):
        store.gather(select_batch(len(store), 12, seed=0, step=step))


def cut_epoch(store: CaseStore) -> None:
    """Eight patches of each of eight volumes, image and mask."""
    draw = random.Random(0)
    for number in range(8):
        image, mask = store[number]
        for _ in range(8):
            corner = [draw.randrange(65) for _ in range(3)]
            cut_patch(image, corner, (64, 64, 64))
            cut_patch(mask, corner, (64, 64, 64))


def find_quartiles(values: list[float]) -> list[float]:
    """Lower quartile, median, upper quartile."""
    return statistics.quantiles(values, n=4)


def show_quartiles(quartiles: list[float], digits: int = 2) -> str:
    """Median and quartiles."""
    low, middle, high = (f"{value:.{digits}f}" for value in quartiles)
    return f"{middle} [{low}, {high}]"


def describe_run(arguments: argparse.Namespace, load: str) -> list[str]:
    """What was run on what, beside which other work."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "monai", "numpy"))
    command = f"python benchmarks/data.py --repeats {arguments.repeats} --batches {arguments.batches} --parts {arguments.parts}"
    return [
        "# Feeding a training",
        "",
        f"`{command}`",
        "",
        f"{packages}; {read_processor()}, {os.cpu_count()} cores; load average {load}.",
        f"Medians over rounds; ratios within a round with their quartiles. Goal: {GOALS['CPU']:g} times MONAI's images per CPU",
        f"second and {GOALS['clock']:g} times its images per second, against a DataLoader of {WORKERS} workers.",
    ]


if __name__ == "__main__":
    main()
