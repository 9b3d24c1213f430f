"""What a difference is made of, in sentences: where it is, which sites, misses and false alarms, calibration, and the price."""

from collections import Counter

from focalseg.evaluation.breakdown import Breakdown, Shares
from focalseg.evaluation.verdict import LEVEL, Against, Verdict
from focalseg.findings import counted, plural
from focalseg.records.estimate import Estimate, Interval

MOST_NAMED = 3
"""Sites that are named one by one; of more, how many have which kind."""
CHANGE = 0.005
"""Less than that, as a share of what the plain network costs, is no price to speak of."""


def describe_interval(estimate: Estimate | Interval, level: float) -> str:
    """An interval with its confidence, 95 % for a job that is looked at once."""
    low, high = ("unknown" if end is None else f"{end:+.3f}" for end in (estimate.low, estimate.high))
    return f"{100 * (1 - level):.4g} % interval {low} to {high}"


def describe_endpoint(breakdown: Breakdown) -> str:
    """What a figure is of, as it follows it: Dice, or Dice of the cases that have the object."""
    return f"Dice on images with {_name(breakdown)}" if breakdown.some_lack_it else "Dice"


def describe_fallback(breakdown: Breakdown) -> str:
    """That no case has the object, so that the scores are of something else than finding it."""
    return "No test image has the object: Dice only says how often they are left empty." if breakdown.none_has_it else ""


def describe_over_all(breakdown: Breakdown) -> str:
    """The mean over all cases, as it stands beside the endpoint within brackets, where the two are not the same."""
    return f"; {breakdown.over_all.mean:+.3f} over all images" if breakdown.some_lack_it and breakdown.over_all else ""


def describe_sites(breakdown: Breakdown) -> str:
    """Which kinds of gate stand where: `: se at bottleneck and ag at skip.0`, with `, mostly` for the colon where the folds
    differ; nothing where nobody said."""
    sites = breakdown.sites
    if not sites:
        return ""
    if len(sites) <= MOST_NAMED:
        named = [f"{gate} at {site}" for site, gate in sites.items()]
    else:
        named = [f"{gate} at {counted(count, 'site')}" for gate, count in Counter(sites.values()).items()]
    return f"{':' if breakdown.alike else ', mostly'} {_join(named)}"


def describe_strata(verdict: Verdict, subject: str) -> str:
    """What is shown of misses and of false alarms. subject: what does it. Where one of them, or the endpoint, says another
    thing than the rest, the sentence begins with "But"."""
    breakdown = verdict.breakdown
    missed, empty = _take_shown(breakdown.missed), _take_shown(breakdown.left_empty)
    told, better = [], []
    if missed:
        much = f"{_show_shares(missed)} are missed altogether"
        told.append(f"finds {'more' if missed.sign < 0 else 'fewer'} {_name(breakdown)} ({much})")
        better.append(-missed.sign)
    if empty:
        much = f"{_show_shares(empty)} of the images without any are left empty"
        told.append(f"raises {'fewer' if empty.sign > 0 else 'more'} false alarms ({much})")
        better.append(empty.sign)
    if not told:
        return ""
    apart = any(sign != _find_sign(verdict) for sign in better)
    return f"{'But ' if apart else ''}{subject if apart else subject[:1].upper() + subject[1:]} {_join(told)}."


def _find_sign(verdict: Verdict) -> int:
    """What is said of the endpoint: 1 that attention helps, -1 that it harms, 0 that nothing is shown."""
    if verdict.plain:
        return -verdict.against.sign("all") if verdict.against else 0
    return {"helps": 1, "harms": -1, "no_difference_shown": 0}[verdict.outcome]


def describe_rescue(verdict: Verdict) -> str:
    """How much of a difference that is shown comes from objects that one of the two missed."""
    breakdown, share = verdict.breakdown, verdict.breakdown.telling_rescue
    if share is None or breakdown.rescue is None or not _find_sign(verdict):
        return ""
    rescue = breakdown.rescue
    found, lost = rescue.rescued_objects, rescue.lost_objects
    return (
        f"Of the difference {share:.0%} comes from {_name(breakdown)} that one of the two misses altogether "
        f"({found} found and {lost} lost, of {rescue.objects} in all trainings)."
    ).replace("%", " %")


def describe_calibration(verdict: Verdict) -> str:
    """That a difference that is shown at 0.5 is mostly gone at tuned thresholds, or is no longer shown there."""
    tuned, sign = verdict.breakdown.tuned, _find_sign(verdict)
    if tuned is None or not sign:
        return ""
    gone = tuned.mean * sign < abs(verdict.asked.mean) / 2
    figure = f"{tuned.mean:+.3f} ({describe_interval(tuned, verdict.adjusted.level)})"
    told = f"with thresholds tuned on validation cases the difference is {figure}"
    return f"But it is calibration: {told}." if gone else f"But it may be calibration: {told}, which is not apart from 0."


def describe_where_placed(verdict: Verdict) -> str:
    """The difference over the folds that placed something, where others placed nothing."""
    breakdown, found = verdict.breakdown, verdict.breakdown.where_placed
    if found is None:
        return ""
    return (
        f"Nothing was placed in {breakdown.empty_folds} of {len(verdict.by_fold)} folds; in the others the difference is "
        f"{found.mean:+.3f} ({describe_interval(found, verdict.adjusted.level)})."
    )


def describe_total(verdict: Verdict) -> str:
    """That attention helps networks to learn without any of its sites being what does it."""
    total = verdict.breakdown.unexplained
    if total is None or (verdict.against and verdict.against.as_good_as_all and verdict.plain) or _find_sign(verdict) < 0:
        return ""
    figure = f"{total.mean:+.3f} ({describe_interval(total, LEVEL)})"
    alone = "" if _find_sign(verdict) else "; the test cases alone do not show it"
    return f"Attention helps the training; no single site is needed: on validation cases all minus none is {figure}{alone}."


def describe_price(verdict: Verdict) -> str:
    """What the placed network costs more than the plain one, where it helps."""
    price = verdict.breakdown.price
    if price is None or verdict.outcome != "helps":
        return ""
    told = [_change(price.parameters, "parameters"), _change(price.seconds, "time per training step")]
    return f"It costs {_join(found)}." if (found := [one for one in told if one]) else ""


def describe_bound(against: Against) -> str:
    """How much worse something is at the most, and how many groups it may lose: within brackets."""
    found = against.non_inferiority
    if found is None or found.failing is None or not found.groups or found.failing_at_most is None:
        return f"at most {against.margin} Dice worse"
    lost = f"it fails on {found.failing} of {found.groups} groups, so on at most {100 * found.failing_at_most:.2g} %"
    return f"at most {max(-found.bound, 0):.3f} Dice worse; {lost}"


def describe_open_failures(against: Against) -> str:
    """Why nothing is as good as anything, where the interval alone would have said so."""
    found, interval = against.non_inferiority, against.placed_minus.get("all")
    if found is None or found.shown or interval is None or interval.low <= -against.margin:
        return ""
    if not found.groups or found.failing_at_most is None:
        return ""
    share = f"{100 * found.failing_at_most:.2g} %"
    return (
        f"So few as {counted(found.groups, 'test group')} cannot exclude that the lean network fails altogether on {share} of "
        "all groups."
    )


def _take_shown(shares: Shares | None) -> Shares | None:
    return shares if shares and shares.sign else None


def _name(breakdown: Breakdown) -> str:
    """The objects, in the plural."""
    return breakdown.thing if breakdown.thing.endswith("s") else plural(2, breakdown.thing)


def _show_shares(shares: Shares) -> str:
    """`1 % instead of 5 %`, with as many places as tell them apart."""
    for places in (0, 1, 2):
        attended, plain = (f"{100 * share:.{places}f} %" for share in (shares.attended, shares.plain))
        if attended != plain:
            break
    return f"{attended} instead of {plain}"


def _change(ratio: float | None, what: str) -> str:
    if ratio is None or abs(ratio - 1) < CHANGE:
        return ""
    return f"{100 * abs(ratio - 1):.2g} % {'more' if ratio > 1 else 'less'} {what}"


def _join(parts: list[str]) -> str:
    """a; a and b; a, b and c."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1]))) if parts else ""
