"""The verdict in sentences."""

import math
from collections.abc import Iterator

from focalseg.evaluation.verdict import WIDEST_INTERVAL, Against, Collapses, Footing, Verdict
from focalseg.findings import counted, plural
from focalseg.records.estimate import Estimate
from focalseg.records.placement import Collapsed
from focalseg.study.outcome.breakdown_wording import (
    describe_bound,
    describe_calibration,
    describe_endpoint,
    describe_fallback,
    describe_interval,
    describe_open_failures,
    describe_over_all,
    describe_price,
    describe_rescue,
    describe_sites,
    describe_strata,
    describe_total,
    describe_where_placed,
)

MEND = "more training.steps or a lower training.learning_rate may mend that"
COLLAPSED = "ended predicting nothing at all"
ENOUGH = 3
"""Trainings of an arm, or folds, with fewer of which an interval is several times as wide by Student's t alone."""
MORE_GROUPS = "test more of them, with split.test_folds or more data"
MORE_TRAININGS = "give seeds=3 or more"
THIS_SET_ALONE = "For this data set alone, whose training images are taken as they are"
UNLOOKED = "No site was looked at, since the policy places none: the lean network is the plain one."


def describe_verdict(
    verdict: Verdict,
    *,
    more_groups: str = MORE_GROUPS,
    more_trainings: str = MORE_TRAININGS,
    alone_for: str = THIS_SET_ALONE,
) -> str:
    """The verdict in sentences: first what keeps it from being one, then whether, which and where, what it is made of, how
    sure it is, and at what price.

    more_groups, more_trainings: what to do where there are too few of them. alone_for: whom what is shown of the data set alone
    speaks for.
    """
    if verdict.collapses.too_many:
        return describe_failures(verdict.collapses)
    alone = verdict.trainings == 1 and not verdict.several_folds
    few = f"One training an arm: nobody knows how much the seed changes; {more_trainings}." if alone else ""
    answer = _answer_plain(verdict) if verdict.plain else _answer_placed(verdict)
    doubts = (describe_undertraining(verdict.footing), _describe_few(verdict, more_groups, more_trainings))
    lost = verdict.against.lost if verdict.against else {}
    unknown = (f"Not compared with the arm {arm}: {_of(collapsed)} of it {COLLAPSED}." for arm, collapsed in lost.items())
    failed = verdict.collapses.count
    warning = f"But {counted(failed, 'training')} {COLLAPSED}: {MEND}." if failed else ""
    sure = (_describe_reach(verdict), *unknown, warning)
    fallback, own = describe_fallback(verdict.breakdown), _describe_this_set(verdict, alone_for)
    return " ".join(filter(None, (*doubts, few, fallback, *answer, *own, *sure, describe_price(verdict))))


def _describe_this_set(verdict: Verdict, alone_for: str) -> Iterator[str]:
    """What is shown of the data set alone, where nothing is of data sets like it."""
    own = verdict.this_set
    if own is None or not verdict.open or (own.open and not describe_strata(own, "it")):
        return
    against, interval = own.against, describe_interval(own.asked, own.adjusted.level)
    everywhere = _name_everywhere(against) if against else ""
    if not own.plain:
        done = "no difference is shown" if own.open else f"attention {own.outcome}"
        shown = f"{done}, {own.difference.mean:+.3f} ({interval})"
    elif against and against.as_good_as_all and not against.all_is_better:
        shown = f"the plain network is as good as with {everywhere} ({describe_bound(against)})"
    else:
        gain = _swap(own.asked)
        interval = describe_interval(gain, own.adjusted.level)
        done = "no difference is shown between none and" if own.open else ""
        shown = f"{done} {everywhere}{'' if own.open else ' helps'}, {gain.mean:+.3f} ({interval})".strip()
    yield f"{alone_for}: {shown}."
    yield from _describe_makeup(own, everywhere if own.plain else "it")


def describe_failures(collapses: Collapses) -> str:
    """What to say instead of an answer where too many trainings ended predicting nothing; else nothing."""
    failed = [f"{_of(collapsed)} of the arm {arm}" for arm, collapsed in collapses.arms.items() if collapsed.most]
    if collapses.search.half:
        failed.append(f"{_of(collapses.search)} of the search for sites")
    return f"Not answered: {' and '.join(failed)} {COLLAPSED}; {MEND}." if failed else ""


def describe_undertraining(footing: Footing, *, named: bool = True) -> str:
    """That networks had not learned yet what they could, where that was measured. named: whether there are several arms."""
    if not footing.undertrained:
        return ""
    more = "give more training.steps"
    if not footing.rises:
        silence = next(one for one in footing.silences if one.telling)
        return (
            f"Undertrained: {silence.whose} predicted nothing at all on {silence.empty} of the "
            f"{counted(silence.cases, 'validation case')} that hold something, with a mean Dice of {silence.dice:.2f}; {more}, "
            "unless no network does better on such data."
        )
    first = max(footing.rises, key=lambda rise: rise.gain)
    arms = f" of the {plural(len(footing.rises), 'arm')} {' and '.join(rise.arm for rise in footing.rises)}" if named else ""
    follows = "what follows may be a matter of speed" if named else "it had more to learn"
    upto = "up to " if len(footing.rises) > 1 else ""
    return (
        f"Undertrained: the validation Dice{arms} still rose by {upto}{first.gain:.3f} in the {first.part} of "
        f"{footing.steps} steps, so that {follows}; {more}."
    )


def _describe_few(verdict: Verdict, more_groups: str, more_trainings: str) -> str:
    """That no difference could have been shown by so few groups, or with an interval over so much of the scale."""
    # Intervals for other data sets are wide because folds share training images, which more test groups would not change.
    footing, wide = verdict.footing, (verdict.this_set or verdict).width > WIDEST_INTERVAL
    if not verdict.open or not footing.groups or not (wide or footing.few_groups):
        return ""
    enough = max(verdict.trainings, len(verdict.by_fold)) >= ENOUGH
    what = "groups" if footing.few_groups or enough else "trainings"
    number = counted(footing.groups, "group")
    trainings = counted(verdict.trainings, "training") + (" of each fold" if len(verdict.by_fold) > 1 else "")
    found = f"the test cases are of {number}" if what == "groups" else f"each arm has {trainings}"
    span = f", and the interval of the difference is {(verdict.this_set or verdict).width:.2f} Dice wide" if wide else ""
    mend = more_groups if what == "groups" else more_trainings
    return f"Too few {what} to tell: {found}{span}; {mend}."


def _describe_reach(verdict: Verdict) -> str:
    """That an answer rests on few groups."""
    if verdict.open or not verdict.footing.few_groups:
        return ""
    return f"But the test cases are of {counted(verdict.footing.groups, 'group')}: others may differ more than these do."


def _answer_plain(verdict: Verdict) -> Iterator[str]:
    """What it means that nothing was placed, which depends on whether it was looked for; and what attention everywhere does."""
    found = "no site was found worth keeping, so the lean network is the plain one"
    looked, against = verdict.collapses.search.trainings > 0, verdict.against
    gain = _swap(against.placed_minus["all"]) if against and "all" in against.placed_minus else None
    if against is None or gain is None:
        yield f"{found.capitalize()}." if looked else UNLOOKED
        yield describe_total(verdict)
        return
    everywhere, interval = _name_everywhere(against), describe_interval(gain, verdict.adjusted.level)
    change, beside = f"{gain.mean:+.3f} {describe_endpoint(verdict.breakdown)}", describe_over_all(verdict.breakdown)
    if against.all_is_better and looked:
        helps = f"{everywhere.capitalize()} helps ({change}, {interval}{beside})"
        yield f"{helps}, but the search found no part of it that does: {found}."
    elif against.all_is_better:
        yield UNLOOKED
        yield f"{everywhere.capitalize()} helps: {change} ({interval}{beside})."
    elif against.as_good_as_all:
        yield f"No attention is justified on this data: {found}." if looked else UNLOOKED
        yield f"The plain network is as good as with {everywhere} ({describe_bound(against)})."
    else:
        yield f"{found.capitalize()}." if looked else UNLOOKED
        open_question = f"It stays open whether {everywhere} gains more than {against.margin} Dice"
        yield f"{open_question}: {gain.mean:+.3f} ({interval}{beside})."
        yield describe_open_failures(against)
    yield describe_total(verdict)
    yield from _describe_makeup(verdict, everywhere)


def _answer_placed(verdict: Verdict) -> Iterator[str]:
    """What the placed attention does, what that is made of, whether the rest of it is missed, and whether more channels would
    have done as well."""
    change, breakdown = verdict.difference, verdict.breakdown
    figure = f"{change.mean:+.3f} {describe_endpoint(breakdown)}"
    sure = f"{describe_interval(change, verdict.adjusted.level)}{describe_over_all(breakdown)}"
    comma = "," if breakdown.some_lack_it else ""  # images with lesions, with 2 attention modules
    result = f"{figure}{comma} with {_describe_placed(verdict)}{describe_sites(breakdown)} ({sure})"
    subject = "Attention" if verdict.most_modules else "Shutting a skip"
    if verdict.outcome == "no_difference_shown":
        yield f"No difference shown: {result}{_describe_why_not(verdict)}."
    else:
        yield f"{subject} {verdict.outcome}: {result}."
    if verdict.most_modules and not verdict.modules:
        yield "But the folds kept different sites, none of them in half of the folds."
    yield describe_where_placed(verdict)
    yield describe_total(verdict)
    yield from _describe_makeup(verdict, "it")
    yield _compare_with_all(verdict)
    yield _compare_with_wider(verdict)


def _describe_makeup(verdict: Verdict, subject: str) -> Iterator[str]:
    """What the difference that is asked about is made of. subject: of the sentence on misses and false alarms."""
    yield describe_strata(verdict, subject)
    yield describe_rescue(verdict)
    yield describe_calibration(verdict)


def _describe_why_not(verdict: Verdict) -> str:
    """Why nothing is shown: too many claims for this p-value, or how small a difference could have been seen."""
    adjusted, difference = verdict.adjusted, verdict.difference
    if adjusted.holm_p is not None and (difference.low > 0 or difference.high < 0):
        among = f"adjusted for the {counted(adjusted.claims, 'claim')} that could be made here (Holm)"
        return f"; that is apart from 0, but p = {adjusted.holm_p:.3f}, {among}, is not below {adjusted.level:.4g}"
    return _describe_sensitivity(verdict.smallest_difference)


def _describe_sensitivity(smallest: float) -> str:
    """How small a difference could have been seen; nothing where the scores do not tell."""
    if math.isinf(smallest):
        return "; the test cases are all of one group, which shows no difference however large"
    if smallest >= 1:  # Dice itself goes up to 1
        return "; of such data not even the largest difference there can be is shown in 80 % of studies"
    return "" if math.isnan(smallest) else f"; such data shows a true difference of {smallest:.3f} in 80 % of studies"


def _describe_placed(verdict: Verdict) -> str:
    fewest, most = min(verdict.by_fold, default=verdict.modules), verdict.most_modules
    count = str(most) if fewest == most else f"{fewest} to {most}"
    shut = f" and {counted(verdict.shut, 'skip')} shut" if verdict.shut else ""
    return f"{count} {plural(most, 'attention module')}{shut}"


def _compare_with_all(verdict: Verdict) -> str:
    """Whether the rest of the attention is missed."""
    against = verdict.against
    if not against or "all" not in against.placed_minus:
        return ""
    change, everywhere = against.placed_minus["all"], _name_everywhere(against)
    if against.all_is_better:
        interval = describe_interval(change, verdict.adjusted.level)
        return f"But {everywhere} is better still: placed minus all is {change.mean:+.3f} ({interval})."
    fewer = verdict.most_modules < against.candidates and verdict.outcome != "harms"
    if fewer and against.as_good_as_all:
        return f"With fewer modules it is as good as with {everywhere} ({describe_bound(against)})."
    return ""


def _compare_with_wider(verdict: Verdict) -> str:
    """Whether the gain could be had with more channels. That network has the parameters of attention at all sites, more than
    what was placed: where it does as well, nothing says whether parameters or attention are the cause."""
    against = verdict.against
    if not against or "wider" not in against.placed_minus or verdict.outcome != "helps":
        return ""
    change = against.placed_minus["wider"]
    result = f"placed minus wider is {change.mean:+.3f} ({describe_interval(change, verdict.adjusted.level)})"
    if against.sign("wider") > 0:
        return f"A plain network with more channels does not do as well: {result}."
    if against.sign("wider") < 0:
        return f"But a plain network with more channels does better still: {result}."
    if against.wider_as_good:
        return f"But a plain network with more channels does as well, and needs no attention for it: {result}."
    return f"It stays open whether a plain network with more channels does as well: {result}."


def _name_everywhere(against: Against) -> str:
    """The arm `all` in words."""
    return f"attention at all {counted(against.candidates, 'site')}"


def _of(collapsed: Collapsed) -> str:
    return f"{collapsed.collapsed} of {counted(collapsed.trainings, 'training')}"


def _swap(difference: Estimate) -> Estimate:
    """The same difference, the other arm first."""
    return Estimate(mean=0 - difference.mean, low=0 - difference.high, high=0 - difference.low)
