"""What a page says of the kinds of cases: drawings, tables and sentences, each there where the record tells of it."""

from collections.abc import Mapping
from dataclasses import dataclass

from focalseg.records.outcome.strata import LEFT_EMPTY, WITH_OBJECT_DICE
from focalseg.records.placement import NONE, PLACED
from focalseg.report.figures import Figure
from focalseg.report.placement.answers import tables
from focalseg.report.placement.answers.claims import name_level
from focalseg.report.placement.answers.strata import Panel, draw_strata
from focalseg.report.placement.answers.tables import Table
from focalseg.report.placement.contents import PlacementContents
from focalseg.report.rendering import render
from focalseg.report.wording import MINUS, decimal, signed


@dataclass(frozen=True, kw_only=True)
class Kinds:
    """title: of the section; opening: what the verdict is about. panels, drawings: of each kind of case, the latter SVG by the
    panel's name.

    level: of the intervals; least_p: what an adjusted p has to lie below. A table is None where the record has nothing for it.
    """

    title: str
    opening: str
    panels: tuple[Panel, ...]
    drawings: Mapping[str, str]
    level: str
    least_p: str
    strata: Table | None
    labels: Table | None
    sizes: Table | None
    rescue: Table | None
    rescue_sentence: str
    thresholds: Table | None
    calibration: str

    def list_figures(self) -> list[Figure]:
        """The drawings as files."""
        return [
            Figure(name=panel.file, title=panel.title, svg=self.drawings[panel.name], frame="intervals")
            for panel in self.panels
        ]


def lay_kinds(contents: PlacementContents) -> Kinds:
    """All of it from what was read of a job's folder."""
    panels, looks = draw_strata(contents), contents.record.looks
    lacking = LEFT_EMPTY in contents.record.strata
    return Kinds(
        title="Cases with the object, and cases without" if lacking else "What is found, and what is missed",
        opening=" ".join(filter(None, (_open(contents), _tell_mean(contents)))),
        panels=panels,
        drawings={panel.name: render("stratum.svg.j2", panel=panel) for panel in panels},
        level=name_level(looks),
        least_p=decimal(looks.level, 4).rstrip("0"),
        strata=tables.tabulate_strata(contents),
        labels=tables.tabulate_labels(contents),
        sizes=tables.tabulate_sizes(contents),
        rescue=tables.tabulate_rescue(contents),
        rescue_sentence=tables.describe_rescue(contents),
        thresholds=tables.tabulate_thresholds(contents),
        calibration=tables.describe_calibration(contents),
    )


def _open(contents: PlacementContents) -> str:
    """What the verdict is about, and why the others stand apart from it."""
    record = contents.record
    if record.endpoint != WITH_OBJECT_DICE:
        return (
            "No test case has the object, so the verdict is about the Dice of all cases: 1 where nothing was predicted, else 0."
            if record.strata
            else ""
        )
    opening = "The verdict is about the Dice on cases with the object, which was fixed beforehand."
    if LEFT_EMPTY not in record.strata:
        whole = "the labels that a case has" if contents.mean_differs else "all test cases"
        return f"The verdict is about the Dice of {whole}, which was fixed beforehand; every one has the object."
    return (
        f"{opening} On a case without the object Dice can only be 1, left empty, or 0, a false alarm: a mean over all cases "
        "adds up two things that may go opposite ways, so they are shown apart."
    )


def _tell_mean(contents: PlacementContents) -> str:
    """The difference of the mean over all cases, where it is another."""
    whole = contents.record.difference_all_cases
    if whole is None or not contents.mean_differs:
        return ""
    return (
        f"In the mean over all cases {PLACED} {MINUS} {NONE} is {signed(whole.dice)} Dice "
        f"[{signed(whole.low)}, {signed(whole.high)}]."
    )
