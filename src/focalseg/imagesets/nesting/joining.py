"""Many masks of one image: whether they are its objects, which are joined, or its labels, told by how the files are named."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from focalseg.findings import Finding, counted, show_path
from focalseg.imagesets.case import CaseFiles
from focalseg.imagesets.folders.files import FolderFiles
from focalseg.imagesets.folders.pairing import match_pairs
from focalseg.imagesets.kinds import KINDS, list_names
from focalseg.imagesets.nesting.sides import is_observer

_IDENTIFIER = re.compile(r"[0-9a-f]{8}[0-9a-f-]{8,}")
"""A number as programs make it to name a file, such as those of the Data Science Bowl 2018: whatever its letters, no word."""
_EMPTY_WORDS = frozenset((
    "mask", "masks", "label", "labels", "seg", "segmentation", "gt", "annotation", "instance", "object", "img", "image",
))  # fmt: skip
"""Words that say of a mask only that it is one."""
_MOST_LABELS = 32
"""More kinds of names than these are no labels."""

UNCLEAR_MEND = (
    "List the files in a manifest.csv: the masks of one image on lines of their own, image,mask for objects and "
    "image,mask,mask_label for labels, with a column group for what the folders say."
)
"""The mend for folders whose meaning nothing tells; it keeps whatever they say."""


@dataclass(frozen=True)
class Folders:
    """Images, and the masks that lie in the folder which belongs to them."""

    images: FolderFiles
    masks: FolderFiles

    @property
    def sound(self) -> bool:
        """Whether no file was left out: of an image that lacks one of its masks, the others say less than the truth."""
        return not (self.images.left_out or self.masks.left_out)

    @property
    def complete(self) -> bool:
        """Whether there is an image, and masks for it."""
        return self.sound and bool(self.images.files and self.masks.files)


def holds_one_image_each(folders: Sequence[Folders]) -> bool:
    """Whether every folder has one image, to which all masks there belong, whatever their names.

    Not where one of several masks is named after the image, or each folder has one mask and some are: of the other masks the
    name then says that they are not the image's own.
    """
    if any(len(pair.images.files) > 1 for pair in folders):
        return False
    whole = [pair for pair in folders if pair.complete]
    if not whole:
        return False
    named = [len(pair.masks.files) for pair in whole if match_pairs(pair.images, pair.masks, required=False).pairs]
    return not named or (max(named) == 1 and any(len(pair.masks.files) > 1 for pair in whole))


def join_by_folder(
    folders: Sequence[Folders], home: Path, declared: Mapping[str, str], findings: list[Finding]
) -> list[CaseFiles]:
    """A case for the one image of each complete pair, with all the masks there; none where nothing tells what these are.

    home: the folder that is named then. declared: labels by word in lower case, where a table says so. Every fault is added to
    the findings.
    """
    for pair in folders:
        findings += _find_lacking(pair)
    whole = [pair for pair in folders if pair.complete]
    images = [next(iter(pair.images.files.items())) for pair in whole]
    labels = _find_labels([(stem, tuple(pair.masks.files)) for (stem, _), pair in zip(images, whole, strict=True)], declared)
    if labels is None:
        examples = list_names(file.name for pair in whole[:2] for file in pair.masks.files.values())
        found = f"has several masks an image, whose names ({examples}) tell neither its objects nor its labels"
        expected = "masks that only numbers tell apart, for objects, or words that recur from image to image, for labels"
        findings.append(KINDS["folders_unclear"].at(home, found, expected=expected, mend=UNCLEAR_MEND))
        return []
    cases = []
    for (stem, image), pair in zip(images, whole, strict=True):
        own = tuple(labels[stem, mask] for mask in pair.masks.files) if labels else ()
        cases.append(CaseFiles(name=stem, images=(image,), masks=tuple(pair.masks.files.values()), mask_labels=own))
    return cases


def _find_lacking(pair: Folders) -> list[Finding]:
    """The finding for an image without a mask, or masks without an image."""
    if pair.complete or not pair.sound:
        return []
    if pair.images.files:
        image = next(iter(pair.images.files.values()))
        expected = f"one at least in {show_path(pair.masks.folder)}, be it an empty one"
        return [KINDS["no_mask"].at(image, "has no masks", expected=expected)]
    masks = list(pair.masks.files.values())
    found, expected = f"holds {counted(len(masks), 'mask')}", f"their image in {show_path(pair.images.folder)}"
    mend = "Add the image or take the folder out."
    return [KINDS["no_image"].at(pair.masks.folder, found, expected=expected, mend=mend, others=masks)] if masks else []


def _find_labels(
    named: Sequence[tuple[str, Sequence[str]]], declared: Mapping[str, str]
) -> Mapping[tuple[str, str], str] | None:
    """The label of each mask by the stems of image and mask; empty where all are objects of one label.

    They are labels where a few words recur from image to image, as in lesion.png and duct.png, and objects where nothing but
    numbers tells them apart. Anything else is neither, such as the same again by several observers.
    """
    words = {(image, mask): _find_word(image, mask) for image, masks in named for mask in masks}
    spelt: dict[str, str] = {}
    for word in words.values():
        spelt.setdefault(word.casefold(), word)
    if any(map(is_observer, spelt)):
        return None
    if declared.keys() >= spelt.keys():
        return {key: declared[word.casefold()] for key, word in words.items()}
    if len(spelt) <= 1:
        return {}
    holders = Counter(word for image, masks in named for word in {words[image, mask].casefold() for mask in masks})
    if "" in spelt or len(spelt) > _MOST_LABELS or min(holders.values()) < 2:
        return None
    return {key: spelt[word.casefold()] for key, word in words.items()}


def _find_word(image: str, mask: str) -> str:
    """What a mask's name says besides its image's name, numbers, single letters and that it is a mask."""
    rest = mask.replace(image, " ") if len(image) > 1 else mask
    rest = _IDENTIFIER.sub(" ", rest) if _IDENTIFIER.search(rest) else rest
    found = re.findall(r"[^\W\d_]{2,}", rest)
    return "_".join(word for word in found if word.casefold() not in _EMPTY_WORDS)
