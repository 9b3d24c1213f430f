"""`focalseg export`: the model for other programs."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from focalseg.cli.options import AsJson, print_json
from focalseg.findings import counted

_Model = Annotated[Path, typer.Argument(metavar="MODEL", help="The folder of a job, of a run, or a lean folder.")]
_Format = Annotated[Literal["onnx", "bundle"], typer.Option("--format", help="For which programs.")]
_Out = Annotated[Path, typer.Option("--out", help="The folder to fill; an earlier export of this kind in it is replaced.")]
_Network = Annotated[
    str, typer.Option("--network", help="Where the network is a function of your own: its name, to say that you trust it.")
]


def export(model: _Model, out: _Out, format_: _Format = "onnx", network: _Network = "", as_json: AsJson = False) -> None:
    """Export one network for other programs, compared with the original before it is called done."""
    from focalseg.exporting.refusals import GRAPH, refuse_export

    refuse_export(model, format_, out, own_network=network)  # before torch is imported, which takes seconds
    from focalseg.inference.loading import load
    from focalseg.study.running.cores import limit_threads

    limit_threads()
    loaded = load(model, one=True, device="cpu", own_network=network)
    if format_ == "bundle":
        from focalseg.exporting.bundle import export_bundle

        export_bundle(loaded, out)
        answer: dict[str, Any] = {"out": str(out)}
        said = f"{out}: a MONAI bundle, whose network gives the same logits"
    else:
        from focalseg.exporting.onnx_folder import export_onnx

        graph = export_onnx(loaded, out)
        sizes = [list(size) for size in graph.sizes]
        answer = {"out": str(out), "sizes": sizes, "largest_difference": graph.largest_difference}
        compared = f"compared with torch at {counted(len(sizes), 'size')}: logits within {graph.largest_difference:.0e}"
        said = f"{out}/{GRAPH}: {compared}"
    if as_json:
        print_json(answer)
        return
    print(said)
