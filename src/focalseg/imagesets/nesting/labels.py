"""Folders of masks that stand for labels: which mask of which label belongs to which image."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from focalseg.findings import Finding, counted, show_path
from focalseg.imagesets.case import CaseFiles
from focalseg.imagesets.folders.files import FolderFiles, natural_key
from focalseg.imagesets.folders.pairing import IMAGE_AFFIXES, KNOWN_RULES, Affix, Rule, list_parts, match_pairs
from focalseg.imagesets.kinds import KINDS, list_names
from focalseg.imagesets.masks import names_background
from focalseg.imagesets.nesting.naming import Placed
from focalseg.imagesets.nesting.tree import Place

_SIGNS = "_- "


@dataclass(frozen=True, kw_only=True)
class LabelFolder:
    """The masks of one label for the images of one folder. label: as a table names it, or the folder's name."""

    place: Place
    label: str
    images: FolderFiles
    masks: FolderFiles


class LabelledMasks:
    """Images with their masks by label.

    by_image: the masks by label of each image that has any. strays: the number of masks without an image. Of an image one of
    whose masks was left out by a finding of its own nothing is kept: the others say less than the truth.
    """

    def __init__(self, folders: Sequence[LabelFolder]) -> None:
        self.folders = folders
        self.labels = tuple(sorted({folder.label for folder in folders}, key=natural_key))
        self.by_image: dict[Path, dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
        self.findings: list[Finding] = []
        self.strays = 0
        self._at_fault: set[Path] = set()
        for folder in folders:
            self._match(folder)

    def _match(self, folder: LabelFolder) -> None:
        images, masks = folder.images, folder.masks
        if not (images.listed and masks.listed):
            self._at_fault.update(images.files.values())
            return
        rules = (*KNOWN_RULES, *_make_rules(masks))
        matched = match_pairs(images, masks, rules, required=False)
        self.findings += matched.findings
        for image, mask in matched.pairs.values():
            self.by_image[image][folder.label].append(mask)
        self.strays += len(masks.files) - len(matched.pairs)
        lost = list_parts(masks.left_out, {mask for _, mask in rules})
        self._at_fault |= {file for stem, file in images.files.items() if lost & list_parts([stem], IMAGE_AFFIXES)}
        doubled = {other for finding in matched.findings if finding.kind == "two_files" for other in finding.others}
        self._at_fault |= {image for image in images.files.values() if str(image) in doubled}

    @property
    def recur(self) -> bool:
        """Whether an image has masks of several labels, as none has that are patients or hospitals."""
        return any(len(masks) > 1 for masks in self.by_image.values())

    def list_cases(self) -> tuple[list[Placed], list[Finding]]:
        """The cases, and what is to be known of those that lack masks. An image without any mask is at fault."""
        findings, placed, lacking = list(self.findings), [], Counter[str]()
        homes = {folder.place: folder.images for folder in self.folders}
        for place, images in homes.items():
            for stem, image in images.files.items():
                masks = self.by_image.get(image, {})
                if image in self._at_fault:
                    continue
                if not masks:
                    expected = f"a mask in one of the folders {list_names(self.labels)}, be it an empty one"
                    findings.append(KINDS["no_mask"].at(image, "has no mask of any label", expected=expected))
                    continue
                lacking.update(label for label in self.labels if label not in masks and not names_background(label))
                named = [(label, mask) for label in self.labels for mask in masks.get(label, ())]
                labels, files = zip(*named, strict=True)
                placed.append((place, CaseFiles(name=stem, images=(image,), masks=files, mask_labels=labels)))
        return placed, findings + self._note_lacking(lacking)

    def _note_lacking(self, lacking: Mapping[str, int]) -> list[Finding]:
        """A note on each label that has no file for some of the images."""
        notes = []
        for label, count in lacking.items():
            folder = next(folder.masks.folder for folder in self.folders if folder.label == label)
            verb = "has" if count == 1 else "have"
            found = f"has no file for {counted(count, 'image')}, which {verb} none of the label {show_path(label)} then"
            notes.append(KINDS["label_without_file"].at(folder, found))
        return notes


def _make_rules(masks: FolderFiles) -> list[Rule]:
    """Rules for masks with the name of their folder in theirs, or with an end that all of them have."""
    name = masks.folder.name
    affixes = [Affix(suffix=sign + name) for sign in _SIGNS] + [Affix(prefix=name + sign) for sign in _SIGNS]
    end = _find_common_end(list(masks.files))
    affixes += [Affix(suffix=end[at:]) for at, sign in enumerate(end) if sign in _SIGNS]
    return list(product(IMAGE_AFFIXES, affixes))


def _find_common_end(stems: Sequence[str]) -> str:
    """What all stems end with, of several."""
    if len(stems) < 2:
        return ""
    backwards = sorted(stem[::-1] for stem in stems)
    alike = 0  # what the first and the last in order have in common, all between them have
    while alike < len(backwards[0]) and backwards[0][alike] == backwards[-1][alike : alike + 1]:
        alike += 1
    return backwards[0][:alike][::-1]
