"""masks.jsonl: a line per mask, of which a kill may cut off the last."""

import pytest

from focalseg.errors import SettingError
from focalseg.records.prediction import MaskEntry, read_entries

BEGUN = MaskEntry(mask="a.png", inputs={"a.jpg": "00"})
MADE = MaskEntry(mask="a.png", inputs={"a.jpg": "00"}, outputs={"a.png": "11"}, doubts=("ü\u2028\x85 so",))


def test_the_later_line_of_a_mask_holds_and_a_torn_end_is_left_out(tmp_path):
    path = tmp_path / "masks.jsonl"
    assert read_entries(path) == ({}, 0)
    other = MaskEntry(mask="b.png")
    whole = BEGUN.to_line() + other.to_line() + MADE.to_line()
    for cut in range(len(other.to_line())):
        path.write_bytes(whole + other.to_line()[:cut])
        assert read_entries(path) == ({"a.png": MADE, "b.png": other}, len(whole))


@pytest.mark.parametrize("number", range(0, len(MADE.to_line()) - 1, 7))
def test_a_line_that_was_altered_is_refused_with_its_number(number, tmp_path):
    line = bytearray(MADE.to_line())
    line[number] ^= 1
    (tmp_path / "masks.jsonl").write_bytes(BEGUN.to_line() + line)
    with pytest.raises(
        SettingError, match=r"masks\.jsonl: line 2 was altered .*Remove the line and the mask that it names, or"
    ):
        read_entries(tmp_path / "masks.jsonl")
