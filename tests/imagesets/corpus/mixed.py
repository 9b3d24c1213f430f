"""Many faults among many good cases in one folder, as real folders have them."""

from pathlib import Path

from imagesets.corpus.fault import Fault, as_tuple
from imagesets.corpus.image_faults import IMAGE_FAULTS
from imagesets.corpus.mask_faults import MASK_FAULTS
from imagesets.corpus.pictures import PLANTED, draw_image, encode, write_pictures

UNREADABLE = {"damaged", "not_an_image", "empty_file", "too_large", "several_pages", "turned", "transparent", "print_colours"}
WRONG = {
    "sizes_differ",
    "in_between",
    "blended",
    "photograph",
    "colours_unknown",
    "not_declared",
    "damaged",
    "empty_file",
    "not_whole",
    "not_finite",
}


def write_mixed(folder: Path, good: int = 300, faults: int = 25) -> dict[Path, Fault]:
    """A plain folder of so many good cases, and a case more for each fault; gives the faults by their files."""
    of_images = [fault for fault in IMAGE_FAULTS if fault.kinds <= UNREADABLE]
    of_masks = [fault for fault in MASK_FAULTS if fault.kinds <= WRONG and fault.name != "no mask"]
    half = faults // 2
    chosen = of_images[:: len(of_images) // half][:half] + of_masks[:: len(of_masks) // (faults - half)][: faults - half]
    write_pictures(folder, good)
    return {plant(fault, folder, good + number): fault for number, fault in enumerate(chosen)}


def plant(fault: Fault, folder: Path, number: int) -> Path:
    """The case of a fault under another number; gives the file at fault. A good image beside a bad mask is one of its own."""
    away = folder.with_name(f"{folder.name}_{number}")
    (bad,) = as_tuple(fault.make(away))
    moved = folder
    for part in ("images", "masks"):
        for path in (away / part).glob(f"case_{PLANTED}.*"):
            target = folder / part / f"case_{number}{path.suffix}"
            path.rename(target)
            if path == bad:
                moved = target
            elif part == "images":
                target.write_bytes(encode(draw_image(number)))
    return moved
