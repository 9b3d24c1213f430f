"""One self-contained HTML page for a placement or a single run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from focalseg.errors import SettingError
from focalseg.evaluation.statistics import SCORE_SPAN, estimate_mean
from focalseg.files import refuse_link, write_text
from focalseg.records.estimate import Estimate
from focalseg.records.placement import ALL, NONE, PLACED, PLACEMENT, SHUT
from focalseg.records.result import CONFIG, RESULT
from focalseg.records.site_decision import SiteDecision
from focalseg.report.figures import Figure, write_figures
from focalseg.report.placement import curves, intervals, naming
from focalseg.report.placement.answers.claims import explain_failures, list_claims, name_level, name_sureness
from focalseg.report.placement.answers.five import find_headline, list_answers
from focalseg.report.placement.answers.kinds import lay_kinds
from focalseg.report.placement.cases import choose_notable, join_scores
from focalseg.report.placement.contents import PlacementContents, RunContents, TrainingLog
from focalseg.report.placement.drawing import Drawing, draw_network
from focalseg.report.placement.examples import draw_examples
from focalseg.report.placement.naming import name_arm
from focalseg.report.placement.paper import Paper, read_paper, write_tables
from focalseg.report.placement.reading import name_element, read_placement_contents, read_run_contents
from focalseg.report.placement.removals import draw_removals
from focalseg.report.placement.sizes import DiceBySize, split_by_size
from focalseg.report.rendering import render
from focalseg.report.wording import MINUS
from focalseg.study.outcome.distances import summarise_distances
from focalseg.study.outcome.wording import describe_undertraining
from focalseg.study.running.scores import CaseScore, count_empty

PAGE = Path("report") / "index.html"
BAR_WIDTH = 160.0
RUN = "run"
"""What the network of a single run is called among arms."""
EXPECTED = "expected a folder that `focalseg place`, `focalseg demo` or `focalseg train` filled"
SCORES = ("dice", "iou", "precision", "recall")
MOST_PATHS = 6
"""Charts of gamma that are shown at once; more are there to be opened."""
FILTERS = {
    name: getattr(naming, name) for name in ("describe_gate", "name_gate", "explain_gates", "describe_network", "name_arm")
}
SAID: dict[str, Any] = {
    "most_named": curves.MOST_NAMED,
    "most_paths": MOST_PATHS,
    "trained_with": naming.TRAINED_WITH,
    "removal_costs": naming.REMOVAL_COSTS,
    "pictured": naming.PICTURED,
    "doubts": naming.DOUBTS,
}
"""What the templates of both pages say besides what a folder holds."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """A page as HTML, its drawings by the name of their file, and what a job leaves for a paper."""

    page: str
    figures: Mapping[str, Figure]
    paper: Paper | None = None


def write_report(folder: Path) -> Path:
    """Writes report/index.html into the folder of a placement or a run, and its drawings into report/figures, from the folder's
    files alone, and returns the path of the page.

    The same files give the same bytes. Raises SettingError for a folder that is neither, and for a damaged file in it.
    """
    if (folder / PLACEMENT).is_file():
        contents = read_placement_contents(folder)
        report = _render_placement(contents, read_paper(folder, contents))
    elif (folder / RESULT).is_file():
        report = _render_run(read_run_contents(folder))
    else:
        raise SettingError(_explain_no_report(folder))
    refuse_link((folder / PAGE).parent)
    write_figures((folder / PAGE).parent, report.figures)
    if report.paper is not None:
        write_tables((folder / PAGE).parent, report.paper)
    write_text(folder / PAGE, report.page)
    return folder / PAGE


def _render_placement(contents: PlacementContents, paper: Paper) -> Report:
    """The page of a placement."""
    differences = _name_differences(contents)
    axis = intervals.difference_axis([difference for _, difference in differences])
    record, arms = contents.record, contents.arms
    dots = [dot for arm in arms.values() for dot in arm.dice_per_training]
    scores = intervals.score_axis([arm.estimate for arm in arms.values()], dots, width=BAR_WIDTH)
    drawing = draw_network(contents.network, record.sites, record.dead_sites)
    trained = {arm: logs for arm, logs in contents.logs.items() if logs}
    pair = (NONE, ALL if contents.plain else PLACED)
    lean = NONE if contents.plain else PLACED
    gamma_charts, training_charts = _draw_paths(contents.probes, record.sites, drawing), _draw_trainings(trained)
    by_size = split_by_size(contents.cases, pair, contents.element, overlap=contents.overlap)
    rows = intervals.lay_rows(axis, differences)
    level = name_level(record.looks)
    shared = {"contents": contents, "record": record, "drawing": drawing, "axis": axis, "rows": rows, "level": level}
    shared["of_object"] = contents.of_object
    figures = _list_figures(drawing, gamma_charts, training_charts, by_size)
    svg = render("intervals.svg.j2", FILTERS, **shared)
    frame = f"intervals {'quiet' if contents.unanswered else record.verdict}"
    figures.append(Figure(name="differences.svg", title="Differences in test Dice", svg=svg, frame=frame))
    kinds = lay_kinds(contents)
    figures += kinds.list_figures()
    page = render(
        "placement.html.j2",
        FILTERS,
        **SAID,
        **shared,
        headline=find_headline(contents),
        answers=list_answers(contents),
        kinds=kinds,
        sureness=name_sureness(record.looks),
        claims=" ".join(list_claims(contents)),
        failures=explain_failures(contents.claim, record.looks) if contents.claim else "",
        paper=paper,
        figures=figures,
        pair=pair,
        notable=choose_notable(contents.cases, lean, pair) if contents.cases else (),
        in_groups=len({case.group for case in contents.cases}) < len(contents.cases),
        by_size=by_size,
        costs={cost.site: cost for cost in record.costs.sites},
        score_axis=scores,
        score_bars={name: scores.bar(arm.estimate, arm.dice_per_training) for name, arm in arms.items()},
        removals=draw_removals(record.sites),
        gamma_charts=gamma_charts,
        training_charts=training_charts,
        seeds={
            arm: [str(seed) for seed in sorted({log.seed for log in logs})]
            for arm, logs in {**contents.logs, "probes": contents.probes}.items()
        },
        pictures=draw_examples(contents.examples, len(contents.labels), left_out={PLACED} if contents.plain else set()),
    )
    return Report(page=page, figures={figure.name: figure for figure in figures}, paper=paper)


def _render_run(contents: RunContents) -> Report:
    """The page of a single run."""
    config = contents.config
    test = contents.result.scores_of("test")
    dice = np.array([score.dice for score in test])
    logs = {"run": (contents.log,)}
    shut = [site for site, gate in config.attention.items() if gate == SHUT]
    sites = contents.sites or contents.standing
    drawing = draw_network(config.network, sites, shut=shut)
    footing = contents.footing
    paths = _draw_paths([contents.log], sites, drawing)
    scores = [("Dice of the test cases", curves.draw_histogram(dice))] if test else []
    gamma_charts = [(f"training with seed {config.seed}", chart) for _, chart in paths]
    training_charts = [*_draw_trainings(logs), *scores]
    cases = join_scores({RUN: {0: [contents.result]}})
    by_size = split_by_size(cases, (RUN,), name_element(config))
    figures = _list_figures(drawing, gamma_charts, training_charts, by_size)
    page = render(
        "run.html.j2",
        FILTERS,
        **SAID,
        contents=contents,
        drawing=drawing,
        figures=figures,
        notable=choose_notable(cases, RUN) if cases else (),
        scored={score.case: score for score in test},
        by_size=by_size,
        costs={cost.site: cost for cost in contents.costs.sites},
        parts_scores=_summarise_parts(contents),
        measured=summarise_distances([[contents.result]]) if test else None,
        sites=sites,
        removals=draw_removals(contents.sites),
        cases=len(test),
        footing=footing,
        doubt=describe_undertraining(footing, named=False),
        gamma_charts=gamma_charts,
        training_charts=training_charts,
        pictures=draw_examples(contents.examples, len(config.labels)),
        **count_empty(test),
    )
    return Report(page=page, figures={figure.name: figure for figure in figures})


def _list_figures(
    drawing: Drawing | None,
    gamma_charts: Sequence[tuple[str, str]],
    training_charts: Sequence[tuple[str, str]],
    by_size: DiceBySize | None,
) -> list[Figure]:
    """The drawings that both pages have, as files."""
    figures = []
    if drawing is not None:
        frame = "network list" if drawing.listed else "network"
        svg = render("network.svg.j2", FILTERS, drawing=drawing)
        figures.append(Figure(name="network.svg", title="The network with the gamma of every site", svg=svg, frame=frame))
    if by_size is not None:
        figures.append(Figure(name="dice-by-size.svg", title="Dice by size of the object", svg=by_size.chart))
    figures += [
        Figure(name=f"{title.lower().replace(' ', '-')}.svg", title=title[0].upper() + title[1:], svg=chart)
        for title, chart in training_charts
    ]
    figures += [
        Figure(name=f"gamma-{number}.svg", title=f"gamma of every site, {title}", svg=chart)
        for number, (title, chart) in enumerate(gamma_charts, start=1)
    ]
    return figures


def _name_differences(contents: PlacementContents) -> list[tuple[str, Estimate]]:
    """What the arms differ by, the verdict's own difference first. Arms that collapsed are left out of an answer."""
    if not contents.record.comparisons:
        record = contents.record
        pairs = [(PLACED, NONE, record.difference.estimate), (ALL, NONE, record.all_minus_none.estimate)]
    else:
        pairs = [(comparison.one, comparison.other, comparison.estimate) for comparison in contents.telling]
    return [(f"{name_arm(one)} {MINUS} {name_arm(other)}", difference) for one, other, difference in pairs]


def _draw_paths(
    logs: Sequence[TrainingLog], decisions: Sequence[SiteDecision], drawing: Drawing | None
) -> list[tuple[str, str]]:
    """The paths of gamma in each training on one axis, below its name; none where it logged none."""
    highest, listed = curves.highest_gamma(logs), drawing is not None and drawing.listed
    return [
        (curves.name_training(log), curves.draw_gammas(log, decisions, highest, listed=listed)) for log in logs if log.gammas
    ]


def _summarise_parts(contents: RunContents) -> dict[str, dict[str, Estimate]]:
    """Every score of each part and, where there are several, of each label in it."""
    labels, rows = contents.config.labels, {}
    for part in ("test", "validation"):
        if scores := contents.result.scores_of(part):
            rows[part] = _summarise(scores)
            if len(labels) > 1:
                rows |= {f"{part}, {label}": _summarise([score.of_label(label) for score in scores]) for label in labels}
    return rows


def _summarise(scores: Sequence[CaseScore]) -> dict[str, Estimate]:
    """Every score with its interval over groups."""
    groups = [score.group for score in scores]
    return {
        name: estimate_mean(np.array([score.average(name) for score in scores]), groups, span=SCORE_SPAN) for name in SCORES
    }


def _draw_trainings(logs: dict[str, Any]) -> list[tuple[str, str]]:
    charts = []
    for quantity, title in (("loss", "training loss"), ("validation_dice", "validation Dice")):
        if any(getattr(log, quantity).steps.size for trainings in logs.values() for log in trainings):
            charts.append((title, curves.draw_training(logs, quantity, title)))
    return charts


def _explain_no_report(folder: Path) -> str:
    if not folder.exists():
        return f"There is no folder {folder}; {EXPECTED}. Check the path."
    if not folder.is_dir():
        return f"{folder} is a file; {EXPECTED}. Give the folder."
    if (folder / CONFIG).is_file():
        return (
            f"{folder} has a {CONFIG} but neither {PLACEMENT} nor {RESULT}: its job has not ended; {EXPECTED} to the end. "
            "Run the same command again, it goes on where it stopped."
        )
    return f"{folder} has neither {PLACEMENT} nor {RESULT}; {EXPECTED}. Give such a folder."
