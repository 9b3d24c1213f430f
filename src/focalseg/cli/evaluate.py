"""`focalseg evaluate`: scores of predicted masks against true ones, or of a trained job on another set of images."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from focalseg.cli.options import AsJson, GroupPattern, Groups, find_groups, print_found

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from focalseg.counting import Advance
    from focalseg.evaluation.masks.evaluating import GroupsOf
    from focalseg.evaluation.masks.settings import EvaluationSettings

_Predicted = Annotated[
    Path,
    typer.Argument(
        metavar="PREDICTED",
        help="A folder of predicted masks, of focalseg predict, nnU-Net or anything else; or the folder of a job or a model.",
    ),
]
_Reference = Annotated[
    str,
    typer.Argument(
        metavar="REFERENCE",
        help="The true masks: a folder of masks of the same names, or a set in any known layout; of a job, the other set.",
    ),
]
_Folder = Annotated[
    Path | None,
    typer.Option("--out", help="A folder for cases.csv, summary.csv, summary.tex, evaluation.json and the page, index.html."),
]
_Empty = Annotated[
    Literal["one", "zero", "leave-out"] | None,
    typer.Option("--empty", help="What a score of empty masks is: one (default), zero, or leave-out, as nnU-Net's own mean."),
]
_Labels = Annotated[
    list[str],
    typer.Option(
        "--label",
        metavar="NAME[=VALUE]",
        help="A label to score: by its name, as NAME=VALUE, or several values as one region, NAME=1+2; may be repeated.",
    ),
]
_Ignore = Annotated[
    int | None,
    typer.Option("--ignore", metavar="VALUE", help="The value of the true masks that nobody judged; it counts nowhere."),
]
_Tolerance = Annotated[
    float | None,
    typer.Option(
        "--tolerance", help="How far surfaces may be apart for NSD, in mm, or pixels without a spacing; by default 1."
    ),
]
_Surface = Annotated[
    Literal["surfels", "voxels"] | None,
    typer.Option("--surface", help="What a surface is: surfels (default, as DeepMind's), or voxels (as MONAI's)."),
]
_Spacing = Annotated[
    str | None,
    typer.Option("--spacing", metavar="MM", help="The size of a pixel of pictures in mm, as 0.5 or 2,0.5,0.5; volumes say it."),
]
_Inside = Annotated[
    Path | None, typer.Option("--inside", help="A folder of masks of the same names: scores count where these are not 0.")
]
_Lesions = Annotated[bool, typer.Option("--lesions", help="Score single lesions, too: connected parts that touch one.")]
_Cldice = Annotated[bool, typer.Option("--cldice", help="Score the centrelines of tubes, too; needs scikit-image.")]
_Partial = Annotated[
    bool, typer.Option("--partial", help="Score the cases that have a prediction, where some have none, instead of refusing.")
]
_Column = Annotated[
    str | None,
    typer.Option(
        "--group-column", metavar="NAME", help="For a job: a column of the set's table that says what belongs together."
    ),
]
_Rivals = Annotated[bool, typer.Option("--rivals", help="For a job: score its other arms, too, besides none, placed and all.")]
_LeaveOutSeen = Annotated[
    bool,
    typer.Option("--leave-out-seen", help="For a job: score the cases alone that its networks never saw."),
]
_Workers = Annotated[int | None, typer.Option("--workers", min=1, help="Cases at a time; by default as many as cores.")]
_Device = Annotated[
    Literal["auto", "cpu", "cuda", "mps"] | None, typer.Option("--device", help="Where a model computes; by default auto.")
]
_OwnNetwork = Annotated[
    str | None, typer.Option("--network", help="package.module:function, where a model has that network of your own.")
]
_MODEL_FILES = (
    ("placement.json",),
    ("result.json",),
    ("ensemble.json",),
    ("config.json", "model.safetensors"),
    ("config.yaml", "metrics.csv"),
    ("config.yaml", "splits.json"),
)
"""What a folder of a job, a run, a saved model, a lean network, a training or a job that has not ended has, as
`inference.folders` knows them."""


def evaluate(
    predicted: _Predicted,
    reference: _Reference,
    out: _Folder = None,
    empty: _Empty = None,
    label: _Labels = [],  # noqa: B006 - typer copies it
    ignore: _Ignore = None,
    tolerance: _Tolerance = None,
    surface: _Surface = None,
    spacing: _Spacing = None,
    inside: _Inside = None,
    lesions: _Lesions = False,
    cldice: _Cldice = False,
    partial: _Partial = False,
    groups: Groups = None,
    group_pattern: GroupPattern = None,
    group_column: _Column = None,
    rivals: _Rivals = False,
    leave_out_seen: _LeaveOutSeen = False,
    workers: _Workers = None,
    device: _Device = None,
    network: _OwnNetwork = None,
    as_json: AsJson = False,
) -> None:
    """Score predicted masks against true ones: per case, with intervals, worst first. Or a job on another set of images."""
    of_scores = {
        "--empty": empty, "--tolerance": tolerance, "--surface": surface, "--lesions": lesions, "--cldice": cldice,
    }  # fmt: skip
    of_masks = {
        "--label": label, "--ignore": ignore, "--spacing": spacing, "--inside": inside, "--partial": partial,
    }  # fmt: skip
    of_models = {
        "--device": device, "--network": network, "--group-column": group_column, "--rivals": rivals,
        "--leave-out-seen": leave_out_seen,
    }  # fmt: skip
    if _holds_model(predicted):
        _refuse_options(of_masks, f"{predicted} holds a trained model, which predicts the masks itself", "folders of masks")
        from focalseg.cli.external import evaluate_model, holds_job

        if holds_job(predicted):
            why = f"{predicted} is of a job, whose arms are compared by Dice alone"
            _refuse_options(of_scores, why, "one model or folders of masks")
        evaluate_model(
            predicted, reference, out=out, groups=groups, group_pattern=group_pattern, group_column=group_column,
            rivals=rivals, leave_out_seen=leave_out_seen, workers=workers, device=device or "auto", network=network or "",
            as_json=as_json, settings=lambda: _read_settings(of_scores),
        )  # fmt: skip
        return
    _refuse_options(of_models, f"{predicted} is taken for a folder of masks, which no model computes", "the folder of a model")
    _evaluate_masks(
        predicted,
        reference,
        given={**of_scores, **of_masks},
        inside=inside,
        groups_of=lambda names: find_groups(names, groups, group_pattern),
        out=out,
        workers=workers,
        as_json=as_json,
    )


def _evaluate_masks(
    predicted: Path,
    reference: str,
    *,
    given: dict[str, Any],
    inside: Path | None,
    groups_of: "GroupsOf",
    out: Path | None,
    workers: int | None,
    as_json: bool,
) -> None:
    """Scores two folders of masks, and prints or writes what was found. given: the options as a person gave them."""
    from focalseg.comparison.folder import refuse_folder
    from focalseg.evaluation.masks.evaluating import evaluate_masks
    from focalseg.imagesets.opening import refuse_inside
    from focalseg.records.scores.evaluation import EVALUATION
    from focalseg.study.running.stopping import STOP

    settings = _read_settings(given)
    if out is not None:
        refuse_folder(out, EVALUATION, "evaluate")
        for source in (str(predicted), reference):
            refuse_inside(out, source, "--out")
    STOP.install(keeps=False)
    record = evaluate_masks(
        str(predicted), reference, settings, groups_of=groups_of, inside=inside, count=_count, workers=workers
    )
    page = None
    if out is not None:
        from focalseg.report.evaluation.page import write_evaluation

        page = write_evaluation(out, record)
    print_found(record, record.to_json, page, as_json=as_json)


def _read_settings(given: dict[str, Any]) -> "EvaluationSettings":
    """How masks are scored, from options; those of files of masks may be lacking."""
    from focalseg.evaluation.masks.settings import EvaluationSettings, read_spacing_text, read_wanted_labels

    spacing = given.get("--spacing")
    chosen = {
        "empty": given["--empty"],
        "tolerance_mm": given["--tolerance"],
        "surface": given["--surface"],
        "ignore": given.get("--ignore"),
        "spacing_mm": None if spacing is None else read_spacing_text(spacing),
    }
    return EvaluationSettings(
        lesions=given["--lesions"],
        cldice=given["--cldice"],
        labels=read_wanted_labels(given.get("--label", ())),
        partial=given.get("--partial", False),
        **{name: value for name, value in chosen.items() if value is not None},
    )


def _count(title: str) -> "AbstractContextManager[Advance]":
    from focalseg.cli.terminal.counting import show_counting  # with rich, for which a refusal does not wait

    return show_counting(title)


def _holds_model(folder: Path) -> bool:
    """Whether a folder is one of a job, a run, a lean network or a saved model, by the names of its files alone."""
    try:
        return any(all((folder / name).is_file() for name in names) for names in _MODEL_FILES)
    except OSError:  # a name that is too long, say
        return False


def _refuse_options(options: dict[str, Any], why: str, meant_for: str) -> None:
    """Raises SettingError for options that make no sense in a form of the command."""
    from focalseg.errors import SettingError

    if given := [name for name, value in options.items() if value is not None and value is not False and value != []]:
        raise SettingError(f"{', '.join(given)}: {why}; expected {meant_for} with that. Leave it out.")
