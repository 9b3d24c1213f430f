"""Example cases as pictures: the image, the true outlines, and what each arm predicts."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from focalseg.imagesets.masks import find_foreground
from focalseg.report.overlays import LONGEST_SIDE, encode_image, trace_labels, trace_void
from focalseg.report.placement.contents import Example


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One arm's prediction on an image. outlines: an SVG path a label, in pixels of the picture. dice: of the whole case."""

    arm: str
    dice: float
    outlines: tuple[str, ...]
    empty: bool


@dataclass(frozen=True, kw_only=True)
class Picture:
    """An example as it is shown. width and height in pixels of the embedded image; truth: the outlines of all true labels;
    void: that of what nobody judged. role: why it is shown, empty where nobody said."""

    name: str
    slices: tuple[int, int] | None
    width: int
    height: int
    data: str
    truth: str
    void: str
    truth_empty: bool
    panels: tuple[Panel, ...]
    role: str = ""


def draw_examples(examples: Sequence[Example], labels: int = 1, *, left_out: Collection[str] = ()) -> tuple[Picture, ...]:
    """Pictures of all examples, with the outlines of that many labels. left_out: arms that are not shown, since another is the
    very same network."""
    return tuple(_draw_example(example, labels, left_out) for example in examples)


def _draw_example(example: Example, labels: int, left_out: Collection[str]) -> Picture:
    height, width = example.mask.shape
    shrink = min(1.0, LONGEST_SIDE / max(height, width))
    size = (max(round(width * shrink), 1), max(round(height * shrink), 1))
    panels = tuple(
        Panel(
            arm=arm,
            dice=example.dice[arm],
            outlines=trace_labels(prediction, labels, size),
            empty=not prediction.any(),
        )
        for arm, prediction in example.predictions.items()
        if arm not in left_out
    )
    return Picture(
        name=example.name,
        slices=example.slices,
        width=size[0],
        height=size[1],
        data=encode_image(example.image, size),
        truth="".join(trace_labels(example.mask, labels, size)),
        void=trace_void(example.mask, size),
        truth_empty=not find_foreground(example.mask).any(),
        panels=panels,
        role=example.role,
    )
