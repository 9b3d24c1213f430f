"""Blocks on what things cost: attention, the losses, feeding, scores, bfloat16, and how bad data was taken."""

import re

from figures.blocks import Writer
from figures.markdown import (
    Row,
    cut_section,
    find_tables,
    format_table,
    list_items,
    read_json,
    read_page,
    read_rows,
    read_table,
    wrap,
)

PEERS = ("MONAI AsymmetricUnifiedFocalLoss", "MONAI DiceFocalLoss", "torch cross_entropy")
BF16 = "bf16 autocast, channels_last"
PLAIN, EVERYWHERE = "U-Net", "U-Net, all sites"


def read_ratios(heading: str) -> dict[tuple[str, str], str]:
    """By row and by what it is measured against: the ratio of times with its quartiles."""
    ratios, row = {}, ""
    for line in read_table("attention", heading):
        row = line["row"] or row
        ratios[row, line["against"]] = line["time / its time [quartiles]"]
    return ratios


def write_attention_costs(_current: str) -> str:
    """What attention adds to a training step, and how that compares with MONAI."""
    step = read_ratios("A training step")

    def compare(ours: str, theirs: str) -> list[str]:
        return [step[f"{ours}, {mode}", f"{theirs}, {mode}"] for mode in ("fp32", BF16)]

    basic = [step[f"{PLAIN}, {mode}", "MONAI BasicUNet, fp32"] for mode in ("fp32", BF16)]
    rows = [
        ("SE after every stage and AG on every skip / plain", *compare(EVERYWHERE, PLAIN)),
        ("the same / MONAI's AttentionUnet in the same mode", *compare(EVERYWHERE, "MONAI AttentionUnet")),
        ("plain / MONAI's BasicUNet in float32", *basic),
    ]
    for shape in ("64 x 128 x 128", "256 x 32 x 32"):
        site = read_ratios(f"One site: features (8, {shape.replace(' x', ',')})")
        found = [site[f"AG, {mode}", f"MONAI AttentionBlock, {mode}"] for mode in ("fp32", BF16)]
        rows.append((f"one AG site / MONAI's AttentionBlock, {shape}", *found))
    return format_table(("", "float32", "bfloat16, channels last"), rows)


def write_attention_costs_in_words(_current: str) -> str:
    """The same in two sentences."""
    step = read_ratios("A training step")
    slower = [_read_first(step[f"{EVERYWHERE}, {mode}", f"{PLAIN}, {mode}"]) for mode in ("fp32", BF16)]
    # Half a per cent counts as one: Python's own rounding takes 12.5 to 12.
    added = [f"{int(100 * (ratio - 1) + 0.5 + 1e-9)}" for ratio in sorted(slower)]
    faster = 1 / _read_first(step[f"{PLAIN}, {BF16}", "MONAI BasicUNet, fp32"])
    return wrap(
        f"Attention at every site adds {added[0]} to {added[1]} % to a training step. Where the processor multiplies in "
        f"bfloat16, the U-Net trains {faster:.1f} times as fast as MONAI's BasicUNet at equal widths in float32."
    )


def _read_first(cell: str) -> float:
    """The ratio, without its quartiles."""
    return float(cell.split(" [", maxsplit=1)[0])


def read_losses() -> dict[str, dict[str, Row]]:
    """By shape of the logits and by row: its cells."""
    page = read_page("losses-cpu-float32")
    shapes = re.findall(r"^### (.*)$", page, re.MULTILINE)
    tables = {shape: find_tables(cut_section(page, shape))[0] for shape in shapes}
    return {shape: {row["row"]: row for row in read_rows(table)} for shape, table in tables.items()}


def write_loss_costs(_current: str) -> str:
    """How many times as fast as each peer, eagerly and compiled, and the peak memory."""
    rows = []
    for shape, found in read_losses().items():
        eager, compiled = found["focalseg"], found["focalseg compiled"]
        columns = [f"{peer} / it" for peer in PEERS]
        times = [f"{eager[column]} / {compiled[column]}" if column in eager else "" for column in columns]
        rows.append((shape, *times, f"{eager['peak / logits']} / {compiled['peak / logits']}"))
    return format_table(("logits", *PEERS, "peak memory / logits"), rows)


def write_loss_costs_in_words(_current: str) -> str:
    """The same beside MONAI's Unified Focal loss, in a sentence."""
    peer = PEERS[0]
    found = [rows for rows in read_losses().values() if peer in rows]
    eager = [float(rows["focalseg"][f"{peer} / it"]) for rows in found]
    compiled = [float(rows["focalseg compiled"][f"{peer} / it"]) for rows in found]
    memory = [float(rows["focalseg"]["peak / logits"]) / float(rows[peer]["peak / logits"]) for rows in found]
    return wrap(
        f"For one and two channels it is {min(eager):.1f} to {max(eager):.0f} times as fast as MONAI's "
        f"AsymmetricUnifiedFocalLoss, compiled {min(compiled):.1f} to {max(compiled):.0f} times, and takes "
        f"{100 * min(memory):.0f} to {100 * max(memory):.0f} % of its memory."
    )


def write_feeding_costs(_current: str) -> str:
    """What feeding takes of a training step, and how augmentation compares with MONAI's."""
    shares: dict[str, list[str]] = {}
    for row in read_table("data", "Feeding a training step"):
        share = 100 * _read_first(row["feeding / step"])
        shares.setdefault(row["augmentation"], []).append(f"{share:.1f} % of a step of `{row['preset'].split(':')[0]}`")
    presets = {"light": "quick", "standard": "standard"}
    items = [
        f"With the augmentation of `{presets[name]}`, feeding takes {' and '.join(found)}." for name, found in shares.items()
    ]
    for shape, what in (("3 x 256 x 256", "images"), ("1 x 64 x 64 x 64", "patches")):
        ours = next(row for row in read_table("data", f"Augmentation, affine: {shape}") if row["row"] == "focalseg, one thread")
        cpu, clock = re.findall(r"([\d.]+) \[", ours["/ MONAI, DataLoader of 2 workers: CPU, clock"])
        items.append(
            f"Flips, rotation, scale, contrast and brightness of {shape} {what}, whole batches on one thread: {cpu} times as "
            "many per CPU second as MONAI's dictionary transforms in a DataLoader of two workers, "
            f"{clock} times as many by the clock."
        )
    return list_items(items)


def write_fault_counts(_current: str) -> str:
    """What became of bad data."""
    corpus, damaged = read_table("faults", "The corpus")[0], read_table("faults", "Damaged files")[0]
    good = re.search(r"Good cases: (\d+) in (\d+) sets; false alarms: (\d+)", read_page("faults"))
    altered = read_table("faults", "Altered files")
    assert good is not None
    failed = sum(int(row["other exceptions"]) for row in altered)
    slowest = max(int(row["slowest, ms"]) for row in altered)
    named = f"{corpus['named, by a right kind']} named by a right kind, {corpus['with a mend']} with a mend"
    wrong = f"{corpus['silent']} silent, {corpus['another file accused']} that accused another file"
    many = f"{sum(int(row['files']) for row in altered):,} altered files in {len(altered)} formats"
    return list_items([
        f"{corpus['faults']} planted faults: {named}, {wrong}.",
        f"{good[1]} good cases in {good[2]} sets of every legal kind: {good[3]} false alarms.",
        f"{damaged['files']} damaged files: {damaged['accepted']} accepted.",
        f"{many}: {failed} errors but the declared ones; at most {slowest} ms per file.",
    ])  # fmt: skip


def write_precision(_current: str) -> str:
    """What bfloat16 does to accuracy."""
    names = {"polyp": "`phantom:polyp`", "vessel": "`phantom:vessel`", "cvc_clinicdb": "CVC-ClinicDB"}
    rows = [
        (names[row["task"]], row["float32"], row["bf16-mixed"], f"{row['difference']} {row['interval']}", row["time"])
        for row in read_table("precision")
    ]
    return format_table(
        ("images", "Dice in float32", "in bfloat16", "difference, 95 % interval", "time / time in float32"), rows
    )


OURS, OURS_VOXELS = "focalseg, surfels (default)", "focalseg, voxels"


def write_score_costs(_current: str) -> str:
    """What HD95 and surface Dice cost by case: ours, and how many times as long the peers take."""
    found = read_json("metrics")
    rows = []
    for case in dict.fromkeys(row["case"] for row in found["rows"]):
        by_tool = {row["tool"]: row for row in found["rows"] if row["case"] == case}
        ours, voxels = by_tool[OURS], by_tool[OURS_VOXELS]
        deepmind, monai = by_tool["surface-distance"]["seconds"], by_tool["MONAI"]["seconds"]
        memory = ours["peak_bytes"] / ours["mask_bytes"]
        times = (f"{deepmind / ours['seconds']:.1f}", f"{monai / ours['seconds']:.1f}", f"{monai / voxels['seconds']:.1f}")
        rows.append((case, f"{1e3 * ours['seconds']:.1f} ms", *times, f"{memory:.1f}"))
    columns = ("case", "default", "surface-distance / it", "MONAI / it", "MONAI / `voxels`", "peak memory / both masks")
    return format_table(columns, rows) + "\n\n" + _say_many(found["many"])


def _say_many(many: dict[str, float]) -> str:
    return wrap(
        f"All scores of {many['cases']:,.0f} cases of 256 x 256, lesions included, take {many['cpu']:.0f} s of one processor."
    )


def write_empty_masks(_current: str) -> str:
    """What every tool says of empty masks."""
    told = read_json("metrics")["empty"]
    return format_table(
        ("tool", "a missed object", "nothing found where nothing is"),
        [(name, cells["missed"], cells["both empty"]) for name, cells in told.items()],
    )


def write_agreement(_current: str) -> str:
    """The largest difference of every peer from the one of ours with its definition."""
    found = read_json("metrics")["agreement"]
    return format_table(("tool", "largest difference"), [(name, f"{value:.0e}") for name, value in found.items()])


FROM_COSTS: dict[str, Writer] = {
    "costs of surface distances": write_score_costs,
    "empty masks by tool": write_empty_masks,
    "agreement with other tools": write_agreement,
    "costs of attention": write_attention_costs,
    "costs of attention, in words": write_attention_costs_in_words,
    "costs of the losses": write_loss_costs,
    "costs of the losses, in words": write_loss_costs_in_words,
    "costs of feeding": write_feeding_costs,
    "faults": write_fault_counts,
    "bfloat16": write_precision,
}
