"""Good sets of pictures with CSV tables as spreadsheets write them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from data.corpus.csv_faults import COLOURED, GROUPED, LABELS, lines, two_labels, write_labelled
from data.corpus.good_pictures import GoodSet, usual_masks
from data.corpus.pictures import COUNT, encode, replace, write_pictures


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
    ]  # fmt: skip
