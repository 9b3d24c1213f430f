"""What a claim of a job rests on, in words: for whom it is made, how often the data were looked at, what misses make of it."""

from collections.abc import Iterator

from focalseg.findings import counted
from focalseg.records.estimate import NonInferiority
from focalseg.records.outcome.claims import ONE_LOOK, TAIL, Looks, TotalEffect
from focalseg.records.outcome.strata import StratumDifference
from focalseg.records.placement import ALL, NONE, JobRecord
from focalseg.report.placement.contents import PlacementContents
from focalseg.report.wording import MINUS, decimal, share, signed

_ORDINALS = ("first", "second", "third", "fourth", "fifth")


def is_shown(found: StratumDifference, looks: Looks) -> bool:
    """Whether a difference is shown: its interval leaves 0 out and, where it was tested, its adjusted p is small enough."""
    return found.sign != 0 and (found.holm_p is None or found.holm_p < looks.level)


def name_level(looks: Looks) -> str:
    """How sure the intervals are: 95 %, and more than that where a look has to be paid for."""
    return _percent(1 - looks.level)


def name_sureness(looks: Looks) -> str:
    """How sure one end of an interval is: 97.5 %."""
    return _percent(1 - looks.tail)


def _percent(share_of_one: float) -> str:
    text = decimal(100 * share_of_one, 2)
    return f"{text.rstrip('0').rstrip('.')}\N{NO-BREAK SPACE}%"


def name_claim(record: JobRecord) -> str:
    """Whom the intervals speak for."""
    if record.arms[NONE].folds < 2:
        return "It speaks for new cases; one fold does not show what other training cases would change."
    if record.claim == "new_data":
        own = ""
        if record.this_set is not None:
            plain = not any(fold.kept or fold.shut for fold in record.folds)
            found = (record.this_set.all_minus_none if plain else record.this_set.difference).estimate
            own = f" For this data set alone it is {signed(found.mean)} [{signed(found.low)}, {signed(found.high)}]."
        return f"It speaks for data sets like this one.{own}"
    return "It speaks for this data set, whose training cases are taken as they are."


def explain_claim(record: JobRecord) -> str:
    """The same in a sentence, with what is done about folds that share training cases. Empty for one fold."""
    if record.arms[NONE].folds < 2:
        return ""
    if record.claim == "data_set":
        return (
            "The intervals speak for this data set: for new cases and new trainings, while its training cases are taken as "
            "they are."
        )
    return (
        "The intervals speak for data sets like this one, with training cases of their own: two folds share "
        f"{share(record.overlap)} of their training groups, so that they differ less than two data sets do, and the intervals "
        "are widened for it (focalseg's docs/statistics.md; wider than by Nadeau and Bengio 2003)."
    )


def name_look(looks: Looks) -> str:
    """Which look at the test scores this is."""
    if looks == ONE_LOOK:
        return "The test scores were looked at once."
    count = _ORDINALS[looks.taken - 1] if looks.taken <= len(_ORDINALS) else f"{looks.taken}th"
    return f"This is the {count} look at the test scores."


def explain_looks(looks: Looks) -> str:
    """What a look costs; empty where there was only one and no other was planned."""
    if looks == ONE_LOOK:
        return ""
    return (
        f"{name_look(looks)} Who looks more than once finds more by chance, so that all looks share one error (alpha spending, "
        f"Lan and DeMets 1983): that of this one is {_percent(looks.tail)} on either side instead of {_percent(TAIL)}, and the "
        f"intervals of differences are of {name_level(looks)}."
    )


def explain_failures(claim: NonInferiority, looks: Looks = ONE_LOOK) -> str:
    """How many groups may be lost altogether although the mean is as good; empty in a record of before that was counted."""
    if claim.failing_at_most is None or claim.groups is None:
        return ""
    failing = f"In {claim.failing}" if claim.failing else "In none"
    return (
        f"{failing} of {counted(claim.groups, 'group')} of test cases did {claim.of} fail altogether where {claim.to} did not; "
        f"this does not exclude, with {name_sureness(looks)} confidence, that up to {share(claim.failing_at_most)} of such "
        "groups do (exact, Clopper-Pearson). A mean alone says nothing of rare failures."
    )


def explain_total(total: TotalEffect | None) -> str:
    """What attention everywhere did on validation cases before sites were chosen; empty where nobody asked."""
    if total is None:
        return ""
    ends = [end for end in (total.low, total.high) if end is not None]
    interval = f" [{signed(ends[0])}, {signed(ends[1])}]" if len(ends) > 1 else ""
    explained = "account for it" if total.explained else "do not account for it"
    return (
        f"On validation cases, before any site was chosen, {ALL} {MINUS} {NONE} was {signed(total.mean)} Dice{interval}; the "
        f"sites that are kept {explained}."
    )


def list_claims(contents: PlacementContents) -> Iterator[str]:
    """Whom the figures speak for and how often they were looked at, in sentences."""
    record = contents.record
    yield from filter(None, (explain_claim(record), explain_looks(record.looks), explain_total(record.total_effect)))
