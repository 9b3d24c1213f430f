"""Good sets of pictures with CSV tables as spreadsheets write them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from imagesets.corpus.csv_faults import COLOURED, GROUPED, LABELS, lines, two_labels, write_labelled
from imagesets.corpus.good_pictures import GoodSet, usual_masks
from imagesets.corpus.pictures import COUNT, draw_mask, encode, encode_image, encode_mask, replace, write_pictures


def labelled(name: str, table: str | bytes, *, coloured: bool = False, write: Callable[[Path], None] | None = None) -> GoodSet:
    """Two labels, as numbers or in colours."""

    def make(folder: Path) -> dict[Path, set[str]]:
        write_labelled(folder, table, coloured=coloured)
        if write:
            write(folder)
        return {}

    return GoodSet(name, {f"case_{number}": two_labels(number) for number in range(COUNT)}, make)


def grouped(name: str, table: str | bytes, file: str = "cases.csv") -> GoodSet:
    """One label, and groups."""

    def make(folder: Path) -> dict[Path, set[str]]:
        path = write_pictures(folder) / file
        path.write_bytes(table if isinstance(table, bytes) else table.encode())
        return {}

    return GoodSet(name, usual_masks(COUNT), make)


def arranged(name: str, image: str, mask: str, case: str, table: str = "", read: str = "") -> GoodSet:
    """Files that lie otherwise than in images/ and masks/: patterns of the case's number, its half and its patient.

    table: a line of a manifest, which then lies beside them. read: the folder of which a note says what is in it.
    """

    def show(pattern: str, number: int, folder: Path = Path()) -> str:
        half = number * 2 // COUNT
        side, word = ("train", "Training") if half == 0 else ("test", "testing")
        return pattern.format(number=number, side=side, word=word, patient=number // 2, within=number % 2, folder=folder)

    def make(folder: Path) -> dict[Path, set[str]]:
        for number in range(COUNT):
            for pattern, content in ((image, encode_image(number)), (mask, encode_mask(number))):
                path = folder / show(pattern, number)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
        if table:
            written = [show(table, number, folder) for number in range(COUNT)]
            (folder / "manifest.csv").write_text("\n".join(["image,mask,Patient_ID,split", *written]) + "\n")
        return {folder / read: {"folders_read"}} if read else {}

    return GoodSet(name, {show(case, number): draw_mask(number) for number in range(COUNT)}, make)


def as_palettes(folder: Path) -> None:
    """Masks as numbers with a palette of the labels' colours."""
    from PIL import Image

    for number in range(COUNT):
        picture = Image.fromarray(two_labels(number))
        picture.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
        replace(folder, "masks", encode(picture), number=number)


def as_wide_numbers(folder: Path) -> None:
    """Masks of 1000 and 2000."""
    for number in range(COUNT):
        replace(folder, "masks", encode(two_labels(number).astype(np.uint16) * 1000), number=number)


def as_of_a_spreadsheet(text: str) -> bytes:
    """With a byte order mark, semicolons and the line ends of Windows."""
    return b"\xef\xbb\xbf" + text.replace(",", ";").replace("\n", "\r\n").encode()


def table_sets() -> list[GoodSet]:
    """All of them."""
    return [
        labelled("labels by number", LABELS),
        labelled("labels by number, from a spreadsheet", as_of_a_spreadsheet(LABELS)),
        labelled("labels by number, with the background and blank lines", "label,value\nbackground,0\nleft,1\n\nright,2\n\n"),
        labelled("labels by colour", COLOURED, coloured=True),
        labelled("labels by colour, in palettes", COLOURED, coloured=True, write=as_palettes),
        labelled("labels of 16 bits", "label,value\nleft,1000\nright,2000\n", write=as_wide_numbers),
        grouped("groups", GROUPED),
        grouped("groups, from a spreadsheet", as_of_a_spreadsheet(GROUPED)),
        grouped("groups with quotes", GROUPED.replace("p3", '"p, ""3"" \u00e4"')),
        grouped("sequences", lines("frame,sequence", "case_{0},7"), "sequences.csv"),
        arranged("a folder a side", "{side}/images/{number}.png", "{side}/masks/{number}.png", "{side}/{number}"),
        arranged("a folder a side, masks beside the images",
                 "{side}/{number}.png", "{side}/{number}_mask.png", "{side}/{number}"),
        arranged("masks beside the images", "case_{number}.png", "case_{number}_mask.png", "case_{number}"),
        arranged("images and masks by a prefix in one folder", "image_{number}.png", "mask_{number}.png", "{number}"),
        arranged("a folder a patient, masks beside the images",
                 "p{patient}/{number}.png", "p{patient}/{number}_mask.png", "{number}"),
        arranged("a folder a patient, names that recur",
                 "p{patient}/images/x_{within}.png", "p{patient}/masks/x_{within}.png", "p{patient}/x_{within}"),
        arranged("a folder a patient in both trees", "images/p{patient}/x_{within}.png", "masks/p{patient}/x_{within}_mask.png",
                 "p{patient}/x_{within}", read="images"),
        arranged("a folder a side in both trees",
                 "images/{side}/{number}.png", "labels/{side}/{number}.png", "{side}/{number}"),
        arranged("a folder of masks that is a label", "images/{number}.png", "masks/0/{number}.png", "{number}", read="masks"),
        arranged("a folder an image, with its masks", "{number}/images/{number}.png", "{number}/masks/0ab8f3c2d15e4f67.png",
                 "{number}"),
        arranged("a folder of masks an image", "images/{number}.png", "masks/{number}/object_1.png", "{number}"),
        arranged("folders of other usual names", "img/{number}.png", "ground_truth/{number}_gt.png", "{number}"),
        arranged("a manifest with patients and whole paths", "a/{number}.png", "b/{number}.png", "{number}",
                 "{folder}/a/{number}.png,{folder}/b/{number}.png,{patient},{word}"),
    ]  # fmt: skip
