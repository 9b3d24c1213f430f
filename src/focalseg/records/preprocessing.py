"""preprocessing.json: what another program does before and after a network that was exported."""

from dataclasses import dataclass
from typing import Literal

from focalseg.configuration import setting
from focalseg.records.record import Record

PREPROCESSING = "preprocessing.json"


@dataclass(frozen=True, kw_only=True)
class Preprocessing(Record):
    """What is done to an image (channels, *spatial) before the network sees it, and to its logits afterwards.

    1. resize: every axis to `size`, linear, averaging over what falls together where it shrinks (as Pillow does); an image of
    whole numbers is rounded to whole numbers again.
    2. subtract `mean` and divide by `standard_deviation`, a number per channel; with normalisation "image" by those of the
    image itself, before it was resized (1 in place of a deviation of 0).
    3. run the network; where `window` is not null, on windows of so many elements: they overlap by the share `overlap` or
    more and start at multiples of `window_stride`; their logits are averaged, weighted by a Gaussian whose standard deviation
    is `window_sigma` of the side, and by 0 within `window_margin` elements of a side where another window goes on.
    4. resize_back: the logits to the image's size, linear, without averaging.
    5. activation: above `threshold` is the one label, or the largest of the channels is the label, 0 the background; `labels`
    are the names from 1 on. `marks` has what stands for the background and for each label in the masks of the set, a value
    or a colour; empty where the numbers do.

    size, window, window_stride, window_margin, spacing_mm (of an element of `size`, where it is known): one number per spatial
    axis. spatial_multiple: what the sides of an input of the graph are multiples of. opset: of the ONNX operators.
    largest_difference: of the logits to torch's, when the export was compared.
    """

    made_by = "`focalseg export`"
    again = "export the model again"

    channels: int = setting(at_least=1)
    size: tuple[int, ...] = setting(at_least=1)
    mean: tuple[float, ...]
    standard_deviation: tuple[float, ...] = setting(above=0)
    normalisation: Literal["data_set", "image"]
    activation: Literal["sigmoid", "softmax"]
    threshold: float = setting(above=0, below=1)
    labels: tuple[str, ...]
    marks: tuple[str, ...] = ()
    window: tuple[int, ...] | None = setting(None, at_least=1)
    overlap: float = setting(at_least=0, below=1)
    window_sigma: float = setting(above=0)
    window_stride: tuple[int, ...] = setting(at_least=1)
    window_margin: tuple[int, ...] = setting(at_least=0)
    spatial_multiple: int = setting(at_least=1)
    spacing_mm: tuple[float, ...] | None = setting(None, above=0)
    resize: Literal["linear, antialiased"] = "linear, antialiased"
    whole_numbers: Literal["rounded after resizing"] = "rounded after resizing"
    resize_back: Literal["linear, of the logits"] = "linear, of the logits"
    input: Literal["image"] = "image"
    output: Literal["logits"] = "logits"
    opset: int = setting(at_least=1)
    largest_difference: float = setting(at_least=0)
    schema: Literal[1] = 1
