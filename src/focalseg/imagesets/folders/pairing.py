"""Files of a folder by name, and which mask belongs to which image. Looks at names and links alone."""

import difflib
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

from focalseg.findings import Finding, show_path
from focalseg.imagesets.folders.files import SUFFIXES, FolderFiles, cut_suffix, list_files
from focalseg.imagesets.kinds import KINDS

_MOST_ONE_BY_ONE = 3
"""Up to so many files are named one by one where no name fits; more are one fault, in how they are named."""
_MOST_COMPARED = 64
"""The most names among which the nearest one is looked for."""


@dataclass(frozen=True)
class Affix:
    """What stands around the common part of a name."""

    prefix: str = ""
    suffix: str = ""

    def remove_from(self, stem: str) -> str | None:
        """The common part, whatever the case of the affix; None where the stem has not got it."""
        lower = stem.lower()
        if len(lower) != len(stem) or not (lower.startswith(self.prefix.lower()) and lower.endswith(self.suffix.lower())):
            return stem if self == PLAIN else None
        return stem[len(self.prefix) : len(stem) - len(self.suffix)] or None

    def add(self, name: str) -> str:
        """The stem with that common part."""
        return f"{self.prefix}{name}{self.suffix}"


PLAIN = Affix()
IMAGE_AFFIXES = (
    PLAIN,
    *(Affix(suffix=text) for text in ("_image", "_img", "_0000")),
    *(Affix(prefix=text) for text in ("image_", "img_")),
)
MASK_AFFIXES = (
    PLAIN,
    *(
        Affix(suffix=text)
        for text in (
            "_mask", "_masks", "-mask", " mask", "_label", "_labels", "_seg", "_segmentation", "_gt", "_manual1", "_1stHO",
            "_annotation",
        )
    ),
    *(Affix(prefix=text) for text in ("mask_", "label_")),
)  # fmt: skip
Rule = tuple[Affix, Affix]
"""What stands around the common part in the name of an image, and of its mask."""
SAME_NAME: tuple[Rule, ...] = ((PLAIN, PLAIN),)
KNOWN_RULES: tuple[Rule, ...] = tuple(product(IMAGE_AFFIXES, MASK_AFFIXES))
Pair = tuple[Path, Path]


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """pairs: image and mask by the common part of their names, in natural order. findings: what fits no partner, or two."""

    pairs: Mapping[str, Pair] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


def pair_folders(
    root: Path, images: Path, masks: Path, *, suffixes: Sequence[str] = SUFFIXES, rules: Sequence[Rule] = KNOWN_RULES
) -> Pairs:
    """Lists both folders and matches their files. findings: of the listing and of the matching."""
    image_files, mask_files = (list_files(folder, suffixes, root=root) for folder in (images, masks))
    matched = match_pairs(image_files, mask_files, rules)
    return Pairs(pairs=matched.pairs, findings=image_files.findings + mask_files.findings + matched.findings)


def match_pairs(
    images: FolderFiles, masks: FolderFiles, rules: Sequence[Rule] = KNOWN_RULES, *, what: str = "mask", required: bool = True
) -> Pairs:
    """Pairs by the one rule that most files follow, the first of equal ones.

    A file without a partner is a finding, unless the partner was left out by a finding of its own. what: the word for a mask.
    required: whether every image needs one.
    """
    blank = [files.empty_finding() for files in (images, masks) if files.blank]
    if blank or not (images.listed and masks.listed):
        return Pairs(findings=tuple(blank))
    matching = _Matching(images, masks, rules, what)
    findings = matching.find_doubles()
    if required and matching.nothing_fits:
        return Pairs(findings=(matching.naming_finding(),))
    if required:
        findings += matching.find_missing_masks()
    return Pairs(pairs=matching.pairs, findings=(*findings, *matching.find_missing_images()))


def attach_files(
    cases: Mapping[Path, str],
    folder: Path,
    root: Path,
    *,
    what: str,
    suffixes: Sequence[str] = SUFFIXES,
    rules: Sequence[Rule] = KNOWN_RULES,
    required: bool = False,
) -> tuple[dict[str, Path], list[Finding]]:
    """Further files of the cases, by case name. cases: names by image, those of one folder.

    Files of images that are no case are passed over: they have a finding of their own.
    """
    if not cases:
        return {}, []
    images_folder = next(iter(cases)).parent
    everything = list_files(images_folder, suffixes, root=root)
    used = {stem: file for stem, file in everything.files.items() if file in cases}
    left_out = everything.left_out | (everything.files.keys() - used.keys())
    extra = list_files(folder, suffixes, root=root)
    images = FolderFiles(folder=images_folder, files=used, left_out=frozenset(left_out))
    matched = match_pairs(images, extra, rules, what=what, required=required)
    return {cases[image]: file for image, file in matched.pairs.values()}, [*extra.findings, *matched.findings]


class _Matching:
    """Two folders under the rule that most of their files follow."""

    def __init__(self, images: FolderFiles, masks: FolderFiles, rules: Sequence[Rule], what: str) -> None:
        self.images, self.masks, self.what = images, masks, what
        self._rule = image_affix, mask_affix = choose_rule(images.files, masks.files, rules)
        self._image_affixes = tuple(dict.fromkeys((PLAIN, *(image for image, _ in rules))))
        self._mask_affixes = tuple(dict.fromkeys((PLAIN, *(mask for _, mask in rules))))
        image_keys, mask_keys = find_common_parts(images.files, image_affix), find_common_parts(masks.files, mask_affix)
        self.pairs: dict[str, Pair] = {
            key: (images.files[stem], masks.files[mask_keys[key]]) for key, stem in image_keys.items() if key in mask_keys
        }
        self._spare_images = [stem for stem in images.files if image_affix.remove_from(stem) not in self.pairs]
        self._spare_masks = [stem for stem in masks.files if mask_affix.remove_from(stem) not in self.pairs]

    @property
    def nothing_fits(self) -> bool:
        """Whether many files are there and none has a partner."""
        return not self.pairs and min(len(self._spare_images), len(self._spare_masks)) > _MOST_ONE_BY_ONE

    def naming_finding(self) -> Finding:
        """One fault in how the files are named, instead of one for each of them."""
        examples = [next(iter(files.values())).name for files in (self.images.files, self.masks.files)]
        return KINDS["no_mask"].at(
            self.images.folder,
            f"holds no image whose name fits a {self.what} in {show_path(self.masks.folder)} "
            f"({show_path(examples[0])} and {show_path(examples[1])}, for example)",
            expected="the same names, or names that differ by _mask or the like",
            mend="Rename the files.",
        )

    def find_doubles(self) -> list[Finding]:
        """Files that are a second image or mask of a pair. The pair is taken out: nobody knows which is meant."""
        findings, doubled = [], set()
        for key, file in self._find_seconds(self._spare_masks, self._mask_affixes, self.masks):
            image, mask = self.pairs[key]
            found = f"is a second {self.what} of {show_path(image)}, beside {show_path(mask.name)}"
            findings.append(KINDS["two_files"].at(file, found, expected=f"one {self.what} an image", others=(mask, image)))
            doubled.add(key)
        for key, file in self._find_seconds(self._spare_images, self._image_affixes, self.images):
            image, mask = self.pairs[key]
            found = f"is a second image for {show_path(mask)}, beside {show_path(image.name)}"
            findings.append(KINDS["two_files"].at(file, found, expected=f"one image a {self.what}", others=(image, mask)))
            doubled.add(key)
        self.pairs = {key: pair for key, pair in self.pairs.items() if key not in doubled}
        return findings

    def _find_seconds(self, spare: list[str], affixes: Collection[Affix], files: FolderFiles) -> list[tuple[str, Path]]:
        found = []
        for stem in tuple(spare):
            if key := next((key for affix in affixes if (key := affix.remove_from(stem)) in self.pairs), None):
                found.append((key, files.files[stem]))
                spare.remove(stem)
        return found

    def find_missing_masks(self) -> list[Finding]:
        """Images without a mask, unless it was left out by a finding of its own."""
        image_affix, mask_affix = self._rule
        suffix, nearest = _most_frequent_suffix(self.masks), Nearest(self._find_lonely_masks())
        findings = []
        for stem in self._find_lonely_images():
            wanted = mask_affix.add(image_affix.remove_from(stem) or stem)
            near = nearest.find(wanted)
            findings.append(_no_partner("no_mask", self.images.files[stem], self.masks, wanted + suffix, near, self.what))
        return findings

    def find_missing_images(self) -> list[Finding]:
        """Masks without an image, unless it was left out by a finding of its own."""
        image_affix, mask_affix = self._rule
        suffix, nearest = _most_frequent_suffix(self.images), Nearest(self._find_lonely_images())
        findings = []
        for stem in self._find_lonely_masks():
            wanted = image_affix.add(mask_affix.remove_from(stem) or stem)
            near = nearest.find(wanted)
            findings.append(_no_partner("no_image", self.masks.files[stem], self.images, wanted + suffix, near, self.what))
        return findings

    def _find_lonely_images(self) -> list[str]:
        at_fault = _remove_all(self.masks.left_out, self._mask_affixes)
        return [stem for stem in self._spare_images if not at_fault & _remove_all([stem], self._image_affixes)]

    def _find_lonely_masks(self) -> list[str]:
        at_fault = _remove_all(self.images.left_out, self._image_affixes)
        return [stem for stem in self._spare_masks if not at_fault & _remove_all([stem], self._mask_affixes)]


def choose_rule(images: Iterable[str], masks: Iterable[str], rules: Sequence[Rule]) -> Rule:
    """The rule that gives the most pairs of these stems, the first of equal ones."""
    image_keys = {affix: set(find_common_parts(images, affix)) for affix in {image for image, _ in rules}}
    mask_keys = {affix: set(find_common_parts(masks, affix)) for affix in {mask for _, mask in rules}}
    return max(rules, key=lambda rule: len(image_keys[rule[0]] & mask_keys[rule[1]]))


def find_common_parts(stems: Iterable[str], affix: Affix) -> dict[str, str]:
    """The stems that have the affix, by the part of the name that image and mask have in common."""
    return {key: stem for stem in stems if (key := affix.remove_from(stem)) is not None}


def _remove_all(stems: Iterable[str], affixes: Iterable[Affix]) -> set[str]:
    """What may be the common part of any of the stems, in lower case."""
    return {key.lower() for affix in affixes for stem in stems if (key := affix.remove_from(stem)) is not None}


def _most_frequent_suffix(files: FolderFiles) -> str:
    suffixes = Counter(cut_suffix(file.name)[1] for file in files.files.values())
    return suffixes.most_common(1)[0][0] if suffixes else ""


def _no_partner(kind: str, file: Path, partners: FolderFiles, wanted: str, near: str | None, what: str) -> Finding:
    """The finding for a file without its partner. wanted: the name looked for. near: the most alike without a partner."""
    partner, own = (what, "image") if kind == "no_mask" else ("image", what)
    mend = f"Add the {partner} or take the {own} out."
    if near is not None:
        mend = f"Rename {show_path(partners.files[near].name)} if that is its {partner}; if not, {mend[0].lower()}{mend[1:]}"
    return KINDS[kind].at(
        file,
        f"has no {partner} in {show_path(partners.folder)}",
        expected=f"{show_path(wanted)} there",
        mend=mend,
        others=() if near is None else (partners.files[near],),
    )


class Nearest:
    """The known name that another one was perhaps meant to be."""

    def __init__(self, known: Iterable[str]) -> None:
        self._known = tuple(known)
        self._by_plain_form = {_plain_form(name): name for name in self._known}

    def find(self, name: str) -> str | None:
        """The one that differs by case, blanks, signs or leading zeros only; else the most alike, where any is close."""
        if same := self._by_plain_form.get(_plain_form(name)):
            return same
        if len(self._known) > _MOST_COMPARED:
            return None
        return next(iter(difflib.get_close_matches(name, self._known, n=1, cutoff=0.75)), None)


def _plain_form(name: str) -> str:
    letters = unicodedata.normalize("NFKC", name).lower()
    return re.sub(r"[\W_]+|(?<!\d)0+(?=\d)", "", letters)
