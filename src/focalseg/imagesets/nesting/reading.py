"""Folders inside images/ and masks/: sides of a split, groups, labels, or one image each, told by where they recur.

A folder that both have is the side or the group of the cases in it. Folders that masks/ alone has are labels where an image
has a mask in several of them, and images where they are named as these. What nothing tells is a finding, and not guessed.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from focalseg.findings import Finding, plural, show_path
from focalseg.imagesets.case import CaseFiles
from focalseg.imagesets.folders.files import FolderFiles
from focalseg.imagesets.folders.pairing import KNOWN_RULES, choose_rule, find_common_parts, match_pairs
from focalseg.imagesets.kinds import KINDS, list_names
from focalseg.imagesets.nesting.joining import UNCLEAR_MEND, Folders, holds_one_image_each, join_by_folder
from focalseg.imagesets.nesting.labels import LabelFolder, LabelledMasks
from focalseg.imagesets.nesting.naming import Placed, name_cases
from focalseg.imagesets.nesting.sides import find_part, is_observer
from focalseg.imagesets.nesting.tree import FolderTree, Place

_Files = Mapping[Place, FolderFiles]
_OBSERVERS_MEND = "Keep the masks of one observer in the folder of masks, and put another's into masks_2nd_observer/ beside it."


def _name_folders(names: Collection[str]) -> str:
    """The first few names, as those of folders."""
    return f"the {plural(len(names), 'folder')} {list_names(names, 6)}"


def is_nested(images: FolderTree, masks: FolderTree) -> bool:
    """Whether folders inside count: not where all lies in the two folders themselves, and others lie beside it in one."""
    ones, others = {*map(_fold, images.filled)}, {*map(_fold, masks.filled)}
    flat = () in ones and () in others
    return bool((ones | others) - {()}) and (not flat or bool(ones & others - {()}))


def read_nested(images: FolderTree, masks: FolderTree, declared: Mapping[str, str], findings: list[Finding]) -> list[CaseFiles]:
    """The cases of both trees. declared: labels by the name of a folder in lower case, where a table says so.

    Every fault is added to the findings.
    """
    findings += (*images.findings_of_all(), *masks.findings_of_all())
    if blank := [tree.top.empty_finding() for tree in (images, masks) if not tree.filled]:
        findings += blank
        return []
    reader = _Reader(images, masks, declared, findings)
    for ones, others in _unwrap(images.filled, masks.filled):
        for read in (reader.read_mirrored, reader.read_flat, reader.read_inner):
            if (placed := read(ones, others)) is not None:
                return name_cases(placed)
    reader.report_unclear("no file in them fits an image by the names of file and folders")
    return []


def _unwrap(ones: _Files, others: _Files) -> Iterator[tuple[_Files, _Files]]:
    """The places as they are; then without the folder that holds all of one tree, where the other has none of that name."""
    yield ones, others
    wrappers = [_find_wrapper(places) for places in (ones, others)]
    if wrappers[0].casefold() != wrappers[1].casefold():
        stripped = [
            {place[1:]: files for place, files in places.items()} if wrapper else places
            for wrapper, places in zip(wrappers, (ones, others), strict=True)
        ]
        yield stripped[0], stripped[1]


def _find_wrapper(places: _Files) -> str:
    firsts = {place[:1] for place in places}
    return next(iter(firsts))[0] if len(firsts) == 1 and () not in firsts else ""


def _fold(place: Place) -> Place:
    return tuple(name.casefold() for name in place)


@dataclass(frozen=True)
class _ByImage:
    """Folders of masks that are named as the images they belong to. lacking: images without a folder."""

    folders: Sequence[tuple[Place, Folders]]
    lacking: Sequence[Path]


class _Reader:
    """Ways to read two trees; each gives None where the folders are not of its kind."""

    def __init__(self, images: FolderTree, masks: FolderTree, declared: Mapping[str, str], findings: list[Finding]) -> None:
        self.images, self.masks, self.declared, self.findings = images, masks, declared, findings
        self._spelt: dict[str, str] = {}

    def read_mirrored(self, ones: _Files, others: _Files) -> list[Placed] | None:
        """Folders that both trees have: each image has its mask in the folder of the same name."""
        partners = {_fold(place): place for place in others}
        both = {place: partners[_fold(place)] for place in ones if _fold(place) in partners}
        if not both:
            return None
        folders = [Folders(ones[place], others[partner]) for place, partner in both.items()]
        self._report_lonely({place: files for place, files in ones.items() if place not in both}, self.images, self.masks)
        used = set(both.values())
        self._report_lonely({place: files for place, files in others.items() if place not in used}, self.masks, self.images)
        if holds_one_image_each(folders):
            return self._join(list(zip(both, folders, strict=True)))
        self._note_groups(both)
        placed: list[Placed] = []
        for place, pair in zip(both, folders, strict=True):
            matched = match_pairs(pair.images, pair.masks)
            self.findings += matched.findings
            placed += [(place, _make_case(name, files)) for name, files in matched.pairs.items()]
        return placed

    def read_flat(self, ones: _Files, others: _Files) -> list[Placed] | None:
        """Images in several folders and all masks in one, or the other way about, where names alone pair them.

        Where the masks are in folders, names have to say the folder, as p1_x.png does of p1/x.png: x.png may be of a label.
        """
        if (set(ones) == {()}) == (set(others) == {()}):
            return None
        inner_masks = set(ones) == {()}
        for whole in (True, False)[: 1 if inner_masks else 2]:
            merged, places = _merge(others if inner_masks else ones, whole=whole)
            flat = ones[()] if inner_masks else others[()]
            matched = match_pairs(flat, merged) if inner_masks else match_pairs(merged, flat)
            if 2 * len(matched.pairs) > len(merged.files):  # the few others have findings of their own
                self.findings += matched.findings
                self._note_groups(places.values())
                return [(places[files[inner_masks]], _make_case(name, files)) for name, files in matched.pairs.items()]
        return None

    def read_inner(self, ones: _Files, others: _Files) -> list[Placed] | None:
        """Folders that masks/ alone has: labels, or one for each image."""
        by_image, by_label = _divide_by_image(ones, others), self._divide_by_label(ones, others)
        if by_label and by_label.by_image and not (by_image and by_label.strays):
            if by_image and not by_image.lacking and not self.declared:
                self.report_unclear("they may be labels, or the images of these names")
                return []
            return self._read_labels(by_label)
        if not by_image:
            return None
        for image in by_image.lacking:
            expected = f"a folder of its masks in {show_path(self.masks.folder)}"
            self.findings.append(KINDS["no_mask"].at(image, "has no folder of masks", expected=expected))
        return self._join(by_image.folders)

    def _divide_by_label(self, ones: _Files, others: _Files) -> LabelledMasks | None:
        """The masks by label, where one name on the way to each is all that its image's folder has not."""
        known = {_fold(place): place for place in ones}
        for at in (-1, 0, 1, -2):
            places = [place for place in others if -len(place) <= at < len(place)]
            homes = [known.get(_fold((*place[:at], *place[at:][1:]))) for place in places]
            if len(places) == len(others) and None not in homes:
                return LabelledMasks([
                    LabelFolder(place=home, label=self._name_label(place[at]), images=ones[home], masks=others[place])
                    for place, home in zip(places, homes, strict=True)
                    if home is not None
                ])  # fmt: skip
        return None

    def _name_label(self, folder: str) -> str:
        """As a table names it, else as the folder is spelt where it came first."""
        return self.declared.get(folder.casefold()) or self._spelt.setdefault(folder.casefold(), folder)

    def _read_labels(self, masks: LabelledMasks) -> list[Placed]:
        if len(masks.labels) > 1 and not masks.recur and not self.declared:
            self.report_unclear("each image has its mask in one of them alone, so they may be labels or patients", "")
            return []
        if len(masks.labels) > 1 and all(map(is_observer, masks.labels)):
            self.report_unclear("they are of several observers, whose masks are not joined", _OBSERVERS_MEND)
            return []
        placed, findings = masks.list_cases()
        self.findings += findings
        self._note(self.masks, masks.labels, "taken for a label", "taken for labels")
        return placed

    def _join(self, folders: Sequence[tuple[Place, Folders]]) -> list[Placed]:
        """A case for the one image of each pair of folders, with all masks there."""
        used = [(place, pair) for place, pair in folders if pair.complete]
        cases = join_by_folder([pair for _, pair in folders], self.masks.folder, self.declared, self.findings)
        return [(place, case) for (place, _), case in zip(used, cases, strict=True)] if cases else []

    def _report_lonely(self, places: _Files, own: FolderTree, other: FolderTree) -> None:
        """A finding for each folder that only one of the trees has; images without masks to test on are no fault."""
        for place, files in places.items():
            if not files.files:
                continue
            images = own is self.images
            found = f"holds {'images' if images else 'masks'}: {list_names(file.name for file in files.files.values())}"
            partner = other.folder.joinpath(*place)
            if images and place and find_part(place[0]) == "test":
                mend = "Nothing need be done: the other cases are used, and divided anew."
                expected = f"masks in {show_path(partner)}"
                self.findings.append(KINDS["unlabelled"].at(files.folder, found, expected=expected, mend=mend))
                continue
            kind, what = ("no_mask", "masks") if images else ("no_image", "images")
            expected, mend = f"{what} in {show_path(partner)}", f"Add the {what} or take the folder out."
            others = list(files.files.values())
            self.findings.append(KINDS[kind].at(files.folder, found, expected=expected, mend=mend, others=others))

    def _note_groups(self, places: Collection[Place]) -> None:
        """Says that folders are taken for what belongs together, where any are."""
        cases = name_cases([(place, _make_case("", (Path(), Path()))) for place in places])
        groups = dict.fromkeys(case.group.removeprefix("folder_") for case in cases if case.group)
        diagnoses = dict.fromkeys(case.columns["class"] for case in cases if "class" in case.columns)
        self._note(self.images, groups, "taken for one group that stays together", "taken for groups that stay together")
        what = "taken for what whole images show, not for groups or labels"
        self._note(self.images, diagnoses, what, what)

    def _note(self, tree: FolderTree, names: Collection[str], one: str, several: str) -> None:
        """Says what folders are taken for."""
        if names:
            what = f"which is {one}" if len(names) == 1 else f"which are {several}"
            self.findings.append(KINDS["folders_read"].at(tree.folder, f"has {_name_folders(names)}, {what}"))

    def report_unclear(self, why: str, mend: str = UNCLEAR_MEND) -> None:
        """The finding for folders of which nothing tells what they are. mend: that of the kind where it is empty."""
        names = {place[0]: None for place in self.masks.filled if place} or {
            place[0]: None for place in self.images.filled if place
        }
        found = f"has {_name_folders(names)}: {why}"
        inner = self.masks if any(self.masks.filled) else self.images
        self.findings.append(KINDS["folders_unclear"].at(inner.folder, found, mend=mend))


def _divide_by_image(ones: _Files, others: _Files) -> _ByImage | None:
    """The masks by image, where every folder of them is named as an image."""
    known = {_fold(place): place for place in ones}
    folders: list[tuple[Place, Folders]] = []
    lacking: list[Path] = []
    for home in dict.fromkeys(_fold(place[:-1]) for place in others):
        if home not in known:
            return None
        images = ones[known[home]]
        inner = {place[-1]: files for place, files in others.items() if place and _fold(place[:-1]) == home}
        image_affix, mask_affix = choose_rule(images.files, inner, KNOWN_RULES)
        keys, parts = find_common_parts(images.files, image_affix), find_common_parts(inner, mask_affix)
        if len(inner) != len(keys.keys() & parts.keys()) or () in others:
            return None
        folders += [(known[home], Folders(images.choose((keys[key],), ()), inner[name])) for key, name in parts.items()]
        lacking += [images.files[stem] for key, stem in keys.items() if key not in parts]
    return _ByImage(folders, lacking)


def _merge(places: _Files, *, whole: bool) -> tuple[FolderFiles, dict[Path, Place]]:
    """The files of several folders as those of one, and the folder of each; nothing where names recur.

    whole: named with their folders, as `p1_x` for p1/x.
    """
    files = {
        "_".join((*place, stem)) if whole else stem: (place, file)
        for place, inner in places.items()
        for stem, file in inner.files.items()
    }
    count = sum(len(inner.files) for inner in places.values())
    left_out = frozenset(stem for inner in places.values() for stem in inner.left_out)
    folder = next(iter(places.values())).folder
    if len({stem.casefold() for stem in files}) < count:
        return FolderFiles(folder=folder), {}
    merged = FolderFiles(folder=folder, files={stem: file for stem, (_, file) in files.items()}, left_out=left_out)
    return merged, {file: place for place, file in files.values()}


def _make_case(name: str, files: tuple[Path, Path]) -> CaseFiles:
    return CaseFiles(name=name, images=(files[0],), masks=(files[1],))
