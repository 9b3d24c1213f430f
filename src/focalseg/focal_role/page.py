"""One self-contained HTML page on the role of the focal parameter, and its numbers beside it."""

import json
from pathlib import Path

from focalseg.files import refuse_link, write_text
from focalseg.focal_role import charts as focal_charts
from focalseg.focal_role import pictures as focal_pictures
from focalseg.focal_role import wording as focal_wording
from focalseg.focal_role.effect import SCORES, Effect
from focalseg.focal_role.investigation import FocalRole, list_numbers
from focalseg.focal_role.maps import ARMS, NEAR_PIXELS, SITE, WANTED_SHARE
from focalseg.report.rendering import render

_PAGE = Path("focal") / "index.html"
_NUMBERS = Path("focal") / "figures.json"
_ARM_TITLES = {
    "overlap": "Overlap arm alone",
    "cross_entropy": "Cross-entropy arm alone",
    "both": "Both arms, half and half",
}

_KNOB_TITLES = {"loss": "loss", "network": "network, held", "turned": "network, turned"}


def write_focal_page(folder: Path, role: FocalRole) -> Path:
    """Writes focal/index.html and focal/figures.json into the folder, made where it is absent; returns the page's path.

    The same role gives the same bytes.
    """
    refuse_link((folder / _PAGE).parent)
    write_text(folder / _NUMBERS, json.dumps(list_numbers(role), indent=1, allow_nan=False) + "\n")
    write_text(folder / _PAGE, render_focal_role(role))
    return folder / _PAGE


def render_focal_role(role: FocalRole) -> str:
    """The page as HTML."""
    maps, effect = role.maps, role.effect
    foreground = float(maps.subject.mask.mean())
    by_arm = {arm: [one for one in maps.gradients if one.arm == arm] for arm in ARMS}
    light, dark = focal_charts.shade_styles()
    return render(
        "focal.html.j2",
        budget=role.budget,
        light=light,
        dark=dark,
        gammas=[f"{curve.gamma:g}" for curve in role.curves[0].curves],
        panels={panel.use: focal_charts.draw_panel(panel) for panel in role.curves},
        subject=focal_pictures.draw_subject(maps),
        case=maps.subject,
        foreground=foreground,
        ramp=focal_pictures.list_ramp(),
        site=SITE,
        near=NEAR_PIXELS,
        wanted=WANTED_SHARE,
        arms=[
            (
                _ARM_TITLES[shift.arm],
                focal_pictures.draw_gradients(by_arm[shift.arm]),
                focal_wording.describe_gradients(by_arm[shift.arm], foreground),
                focal_wording.describe_shift(shift),
            )
            for shift in maps.shifts
        ],
        factors=focal_pictures.draw_factors(maps.factors),
        factor_sentence=focal_wording.describe_factors(maps.factors),
        weights=focal_pictures.draw_weights(maps.weights, role.budget.maps.boundary_weight),
        weight_sentence=focal_wording.describe_weights(maps),
        effect_sentence=focal_wording.describe_effect(effect),
        charts=_draw_effect(effect),
        knobs=[
            (_KNOB_TITLES[knob], settings, focal_wording.describe_knob(settings, focal_wording.KNOBS[knob]))
            for knob, settings in vars(effect).items()
        ],
        describe_difference=focal_wording.describe_difference,
    )


def _draw_effect(effect: Effect) -> list[tuple[str, str]]:
    """By score: its chart against the gamma of the loss, and its chart against that of the network, on one axis."""
    rows = []
    for score in SCORES:
        span = focal_charts.score_span([*effect.loss, *effect.network, *effect.turned], score)
        loss = focal_charts.draw_scores({"held": effect.loss}, score, span, "gamma of the loss")
        series = {"held": effect.network, "turned": effect.turned}
        rows.append((loss, focal_charts.draw_scores(series, score, span, "gamma of the network")))
    return rows
