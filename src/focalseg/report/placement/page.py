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
from focalseg.records.placement import ALL, NONE, PLACED, PLACEMENT, SHUT, SiteDecision
from focalseg.records.result import CONFIG, RESULT
from focalseg.report.placement import curves, intervals, naming
from focalseg.report.placement.contents import PlacementContents, RunContents, TrainingLog
from focalseg.report.placement.drawing import Drawing, draw_network
from focalseg.report.placement.examples import draw_examples
from focalseg.report.placement.naming import name_arm
from focalseg.report.placement.reading import read_placement_contents, read_run_contents
from focalseg.report.rendering import render
from focalseg.report.wording import MINUS
from focalseg.study.outcome.wording import describe_undertraining
from focalseg.study.running.scores import CaseScore, count_empty

PAGE = Path("report") / "index.html"
BAR_WIDTH = 160.0
WORST_CASES = 5
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
class Removals:
    """What removal costs as small drawings in a table: the axis, and a bar a site."""

    axis: intervals.Axis
    bars: Mapping[str, intervals.Bar]


def write_report(folder: Path) -> Path:
    """Writes report/index.html into the folder of a placement or a run, from its files alone, and returns its path.

    The same files give the same bytes. Raises SettingError for a folder that is neither, and for a damaged file in it.
    """
    if (folder / PLACEMENT).is_file():
        page = _render_placement(read_placement_contents(folder))
    elif (folder / RESULT).is_file():
        page = _render_run(read_run_contents(folder))
    else:
        raise SettingError(_explain_no_report(folder))
    refuse_link((folder / PAGE).parent)
    write_text(folder / PAGE, page)
    return folder / PAGE


def _render_placement(contents: PlacementContents) -> str:
    """The page of a placement as HTML."""
    differences = _name_differences(contents)
    axis = intervals.difference_axis([difference for _, difference in differences])
    record, arms = contents.record, contents.arms
    dots = [dot for arm in arms.values() for dot in arm.dice_per_training]
    scores = intervals.score_axis([arm.estimate for arm in arms.values()], dots, width=BAR_WIDTH)
    drawing = draw_network(contents.network, record.sites, record.dead_sites)
    trained = {arm: logs for arm, logs in contents.logs.items() if logs}
    return render(
        "placement.html.j2",
        FILTERS,
        **SAID,
        contents=contents,
        record=record,
        drawing=drawing,
        costs={cost.site: cost for cost in record.costs.sites},
        axis=axis,
        rows=intervals.lay_rows(axis, differences),
        score_axis=scores,
        score_bars={name: scores.bar(arm.estimate, arm.dice_per_training) for name, arm in arms.items()},
        removals=_draw_removals(record.sites),
        gamma_charts=_draw_paths(contents.probes, record.sites, drawing),
        training_charts=_draw_trainings(trained),
        seeds={
            arm: [str(seed) for seed in sorted({log.seed for log in logs})]
            for arm, logs in {**contents.logs, "probes": contents.probes}.items()
        },
        pictures=draw_examples(contents.examples, len(contents.labels), left_out={PLACED} if contents.plain else set()),
    )


def _render_run(contents: RunContents) -> str:
    """The page of a single run as HTML."""
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
    return render(
        "run.html.j2",
        FILTERS,
        **SAID,
        contents=contents,
        drawing=drawing,
        costs={cost.site: cost for cost in contents.costs.sites},
        parts_scores=_summarise_parts(contents),
        sites=sites,
        removals=_draw_removals(contents.sites),
        cases=len(test),
        footing=footing,
        doubt=describe_undertraining(footing, named=False),
        gamma_charts=[(f"training with seed {config.seed}", chart) for _, chart in paths],
        training_charts=[*_draw_trainings(logs), *scores],
        pictures=draw_examples(contents.examples, len(config.labels)),
        worst=sorted(test, key=lambda score: score.dice)[:WORST_CASES],
        **count_empty(test),
    )


def _name_differences(contents: PlacementContents) -> list[tuple[str, Estimate]]:
    """What the arms differ by, the verdict's own difference first. Arms that collapsed are left out of an answer."""
    if not contents.record.comparisons:
        record = contents.record
        pairs = [(PLACED, NONE, record.difference.estimate), (ALL, NONE, record.all_minus_none.estimate)]
    else:
        pairs = [(comparison.one, comparison.other, comparison.estimate) for comparison in contents.telling]
    return [(f"{name_arm(one)} {MINUS} {name_arm(other)}", difference) for one, other, difference in pairs]


def _draw_removals(decisions: Sequence[SiteDecision]) -> Removals:
    """What removal costs, site by site, on one axis."""
    costs = {decision.site: _reach_of(decision) for decision in decisions}
    axis = intervals.cost_axis(list(costs.values()), width=BAR_WIDTH)
    dots = {decision.site: decision.removal_costs for decision in decisions}
    return Removals(axis=axis, bars={site: axis.bar(cost, dots[site]) for site, cost in costs.items()})


def _reach_of(decision: SiteDecision) -> Estimate:
    """A removal cost with the least and the largest in any training or, where these were not written down, its interval."""
    cost = decision.removal_cost
    if decision.removal_costs or decision.removal is None:
        costs = [cost, *decision.removal_costs]
        return Estimate(mean=cost, low=min(costs), high=max(costs))
    return decision.removal


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
