"""Names from files as text of a drawing."""

import pytest

from focalseg.report.lettering import estimate_width, shorten, show_characters


@pytest.mark.parametrize(
    ("text", "shown"), [("layer1.0", "layer1.0"), ("a\nb", "a\ufffdb"), ("\u202ea", "\ufffda"), ("图", "图")]
)
def test_what_cannot_be_seen_gets_a_mark(text: str, shown: str) -> None:
    assert show_characters(text) == shown


@pytest.mark.parametrize("room", [2.0, 5.0, 20.0])
@pytest.mark.parametrize("text", ["model.encoder.blocks.0.attention.norm", "W" * 120, "图" * 60, ""])
def test_a_shortened_name_keeps_its_end_and_its_place(text: str, room: float) -> None:
    shown = shorten(text, room)
    assert estimate_width(shown) <= room
    assert text.endswith(shown.removeprefix("\N{HORIZONTAL ELLIPSIS}"))


def test_a_name_that_fits_stays_whole() -> None:
    assert shorten("layer1.0", 20.0) == "layer1.0"
