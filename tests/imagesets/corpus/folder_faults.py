"""What can be wrong with names, links and whole folders."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from imagesets.corpus import volumes
from imagesets.corpus.fault import Make, fault
from imagesets.corpus.pictures import (
    COUNT,
    PLANTED,
    draw_image,
    encode,
    encode_image,
    encode_mask,
    replace,
    write_pictures,
)


def another_case(name: str, *, suffix: str = ".png") -> Callable[[Path], tuple[Path, ...]]:
    """A ninth case of that name; both its files are at fault."""

    def make(folder: Path) -> tuple[Path, ...]:
        write_pictures(folder)
        paths = (folder / "images" / f"{name}{suffix}", folder / "masks" / f"{name}{suffix}")
        for path, content in zip(paths, (encode_image(COUNT), encode_mask(COUNT)), strict=True):
            path.write_bytes(content)
        return paths

    return make


def inner_folder(part: str) -> Make:
    """Images one level too deep, beside others that are read."""

    def make(folder: Path) -> tuple[Path]:
        inner = write_pictures(folder) / part / "more"
        inner.mkdir()
        (inner / "case_99.png").write_bytes(encode_image(COUNT))
        return (inner,)

    return make


def twins(first: str, second: str) -> Make:
    """Two cases whose names are the same in some file systems. Skips where they are in this one."""

    def make(folder: Path) -> tuple[Path, ...]:
        write_pictures(folder)
        paths = []
        for number, name in ((COUNT, first), (COUNT + 1, second)):
            for part, encoded in (("images", encode_image), ("masks", encode_mask)):
                path = folder / part / f"{name}.png"
                if path.exists():
                    pytest.skip("this file system does not tell the two names apart")
                path.write_bytes(encoded(number))
                paths.append(path)
        return tuple(paths)

    return make


def second_file(part: str, suffix: str, file_format: str) -> Make:
    """The same stem with another suffix."""

    def make(folder: Path) -> tuple[Path, Path]:
        path = write_pictures(folder) / part / f"case_{PLANTED}{suffix}"
        content = encode(draw_image(COUNT)) if part == "images" else encode_mask(PLANTED)
        path.write_bytes(content if file_format == "PNG" else encode(draw_image(COUNT), file_format))
        return path, path.with_suffix(".png")

    return make


def linked(part: str, target: Callable[[Path], Path]) -> Make:
    """A link in the place of a file."""

    def make(folder: Path) -> Path:
        path = replace(write_pictures(folder), part, b"")
        path.unlink()
        path.symlink_to(target(path))
        return path

    return make


def outside_copy(path: Path) -> Path:
    """A file beside the folder that holds what the link stands for."""
    content = encode_image(PLANTED) if path.parent.name == "images" else encode_mask(PLANTED)
    target = path.parents[2] / f"{path.parents[1].name}_outside.png"
    target.write_bytes(content)
    return target


def circle(folder: Path) -> tuple[Path, Path]:
    """Two links that lead to one another."""
    write_pictures(folder)
    first, second = folder / "images" / f"case_{PLANTED}.png", folder / "images" / "case_4.png"
    for path, target in ((first, second), (second, first)):
        path.unlink()
        path.symlink_to(target)
    return first, second


def linked_folder(folder: Path) -> Path:
    """images/ itself leads out of the folder."""
    write_pictures(folder)
    elsewhere = folder.with_name(f"{folder.name}_elsewhere")
    (folder / "images").rename(elsewhere)
    (folder / "images").symlink_to(elsewhere)
    return folder / "images"


def folder_in_a_circle(folder: Path) -> Path:
    """images/ is a link to itself."""
    write_pictures(folder)
    (folder / "images").rename(folder / "away")
    (folder / "images").symlink_to(folder / "images")
    return folder / "images"


def no_images(folder: Path) -> tuple[Path, ...]:
    """Both folders, nothing in them but a note."""
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    (folder / "images" / "notes.txt").write_text("to be exported")
    return folder / "images", folder / "masks", folder


def nothing_known(folder: Path) -> tuple[Path, ...]:
    """A folder of other things."""
    (folder / "slides").mkdir(parents=True)
    (folder / "thesis.docx").write_bytes(b"PK\3\4")
    return (folder,)


def no_masks_folder(folder: Path) -> tuple[Path, ...]:
    """images/ alone."""
    write_pictures(folder)
    (folder / "masks").rename(folder.with_name(f"{folder.name}_masks"))
    return (folder, folder / "masks", *(folder / "images" / f"case_{number}.png" for number in range(COUNT)))


def masks_is_a_file(folder: Path) -> tuple[Path, ...]:
    """A file named masks."""
    paths = no_masks_folder(folder)
    (folder / "masks").write_text("later")
    return paths


def only_masks(folder: Path) -> tuple[Path, ...]:
    """Masks, and an images/ without files."""
    write_pictures(folder)
    for path in (folder / "images").iterdir():
        path.unlink()
    return (folder / "images", folder, *(folder / "masks" / f"case_{number}.png" for number in range(COUNT)))


def in_folders(place: Callable[[int], str], *at_fault: str, image: Callable[[int], str] = lambda _: "") -> Make:
    """Masks moved into folders inside masks/, images into those inside images/."""

    def make(folder: Path) -> tuple[Path, ...]:
        write_pictures(folder)
        for number in range(COUNT):
            for part, where in (("images", image(number)), ("masks", place(number))):
                path = folder / part / f"case_{number}.png"
                (folder / part / where).mkdir(parents=True, exist_ok=True)
                path.rename(folder / part / where / path.name)
        return tuple(folder / path for path in at_fault)

    return make


def two_labels(folder: Path) -> tuple[Path, ...]:
    """A folder a label; one image has a mask of one of them alone."""
    in_folders(lambda _: "lesion")(folder)
    (folder / "masks" / "duct").mkdir()
    for number in range(COUNT):
        if number != PLANTED:
            (folder / "masks" / "duct" / f"case_{number}.png").write_bytes(encode(np.zeros((32, 40), np.uint8)))
    return folder / "masks", folder / "masks" / "duct"


def overlapping_labels(folder: Path) -> tuple[Path, ...]:
    """The same mask of two labels."""
    paths = two_labels(folder)
    for number in range(COUNT):
        content = encode_mask(number) if number == PLANTED else encode(np.zeros((32, 40), np.uint8))
        (folder / "masks" / "duct" / f"case_{number}.png").write_bytes(content)
    return (*paths, *(folder / "masks" / label / f"case_{PLANTED}.png" for label in ("duct", "lesion")))


def unreadable_name(folder: Path) -> tuple[Path, ...]:
    """A name that is no UTF-8."""
    try:
        return another_case(os.fsdecode(b"case_\xff\xfe"))(folder)
    except OSError:
        pytest.skip("this file system takes UTF-8 alone")


def no_permission(path_of: Callable[[Path], Path], write: Callable[[Path], Path] = write_pictures) -> Make:
    """A file or folder that nobody may read."""

    def make(folder: Path) -> Path:
        path = path_of(write(folder))
        path.chmod(0)
        return path

    return make


def image_named(folder: Path) -> Path:
    """The planted image."""
    return folder / "images" / f"case_{PLANTED}.png"


FOLDER_FAULTS = [
    fault("Case_3 beside case_3", "names_clash", twins("other", "Other")),
    fault("an accent in one character and in two", "names_clash", twins("caf\u00e9", "cafe\u0301")),
    fault("a name with a line break", "name_unreadable", another_case("case\n9")),
    fault("a name with an escape sequence", "name_unreadable", another_case("case\x1b[31m9")),
    fault("a name with a mark that turns the direction of writing", "name_unreadable", another_case("case_\u202egnp.9")),
    fault("a name that is no UTF-8", "name_unreadable", unreadable_name),
    fault("two images by one stem", "two_files", second_file("images", ".jpg", "JPEG")),
    fault("two masks by one stem", "two_files", second_file("masks", ".tif", "TIFF")),
    fault("two suffixes that differ in case alone", "two_files names_clash", second_file("images", ".PNG", "PNG")),
    fault("images one folder deeper", "passed_over", inner_folder("images")),
    fault("masks one folder deeper", "passed_over", inner_folder("masks")),
    fault("a link to nothing", "dead_link", linked("images", lambda path: path.with_name("gone.png")), also="no_image"),
    fault("a mask that is a link to nothing", "dead_link",
          linked("masks", lambda path: path.with_name("gone.png")), also="no_mask"),
    fault("a link to itself", "dead_link", linked("images", lambda path: path), also="no_image"),
    fault("two links in a circle", "dead_link", circle, also="no_image"),
    fault("a link to a folder", "not_a_file dead_link",
          linked("images", lambda path: path.parents[1] / "masks"), also="no_image"),
    fault("a link to a device", "not_a_file", linked("images", lambda _: Path("/dev/zero")), also="no_image link_leaves"),
    fault("an image that is a link out of the folder", "link_leaves", linked("images", outside_copy)),
    fault("a mask that is a link out of the folder", "link_leaves", linked("masks", outside_copy)),
    fault("a folder of images that is a link", "link_leaves", linked_folder),
    fault("a folder of images that is a link to itself", "dead_link empty_folder", folder_in_a_circle),
    fault("folders without images", "empty_folder", no_images),
    fault("a folder of other things", "layout", nothing_known),
    fault("no folder of masks", "layout no_mask", no_masks_folder),
    fault("a file in the place of masks/", "layout not_a_file no_mask", masks_is_a_file),
    fault("folders that are taken for groups", "folders_read",
          in_folders(lambda number: f"p{number // 2}", "images", image=lambda number: f"p{number // 2}")),
    fault("folders that may be labels or patients", "folders_unclear", in_folders(lambda number: f"p{number // 2}", "masks")),
    fault("a label that has no file for an image", "label_without_file", two_labels, also="folders_read absent_label"),
    fault("labels that overlap", "labels_overlap", overlapping_labels, also="folders_read several_masks absent_label"),
    fault("masks without images", "no_image empty_folder", only_masks, also="no_image"),
]  # fmt: skip
"""The list of them."""

LOCKED_FAULTS = [
    fault("an image that may not be read", "no_permission", no_permission(image_named)),
    fault("a mask that may not be read", "no_permission", no_permission(lambda folder: folder / "masks" / "case_3.png")),
    fault("a folder that may not be read", "no_permission", no_permission(lambda folder: folder / "images")),
    fault("a table that may not be read", "no_permission bad_table",
          no_permission(lambda folder: folder / "dataset.json", volumes.write_decathlon)),
]  # fmt: skip
"""Those that need a user who is not root."""
