"""The folder of an ONNX export: the graph, what is done before and after it, and a program that does so."""

from importlib.resources import files
from pathlib import Path

from focalseg.exporting.folder import fill_folder
from focalseg.exporting.graph import Graph, write_graph
from focalseg.exporting.refusals import CARD, GRAPH, PROGRAM, refuse_out
from focalseg.files import write_text
from focalseg.inference.model import Model
from focalseg.labels import THRESHOLD
from focalseg.records.escapes import show_markdown
from focalseg.records.preprocessing import PREPROCESSING, Preprocessing
from focalseg.records.record import write_record
from focalseg.windows import SHARPNESS


def export_onnx(model: Model, out: Path) -> Graph:
    """Fills `out` with the first network of a model as ONNX; it is there whole, and compared with torch, or not at all.

    Raises SettingError where the network cannot be exported, and for a folder that holds something else.
    """
    refuse_out("onnx", out)
    config = model.config
    with fill_folder(out) as folder:
        graph = write_graph(
            model.network, folder / GRAPH, channels=config.network.in_channels, window=config.preparation.window
        )
        write_record(folder / PREPROCESSING, _describe_preprocessing(model, graph))
        write_text(folder / PROGRAM, (files(__package__) / "reader.py").read_text(encoding="utf-8"))
        write_text(folder / CARD, _describe(model, graph))
    return graph


def _describe_preprocessing(model: Model, graph: Graph) -> Preprocessing:
    """What another program does before and after the first network of a model."""
    config, tiling = model.config, model.members[0].plan_tiling()
    preparation = config.preparation
    return Preprocessing(
        channels=config.network.in_channels,
        size=preparation.size,
        mean=preparation.mean,
        standard_deviation=preparation.standard_deviation,
        normalisation="image" if preparation.normalisation == "case" else "data_set",
        activation="sigmoid" if config.network.classes == 1 else "softmax",
        threshold=THRESHOLD,
        labels=config.labels,
        window=preparation.patch,
        marks=config.marks,
        overlap=tiling.overlap,
        window_sigma=1 / SHARPNESS,
        window_stride=tiling.stride,
        window_margin=tiling.margin,
        spatial_multiple=graph.multiple,
        spacing_mm=preparation.spacing_mm,
        opset=graph.opset,
        largest_difference=graph.largest_difference,
    )


def _describe(model: Model, graph: Graph) -> str:
    """The card."""
    config = model.config
    axes = ("length", "height, width", "depth, height, width")[len(config.preparation.size) - 1]
    return (
        (files(__package__) / "onnx_card.md")
        .read_text(encoding="utf-8")
        .format(
            name=show_markdown(model.name or "A model"),
            channels=config.network.in_channels,
            axes=axes,
            multiple="" if graph.multiple == 1 else f"; sides are multiples of {graph.multiple}",
            output=", a channel per label and one for the background" if config.network.classes > 1 else "",
            shapes=", ".join(" x ".join(map(str, shape)) for shape in graph.sizes),
            difference=graph.largest_difference,
            labels=show_markdown(config.describe_labels()),
            data=show_markdown(Path(config.data).name),
            network=show_markdown(config.network.name),
            attention=show_markdown(config.describe_attention()),
        )
    )
