"""Whether another set fits the networks of a job: channels, axes, labels, scale of intensities, size of elements."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from focalseg.errors import DataError
from focalseg.feeding.preparation import Entry, Preparation
from focalseg.findings import counted, plural, show_path
from focalseg.imagesets.kinds import list_names
from focalseg.imagesets.masks import FOREGROUND
from focalseg.imagesets.survey.summary import CaseSummary
from focalseg.imagesets.survey.survey import Survey
from focalseg.training.run import RunConfig

_UNNAMED = re.compile(rf"{FOREGROUND}|label_\d+")
"""What labels are called where nothing names them."""
_SEPARATORS = re.compile(r"[\s_-]+")
_KINDS = {2: "pictures", 3: "volumes"}
_MOST_OFF_SCALE = 0.5
"""Share of a set's images, so far from those of the training that a prediction means nothing, beyond which no score does."""


@dataclass(frozen=True, kw_only=True)
class Fit:
    """How the labels of a set go with a network's. labels: those that are scored, in the order of the set's numbers.

    channels: the network's label, counted from 0, that each of its labels becomes once they stand in the set's order, those
    that are not scored last. notes: what a person should know.
    """

    labels: tuple[str, ...]
    channels: tuple[int, ...]
    notes: tuple[str, ...] = ()

    @property
    def moves(self) -> bool:
        """Whether the network's labels have another order than the set's."""
        return self.channels != tuple(range(len(self.channels)))


def find_fit(survey: Survey, configs: Sequence[RunConfig]) -> Fit:
    """How a set fits networks of these configs, all of one job. Raises DataError, with every fault, where it does not."""
    faults = [*_misfit_images(survey, configs[0])]
    fit, misfit = _match_labels(survey, configs[0].labels)
    faults += misfit
    if not any(case.foreground for case in survey.cases):
        faults.append(
            f"{survey.source}: every mask of the {counted(len(survey.cases), 'case')} is empty; expected foreground in some. "
            "Check how the masks were exported (0 and 255)."
        )
    if faults:
        raise DataError(faults)
    preparations = list(dict.fromkeys(config.preparation for config in configs))
    notes = [*fit.notes, *_check_scale(survey, preparations), *_remark_spacing(survey.cases, preparations)]
    return Fit(labels=fit.labels, channels=fit.channels, notes=tuple(notes))


def _misfit_images(survey: Survey, config: RunConfig) -> Iterator[str]:
    """What is wrong with the channels and axes of the images; within a set all have the same."""
    channels, axes, case = config.network.in_channels, len(config.preparation.size), survey.cases[0]
    if len(case.size) != axes:
        trained = _KINDS.get(axes, f"images with {axes} axes")
        yield (
            f"{survey.source}: its images are {_KINDS.get(len(case.size), f'of {len(case.size)} axes')}, such as "
            f"{show_path(case.file)}; expected {trained}, which the networks were trained on. Give a set of {trained}."
        )
    elif case.channels != channels:
        mend = {(1, 3): "Save them in colour.", (3, 1): "Save them in grey."}.get((case.channels, channels), "Convert them.")
        yield (
            f"{survey.source}: its images have {counted(case.channels, 'channel')}, such as {show_path(case.file)}; expected "
            f"{channels}, as those that the networks were trained on. {mend}"
        )


def _match_labels(survey: Survey, trained: tuple[str, ...]) -> tuple[Fit, list[str]]:
    """The labels of a set beside those of the networks: by name where both have names, else by number; and what is wrong."""
    given = survey.labels
    told, known = (list_names(names, len(names)) for names in (given, trained))
    if any(_UNNAMED.fullmatch(name) for names in (given, trained) for name in names):
        fit = Fit(labels=trained, channels=tuple(range(len(trained))))
        if len(given) == len(trained):
            same = given == trained or len(given) == 1
            remark = "" if same else f"its labels are taken by their numbers: {told} for {known}, in this order."
            return (fit if same else Fit(labels=fit.labels, channels=fit.channels, notes=(remark,))), []
        mend = "Write one mask per case that tells these labels, numbered alike."
        if len(given) < len(trained):
            mend = f"Name the labels that its masks hold in a table, labels.csv with label,value, as {known} are called."
        found = f"{survey.source}: its masks tell {counted(len(given), 'label')} apart ({told})"
        return fit, [f"{found}; expected {len(trained)}, as the networks do ({known}). {mend}"]
    places = {_simplify(name): number for number, name in enumerate(trained)}
    chosen = [places.get(_simplify(name)) for name in given]
    strange = [name for name, place in zip(given, chosen, strict=True) if place is None]
    if strange:
        found = f"{survey.source}: its masks have the {plural(len(strange), 'label')} {list_names(strange, len(strange))}"
        mend = _mend_strange(strange, renamed=len(given) <= len(trained))
        return Fit(labels=trained, channels=()), [f"{found}; expected labels that the networks tell: {known}. {mend}"]
    order = [place for place in chosen if place is not None]
    rest = [number for number in range(len(trained)) if number not in order]
    absent = list_names([trained[number] for number in rest], len(rest))
    remark = (
        f"its masks do not tell {absent}, so that only {told} {'is' if len(given) == 1 else 'are'} scored; the job's own "
        f"figures are of {known}."
    )
    labels = tuple(trained[number] for number in order)
    return Fit(labels=labels, channels=(*order, *rest), notes=(remark,) if rest else ()), []


def _mend_strange(strange: Sequence[str], *, renamed: bool) -> str:
    """What to do about labels that the networks do not know. renamed: whether they may be others under another name."""
    if renamed:
        return "If these are the same under another name, call them so in the table of the set (labels.csv or dataset.json)."
    which = "it" if len(strange) == 1 else "them"
    return f"Write 0 for {which} in the masks and take {which} out of the table of the set."


def _simplify(name: str) -> str:
    """A label as it is compared: `Left Lung` is `left_lung`."""
    return _SEPARATORS.sub("", name).casefold()


def _check_scale(survey: Survey, preparations: Sequence[Preparation]) -> Iterator[str]:
    """A note on images far from those of the training. Raises DataError where most of a set is."""
    strange: list[tuple[Entry, CaseSummary]] = []
    for case in survey.cases:
        entries = [preparation.measure_entry(case.mean, case.standard_deviation) for preparation in preparations]
        worst = max(entries, key=lambda entry: entry.strangeness)
        if worst.is_extreme:
            strange.append((worst, case))
    if not strange:
        return
    worst, case = max(strange, key=lambda found: found[0].strangeness)
    first = preparations[0]
    mean, spread = (", ".join(f"{value:.4g}" for value in values) for values in (first.mean, first.standard_deviation))
    share = f"{len(strange)} of the {len(survey.cases)} images"
    if len(strange) > _MOST_OFF_SCALE * len(survey.cases):
        raise DataError(
            f"{survey.source}: {share} are on another scale than those of the training: {show_path(case.file)} {worst}; "
            f"expected intensities about those of the training, with the mean {mean} and the standard deviation {spread} "
            "(per channel). Save the images on that scale, such as 0 to 255 in place of 0 to 1."
        )
    yield f"{share} are far from those of the training, so that their scores mean little: {case.name} {worst}."


def _remark_spacing(cases: Sequence[CaseSummary], preparations: Sequence[Preparation]) -> Iterator[str]:
    """A note on images whose elements are far larger or smaller than those of the training."""
    apart = [
        (case.name, doubt)
        for case in cases
        if case.spacing_mm is not None and (doubt := preparations[0].compare_spacing(case.size, case.spacing_mm))
    ]
    if apart:
        name, doubt = apart[0]
        yield f"{len(apart)} of the {len(cases)} images show things at another size than those of the training: {name}. {doubt}"
