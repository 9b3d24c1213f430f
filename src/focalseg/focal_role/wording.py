"""What the maps and the trainings of the focal parameter show, said with the numbers that were measured."""

from collections.abc import Sequence

import numpy as np

from focalseg.focal_role.effect import Effect, Setting
from focalseg.focal_role.maps import NEAR_PIXELS, ArmShift, FactorMap, FocalMaps, GradientMap
from focalseg.report.wording import decimal, listed, signed

_EMPHASIS = {"overlap": "gradient of the overlap arm", "cross_entropy": "gradient of the cross-entropy arm", "both": "gradient"}


KNOBS = {"loss": "Gamma of the loss", "network": "Gamma of the network, held", "turned": "Turned after training"}


def describe_gradients(maps: Sequence[GradientMap], foreground: float) -> str:
    """Where one arm's gradient falls at its smallest and at its largest gamma. foreground: the share of the pixels that are."""
    first, last = maps[0], maps[-1]
    return (
        f"From gamma {first.gamma:g} to {last.gamma:g} the share of the {_EMPHASIS[first.arm]} that falls on the foreground, "
        f"{foreground:.0%} of the pixels, goes from {first.on_foreground:.0%} to {last.on_foreground:.0%}, and the share on "
        f"wrongly predicted pixels from {first.on_wrong:.0%} to {last.on_wrong:.0%}; "
        f"its size becomes {decimal(last.total, 2)} of what it was."
    )


def describe_shift(shift: ArmShift) -> str:
    """Where one arm's gradient falls over all held-out images."""
    return (
        f"Over all {shift.images} held-out images with a border, the mean share on the foreground goes from "
        f"{shift.foreground_first:.0%} to {shift.foreground_last:.0%} (it rises on {shift.foreground_rises} of them), "
        f"on wrongly predicted pixels from {shift.wrong_first:.0%} to {shift.wrong_last:.0%} (rises on {shift.wrong_rises}), "
        f"and the size becomes {decimal(shift.total, 2)} of what it was."
    )


def describe_factors(maps: Sequence[FactorMap]) -> str:
    """How much more the skip lets through inside the mask than outside, at its smallest and at its largest gamma."""
    times = [f"{decimal(one.foreground / one.background, 2)} times at gamma {one.gamma:g}" for one in maps]
    last = maps[-1]
    return (
        f"Inside the mask the skip passes, against outside, {listed(times)}; "
        f"what it passes falls to {decimal(last.foreground, 3)} inside and {decimal(last.background, 3)} outside."
    )


def describe_weights(maps: FocalMaps) -> str:
    """How much of the extra weight stands near the border."""
    first, last = maps.weights[0], maps.weights[-1]
    return (
        f"Within {NEAR_PIXELS:g} pixels of the border, where {maps.pixels_near:.0%} of the image lies, stands "
        f"{first.near_border:.0%} of the extra weight at gamma {first.gamma:g} and {last.near_border:.0%} at {last.gamma:g}; "
        f"the mean of W falls from {decimal(first.mean, 2)} to {decimal(last.mean, 2)}."
    )


def describe_knob(settings: Sequence[Setting], what: str) -> str:
    """Which gammas the trainings tell from gamma 0, and how far the seeds lie apart."""
    compared = [one for one in settings if one.against_zero is not None and one.gamma != 0]
    if not compared:
        return f"{what}: there is no training at gamma 0 to compare with."
    higher = [_name(one) for one in compared if one.against_zero and one.against_zero.low > 0]
    lower = [_name(one) for one in compared if one.against_zero and one.against_zero.high < 0]
    unclear = [name for name in map(_name, compared) if name not in (*higher, *lower)]
    told = {"above gamma 0": higher, "below gamma 0": lower, "not to be told from gamma 0": unclear}
    parts = [f"{listed(names)} {verb}" for verb, names in told.items() if names]
    return f"{what}: Dice at gamma {'; at gamma '.join(parts)}. {_describe_ranges(settings)}"


def _describe_ranges(settings: Sequence[Setting]) -> str:
    """How far the means lie apart, and how far the seeds."""
    means = [one.dice.mean for one in settings]
    widest = max(settings, key=lambda one: np.ptp(one.dice.seeds))
    return (
        f"The means lie up to {decimal(np.ptp(means))} apart; "
        f"the seeds of one gamma up to {decimal(np.ptp(widest.dice.seeds))} (at gamma {widest.gamma:g})."
    )


def describe_effect(effect: Effect) -> str:
    """What the two knobs do to the same trainings, in a sentence."""
    loss, network = (np.ptp([one.dice.mean for one in settings]) for settings in (effect.loss, effect.network))
    seeds = (max(np.ptp(one.dice.seeds) for one in settings) for settings in (effect.loss, effect.network))
    return (
        f"The mean Dice differs by up to {decimal(loss)} between the gammas of the loss and by up to {decimal(network)} "
        f"between those of the network, while the seeds of one gamma lie up to {' and '.join(map(decimal, seeds))} apart"
    )


def describe_difference(setting: Setting) -> str:
    """Dice against gamma 0 with its interval, for a table."""
    if setting.against_zero is None or setting.gamma == 0:
        return "\N{EM DASH}"
    estimate = setting.against_zero
    return f"{signed(estimate.mean)} [{signed(estimate.low)}, {signed(estimate.high)}]"


def _name(setting: Setting) -> str:
    """A gamma with its mean difference to gamma 0."""
    return f"{setting.gamma:g} ({signed(setting.against_zero.mean)})" if setting.against_zero else f"{setting.gamma:g}"
