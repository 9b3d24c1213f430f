"""`focalseg predict`: masks of new images."""

import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from focalseg.cli.options import AsJson, Device, print_json

if TYPE_CHECKING:
    from focalseg.counting import Advance
    from focalseg.findings import Finding
    from focalseg.inference.cases.job import Predict, Predicted, PredictionJob

_Model = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL", help="The folder of a job, of a run (focalseg train), a lean folder, or a model of focalseg.save."
    ),
]
_Given = Annotated[
    list[Path], typer.Argument(metavar="INPUT...", help="Images, and folders of images: PNG, JPEG, TIFF, BMP, GIF or NIfTI.")
]
_Out = Annotated[Path, typer.Option("--out", help="The folder for the masks; the same command on it goes on where it stopped.")]
_One = Annotated[bool, typer.Option("--one", help="Of a job, the lean network alone instead of the mean of all trainings.")]
_Probabilities = Annotated[
    bool, typer.Option("--probabilities", help="Write probabilities, too: float32, a channel per label, in OUT/probabilities.")
]
_Overlays = Annotated[bool, typer.Option("--overlays", help="Draw the labels on the images, too, as PNG in OUT/overlays.")]
_Flips = Annotated[bool, typer.Option("--flips", help="Average over mirrored images: 4 times the work, 8 times for volumes.")]
_Overlap = Annotated[
    float, typer.Option("--overlap", min=0.0, max=0.95, help="The share of a window that the next one covers again.")
]
_Threshold = Annotated[
    str,
    typer.Option(
        "--threshold",
        metavar="P|tuned",
        help="Above which probability a pixel is foreground; tuned: the best on the network's own validation cases.",
    ),
]
_AtATime = Annotated[
    int | None,
    typer.Option("--windows-at-a-time", min=1, help="Windows in one pass; it changes no mask. By default 1, 4 on a GPU."),
]
_Workers = Annotated[int, typer.Option("--workers", min=1, help="Images that are read ahead, by as many threads.")]
_OwnNetwork = Annotated[
    str | None, typer.Option("--network", help="package.module:function, where the model has that network of your own.")
]
_Verbose = Annotated[
    bool, typer.Option("--verbose", help="Say which networks predict, on what, and each file when it is done.")
]
OVERLAP = 0.5
"""As `focalseg.windows` has it, which imports torch."""


def predict(
    model: _Model,
    given: _Given,
    out: _Out,
    one: _One = False,
    probabilities: _Probabilities = False,
    overlays: _Overlays = False,
    flips: _Flips = False,
    overlap: _Overlap = OVERLAP,
    threshold: _Threshold = "0.5",
    windows_at_a_time: _AtATime = None,
    workers: _Workers = 1,
    device: Device = "auto",
    network: _OwnNetwork = None,
    verbose: _Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Predict masks of new images: same names, same geometry, label values as the set has them."""
    from focalseg.findings import counted
    from focalseg.inference.cases.job import Wanted, plan_job, run_job
    from focalseg.study.running.stopping import STOP

    own = network or ""
    wanted = Wanted(
        one=one,
        overlap=overlap,
        flips=flips,
        threshold=_read_threshold(threshold),
        probabilities=probabilities,
        overlays=overlays,
        own_network=own,
    )
    job = plan_job(model, given, out, wanted, count=_count)
    for note in job.inputs.notes:
        _tell(note)
    STOP.install()

    def load() -> "Predict":
        from focalseg.inference.cases.predicting import build_predict
        from focalseg.inference.loading import load as load_model
        from focalseg.study.running.cores import limit_threads

        limit_threads()
        loaded = load_model(model, one=one, device=device, own_network=own)
        if verbose:
            _tell(f"{counted(len(loaded.members), 'network')} on {loaded.device}, for {', '.join(loaded.labels)}")
        return build_predict(
            loaded,
            overlap=overlap,
            flips=flips,
            windows_at_a_time=windows_at_a_time,
            threshold=job.folder.record.threshold,
            probabilities=probabilities,
        )

    tell = _tell if verbose else _keep_quiet
    _end(job, run_job(job, load, count=_count, tell=tell, workers=workers), as_json=as_json)


def _read_threshold(given: str) -> float | None:
    """A probability; None for the tuned one. Raises SettingError for anything else."""
    from focalseg.errors import SettingError
    from focalseg.findings import show_value

    if given == "tuned":
        return None
    try:
        threshold = float(given)
    except ValueError:
        threshold = 0.0
    if not 0 < threshold < 1:
        raise SettingError(
            f"--threshold is {show_value(given)}; expected a probability between 0 and 1, or tuned. Give such as 0.4."
        )
    return threshold


def _end(job: "PredictionJob", result: "Predicted", *, as_json: bool) -> None:
    """Says what became of a job. Raises DataError with all that was skipped."""
    from focalseg.errors import DataError
    from focalseg.findings import counted, show_path

    doubts = [(str(case.images[0]), doubt) for case, entry in (*result.kept, *result.made) for doubt in entry.doubts]
    for note in _join_notes(result):
        _tell(note)
    for file, doubt in doubts:
        print(f"doubtful: {show_path(file)}: {doubt}", file=sys.stderr, flush=True)
    if as_json:
        print_json(_describe(job, result, doubts))
    else:
        kept = f", {len(result.kept)} of them made before" if result.kept else ""
        masks = len(result.kept) + len(result.made)
        print(f"{counted(masks, 'mask')} in {show_path(job.folder.out)}{kept}")
        if doubts:
            print(f"doubtful: {counted(len({file for file, _ in doubts}), 'mask')}, told above")
        if result.skipped:
            print(f"skipped: {counted(len(result.skipped), 'fault')}, told below")
    if result.skipped:
        sys.stdout.flush()
        raise DataError(result.skipped)


def _join_notes(result: "Predicted") -> list[str]:
    """A line per kind of note, however many images it is about."""
    from focalseg.findings import counted, show_path

    kinds: dict[str, list[Finding]] = {}
    for note in result.notes:
        kinds.setdefault(note.kind, []).append(note)
    lines = []
    for first, *others in kinds.values():
        more = f" (and {counted(len(others), 'other file')} likewise)" if others else ""
        lines.append(f"{show_path(first.file)}: {first.found}{more}. {first.mend}")
    return lines


def _describe(job: "PredictionJob", result: "Predicted", doubts: list[tuple[str, str]]) -> dict[str, Any]:
    """The JSON object: masks in the order of the images, then what was skipped, and doubts."""
    from focalseg.findings import Finding

    entries = {case.mask: (entry, made) for made, part in ((False, result.kept), (True, result.made)) for case, entry in part}
    masks = []
    for case in job.inputs.cases:
        if case.mask in entries:
            entry, made = entries[case.mask]
            others = {name.partition("/")[0]: str(job.folder.out / name) for name in job.folder.list_outputs(case)[1:]}
            files = [str(path) for path in case.images]
            masks.append(
                {"files": files, "mask": str(job.folder.out / case.mask), **others, "made": made, "doubts": list(entry.doubts)}
            )
    skipped = [
        {"file": fault.file, "reason": str(fault)}
        if isinstance(fault, Finding)
        else {"file": fault.partition(": ")[0], "reason": fault}
        for fault in result.skipped
    ]
    record = job.folder.record
    return {
        "out": str(job.folder.out),
        "model": record.model,
        "networks": record.networks,
        "labels": list(record.labels),
        "marks": list(record.marks),
        "masks": masks,
        "skipped": skipped,
        "doubts": [{"file": file, "doubt": doubt} for file, doubt in doubts],
        "notes": [{"file": note.file, "note": f"{note.found}. {note.mend}"} for note in result.notes],
    }


def _count(title: str) -> AbstractContextManager["Advance"]:
    from focalseg.cli.terminal.counting import show_counting  # with rich, for which a refusal does not wait

    return show_counting(title)


def _tell(sentence: str) -> None:
    print(f"note: {sentence}", file=sys.stderr, flush=True)


def _keep_quiet(_sentence: str) -> None:
    """For whoever wants to hear of the end alone."""
