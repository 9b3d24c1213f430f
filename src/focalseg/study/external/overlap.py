"""Cases of another set that the networks of a job know already: the very same, nearly the same, or of one group with those."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from focalseg.counting import Count
from focalseg.errors import DataError, SettingError
from focalseg.findings import counted, show_path
from focalseg.imagesets.opening import open_dataset
from focalseg.imagesets.survey.duplicates import find_duplicates, join_groups
from focalseg.imagesets.survey.summary import CaseSummary
from focalseg.imagesets.survey.survey import Survey, survey_dataset
from focalseg.records.splits import Splits

_MOST_FAULTS = 20
LEARNED = "which the networks were trained or chosen on"
"""Of a case of the job."""


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """seen: by case of the set, the case of the job that it is or is nearly, of those that were trained or validated on.

    tested: the same of the job's test cases, which are no leak and no other data either. looked: whether nearly the same images
    could be looked for, since the job's own set is still there.
    """

    seen: Mapping[str, str] = field(default_factory=dict)
    tested: Mapping[str, str] = field(default_factory=dict)
    looked: bool = True

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of it, besides what was seen."""
        notes = []
        if self.tested:
            verb = "is one" if len(self.tested) == 1 else "are some"
            notes.append(
                f"{counted(len(self.tested), 'case')} of this set {verb} of the job's own test cases, such as "
                f"{next(iter(self.tested))}: what is found on them is no second finding."
            )
        if not self.looked:
            notes.append(
                "the job's own images are not where they were, so that only exact copies of them could be looked for, and not "
                "images that are nearly the same."
            )
        return tuple(notes)


def find_overlap(survey: Survey, splits: Splits, folds: Sequence[int], count: Count) -> Overlap:
    """The cases of a set that a job knows, by the pixels of image and mask, and by its images where they are still there.

    folds: those that were trained. Their own near duplicates are followed: what is nearly the same as a copy is seen, too.
    """
    learned = {name for split in splits.folds if split.fold in folds for name in (*split.train, *split.validation)}
    tested = {name for split in splits.folds if split.fold in folds for name in split.test} - learned
    by_digest = {digest: name for name, digest in splits.cases.items() if name in learned | tested}
    known = {case.name: by_digest[case.case_digest] for case in survey.cases if case.case_digest in by_digest}
    own = sorted(_survey_own(splits, learned | tested, count), key=lambda case: case.name not in learned)
    known |= _match_images(survey.cases, own, count)
    return Overlap(
        seen={name: other for name, other in known.items() if other in learned},
        tested={name: other for name, other in known.items() if other in tested},
        looked=bool(own),
    )


def _survey_own(splits: Splits, names: set[str], count: Count) -> list[CaseSummary]:
    """The cases of the job as they lie on disk, of those that are still what they were."""
    try:
        survey = survey_dataset(open_dataset(splits.data), count)
    except (DataError, SettingError, OSError):
        return []
    return [case for case in survey.cases if case.name in names and splits.cases.get(case.name) == case.case_digest]


def _match_images(cases: Sequence[CaseSummary], own: Sequence[CaseSummary], count: Count) -> dict[str, str]:
    """By case of a set, the case of a job that shows the same or nearly so, maybe by way of others that do."""
    if not own:
        return {}
    both = [*own, *cases]
    with count("comparing with the job's own images") as advance:
        pairs = find_duplicates([case.signature for case in both], [case.digest for case in both], advance)
    keys = [f"{number:09d}" for number in range(len(both))]  # names of two sets may be the same
    groups = join_groups(keys, [""] * len(keys), pairs)  # a group is called as its first member, and the job's come first
    found = {}
    for key, case in zip(keys[len(own) :], cases, strict=True):
        if (first := int(groups[key])) < len(own):
            found[case.name] = own[first].name
    return found


def leave_out_seen(survey: Survey, groups: Mapping[str, str], overlap: Overlap, *, asked: bool) -> dict[str, str]:
    """By case, why it is not scored: it was seen, or is of one group with one that was.

    Raises DataError, naming those that were seen, where nobody asked to leave them out, and where none is left.
    """
    if not overlap.seen:
        return {}
    files = {case.name: case.file for case in survey.cases}
    if not asked:
        faults = [
            f"{show_path(files[name])}: is the same image as {show_path(other)} of the job, or nearly so, {LEARNED}; expected "
            "images that they never saw. Take it out of the set, or add --leave-out-seen, which scores the others alone."
            for name, other in overlap.seen.items()
        ]
        more = [f"{survey.source}: and {counted(len(faults) - _MOST_FAULTS, 'other image')} likewise."]
        raise DataError([*faults[:_MOST_FAULTS], *(more if len(faults) > _MOST_FAULTS else [])])
    with_seen = {groups[name]: name for name in overlap.seen}
    left = {}
    for case in survey.cases:
        if case.name in overlap.seen:
            left[case.name] = f"is or is nearly {overlap.seen[case.name]} of the job, {LEARNED}"
        elif groups[case.name] in with_seen:
            left[case.name] = f"belongs together with {with_seen[groups[case.name]]}, {LEARNED}"
    if len(left) == len(survey.cases):
        raise DataError(
            f"{survey.source}: all {counted(len(left), 'case')} are those of the job, {LEARNED}, or belong together with some; "
            "expected images that they never saw. Give another set."
        )
    return left
