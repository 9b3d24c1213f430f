"""What shows only when the cases of a set are laid beside one another: outliers, labels, duplicates, leaks."""

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from focalseg.findings import Finding, counted, show_path
from focalseg.imagesets.kinds import KINDS, list_names
from focalseg.imagesets.survey.duplicates import Pair, join_groups
from focalseg.imagesets.survey.summary import CaseSummary

_FEW_FOREGROUND = 0.25
"""Median share of foreground in a set below which a mask of mostly foreground is an oddity."""
YES, YES_VALUES = "255", {"1", "255", "257", "65535"}
"""Values that stand for foreground in everybody's masks, of 1, 8 and 16 bits, and the one that is said of them all."""
_SHOWN = 3
"""Values that a sentence names."""
_FEWEST_NUMBERS = 3
"""Different values that stand for foreground, none of them in most masks, from which on they look like numbers of objects."""
_FEWEST_FOR_RARE = 4
"""Cases that a set must have before a label of one of them alone is worth a note."""


def find_oddities(cases: Sequence[CaseSummary]) -> list[Finding]:
    """Notes on single cases: nothing in the mask or nothing else, an image of one intensity, a mask unlike the others."""
    findings = []
    typical = float(np.median([case.foreground for case in cases])) if cases else 0.0
    for case in cases:
        if case.minimum == case.maximum:
            shown = ", ".join(f"{value:g}" for value in case.minimum)
            findings.append(KINDS["constant"].at(case.file, f"has the intensity {shown} in every pixel"))
        if not any(case.label_pixels[1:]):
            findings.append(KINDS["empty_mask"].at(case.mask_file, "is empty" + " where it is judged" * bool(case.void_pixels)))
        elif not case.label_pixels[0] and not case.void_pixels:
            findings.append(KINDS["full_mask"].at(case.mask_file, "covers the whole image"))
        elif case.foreground > 0.5 and case.border_foreground > 0.9 and typical < _FEW_FOREGROUND:
            found = f"covers {case.foreground:.0%} of the image and {case.border_foreground:.0%} of its border"
            findings.append(
                KINDS["inverted"].at(case.mask_file, found, expected=f"about {_percent(typical)}, as in other cases")
            )
    return findings


def find_unlike(cases: Sequence[CaseSummary]) -> list[Finding]:
    """Errors at the cases whose images have other axes, channels or (for pictures) number types than most."""

    def kind(case: CaseSummary) -> tuple[int, int, str]:
        return len(case.size), case.channels, "" if case.is_volume else case.dtype

    if not cases:
        return []
    most, count = Counter(map(kind, cases)).most_common(1)[0]
    have = "most cases have" if 2 * count > len(cases) else f"{counted(count, 'case')} {'has' if count == 1 else 'have'}"
    findings = []
    for case in cases:
        axes, channels, dtype = kind(case)
        if (axes, channels, dtype) == most:
            continue
        found, usual, mend = _describe(channels, dtype), _describe(*most[1:])[4:], "Convert it."
        repairable = axes == most[0] == 2 and not case.is_volume and _can_be_converted(case, *most[1:])
        if axes != most[0]:
            found, usual, mend = f"has {axes} spatial {'axis' if axes == 1 else 'axes'}", f"{most[0]}", "Take it out."
        expected = f"{usual}, as {have}"
        findings.append(KINDS["unlike"].at(case.file, found, expected=expected, mend=mend, repairable=repairable))
    return findings


def _can_be_converted(case: CaseSummary, channels: int, dtype: str) -> bool:
    """Whether a picture becomes one of so many channels and of that type without loss and without a guess."""
    grey = case.channels == 3 and len({*zip(case.minimum, case.maximum, case.mean, case.standard_deviation, strict=True)}) == 1
    channelled = case.channels == channels or (case.channels, channels) == (1, 3) or (channels == 1 and grey)
    typed = case.dtype == dtype or {case.dtype, dtype} == {"uint8", "uint16"}
    return channelled and typed and not (channels == 3 and dtype == "uint16")


def find_marks(cases: Sequence[CaseSummary]) -> list[Finding]:
    """Errors at masks whose foreground is written otherwise than in most, since two labels would then become one.

    1 and the largest value of 8 or 16 bits all say "yes", and are the same.
    """
    written = [[_split_mark(mark) for mark in case.marks] for case in cases]
    findings = []
    for label in dict.fromkeys(label for marks in written for label, _ in marks):
        findings += _find_marks_of(cases, [{mark for own, mark in marks if own == label} for marks in written])
    return findings


def _split_mark(mark: str) -> tuple[str, str]:
    """The label, empty where a mask is of no single one, and what stands for it."""
    label, _, value = mark.rpartition(": ")
    return label, value


def _find_marks_of(cases: Sequence[CaseSummary], written: Sequence[set[str]]) -> list[Finding]:
    """The errors of `find_marks` at the masks of one label. written: what stands for it in each case."""
    meant = [{_what_is_meant(mark) for mark in marks} for marks in written]
    counts = Counter(meaning for meanings in meant for meaning in meanings)
    if len(counts) < 2:
        return []
    most = max(counts, key=lambda meaning: (counts[meaning], meaning == YES))
    values = Counter(mark for marks in written for mark in marks)
    numbered = len(counts) >= _FEWEST_NUMBERS and 2 * counts[most] <= len(cases) and all(map(str.isdecimal, counts))
    if numbered:
        first = sorted(map(int, values))[:_SHOWN]
        rest = f", the masks of {counted(len(cases), 'case')} having {len(values)} values: {', '.join(map(str, first))}"
        rest += " and more" if len(values) > _SHOWN else ""
    else:
        usual = [(mark, count) for mark, count in values.most_common() if _what_is_meant(mark) == most]
        has = ["has" if count == 1 else "have" for _, count in usual]
        clauses = [f"{counted(count, 'case')} {verb} {mark}" for (mark, count), verb in zip(usual, has, strict=True)]
        rest = f" where {' and '.join(clauses)}"
    return [
        _describe_mark(case, mark, rest, numbered=numbered, coloured="#" in mark + most)
        for case, marks in zip(cases, written, strict=True)
        for mark in sorted(marks)
        if _what_is_meant(mark) != most
    ]


def _what_is_meant(mark: str) -> str:
    """The mark, or the one for all that say nothing but yes."""
    return YES if mark in YES_VALUES else mark


def _describe_mark(case: CaseSummary, mark: str, rest: str, *, numbered: bool, coloured: bool) -> Finding:
    """The error at a mask whose foreground is written otherwise. rest: how others write it. numbered: as objects are."""
    whose = "has" if case.masks == 1 else f"is one of {case.masks} masks of a case that has"
    found = f"{whose} {mark} for foreground{rest}"
    if coloured:
        return KINDS["colours_unknown"].at(case.mask_file, found)
    expected = "one value for one label, or a table labels.csv with label,value"
    mend = "Declare both values in labels.csv, or export the mask again."
    if numbered:
        mend = "Write 1 wherever a mask is not 0 if the values number objects; declare them in labels.csv if they are labels."
    return KINDS["not_declared"].at(case.mask_file, found, expected=expected, mend=mend)


def find_labels(cases: Sequence[CaseSummary], names: Sequence[str] | None, table: str) -> tuple[tuple[str, ...], list[Finding]]:
    """Names of the foreground labels and what is wrong with them. table: what declares them.

    names None: nothing declares them, and the masks must hold 1, 2, ... without a gap; they become label_1, label_2, ...
    """
    holders: dict[int, list[CaseSummary]] = {}
    for case in cases:
        for label, pixels in enumerate(case.label_pixels):
            if label and pixels:
                holders.setdefault(label, []).append(case)
    if names is not None:
        absent = [name for number, name in enumerate(names, start=1) if number not in holders]
        whose = "the mask of the one case does not hold" if len(cases) == 1 else f"no mask of the {len(cases)} cases holds"
        found = f"declares {list_names(absent)}, which {whose}"
        several = len(names) > 1 and absent and cases
        return tuple(names), [KINDS["absent_label"].at(table, found)] if several else []
    last = next(label for label in itertools.count() if label + 1 not in holders)
    findings = [
        KINDS["not_declared"].at(
            case.mask_file,
            f"holds the label {label}, but no mask holds {last + 1}",
            expected="labels counted from 1 without a gap, or a table that declares them",
        )
        for label, among in sorted(holders.items())
        if label > last
        for case in among
    ]
    for label, among in sorted(holders.items()):
        if 1 < label <= last and len(among) == 1 and len(cases) >= _FEWEST_FOR_RARE:
            found = f"holds the label {label} as the only one of {len(cases)} masks"
            findings.append(KINDS["rare_label"].at(among[0].mask_file, found))
    return tuple(f"label_{number}" for number in range(1, max(last, 1) + 1)), findings


def describe_void(cases: Sequence[CaseSummary], names: Sequence[str], table: str) -> list[Finding]:
    """A note on what nobody judged, if there is any. names: what the table calls it."""
    holders = [case for case in cases if case.void_pixels]
    if not holders:
        return []
    void, every = sum(case.void_pixels for case in cases), sum(case.void_pixels + case.judged_pixels for case in cases)
    share = f"{max(void / every, 0.0001):.2%}"
    found = f"declares {list_names(names)} as judged by nobody: {share} of all pixels, in {len(holders)} of {len(cases)} cases"
    return [KINDS["void"].at(table, found)]


def describe_duplicates(cases: Sequence[CaseSummary], pairs: Sequence[Pair], groups: Mapping[str, str]) -> list[Finding]:
    """One note per cluster of images that are the same or nearly so, and errors where an official split puts them on two sides.

    groups: by case name, before duplicates are joined in. Near duplicates within a group are its nature and no news.
    """
    findings = []
    for identical in (True, False):
        kind = KINDS["identical" if identical else "near_duplicate"]
        chosen = [
            pair
            for pair in pairs
            if pair.identical == identical and (identical or groups[cases[pair.first].name] != groups[cases[pair.second].name])
        ]
        beside = {(cases[pair.first].name, cases[pair.second].name) for pair in chosen}
        for first, *others in _cluster(cases, chosen):
            same = "is the same image as" if identical else "is nearly the same image as"
            masks = {case.mask_digest for case in (first, *others)}
            differ = ", with another mask" if len(others) == 1 else ", and their masks differ"
            near = [case.file for case in others if (first.name, case.name) in beside]
            far = [case.file for case in others if case.file not in near]  # like one that is like it, and no more is known
            through = f", and that in turn like {list_names(far)}" if far else ""
            found = f"{same} {list_names(near)}{through}{differ if identical and len(masks) > 1 else ''}"
            findings.append(kind.at(first.file, found, others=[case.file for case in others]))
    findings += _find_official_leaks(cases, pairs)
    return findings


def _find_official_leaks(cases: Sequence[CaseSummary], pairs: Sequence[Pair]) -> list[Finding]:
    findings = []
    parts = {case.part for case in cases}
    if parts - {""}:
        findings += [
            KINDS["no_part"].at(cases[0].file, f"is in a set whose split has no {part} cases", expected="train and test cases")
            for part in ("train", "test")
            if part not in parts
        ]
        findings += [
            KINDS["no_part"].at(case.file, "is in no part of the split, where others are") for case in cases if not case.part
        ]
    for pair in pairs:
        one, other = cases[pair.first], cases[pair.second]
        if one.part and other.part and one.part != other.part:
            same = "the same" if pair.identical else "nearly the same"
            found = f"in {one.part} is {same} image as {show_path(other.file)} in {other.part}"
            findings.append(KINDS["leak"].at(one.file, found, others=[other.file]))
    members: dict[str, list[CaseSummary]] = {}
    for case in cases:
        members.setdefault(case.group, []).append(case)
    for group, among in members.items():
        first = among[0]
        for case in among:
            if case.part and first.part and case.part != first.part:
                found = f"in {case.part} belongs to {group}, as {show_path(first.file)} in {first.part} does"
                findings.append(KINDS["leak"].at(case.file, found, others=[first.file]))
                break
    return findings


def _cluster(cases: Sequence[CaseSummary], pairs: Sequence[Pair]) -> list[list[CaseSummary]]:
    """Cases that are joined by pairs, directly or not, each cluster in order."""
    names = [case.name for case in cases]
    home = join_groups(names, names, pairs)
    clusters: dict[str, list[CaseSummary]] = {}
    for case in cases:
        clusters.setdefault(home[case.name], []).append(case)
    return [members for members in clusters.values() if len(members) > 1]


def _percent(share: float) -> str:
    """A share in percent, never as none where it is some."""
    return f"{share:.0%}" if share >= 0.01 or not share else f"{share:.2%}"


def _describe(channels: int, dtype: str) -> str:
    kind = {1: "a grey image (1 channel)", 3: "a colour image (3 channels)"}.get(channels, f"an image of {channels} channels")
    return f"has {kind}{f' of {dtype}' if dtype else ''}"
