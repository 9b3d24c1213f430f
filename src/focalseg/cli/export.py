"""`focalseg export`: the model for other programs."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from focalseg.cli.options import AsJson, print_json
from focalseg.errors import SettingError
from focalseg.findings import counted

_Model = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL",
        help="The folder of a job, of a run, a lean folder, or a model of focalseg.save; with nnunet also a placement.json.",
    ),
]
_Format = Annotated[Literal["onnx", "bundle", "nnunet"], typer.Option("--format", help="For which programs.")]
_Out = Annotated[Path, typer.Option("--out", help="The folder to fill; an earlier export of this kind in it is replaced.")]
_Network = Annotated[
    str, typer.Option("--network", help="package.module:function, where the model has that network of your own.")
]
_Plans = Annotated[Path | None, typer.Option("--plans", help="With nnunet: the nnUNetPlans.json that gets the attention.")]
_Configurations = Annotated[
    list[str],
    typer.Option("--configuration", help="With nnunet: one of the plans, such as 2d; may be repeated. All by default."),
]


def export(
    model: _Model,
    out: _Out,
    format_: _Format,
    network: _Network = "",
    plans: _Plans = None,
    configuration: _Configurations = [],  # noqa: B006 - typer copies it
    as_json: AsJson = False,
) -> None:
    """Export one network for other programs: ONNX, a MONAI bundle, or its attention as plans of nnU-Net."""
    if (plans is None) != (format_ != "nnunet") or (configuration and format_ != "nnunet"):
        raise SettingError(
            "--plans and --configuration belong to --format nnunet, which needs the plans; expected --format nnunet --plans "
            "nnUNetPlans.json, or neither of the two."
        )
    if network and plans is not None:
        raise SettingError("--network was given with --format nnunet, which builds no network of the model. Leave it out.")
    if plans is not None:
        from focalseg.nnunet.plans import export_plans

        remarks = export_plans(model, plans, out, configuration or None)
        _tell({"out": str(out), "remarks": remarks}, "\n".join([*remarks, f"plans with attention in {out}"]), as_json)
        return
    from focalseg.exporting.refusals import GRAPH, holds_several, refuse_export

    refuse_export(model, format_, out, own_network=network)  # type: ignore[arg-type]  # nnunet went its way
    from focalseg.inference.loading import load
    from focalseg.study.running.cores import limit_threads

    limit_threads()
    one = "the lean network, one of those whose mean `focalseg predict` takes; " if holds_several(model) else ""
    loaded = load(model, one=True, device="cpu", own_network=network)
    if format_ == "bundle":
        from focalseg.exporting.bundle import export_bundle

        export_bundle(loaded, out)
        _tell({"out": str(out)}, f"{out}: a MONAI bundle; {one}its logits are the same to the bit", as_json)
        return
    from focalseg.exporting.onnx_folder import export_onnx

    graph = export_onnx(loaded, out)
    compared = f"{one}compared with torch at {counted(len(graph.sizes), 'size')}, logits within {graph.largest_difference:.0e}"
    answer = {"out": str(out), "sizes": list(map(list, graph.sizes)), "largest_difference": graph.largest_difference}
    _tell(answer, f"{out}/{GRAPH}: {compared}", as_json)


def _tell(answer: dict[str, Any], said: str, as_json: bool) -> None:
    if as_json:
        print_json(answer)
    else:
        print(said)
