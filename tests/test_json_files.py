"""What strict JSON reads and refuses, and by which error; the tables' and the splits' tests hold the messages a person sees."""

import json
import tracemalloc

import pytest

from focalseg.json_files import MOST_DEPTH, MOST_DIGITS, DepthError, parse_json


@pytest.mark.parametrize("content", [{"a": [1, -2.5e-3, None, True, "ü[{"]}, [], 7, "text"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_what_the_standard_allows_is_read_as_it_was_written(content, mark):
    assert parse_json(mark + json.dumps(content).encode()) == content


@pytest.mark.parametrize("levels", [MOST_DEPTH, MOST_DEPTH + 1])
def test_levels_are_read_up_to_the_limit(levels):
    content = b"[" * levels + b"]" * levels
    if levels <= MOST_DEPTH:
        assert json.dumps(parse_json(content)).encode() == content
    else:
        with pytest.raises(DepthError, match="^is nested 65 levels deep$"):
            parse_json(content)


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (b'{"a": 1, "b": {"a": 1, "a": 2}}', ValueError, "the key 'a' is given twice"),
        (b"[NaN]", ValueError, "NaN is no number"),
        (b"[-Infinity]", ValueError, "-Infinity is no number"),
        (b"[-1e999]", ValueError, "-1e999 is no finite number"),
        (b"9" * (MOST_DIGITS + 1), ValueError, "a number of 101 digits"),
        (b"[-" + b"9" * MOST_DIGITS + b"]", ValueError, "a number of 101 digits"),
        (b'{"a": 1,\n\n}', json.JSONDecodeError, "line 3"),
        (b"\xff", UnicodeDecodeError, "invalid start byte"),
    ],
)
def test_what_it_leaves_open_is_refused(content, error, message):
    with pytest.raises(error, match=message):
        parse_json(content)


@pytest.mark.parametrize("text", ["9" * MOST_DIGITS, "-" + "9" * (MOST_DIGITS - 1), "0." + "1" * 2 * MOST_DIGITS])
def test_numbers_are_read_up_to_the_limit(text):
    assert parse_json(text.encode()) == json.loads(text)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"[" + b"[]," * 700_000 + b"[]]", "more than 500,000 lists and objects"),
        (b"[" + b"{}," * 700_000 + b"{}]", "more than 500,000 lists and objects"),
        (b"]" * 8_000_000, "more than 500,000 lists and objects"),
        (b"[" + b"1," * 4_000_000 + b"1]", "more than 3,000,000 values"),
        (b'["' + b'","' * 4_000_000 + b'"]', "more than 3,000,000 texts"),
        (b'["' + b"\\n" * 4_000_000 + b'"]', "more than 3,000,000 texts"),
    ],
)
def test_what_is_small_in_a_file_and_large_in_memory_is_refused_before_it_is_made(content, complaint):
    tracemalloc.start()
    with pytest.raises(ValueError, match=complaint):
        parse_json(content)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200e6


def test_constants_are_called_as_the_caller_calls_them():
    with pytest.raises(ValueError, match="^NaN is no JSON$"):
        parse_json(b"NaN", constants_are="no JSON")
