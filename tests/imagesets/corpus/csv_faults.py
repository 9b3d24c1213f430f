"""What can be wrong with the CSV tables of pictures: labels.csv, cases.csv, sequences.csv."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from imagesets.corpus.fault import Make, fault
from imagesets.corpus.pictures import COUNT, PLANTED, draw_mask, encode, replace, write_pictures

COLOURS = {"left": (255, 0, 0), "right": (0, 255, 0)}
LABELS = "label,value\nleft,1\nright,2\n"
COLOURED = "label,colour\nleft,#FF0000\nright,#00FF00\n"


def two_labels(number: int) -> np.ndarray:
    """(H, W) uint8: the left half of the mask is 1, the right half 2."""
    labels = draw_mask(number).astype(np.uint8)
    labels[:, int(np.nonzero(labels.any(0))[0].mean()) :] *= 2
    return labels


def paint(labels: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8: the labels in their colours."""
    return np.array([(0, 0, 0), *COLOURS.values()], np.uint8)[labels]


def write_labelled(folder: Path, table: str | bytes = LABELS, *, coloured: bool = False) -> Path:
    """A plain folder of two labels, as numbers or in colours, and labels.csv."""
    write_pictures(folder)
    for number in range(COUNT):
        labels = two_labels(number)
        replace(folder, "masks", encode(paint(labels) if coloured else labels), number=number)
    (folder / "labels.csv").write_bytes(table if isinstance(table, bytes) else table.encode())
    return folder


def labels_table(table: str | bytes, *, coloured: bool = False) -> Make:
    """A set with that labels.csv."""
    return lambda folder: write_labelled(folder, table, coloured=coloured) / "labels.csv"


def labelled(write: Callable[[np.ndarray], bytes], *, coloured: bool = False, table: str = "") -> Make:
    """A set whose planted mask is as `write` gives it from its labels."""

    def make(folder: Path) -> Path:
        write_labelled(folder, table or (COLOURED if coloured else LABELS), coloured=coloured)
        return replace(folder, "masks", write(two_labels(PLANTED)))

    return make


def altered(value: int, *, coloured: bool = False) -> Callable[[np.ndarray], bytes]:
    """One pixel of another value, or of that grey."""

    def write(labels: np.ndarray) -> bytes:
        pixels = paint(labels) if coloured else labels.copy()
        pixels[0, 0] = value
        return encode(pixels)

    return write


def cases_table(text: str | bytes, name: str = "cases.csv", *, at_image: bool = False) -> Make:
    """A plain folder with a table of cases; at_image: the planted image may be named in the table's stead."""

    def make(folder: Path) -> tuple[Path, ...]:
        path = write_pictures(folder) / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return (path, folder / "images" / f"case_{PLANTED}.png") if at_image else (path,)

    return make


def lines(head: str, line: str, *, without: int | None = None, more: str = "") -> str:
    """A header and a line a case."""
    return head + "\n" + "".join(line.format(number) + "\n" for number in range(COUNT) if number != without) + more


BAD = "bad_table"
GROUPED = lines("case,patient", "case_{0},p{0}")

CSV_FAULTS = [
    fault("a label that no mask holds", "absent_label", labels_table(LABELS + "absent,99\n")),
    # What nobody judged
    fault("a label that is void", "void", labels_table("label,value\nleft,1\nvoid,2\n")),
    fault("a mask that is void all over", "nothing_judged",
          labelled(lambda labels: encode(np.full_like(labels, 9)), table=LABELS + "ignore,9\n")),
    fault("a background that nobody judged beside one label", BAD,
          labels_table("label,value\nunlabeled,0\nunlabeled,2\nleft,1\n")),
    # labels.csv
    fault("labels.csv of no bytes", "bad_table empty_file", labels_table("")),
    fault("labels.csv with its header alone", BAD, labels_table("label,value\n")),
    fault("labels.csv without its header", BAD, labels_table("left,1\nright,2\n")),
    fault("labels.csv with another header", BAD, labels_table("name,number\nleft,1\nright,2\n")),
    fault("labels.csv in Latin-1", BAD, labels_table("label,value\nl\xe4sion,1\nright,2\n".encode("latin-1"))),
    fault("labels.csv of binary bytes", BAD, labels_table(bytes(range(256)))),
    fault("labels.csv with a byte of zero", BAD, labels_table("label,value\nle\0ft,1\nright,2\n")),
    fault("labels.csv with a field too many", BAD, labels_table("label,value\nleft,1,9\nright,2\n")),
    fault("labels.csv with a field too few", BAD, labels_table("label,value\nleft\nright,2\n")),
    fault("labels.csv with a quote left open", BAD, labels_table('label,value\n"left,1\nright,2\n')),
    fault("a value that is a word", BAD, labels_table("label,value\nleft,one\nright,2\n")),
    fault("a value below zero", BAD, labels_table("label,value\nleft,-1\nright,2\n")),
    fault("a value with a fraction", BAD, labels_table("label,value\nleft,1.5\nright,2\n")),
    fault("a value twice", BAD, labels_table("label,value\nleft,1\nright,1\n")),
    fault("a name twice", BAD, labels_table("label,value\nbox,1\nbox,2\n")),
    fault("a label without a name", BAD, labels_table("label,value\n,1\nright,2\n")),
    fault("a colour that is none", BAD, labels_table("label,colour\nleft,#GG0000\nright,#00FF00\n", coloured=True)),
    fault("a colour of two digits", BAD, labels_table("label,colour\nleft,#FF\nright,#00FF00\n", coloured=True)),
    fault("a colour twice", BAD, labels_table("label,colour\nleft,#FF0000\nright,#FF0000\n", coloured=True)),
    fault("300 labels", BAD, labels_table("label,value\n" + "".join(f"label_{n},{n}\n" for n in range(1, 301)))),
    fault("a value that labels.csv has not", "not_declared", labelled(altered(3))),
    fault("255 where labels.csv has 1 and 2", "not_declared",
          labelled(lambda labels: encode((labels > 0).astype(np.uint8) * 255))),
    fault("a colour that labels.csv has not", "not_declared colours_unknown in_between",
          labelled(altered(200, coloured=True), coloured=True)),
    fault("colours through JPEG", "blended not_declared colours_unknown",
          labelled(lambda labels: encode(paint(labels), "JPEG", quality=80), coloured=True), also="wrong_suffix"),
    # cases.csv and sequences.csv
    fault("cases.csv of no bytes", "bad_table empty_file", cases_table("")),
    fault("cases.csv without a column of names", BAD, cases_table(lines("patient,age", "p{0},50"))),
    fault("cases.csv with a case left out", "bad_table wrong_count",
          cases_table(lines("case,patient", "case_{0},p", without=PLANTED), at_image=True)),
    fault("cases.csv with a case twice, in two groups", BAD, cases_table(GROUPED + "case_3,p4\n")),
    fault("cases.csv with a column twice", BAD, cases_table(lines("case,patient,patient", "case_{0},p{0},q{0}"))),
    fault("cases.csv in UTF-16", BAD, cases_table(GROUPED.encode("utf-16"))),
    fault("cases.csv that is a workbook", BAD, cases_table(b"PK\3\4\x14\0\6\0\x08\0\0\0!\0" + bytes(range(200)))),
    fault("cases.csv with a line of two megabytes", BAD, cases_table(GROUPED + "case_8," + "p" * 2_000_000 + "\n")),
    fault("sequences.csv with a frame in two sequences", BAD,
          cases_table(lines("frame,sequence", "case_{0},{0}", more="case_3,4\n"), "sequences.csv")),
    fault("sequences.csv with a frame left out", BAD,
          cases_table(lines("frame,sequence", "case_{0},1", without=PLANTED), "sequences.csv", at_image=True)),
    fault("sequences.csv with a frame in none", BAD,
          cases_table(lines("frame,sequence", "case_{0},1", without=PLANTED, more="case_3,\n"), "sequences.csv")),
    fault("sequences.csv without its columns", BAD, cases_table(lines("image,video", "case_{0},1"), "sequences.csv")),
]  # fmt: skip
"""The list of them."""
