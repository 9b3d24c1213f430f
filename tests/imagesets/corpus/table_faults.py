"""What can be wrong with the JSON tables of volumes: `dataset.json` of the Decathlon and of nnU-Net."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from imagesets.corpus import pictures
from imagesets.corpus.fault import Make, fault
from imagesets.corpus.volumes import (
    COUNT,
    PLANTED,
    affine,
    decathlon_table,
    draw_volume,
    encode,
    encode_image,
    pack,
    replace,
    write_decathlon,
    write_raw,
    write_table,
)


def table(**changes: Any) -> Make:
    """A Decathlon folder with some entries of its table changed; None takes one out."""

    def make(folder: Path) -> Path:
        write_decathlon(folder)
        return write_table(folder, COUNT, changes)

    return make


def written(content: bytes | Callable[[str], str | bytes]) -> Make:
    """A Decathlon folder whose table is these bytes, or made from its text."""

    def make(folder: Path) -> Path:
        path = write_decathlon(folder) / "dataset.json"
        new = content if isinstance(content, bytes) else content(path.read_text())
        path.write_bytes(new if isinstance(new, bytes) else new.encode())
        return path

    return make


def listed(alter: Callable[[list[Any]], list[Any]], *more: Callable[[Path], Path]) -> Make:
    """A Decathlon folder with another list of cases; more: files that may be named as well."""

    def make(folder: Path) -> tuple[Path, ...]:
        write_decathlon(folder)
        return write_table(folder, COUNT, {"training": alter(decathlon_table()["training"])}), *(find(folder) for find in more)

    return make


def listed_outside(path: str) -> Make:
    """A Decathlon folder whose table leads to a volume beside it."""

    def make(folder: Path) -> tuple[Path, Path]:
        write_decathlon(folder)
        target = folder.with_name("outside.nii.gz")
        target.write_bytes(pack(encode_image(PLANTED)))
        cases = decathlon_table()["training"]
        cases[PLANTED]["image"] = path.format(target=target)
        return write_table(folder, COUNT, {"training": cases}), folder / "imagesTr" / f"case_{PLANTED}.nii.gz"

    return make


def raw(*, changes: dict[str, Any] | None = None, plant: Callable[[Path], Path | tuple[Path, ...]] | None = None) -> Make:
    """An nnU-Net raw folder with some entries of its table changed, or a file."""

    def make(folder: Path) -> Path | tuple[Path, ...]:
        write_raw(folder, changes=changes)
        return plant(folder) if plant else folder / "dataset.json"

    return make


def channel(folder: Path, number: int = 1) -> Path:
    """A channel's file of the planted case."""
    return folder / "imagesTr" / f"case_{PLANTED}_{number:04d}.nii.gz"


def channel_missing(folder: Path) -> tuple[Path, ...]:
    """One channel less."""
    channel(folder).unlink()
    return channel(folder), channel(folder, 0), folder / "labelsTr" / f"case_{PLANTED}.nii.gz", folder / "dataset.json"


def channel_too_many(folder: Path) -> tuple[Path, ...]:
    """One channel more than the table has."""
    channel(folder, 2).write_bytes(pack(encode_image(PLANTED + 50)))
    return channel(folder, 2), channel(folder, 0), channel(folder, 1), folder / "dataset.json"


def channel_smaller(folder: Path) -> tuple[Path, Path]:
    """A channel with one slice less."""
    channel(folder).write_bytes(pack(encode(draw_volume(PLANTED)[..., :-1].copy())))
    return channel(folder), channel(folder, 0)


def channel_elsewhere(folder: Path) -> tuple[Path, Path]:
    """A channel at another place in space."""
    channel(folder).write_bytes(pack(encode(draw_volume(PLANTED + 100), affine(origin=(0, 0, 0)))))
    return channel(folder), channel(folder, 0)


def channel_of_colours(folder: Path) -> Path:
    """A file of two channels where each file is one."""
    both = np.stack([draw_volume(PLANTED), draw_volume(PLANTED + 100)], axis=-1)
    channel(folder).write_bytes(pack(encode(both)))
    return channel(folder)


def pictures_of_nnunet(declared: int, *drawn: np.ndarray) -> Make:
    """nnU-Net's folder of PNGs, a file for each drawn picture, whose table declares so many channels."""

    def make(folder: Path) -> tuple[Path, ...]:
        write_raw(folder, 1, declared, {"file_ending": ".png", "labels": {"background": 0, "box": 1}})
        for path in [*(folder / "imagesTr").iterdir(), *(folder / "labelsTr").iterdir()]:
            path.unlink()
        paths = [folder / "imagesTr" / f"case_0_{number:04d}.png" for number in range(len(drawn))]
        for path, pixels in zip(paths, drawn, strict=True):
            path.write_bytes(pictures.encode(pixels))
        (folder / "labelsTr" / "case_0.png").write_bytes(pictures.encode(pictures.draw_mask(0).astype(np.uint8)))
        return tuple(paths)

    return make


def two_declared(changes: dict[str, Any]) -> Make:
    """A Decathlon folder of one channel whose table names two."""

    def make(folder: Path) -> tuple[Path, ...]:
        write_table(write_decathlon(folder), COUNT, changes)
        return tuple(sorted((folder / "imagesTr").iterdir()))

    return make


def two_modalities(folder: Path) -> Path:
    """A volume of two channels where the table declares one."""
    both = np.stack([draw_volume(PLANTED), draw_volume(PLANTED + 100)], axis=-1)
    return replace(write_decathlon(folder), "imagesTr", pack(encode(both)))


def channel_unnumbered(folder: Path) -> tuple[Path, Path]:
    """An image without the number of its channel."""
    path = folder / "imagesTr" / "case_9.nii.gz"
    path.write_bytes(pack(encode_image(9)))
    return path, folder / "dataset.json"


def doubled_key(text: str) -> str:
    """ "labels" twice, with other numbers."""
    return text.replace('"labels":', '"labels": {"0": "background", "1": "right box", "2": "left box"},\n "labels":')


def renamed(cases: list[Any]) -> list[Any]:
    """A case that is not there."""
    return [*cases[:-1], {"image": "./imagesTr/absent.nii.gz", "label": "./labelsTr/absent.nii.gz"}]


def last_files(folder: Path) -> tuple[Path, Path]:
    """The files of the last case."""
    return tuple(folder / part / f"case_{COUNT - 1}.nii.gz" for part in ("imagesTr", "labelsTr"))  # type: ignore[return-value]


LABELS = ["background", "left box", "right box"]
BAD = "bad_table"

TABLE_FAULTS = [
    fault("a table of no bytes", "bad_table empty_file", written(b"")),
    fault("a table cut in half", BAD, written(lambda text: text[: len(text) // 2])),
    fault("a table of binary bytes", BAD, written(bytes(range(256)))),
    fault("a table in UTF-16", BAD, written(lambda text: text.encode("utf-16"))),
    fault("a table 100,000 lists deep", BAD, written(b"[" * 100_000)),
    fault("a whole table 100,000 lists deep", BAD, written(b'{"labels": ' + b"[" * 100_000 + b"]" * 100_000 + b"}")),
    fault("a number of 10,000 digits", BAD,
          written(lambda text: text.replace('"numTraining": 6', '"numTraining": ' + "9" * 10_000)),
          also="wrong_count"),
    fault("a table that is a list", BAD, written(b"[1, 2, 3]")),
    fault("a table with labels twice", BAD, written(doubled_key)),
    fault("a table without labels", BAD, table(labels=None)),
    fault("labels that are a number", BAD, table(labels=3)),
    fault("labels with a gap", BAD, table(labels={"0": "background", "1": "left box", "3": "right box"})),
    fault("labels without a background", BAD, table(labels={"1": "left box", "2": "right box"})),
    fault("two labels of one name", BAD, table(labels={"0": "background", "1": "box", "2": "box"})),
    fault("labels whose names are numbers", BAD, table(labels={"0": 0, "1": 1, "2": 2})),
    fault("a label named NaN", BAD, written(lambda text: text.replace('"1": "left box"', '"1": NaN'))),
    fault("another number of cases", "wrong_count", table(numTraining=COUNT + 3)),
    fault("a number of cases that is text", "bad_table wrong_count", table(numTraining="many")),
    fault("a case that is not there", "bad_table no_image no_mask dead_link wrong_count",
          listed(renamed, *(lambda folder, place=place: last_files(folder)[place] for place in (0, 1)),
                 *(lambda folder, part=part: folder / part / "absent.nii.gz" for part in ("imagesTr", "labelsTr")))),
    fault("a case listed twice", "bad_table two_files wrong_count", listed(lambda cases: [*cases[:-1], cases[0]]),
          also="no_mask no_image"),
    fault("cases that are no pairs", BAD, listed(lambda cases: [[case] for case in cases])),
    fault("cases that are numbers", BAD, listed(lambda cases: list(range(len(cases))))),
    fault("cases whose image is a number", BAD, listed(lambda cases: [{**case, "image": 3} for case in cases])),
    fault("a path with a byte of zero", "bad_table outside no_image wrong_count",
          listed(lambda cases: [*cases[:-1], {**cases[-1], "image": "imagesTr/\0"}]),
          also="wrong_count"),
    fault("a path that leads out by two dots", "outside", listed_outside("../outside.nii.gz")),
    fault("a path that leads out and is whole", "outside", listed_outside("{target}")),
    fault("a path out through a folder of its own", "outside", listed_outside("./imagesTr/../../outside.nii.gz")),
    fault("a volume of two channels where one is declared", "undeclared_channels", two_modalities),
    fault("volumes of one channel where two are declared", "undeclared_channels",
          two_declared({"modality": {"0": "T1", "1": "T2"}})),
    fault("volumes of one channel where two are named", "undeclared_channels",
          two_declared({"modality": None, "channel_names": {"0": "T1", "1": "T2"}})),
    # nnU-Net raw
    fault("a channel missing", "no_image bad_table wrong_count", raw(plant=channel_missing)),
    fault("a channel too many", "bad_table wrong_count two_files no_mask unlike", raw(plant=channel_too_many)),
    fault("a channel one slice smaller", "sizes_differ", raw(plant=channel_smaller)),
    fault("a channel elsewhere", "elsewhere", raw(plant=channel_elsewhere)),
    fault("a channel's file with two channels", "undeclared_channels", raw(plant=channel_of_colours)),
    fault("colour where one channel is declared", "undeclared_channels", pictures_of_nnunet(1, pictures.draw_image(0))),
    fault("grey where three channels are declared", "undeclared_channels",
          pictures_of_nnunet(3, pictures.draw_image(0)[..., 0])),
    fault("a colour file for one of two channels", "undeclared_channels",
          pictures_of_nnunet(2, pictures.draw_image(0)[..., 0], pictures.draw_image(0))),
    fault("an image without the number of its channel", "bad_table no_mask no_image wrong_count", raw(plant=channel_unnumbered),
          also="wrong_count"),
    fault("a wrong number of cases", "wrong_count", raw(changes={"numTraining": COUNT - 2})),
    fault("a file ending that is a number", BAD, raw(changes={"file_ending": 7})),
    fault("channels that are a number", BAD, raw(changes={"channel_names": 2})),
    fault("a number for two labels", BAD, raw(changes={"labels": {"background": 0, "left box": 1, "right box": 1}})),
    fault("a label below zero", BAD, raw(changes={"labels": {"background": 0, "left box": 1, "right box": -2}})),
    fault("a label with a fraction", BAD, raw(changes={"labels": {"background": 0, "left box": 1, "right box": 1.5}})),
    fault("labels as a list", BAD, raw(changes={"labels": LABELS})),
]  # fmt: skip
"""The list of them."""
