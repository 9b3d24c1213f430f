"""A set and what was found in it, in the words that the terminal and the page share."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from focalseg.findings import Finding, Level, counted, plural
from focalseg.imagesets.kinds import KINDS, list_names
from focalseg.imagesets.survey.survey import Survey
from focalseg.report.check.record import Duplicate, Fingerprint, LabelShare, Spread
from focalseg.report.wording import listed

TIMES, DASH = "\N{MULTIPLICATION SIGN}", "\N{EN DASH}"
_MOST_LABELS_NAMED = 8


@dataclass(frozen=True, kw_only=True)
class FindingGroup:
    """The findings of one kind. title: the kind in words. quiet: whether nothing need be done about them."""

    kind: str
    level: Level
    title: str
    findings: tuple[Finding, ...]
    quiet: bool = False

    def __str__(self) -> str:
        """All of them in one line, with the names of the first few."""
        if len(self.findings) == 1:
            return str(self.findings[0])
        files = dict.fromkeys(finding.file for finding in self.findings)
        mends = dict.fromkeys(finding.mend for finding in self.findings)
        return f"{len(self.findings)} x {self.title}: {list_names(files)}. {next(iter(mends))}"


def group_findings(findings: Iterable[Finding]) -> tuple[FindingGroup, ...]:
    """Findings by kind: errors first, then notes that need a look, then those that need nothing.

    Kinds are in the order of their catalogue, a kind's findings in the order they came in.
    """
    order = {kind: place for place, kind in enumerate(KINDS)}
    findings = sorted(findings, key=lambda finding: (finding.level != "error", finding.quiet, order[finding.kind]))
    return tuple(
        FindingGroup(kind=kind, level=alike[0].level, title=KINDS[kind].title, findings=alike, quiet=quiet)
        for (quiet, kind), alike in (
            (which, tuple(group)) for which, group in groupby(findings, key=attrgetter("quiet", "kind"))
        )
    )


def describe_set(survey: Survey, fingerprint: Fingerprint) -> list[tuple[str, str]]:
    """A name and a value for everything that a set is."""
    facts = [("layout", survey.layout), ("cases", _describe_cases(fingerprint, len(survey.cases)))]
    if not survey.cases:
        return facts
    facts += [("images", _describe_images(fingerprint))]
    if fingerprint.spacing_mm:
        facts += [("spacing", f"{_join_axes(fingerprint.spacing_mm, 3)} mm")]
    facts += [
        ("intensities", _describe_intensities(fingerprint)),
        ("labels", _describe_labels(fingerprint.labels)),
    ]
    if fingerprint.foreground:
        judged = "judged " if fingerprint.void else ""
        facts += [("foreground", f"{show_shares(fingerprint.foreground)} of a case's {judged}pixels")]
    if fingerprint.void:
        facts += [("not judged", f"{show_shares(fingerprint.void)} of a case's pixels; they count nowhere")]
    empty = len(fingerprint.empty_masks)
    facts += [
        ("empty masks", f"{empty:,} of {len(survey.cases):,}" if empty else "none"),
        ("duplicates", _describe_duplicates(fingerprint)),
    ]
    if fingerprint.observer_dice is not None:
        facts += [("second observer", f"agrees with the first with a mean Dice of {fingerprint.observer_dice:.3f}")]
    return facts


def _describe_cases(fingerprint: Fingerprint, cases: int) -> str:
    """The cases in words: 612 in 29 groups, the largest of 25; official split: 480 train, 132 test."""
    text = f"{cases:,}"
    if fingerprint.groups < cases:
        together = "that stays together" if fingerprint.groups == 1 else "that stay together"
        text += f" in {counted(fingerprint.groups, 'group')} {together}, the largest of {fingerprint.largest_group}"
    if fingerprint.parts:
        text += f"; official split: {', '.join(f'{count:,} {part}' for part, count in fingerprint.parts.items())}"
    return text


def _describe_images(fingerprint: Fingerprint) -> str:
    """The images in words: 384 x 288 pixels, 3 channels of uint8."""
    unit = "voxels" if len(fingerprint.sizes) == 3 else "pixels"
    sizes = _join_axes(fingerprint.sizes)
    channels = listed([counted(int(number), "channel") for number in fingerprint.channels])
    several = f" ({fingerprint.distinct_sizes} sizes)" if fingerprint.distinct_sizes > 1 else ""
    return f"{sizes} {unit}{several}, {channels} of {listed(list(fingerprint.number_types))}"


def _describe_intensities(fingerprint: Fingerprint) -> str:
    """The intensities in words, channel by channel: 0 to 255, mean 80 ± 60."""
    values = fingerprint.intensities
    means = zip(values["mean"], values["standard_deviation"], strict=True)
    shown = ", ".join(f"{_round(mean)} ± {_round(deviation)}" for mean, deviation in means)
    channels = " by channel" if len(values["mean"]) > 1 else ""
    return f"{_round(min(values['minimum']))} to {_round(max(values['maximum']))}, mean {shown}{channels}"


def _describe_labels(labels: Sequence[LabelShare]) -> str:
    """The labels by name, with how many cases hold each."""
    shown = [f"{label.label} in {counted(label.cases, 'case')}" for label in labels[:_MOST_LABELS_NAMED]]
    rest = len(labels) - len(shown)
    return ", ".join(shown) + (f" and {rest} more" if rest else "")


def _describe_duplicates(fingerprint: Fingerprint) -> str:
    """How many pairs of images are the same, or nearly so."""
    pairs = fingerprint.duplicates
    if not pairs:
        return "none found"
    identical = sum(pair.identical for pair in pairs)
    across = sum(not pair.same_group for pair in pairs)
    within = f"; {across:,} of the pairs across groups" if across < len(pairs) else ""
    kinds = [(identical, "identical"), (len(pairs) - identical, "nearly identical")]
    shown = " and ".join(f"{count:,} {kind}" for count, kind in kinds if count)
    return f"{shown} {plural(len(pairs), 'pair')} of images{within}"


def describe_pair(pair: Duplicate) -> str:
    """Says that two images are the same, or how nearly they are."""
    if pair.identical:
        return "The same image"
    return f"Correlation {pair.correlation:.3f}{f', {pair.moved}' if pair.moved else ''}"


def count_findings(survey: Survey) -> str:
    """Counts in words: 612 cases, no errors, 2 notes and 998 that need nothing."""
    errors, notes, quiet = len(survey.errors), count_to_look_at(survey), sum(note.quiet for note in survey.notes)
    cases = counted(len(survey.cases), "case") + (" readable" if errors else "")
    of_notes = counted(notes, "note") if notes else "no notes"
    if quiet:
        needs = "needs" if quiet == 1 else "need"
        of_notes = f"{of_notes} and {quiet} that {needs} nothing" if notes else f"{counted(quiet, 'note')} that {needs} nothing"
    return f"{cases}, {counted(errors, 'error') if errors else 'no errors'}, {of_notes}"


def count_to_look_at(survey: Survey) -> int:
    """The number of notes that need a look."""
    return sum(not note.quiet for note in survey.notes)


def count_mendable(findings: Iterable[Finding]) -> int:
    """The number of findings that `--repair` mends, without further options and other than by leaving the case out."""
    return sum(finding.repairable for finding in findings)


def name_others(finding: Finding) -> tuple[str, ...]:
    """The further files that a finding involves and does not already name in what was found."""
    return tuple(other for other in finding.others if other not in finding.found)


def show_shares(spread: Spread) -> str:
    """A range of shares in words: from 0.5 % to 40 %, median 9 %."""
    if spread.lowest == spread.highest:
        return show_share(spread.median)
    return f"{show_share(spread.lowest)} to {show_share(spread.highest)}, median {show_share(spread.median)}"


def show_share(share: float) -> str:
    """A share in percent with two digits; what rounds to nothing and is more says so."""
    percent = 100 * share
    if 0 < percent < 0.01:
        return "<0.01 %"
    return f"{percent:.{0 if percent >= 10 or percent == 0 else 1 if percent >= 1 else 2}f} %"


def _join_axes(axes: Sequence[Spread], digits: int = 0) -> str:
    """A size in words, width first as people say it; a range where the cases differ."""
    return f" {TIMES} ".join(_show_range(axis, digits) for axis in reversed(axes))


def _show_range(axis: Spread, digits: int) -> str:
    low, high = (f"{value:.{digits}f}" for value in (axis.lowest, axis.highest))
    if digits:
        low, high = (text.rstrip("0").rstrip(".") for text in (low, high))
    return low if low == high else f"{low}{DASH}{high}"


def _round(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
