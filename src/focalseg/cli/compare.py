"""`focalseg compare`: which of several systems is better, from their scores."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from focalseg.cli.options import AsJson, GroupPattern, Groups, find_groups, print_found

_Systems = Annotated[
    list[str],
    typer.Argument(
        metavar="A B...",
        help="Each a result folder or summary.json of nnU-Net, a job or run of ours, or a CSV with case,score[,seed,fold,group,"
        "label] or a column per system. A comma joins the trainings of one system, and NAME=PATH names it. The first is the "
        "reference.",
    ),
]
_Metric = Annotated[
    str | None,
    typer.Option(
        "--metric",
        help="The score to compare, such as Dice, IoU or a column of a CSV; dice_with_object is Dice of the cases that have "
        "the object, and the default for jobs and runs of ours.",
    ),
]
_Better = Annotated[
    Literal["higher", "lower"] | None,
    typer.Option("--better", help="Which end of the score is the good one; known of usual metrics."),
]
_Margin = Annotated[
    float | None,
    typer.Option("--margin", help="The loss that would not matter, fixed beforehand: is a system at most that much worse?"),
]
_Difference = Annotated[
    float | None,
    typer.Option("--difference", help="A difference that would matter: how many trainings or cases would it take to show it?"),
]
_Empty = Annotated[
    Literal["one", "zero", "leave-out"] | None,
    typer.Option(
        "--empty", help="What a case counts that has no object and was left empty: one (default), zero, or leave-out."
    ),
]
_Labels = Annotated[list[str], typer.Option("--label", help="A label to compare, by default the mean of all; may be repeated.")]
_Claim = Annotated[
    Literal["new_data", "data_set"] | None,
    typer.Option(
        "--claim",
        help="Whom the intervals speak for: new data like these (default), for which they know that folds share what they were "
        "trained on, or this data set alone.",
    ),
]
_Folder = Annotated[
    Path | None, typer.Option("--out", help="A folder for comparison.json, the tables and the page, index.html.")
]


def compare(
    systems: _Systems,
    groups: Groups = None,
    group_pattern: GroupPattern = None,
    metric: _Metric = None,
    better: _Better = None,
    margin: _Margin = None,
    difference: _Difference = None,
    empty: _Empty = None,
    label: _Labels = [],  # noqa: B006 - typer copies it
    claim: _Claim = None,
    out: _Folder = None,
    as_json: AsJson = False,
) -> None:
    """Compare systems from their scores, paired by case and training: better, worse or not shown, and what would show it."""
    from focalseg.comparison.comparing import compare_systems
    from focalseg.comparison.folder import refuse_folder
    from focalseg.comparison.reading.opening import open_paths, split_arguments
    from focalseg.comparison.systems import list_cases
    from focalseg.configuration import to_mapping

    if out is not None:
        refuse_folder(out)
    opened = open_paths(
        split_arguments(systems),
        metric=metric,
        better=better,
        margin=margin,
        difference=difference,
        empty=empty,
        labels=label,
        claim=claim,
    )
    known = find_groups(list_cases(opened.systems), groups, group_pattern)
    found = compare_systems(opened.systems, opened.settings, groups=known, notes=opened.notes)
    page = None
    if out is not None:
        from focalseg.report.comparison.page import write_comparison

        page = write_comparison(out, found)
    print_found(found.record, lambda: to_mapping(found.record), page, as_json=as_json)
