"""Blocks that the code decides: presets, settings, gates, policies, regimes, arguments of the loss, kinds of findings."""

from collections.abc import Sequence
from dataclasses import fields
from fractions import Fraction
from functools import partial, reduce
from typing import Any

import yaml

from figures.blocks import Writer
from figures.markdown import fill_table, format_table
from focalseg.attention import GATES
from focalseg.configuration import list_settings
from focalseg.imagesets.kinds import KINDS
from focalseg.losses import UnifiedFocalConfig
from focalseg.placement.exponents import REGIMES
from focalseg.placement.policies import POLICIES
from focalseg.placement.policies.questions import SMALLEST_WORTH
from focalseg.study.presets import PRESETS, Settings, build_settings


def write_presets(_current: str) -> str:
    """What a preset spends, as a table."""
    rows = []
    for name in PRESETS:
        settings = build_settings(name)
        default = " (default)" if name == next(iter(PRESETS)) else ""
        rows.append([
            f"`{name}`{default}",
            f"{settings.data.longest_side} pixels",
            f"from {settings.network.base_width}, up to {settings.network.most_levels} levels",
            str(settings.training.steps),
            str(settings.seeds),
        ])  # fmt: skip
    return format_table(("preset", "images shrunk to", "widths", "steps per training", "trainings per arm"), rows)


def write_settings(current: str, *, section: str) -> str:
    """The settings of a section with their values in every preset; section "" is that of the job itself."""
    prefix = f"{section}." if section else ""
    names = [name for name in list_settings(Settings) if name.startswith(prefix) and (section or "." not in name)]
    presets = [build_settings(name) for name in PRESETS]
    figures = {name: [show_setting(reduce(getattr, name.split("."), preset)) for preset in presets] for name in names}
    return fill_table(current, ("setting", *PRESETS, "means"), figures, {})


def show_setting(value: Any) -> str:
    """A value as it is typed behind `--set NAME=`, but for "nothing" and a fraction such as 1/3, which read better."""
    if value is None:
        return "nothing"
    if isinstance(value, float) and len(repr(value)) > 8:
        return str(Fraction(value).limit_denominator(20))
    if isinstance(value, float):
        return f"{value:g}"
    plain = list(value) if isinstance(value, tuple) else value
    return '""' if plain == "" else yaml.safe_dump(plain, default_flow_style=True).removesuffix("...\n").strip()


def write_gates(current: str) -> str:
    """The catalogue of gates, with the words on where each is from."""
    figures = {name: (gate.varies_over, "yes" if gate.needs_gating_signal else "no") for name, gate in GATES.items()}
    return fill_table(current, ("name", "varies over", "gating signal", "after"), figures, {})


def write_policies(current: str) -> str:
    """Every policy, the default marked, with the words on what it keeps and what it costs."""
    default = Settings().policy
    columns = ("policy", "keeps", "trainings, or placements that are scored")
    return fill_table(current, columns, _without_figures(list(POLICIES)), {default: f"`{default}` (default)"})


def write_regimes(current: str) -> str:
    """Every way of treating the exponents in a training, with the words on what it does."""
    return fill_table(current, ("regime", "does"), _without_figures(list(REGIMES)), {})


def write_worth(_current: str) -> str:
    """The least that a site must be worth."""
    return f"Wherever a policy asks what a site is worth, the least that counts is {SMALLEST_WORTH} Dice."


def write_loss_arguments(current: str) -> str:
    """The arguments of the loss with their defaults."""
    figures = {field.name: [show_default(field.default)] for field in fields(UnifiedFocalConfig)}
    return fill_table(current, ("argument", "default", "is"), figures, {})


def show_default(value: Any) -> str:
    """A default as it is typed in Python."""
    return f'`"{value}"`' if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else str(value)


def write_findings(_current: str) -> str:
    """Everything that may be found in somebody's data, with its mend."""
    rows = [(f"`{name}`", kind.level, kind.title, kind.mend, kind.repair) for name, kind in KINDS.items()]
    return format_table(("kind", "level", "is", "mend", "a copy by `--repair`"), rows)


def _without_figures(names: list[str]) -> dict[str, Sequence[str]]:
    return dict.fromkeys(names, ())


SECTIONS = {
    "job": "",
    "images": "data",
    "split": "split",
    "looks": "looks",
    "network": "network",
    "training": "training",
    "scores": "scores",
}

FROM_CODE: dict[str, Writer] = {
    "presets": write_presets,
    **{f"settings of the {title}": partial(write_settings, section=section) for title, section in SECTIONS.items()},
    "gates": write_gates,
    "policies": write_policies,
    "regimes": write_regimes,
    "smallest worth": write_worth,
    "arguments of the loss": write_loss_arguments,
    "kinds of findings": write_findings,
}
