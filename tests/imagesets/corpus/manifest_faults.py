"""What can be wrong with a manifest.csv, the lists of a set that lies as it likes, and with the splits it tells."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from imagesets.corpus.fault import Make, fault
from imagesets.corpus.pictures import COUNT, PLANTED, draw_image, encode, encode_image, write_pictures

Line = dict[str, str]
HALF = COUNT // 2


def usual_lines() -> list[Line]:
    """A line a case: half of them in training, half in test, two cases a group, no group on both sides."""
    return [
        {
            "image": f"scans/case_{number}.png",
            "mask": f"truth/case_{number}.png",
            "group": f"patient {number // 2}",
            "split": "train" if number < HALF else "test",
        }
        for number in range(COUNT)
    ]


def as_csv(lines: list[Line]) -> str:
    """With the columns of the first line."""
    return "\n".join([",".join(lines[0]), *(",".join(line.values()) for line in lines)]) + "\n"


def write_manifest(folder: Path, text: str | bytes = "") -> Path:
    """The files and the table of them; gives the table."""
    path = write_pictures(folder, images="scans", masks="truth") / "manifest.csv"
    content = text or as_csv(usual_lines())
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def manifest(text: str | bytes) -> Make:
    """A manifest of those words."""
    return lambda folder: write_manifest(folder, text)


def lines(alter: Callable[[list[Line]], object], *also: str) -> Make:
    """A manifest whose lines are altered in place; also: files that may be named as well."""

    def make(folder: Path) -> tuple[Path, ...]:
        altered = usual_lines()
        alter(altered)
        return write_manifest(folder, as_csv(altered)), *(folder / path for path in also)

    return make


def cell(column: str, value: str, *also: str) -> Make:
    """One cell of the planted line with another value."""
    return lines(lambda all_lines: all_lines[PLANTED].update({column: value}), *also)


def leading_outside(path: str) -> Make:
    """A line that leads to a picture beside the folder."""

    def make(folder: Path) -> Path:
        target = folder.with_name(f"{folder.name}_outside.png")
        target.write_bytes(encode_image(PLANTED))
        altered = usual_lines()
        altered[PLANTED]["image"] = path.format(target=target)
        return write_manifest(folder, as_csv(altered))

    return make


def same_picture(first: int, second: int, *, brighter: int = 0) -> Make:
    """Two cases of different groups with one image, or nearly one."""

    def make(folder: Path) -> tuple[Path, ...]:
        table = write_manifest(folder)
        pixels = np.clip(draw_image(first).astype(int) + brighter, 0, 255).astype(np.uint8)
        path = folder / "scans" / f"case_{second}.png"
        path.write_bytes(encode(pixels))
        return path, folder / "scans" / f"case_{first}.png", table

    return make


def two_masks(folder: Path) -> tuple[Path, ...]:
    """One image in two lines, with a mask each."""
    altered = usual_lines()
    altered[PLANTED]["image"] = altered[PLANTED - 1]["image"]
    pair = (folder / "truth" / f"case_{number}.png" for number in (PLANTED - 1, PLANTED))
    return write_manifest(folder, as_csv(altered)), folder / altered[PLANTED]["image"], *pair


def two_groups(folder: Path) -> tuple[Path, ...]:
    """One image in two lines, with a group each."""
    altered = usual_lines()
    altered[PLANTED] |= {"image": altered[PLANTED - 1]["image"], "group": "another"}
    return write_manifest(folder, as_csv(altered)), folder / altered[PLANTED]["image"]


def one_mask_twice(folder: Path) -> tuple[Path, ...]:
    """Two images with one mask."""
    altered = usual_lines()
    altered[PLANTED]["mask"] = altered[PLANTED - 1]["mask"]
    pair = (folder / altered[number]["image"] for number in (PLANTED - 1, PLANTED))
    return write_manifest(folder, as_csv(altered)), folder / altered[PLANTED]["mask"], *pair


def linked_out(folder: Path) -> tuple[Path, ...]:
    """A line that leads out through a link within."""
    away = folder.with_name(f"{folder.name}_away")
    away.mkdir(parents=True)
    (away / "case.png").write_bytes(encode_image(PLANTED))
    altered = usual_lines()
    altered[PLANTED]["image"] = "away/case.png"
    table = write_manifest(folder, as_csv(altered))
    (folder / "away").symlink_to(away)
    return table, folder / "away" / "case.png", folder / "away"


def renamed(folder: Path) -> tuple[Path, ...]:
    """A file that is there by another name."""
    table = write_manifest(folder)
    (folder / "scans" / f"case_{PLANTED}.png").rename(folder / "scans" / "renamed.png")
    return table, folder / "scans" / f"case_{PLANTED}.png"


def mask_for_an_image(folder: Path) -> tuple[Path, ...]:
    """The columns of one line changed over."""
    altered = usual_lines()
    line = altered[PLANTED]
    line["image"], line["mask"] = line["mask"], line["image"]
    return write_manifest(folder, as_csv(altered)), folder / line["image"], folder / line["mask"]


TABLE = as_csv(usual_lines())
IMAGE = f"scans/case_{PLANTED}.png"
BAD = "bad_table"
ABSENT = "bad_table no_image no_mask dead_link"
DOUBLE = "bad_table two_files"

MANIFEST_FAULTS = [
    fault("a manifest of no bytes", "bad_table empty_file", manifest(b"\n")),
    fault("a manifest with its header alone", "bad_table empty_folder", manifest("image,mask\n")),
    fault("a manifest without its header", BAD, manifest(TABLE.partition("\n")[2])),
    fault("a manifest without a column of masks", BAD, manifest(TABLE.replace("image,mask,", "image,truth,"))),
    fault("a manifest cut within a line", BAD, manifest(TABLE[: TABLE.index("patient 3") - 30])),
    fault("a manifest with a column twice", BAD, manifest(TABLE.replace("group", "image"))),
    fault("a manifest of binary bytes", BAD, manifest(bytes(range(1, 256)) * 9)),
    fault("a manifest in UTF-16", BAD, manifest(TABLE.encode("utf-16"))),
    fault("a manifest in Latin-1", BAD, manifest(TABLE.replace("patient 1", "Müller").encode("latin-1"))),
    fault("a manifest with a byte of zero", BAD, manifest(TABLE.replace("patient 1", "pa\0tient"))),
    fault("a manifest with a quote left open", BAD, manifest(TABLE.replace("patient 2", '"patient 2'))),
    fault("a manifest with a field too many", BAD, cell("group", "patient 1,again")),
    fault("a manifest with a cell of a megabyte and more", BAD, cell("group", "p" * 1_200_000)),
    fault("a line without an image", "bad_table no_image", cell("image", "")),
    fault("a line without a mask", "bad_table no_mask", cell("mask", "", IMAGE)),
    fault("an image that is not there", ABSENT, cell("image", "scans/absent.png", "scans/absent.png")),
    fault("a mask that is not there", ABSENT, cell("mask", "truth/absent.png", "truth/absent.png", IMAGE)),
    fault("an image that is there by another name", ABSENT, renamed),
    fault("an image in another case of letters", ABSENT, cell("image", "Scans/Case_3.PNG", "Scans/Case_3.PNG")),
    fault("an image that is a folder", "not_a_file bad_table", cell("image", "scans", "scans")),
    fault("an image that is a table", "not_supported not_an_image bad_table", cell("image", "manifest.csv")),
    fault("a path of 5,000 letters", f"{ABSENT} outside", cell("image", "x" * 5000, "x" * 5000)),
    fault("a path out by two dots", "outside", leading_outside("../data_outside.png")),
    fault("a whole path out", "outside", leading_outside("{target}")),
    fault("a whole path of the system", "outside", cell("mask", "/etc/passwd")),
    fault("a path out by way of a folder within", "outside", leading_outside("scans/../../data_outside.png")),
    fault("a path out through a link", "outside", linked_out),
    fault("a path of another system", f"{ABSENT} outside", cell("image", "C:\\scans\\case_3.png", "C:\\scans\\case_3.png")),
    fault("an address", f"{ABSENT} outside", cell("image", "https://example.org/case.png", "https:/example.org/case.png")),
    fault("a split that there is not", BAD, cell("split", "training-ish")),
    fault("an image in two lines, with a mask each", "several_masks", two_masks),
    fault("an image in two lines, of two groups", DOUBLE, two_groups),
    fault("a line twice", DOUBLE, lines(lambda all_lines: all_lines.append(dict(all_lines[PLANTED])), IMAGE)),
    fault("a mask for two images", DOUBLE, one_mask_twice),
    fault("image and mask changed over in one line", "unlike photograph colours_unknown not_declared", mask_for_an_image,
          also="full_mask"),
    # Splits
    fault("a case in no part of the split", "no_part", cell("split", "", f"scans/case_{PLANTED}.png")),
    fault("a missing value for a group", BAD, cell("group", "nan")),
    fault("a group on two sides, by another word for one", "leak",
          cell("split", "Val", *(f"scans/case_{number}.png" for number in (2, 3)))),
    fault("a group on two sides", "leak", cell("split", "test", *(f"scans/case_{number}.png" for number in (2, 3)))),
    fault("an image on two sides", "leak", same_picture(1, HALF + 1), also="identical"),
    fault("nearly one image on two sides", "leak", same_picture(1, HALF + 1, brighter=2), also="near_duplicate"),
    fault("an image twice on one side", "identical", same_picture(0, 2)),
]  # fmt: skip
"""The list of them."""
