"""Which prediction is of which reference, by the names of their files."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product

from focalseg.errors import DataError
from focalseg.evaluation.masks.folders import MaskFolder, name_of_mask
from focalseg.findings import counted, show_name, show_path
from focalseg.imagesets.case import CaseFiles
from focalseg.imagesets.folders.files import cut_suffix, find_folders, list_images_in
from focalseg.imagesets.folders.pairing import IMAGE_AFFIXES, MASK_AFFIXES, Nearest, choose_rule, find_common_parts
from focalseg.imagesets.kinds import list_names

_AFFIXES = tuple(dict.fromkeys((*MASK_AFFIXES, *IMAGE_AFFIXES)))
_RULES = tuple(product(_AFFIXES, _AFFIXES))


@dataclass(frozen=True, kw_only=True)
class PairedCase:
    """A case with its two masks, each of one file or several."""

    name: str
    predicted: CaseFiles
    reference: CaseFiles


@dataclass(frozen=True, kw_only=True)
class Pairing:
    """pairs: in the order of the reference. missing: references without a prediction; unused: the other way round."""

    pairs: tuple[PairedCase, ...]
    missing: tuple[str, ...]
    unused: tuple[str, ...]


def pair_masks(predicted: MaskFolder, reference: MaskFolder, *, partial: bool) -> Pairing:
    """Pairs masks of the same name, else by what stands around a common part, such as _mask or _0000.

    Raises DataError where no name fits, and, unless partial, where a reference has no prediction: the scores would be of the
    cases that somebody chose to predict.
    """
    keys = _choose_keys(predicted, reference)
    pairs = tuple(
        PairedCase(name=name, predicted=predicted.cases[keys[name]], reference=case)
        for name, case in reference.cases.items()
        if name in keys
    )
    missing = tuple(name for name in reference.cases if name not in keys)
    used = set(keys.values())
    unused = tuple(name for name in predicted.cases if name not in used)
    if not pairs:
        raise DataError(_explain_none(predicted, reference))
    if missing and not partial:
        raise DataError(_explain_missing(predicted, reference, missing, unused))
    return Pairing(pairs=pairs, missing=missing, unused=unused)


def _choose_keys(predicted: MaskFolder, reference: MaskFolder) -> dict[str, str]:
    """The name of the prediction by that of the reference: by the way to call a case that fits most of them."""
    ways: tuple[Callable[[CaseFiles], str], ...] = (
        lambda case: case.name,
        lambda case: case.name.rpartition("/")[2],
        lambda case: cut_suffix(case.images[0].name)[0] if case.images else case.name,
        name_of_mask,
    )
    best: dict[str, str] = {}
    for own, other in product(ways[:2], ways):
        mine, theirs = (_name_cases(side, way) for side, way in ((predicted, own), (reference, other)))
        keys = {name: mine[key] for key, name in theirs.items() if key in mine}
        best = max(best, keys, key=len)
        if len(best) == len(reference.cases):
            return best
    if best:
        return best
    stems = predicted.cases.keys(), [name_of_mask(case) for case in reference.cases.values()]
    rule = choose_rule(*stems, _RULES)
    parts = find_common_parts(stems[0], rule[0])
    named = find_common_parts(stems[1], rule[1])
    by_stem = {name_of_mask(case): name for name, case in reference.cases.items()}
    return {by_stem[stem]: parts[part] for part, stem in named.items() if part in parts}


def _name_cases(folder: MaskFolder, way: Callable[[CaseFiles], str]) -> Mapping[str, str]:
    """The names of cases by what a way calls them, where that is theirs alone."""
    named = {name: way(case) for name, case in folder.cases.items()}
    times = Counter(named.values())
    return {called: name for name, called in named.items() if times[called] == 1}


def _explain_none(predicted: MaskFolder, reference: MaskFolder) -> str:
    examples = [show_name(next(iter(side.cases), "no mask")) for side in (predicted, reference)]
    inner = [place for place in find_folders(reference.path, "labelsTs", "labelsVal") if list_images_in(place)]
    mend = f"Give {show_path(inner[0])}, if these are its cases." if inner and reference.is_set else "Rename one of the two."
    return (
        f"{show_path(predicted.path)}: holds no mask whose name fits one of {show_path(reference.path)} ({examples[0]} and "
        f"{examples[1]}, for example); expected the same names. {mend}"
    )


def _explain_missing(predicted: MaskFolder, reference: MaskFolder, missing: tuple[str, ...], unused: tuple[str, ...]) -> str:
    near = Nearest(unused).find(missing[0])
    renamed = f"Rename {show_name(near)} if it is that of {show_name(missing[0])}, predict" if near else "Predict"
    few = "it" if len(missing) == 1 else "them"
    return (
        f"{show_path(predicted.path)}: has no prediction of {counted(len(missing), 'case')} of the {len(reference.cases)} in "
        f"{show_path(reference.path)} ({list_names(missing, 5)}); expected one for every case, as those that are missing may "
        f"be the hard ones. {renamed} {few}, or add --partial to score the others alone."
    )
