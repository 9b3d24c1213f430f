"""Names of folders that say what their images are to be used for, or what whole images show."""

from collections.abc import Mapping

from focalseg.imagesets.case import Part

SIDES: Mapping[Part, tuple[str, ...]] = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
"""What the folder of each side of a split is called, in lower case."""
_PARTS: Mapping[str, Part] = {name: part for part, names in SIDES.items() for name in names}
_DIAGNOSES = frozenset((
    "benign", "malignant", "normal", "abnormal", "healthy", "diseased", "unhealthy", "positive", "negative", "pos", "neg",
    "covid", "covid19", "control", "controls", "glaucoma", "nonglaucoma", "cancer", "noncancer", "tumor", "tumour", "notumor",
    "notumour",
))  # fmt: skip
"""What sorts whole images, in lower case and without signs: folders of these names are no patients, and no labels."""


_OBSERVERS = frozenset((
    "observer", "reader", "rater", "annotator", "expert", "grader", "radiologist", "doctor", "reviewer", "manual", "stho",
    "ndho",
))  # fmt: skip
"""Who drew a mask, in lower case and without numbers."""


def find_part(name: str) -> Part:
    """The side of a split that a folder's name says; empty for any other name."""
    return _PARTS.get(name.casefold(), "")


def is_diagnosis(name: str) -> bool:
    """Whether a folder's name sorts whole images, as benign and malignant do."""
    return "".join(filter(str.isalnum, name.casefold())) in _DIAGNOSES


def is_observer(name: str) -> bool:
    """Whether a name says who drew a mask, as observer_1 does: masks of several observers are neither labels nor objects."""
    return "".join(filter(str.isalpha, name.casefold())) in _OBSERVERS
