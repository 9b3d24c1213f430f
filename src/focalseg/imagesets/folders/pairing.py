"""Files of a folder by name, and which mask belongs to which image. Looks at names and links alone."""

import difflib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
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
    spare = min(len(matching.images.spare), len(matching.masks.spare))
    if required and not matching.pairs and spare > _MOST_ONE_BY_ONE:
        return Pairs(findings=(matching.naming_finding(),))
    if required:
        findings += matching.find_missing(matching.images, matching.masks)
    findings += matching.find_missing(matching.masks, matching.images)
    return Pairs(pairs=matching.pairs, findings=tuple(findings))


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
    images, extra = (list_files(place, suffixes, root=root) for place in (images_folder, folder))
    attached, findings = match_further(cases, images, extra, rules, what=what, required=required)
    return attached, [*extra.findings, *findings]


def match_further(
    cases: Mapping[Path, str],
    images: FolderFiles,
    extra: FolderFiles,
    rules: Sequence[Rule],
    *,
    what: str,
    required: bool = False,
) -> tuple[dict[str, Path], tuple[Finding, ...]]:
    """What `attach_files` does, of folders that are listed."""
    used = {stem for stem, file in images.files.items() if file in cases}
    known = images.choose(used, images.left_out | (images.files.keys() - used))
    matched = match_pairs(known, extra, rules, what=what, required=required)
    return {cases[image]: file for image, file in matched.pairs.values()}, matched.findings


@dataclass(frozen=True, kw_only=True)
class _Side:
    """The images (place 0 of a pair), or the masks (1). what: the word for one. spare: the stems without a partner.

    affix: by the rule that is followed; affixes: by any rule.
    """

    place: int
    what: str
    files: FolderFiles
    affix: Affix
    affixes: Sequence[Affix]
    spare: list[str]


class _Matching:
    """Two folders under the rule that most of their files follow."""

    def __init__(self, images: FolderFiles, masks: FolderFiles, rules: Sequence[Rule], what: str) -> None:
        rule = choose_rule(images.files, masks.files, rules)
        image_keys, mask_keys = find_common_parts(images.files, rule[0]), find_common_parts(masks.files, rule[1])
        self.pairs: dict[str, Pair] = {
            key: (images.files[stem], masks.files[mask_keys[key]]) for key, stem in image_keys.items() if key in mask_keys
        }
        self.images, self.masks = (
            _Side(
                place=place,
                what=word,
                files=files,
                affix=rule[place],
                affixes=tuple(dict.fromkeys((PLAIN, *(known[place] for known in rules)))),
                spare=[stem for stem in files.files if rule[place].remove_from(stem) not in self.pairs],
            )
            for place, (word, files) in enumerate((("image", images), (what, masks)))
        )

    def naming_finding(self) -> Finding:
        """One fault in how the files are named, instead of one for each of them."""
        images, masks = self.images.files, self.masks.files
        examples = [show_path(next(iter(files.files.values())).name) for files in (images, masks)]
        return KINDS["no_mask"].at(
            images.folder,
            f"holds no image whose name fits a {self.masks.what} in {show_path(masks.folder)} "
            f"({examples[0]} and {examples[1]}, for example)",
            expected="the same names, or names that differ by _mask or the like",
            mend="Rename the files, or list them in a manifest.csv with image,mask.",
        )

    def find_doubles(self) -> list[Finding]:
        """Files that are a second image or mask of a pair. The pair is taken out: nobody knows which is meant."""
        findings, doubled = [], set()
        for own, other, of, a in ((self.masks, self.images, "of", "an"), (self.images, self.masks, "for", "a")):
            for stem in tuple(own.spare):
                if key := next((key for affix in own.affixes if (key := affix.remove_from(stem)) in self.pairs), None):
                    kept, partner = self.pairs[key][own.place], self.pairs[key][other.place]
                    found = f"is a second {own.what} {of} {show_path(partner)}, beside {show_path(kept.name)}"
                    expected = f"one {own.what} {a} {other.what}"
                    file = own.files.files[stem]
                    findings.append(KINDS["two_files"].at(file, found, expected=expected, others=(kept, partner)))
                    doubled.add(key)
                    own.spare.remove(stem)
        self.pairs = {key: pair for key, pair in self.pairs.items() if key not in doubled}
        return findings

    def find_missing(self, own: _Side, other: _Side) -> list[Finding]:
        """Files of a side without a partner, unless that was left out by a finding of its own."""
        suffixes = Counter(cut_suffix(file.name)[1] for file in other.files.files.values())
        suffix = suffixes.most_common(1)[0][0] if suffixes else ""
        nearest, findings = Nearest(_find_lonely(other, own)), []
        for stem in _find_lonely(own, other):
            wanted = other.affix.add(own.affix.remove_from(stem) or stem)
            mend, others = f"Add the {other.what} or take the {own.what} out.", []
            if (near := nearest.find(wanted)) is not None:
                others = [other.files.files[near]]
                mend = f"Rename {show_path(others[0].name)} if that is its {other.what}; if not, {mend[0].lower()}{mend[1:]}"
            found, expected = f"has no {other.what} in {show_path(other.files.folder)}", f"{show_path(wanted + suffix)} there"
            kind = KINDS["no_image" if own.place else "no_mask"]
            findings.append(kind.at(own.files.files[stem], found, expected=expected, mend=mend, others=others))
        return findings


def _find_lonely(own: _Side, other: _Side) -> list[str]:
    """The stems of a side without a partner, none of which was left out by a finding of its own."""
    at_fault = list_parts(other.files.left_out, other.affixes)
    return [stem for stem in own.spare if not at_fault & list_parts([stem], own.affixes)]


def choose_rule(images: Iterable[str], masks: Iterable[str], rules: Sequence[Rule]) -> Rule:
    """The rule that gives the most pairs of these stems, the first of equal ones."""
    image_keys = {affix: set(find_common_parts(images, affix)) for affix in {image for image, _ in rules}}
    mask_keys = {affix: set(find_common_parts(masks, affix)) for affix in {mask for _, mask in rules}}
    return max(rules, key=lambda rule: len(image_keys[rule[0]] & mask_keys[rule[1]]))


def find_common_parts(stems: Iterable[str], affix: Affix) -> dict[str, str]:
    """The stems that have the affix, by the part of the name that image and mask have in common."""
    return {key: stem for stem in stems if (key := affix.remove_from(stem)) is not None}


def list_parts(stems: Iterable[str], affixes: Iterable[Affix]) -> set[str]:
    """What may be the common part of any of the stems, in lower case."""
    return {key.lower() for affix in affixes for stem in stems if (key := affix.remove_from(stem)) is not None}


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
