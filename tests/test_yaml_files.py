"""What of YAML is read as settings, what is refused, and that every text comes back as what it was."""

import gc
import os
import time
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from focalseg.configuration import CheckedConfig, from_mapping, setting, to_mapping
from focalseg.errors import SettingError
from focalseg.yaml_files import MOST_BYTES, parse_assignments, read_yaml, write_yaml


@dataclass(frozen=True, kw_only=True)
class Sample(CheckedConfig):
    name: str = ""
    steps: int = setting(1, at_least=1)
    rate: float = setting(1.0, above=0)
    flag: bool = False
    maybe: int | None = None
    names: tuple[str, ...] = ()
    arguments: Mapping[str, Any] = field(default_factory=dict)


def read(tmp_path, text):
    path = tmp_path / "settings.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_yaml(path)


HOSTILE = {
    "levels of brackets": ("a: " + "[" * 100_000, "line 1 is nested more than 20 levels deep"),
    "levels of braces": ("{a: " * 50_000, "nested more than 20 levels"),
    "levels of dashes": ("- " * 100_000, "nested more than 20 levels"),
    "levels by indentation": ("\n".join(f"{' ' * level}k:" for level in range(600)), "is nested more than 20 levels"),
    "an alias bomb": ("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "line 1 has an anchor"),
    "an alias": ("a: *b\n", "line 1 has an anchor"),
    "a list that holds itself": ("a: &a [*a]\n", "line 1 has an anchor"),
    "a tag": ("a: !!binary YWJj\n", "line 1 has the tag 'tag:yaml.org,2002:binary'"),
    "a set": ("a: 1\nb: !!set {x, y}\n", "line 2 has the tag"),
    "a tag of Python": ("a: !!python/object/apply:os.system [echo]\n", "line 1 has the tag"),
    "many values": ("a: [" + "1," * 30_000 + "]", "holds more than 20,000 names and values"),
    "a long key given twice": (f"? {'k' * 9_000}\n: 1\n? {'k' * 9_000}\n: 2\n", "the key 'kkkk"),
    "a number as key": ("1: 2\n", "the key 1 is not text"),
    "nothing as key": ("~: 2\n", "the key None is not text"),
    "a list as key": ("? [a]\n: 2\n", "the key .* is not text"),
    "two documents": ("a: 1\n---\na: 2\n", "single document"),
    "NUL": (b"a: \0\n", "special characters are not allowed"),
    "another encoding": (b"a: 1\nb: \xff\xfe\n", "is no UTF-8 text from line 2 on. Save it again with the encoding UTF-8"),
    "a megabyte": (b"#" * (MOST_BYTES + 1), "has more than 256 KiB; expected a YAML file with settings"),
}


@pytest.fixture(scope="module")
def longest_reading(tmp_path_factory):
    """Processor seconds that one of the largest files takes that are read, on this machine as busy as it is."""
    with counting_seconds() as seconds:
        assert len(read(tmp_path_factory.mktemp("largest"), "a: [" + "1," * 19_900 + "]")["a"]) == 19_900
    return seconds[0]


@contextmanager
def counting_seconds():
    """The processor seconds of this thread inside, without those of collecting the garbage of all tests before."""
    seconds = []
    gc.disable()
    started = time.thread_time()
    try:
        yield seconds
    finally:
        seconds.append(time.thread_time() - started)
        gc.enable()


@pytest.mark.parametrize("what", HOSTILE)
def test_what_is_made_to_be_slow_or_unclear_is_refused_by_a_short_line(tmp_path, what, longest_reading):
    text, complaint = HOSTILE[what]
    with counting_seconds() as seconds, pytest.raises(SettingError, match=complaint) as caught:
        read(tmp_path, text)
    assert seconds[0] < 2 * longest_reading
    assert str(tmp_path / "settings.yaml") in str(caught.value)
    assert len(str(caught.value)) < 600
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("place", ["/dev/zero", "/dev/tty", "/dev/stdin", "pipe", "folder"])
def test_a_place_that_is_no_file_is_refused_at_once(tmp_path, place, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    (tmp_path / "folder").mkdir()
    started = time.monotonic()
    with pytest.raises(SettingError, match=f"^(No file )?{place}.*; expected a YAML file with settings. Check the path.$"):
        read_yaml(Path(place))
    assert time.monotonic() - started < 2


def test_the_mark_of_utf_8_and_line_ends_of_windows_are_no_content(tmp_path):
    assert read(tmp_path, b"\xef\xbb\xbfsteps: 5\r\nname: \xc3\xa4\r\n") == {"steps": 5, "name": "ä"}


# Read in one way by YAML 1.1 and in another by 1.2, or by people: text, which a number's setting refuses by name.
@pytest.mark.parametrize(
    "text", ["010", "1:30", "0x1F", "0b11", "0o17", "2020-01-01", "190:20:30", "1" * 101, "=", "<<", "1,5"]
)
def test_what_is_no_plain_number_is_text(tmp_path, text):
    assert read(tmp_path, f"name: {text}")["name"] == text
    with pytest.raises(SettingError, match=r"^steps was '.*; expected a whole number.$"):
        from_mapping(Sample, read(tmp_path, f"steps: {text}"))


@pytest.mark.parametrize("word", ["no", "No", "NO", "off", "yes", "on", "y", "n"])
def test_norway_is_text_and_no_is_false_where_one_of_the_two_is_wanted(tmp_path, word):
    config = from_mapping(Sample, read(tmp_path, f"name: {word}\nnames: [{word}]\narguments: {{{word}: {word}}}"))
    assert (config.name, config.names, config.arguments) == (word, (word,), {word: word})
    if word in "yn":
        with pytest.raises(SettingError, match="^flag was '.'; expected true or false.$"):
            from_mapping(Sample, read(tmp_path, f"flag: {word}"))
    else:
        assert from_mapping(Sample, read(tmp_path, f"flag: {word}")).flag is (word in ("yes", "on"))


def test_numbers_are_read_as_both_versions_read_them(tmp_path):
    numbers = {
        "5": 5,
        "-3": -3,
        "+5": 5,
        "0": 0,
        "1_000": 1000,
        "1e-3": 0.001,
        "1.5": 1.5,
        ".5": 0.5,
        "2.": 2.0,
        "-1.5e+3": -1500.0,
    }
    for text, number in numbers.items():
        value = read(tmp_path, f"a: {text}")["a"]
        assert (value, type(value)) == (number, type(number))


@pytest.mark.parametrize("number", [".nan", ".inf", "-.inf", "1e999"])
def test_a_number_that_is_not_finite_is_refused_wherever_it_stands(tmp_path, number):
    for text in (f"rate: {number}", f"arguments: {{x: {number}}}", f"arguments: {{x: [{{y: {number}}}]}}"):
        with pytest.raises(SettingError, match="finite"):
            from_mapping(Sample, read(tmp_path, text))


TRAPS = [
    *(
        "no",
        "y",
        "1e5",
        "010",
        "1:30",
        "2020-01-01",
        "=",
        "<<",
        "~",
        "",
        "null",
        ".nan",
        "0x1F",
        "a: b",
        "#x",
        "*a",
        "&b",
        "!c",
    ),
    *(
        "1_000",
        "true",
        "\x1b[31m",
        "ü\n\t",
        "- a",
        "-",
        "9" * 101,
        "0o10",
        "\u2028",
        "a\x85b",
        "\ufeffx",
        "a\rb",
        " x ",
        "%",
        "'",
        '"',
        "😀",
    ),
]


@pytest.mark.parametrize("text", TRAPS)
def test_every_text_comes_back_as_what_it_was(tmp_path, text):
    config = Sample(name=text, names=(text, text), arguments={"a": text, "list": [text], text: 1})
    written = write_yaml(config)
    assert from_mapping(Sample, read(tmp_path, written)) == config
    assert yaml.safe_load(written) == to_mapping(config)  # and for readers of YAML 1.1


@pytest.mark.parametrize("rate", [1e20, 1e-5, 0.1, 1.0, 1e300, 5e-324, 123456789.123])
def test_every_number_comes_back_as_what_it_was(tmp_path, rate):
    assert from_mapping(Sample, read(tmp_path, write_yaml(Sample(rate=rate)))).rate == rate


def test_a_value_that_stands_twice_is_written_out_twice():
    shared = ["x"]
    assert "&" not in write_yaml(Sample(arguments={"a": shared, "b": shared}))


@pytest.mark.parametrize(
    ("assignment", "complaint"),
    [
        ("a=" + "[" * 10_000, "--set 'a=.* has a value that is not readable: line 1 is nested"),
        (".".join("a" * 10_000) + "=1", "--set was given 'a.a.*; expected NAME=VALUE"),
        ("a=" + "x" * (MOST_BYTES + 1), "--set was given 'a=xxx.*; expected NAME=VALUE"),
        ("a.=1", "--set was given 'a.=1'; expected NAME=VALUE"),
        ("a=&x 1", "has an anchor"),
        ("a=\ud800", "special characters"),
    ],
)
def test_assignments_are_bounded_as_well(assignment, complaint):
    with pytest.raises(SettingError, match=complaint) as caught:
        parse_assignments([assignment])
    assert len(str(caught.value)) < 600


def test_thousands_of_faults_are_told_in_a_few_short_lines(tmp_path):
    text = "".join(f"{'k' * 200}{number}: 1\n" for number in range(900))
    started = time.process_time()
    with pytest.raises(SettingError) as caught:
        from_mapping(Sample, read(tmp_path, text))
    assert time.process_time() - started < 2
    *_, last = lines = str(caught.value).splitlines()
    assert len(lines) == 21
    assert last == "There are more faults than these 20; mend these first."
    assert max(map(len, lines)) < 1000


def test_a_key_with_a_line_break_or_an_escape_stays_in_its_line(tmp_path):
    with pytest.raises(SettingError) as caught:
        from_mapping(Sample, read(tmp_path, 'arguments: 1\n"a\\nb\\e[2J": 1\n'))
    assert len(str(caught.value).splitlines()) == 2
    assert all(line.isprintable() for line in str(caught.value).splitlines())
