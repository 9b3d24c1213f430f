"""What there is to say of sets as they were released: BUSI, CVC-ClinicDB and DRIVE, with pictures of our own."""

from pathlib import Path

import numpy as np

from imagesets.corpus.fault import fault
from imagesets.corpus.pictures import COUNT, PLANTED, black_and_white, draw_image, encode, encode_image, encode_mask


def write_busi(folder: Path) -> Path:
    """`benign (1).png` and `benign (1)_mask.png` side by side."""
    (folder / "benign").mkdir(parents=True)
    for number in range(COUNT):
        (folder / "benign" / f"benign ({number + 1}).png").write_bytes(encode_image(number))
        (folder / "benign" / f"benign ({number + 1})_mask.png").write_bytes(encode_mask(number))
    return folder / "benign"


def second_lesion(folder: Path) -> tuple[Path, Path]:
    """A further mask of an image; the note is about the two of them."""
    path = write_busi(folder) / f"benign ({PLANTED})_mask_1.png"
    mask = np.zeros_like(black_and_white(PLANTED))
    mask[24:28, 30:36] = 255
    path.write_bytes(encode(mask))
    return path, path.with_name(f"benign ({PLANTED})_mask.png")


def write_clinic(folder: Path, name: str = "") -> Path:
    """`Original/` and `Ground Truth/`, frames by their numbers; one of them by another name."""
    for part in ("Original", "Ground Truth"):
        (folder / part).mkdir(parents=True)
    for number in range(COUNT):
        stem = name if name and number == PLANTED else str(40 * number + 1)
        (folder / "Original" / f"{stem}.tif").write_bytes(encode(draw_image(number), "TIFF"))
        (folder / "Ground Truth" / f"{stem}.tif").write_bytes(encode(black_and_white(number), "TIFF"))
    return folder / "Original" / f"{name}.tif"


def write_drive(folder: Path) -> Path:
    """Training and test images; the latter without masks, as the challenge hands them out."""
    for part, first in (("training", 21), ("test", 1)):
        for name in ("images", "mask", *(["1st_manual"] if part == "training" else [])):
            (folder / part / name).mkdir(parents=True)
        for number in range(first, first + COUNT):
            path = folder / part / "images" / f"{number:02d}_{part}.tif"
            path.write_bytes(encode(draw_image(number), "TIFF"))
            everywhere = np.full_like(black_and_white(number), 255)
            (folder / part / "mask" / f"{number:02d}_{part}_mask.gif").write_bytes(encode(everywhere, "GIF"))
            if part == "training":
                (folder / part / "1st_manual" / f"{number:02d}_manual1.gif").write_bytes(encode(black_and_white(number), "GIF"))
    return folder / "test" / "images"


RELEASE_FAULTS = [
    fault("a second lesion in BUSI", "several_masks", second_lesion),
    fault("a frame of CVC-ClinicDB by another name", "not_released", lambda folder: write_clinic(folder, "polyp")),
    fault("a frame of CVC-ClinicDB beyond the last", "not_released", lambda folder: write_clinic(folder, "613")),
    fault("DRIVE without the masks of its test images", "unlabelled", write_drive),
]
"""The list of them."""
