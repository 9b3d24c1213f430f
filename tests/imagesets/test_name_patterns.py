"""A person's pattern on names: what it finds is what `re` finds, and one without end is ended, with the way out named."""

import re
import time
from fnmatch import fnmatchcase

import pytest

from focalseg.errors import SettingError
from focalseg.imagesets import name_patterns
from focalseg.imagesets.name_patterns import find_in_names
from focalseg.imagesets.splits import regroup

NAMES = ["patient_01_a", "patient_02_b", "ü\ud800\n", "", "x" * 200]


@pytest.mark.slow
@pytest.mark.parametrize("pattern", ["_([0-9]+)", "[0-9]+", "(x?)_", "", "^.", "(?P<a>a)|(b)", "(?i)PATIENT", r"\w+", "ü", "."])
def test_it_finds_what_re_finds(pattern):
    compiled = re.compile(pattern)
    matches = [compiled.search(name) for name in NAMES]
    assert find_in_names(pattern, NAMES) == [(match[1 if compiled.groups else 0] or "") if match else "" for match in matches]


@pytest.mark.slow
@pytest.mark.parametrize("pattern", ["((a+)+)+b", "(a|aa)+$", "(a*)*b", "(.*a){20}b", r"(?:(?:a+)?)+\1?b".replace(r"\1?", "")])
def test_a_pattern_without_end_is_ended_with_the_way_out(monkeypatch, pattern):
    monkeypatch.setattr(name_patterns, "MOST_SECONDS", 1)
    names = [f"{'a' * 62}{number}" for number in range(6)]
    started = time.monotonic()
    with pytest.raises(SettingError) as caught:
        regroup(names, [{}] * 6, pattern=pattern)
    assert time.monotonic() - started < 60  # of a busy machine; a second of computing
    assert str(caught.value) == (
        f"The pattern {pattern!r} was not done with the names of the cases after 1 s; expected one that does not try every "
        "way to divide a name, as repeats within one another, (a+)+, or side by side, .*.*, do. Write 'patient_([0-9]+)' or "
        "the like."
    )
    assert regroup(names, [{}] * 6, pattern="([0-9]+)") == {name: name[-1] for name in names}  # the mend


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pattern", "complaint"),
    [
        ("([0-9]+", "is no regular expression"),
        ("(" * 900, "is no regular expression"),
        ("(?:" * 240 + ")" * 240, "is no regular expression|finds"),
        ("a{99999999999999999999}", "is no regular expression"),
        ("(?P<n>" * 140 + ")" * 140, "is no regular expression"),
        ("x" * 1001, "has 1,001 characters; expected one such as"),
        ("(?:(?:(?:a{65000}){65000}){65000}){65000}b", "is no regular expression|finds|was not done"),
        ("\\", "is no regular expression"),
        ("[", "is no regular expression"),
        ("(?<=a+)b", "is no regular expression"),
    ],
)
def test_what_is_no_pattern_is_refused_by_a_short_line(pattern, complaint):
    with pytest.raises(SettingError, match=complaint) as caught:
        regroup(["a", "b"], [{}] * 2, pattern=pattern)
    assert len(str(caught.value)) < 600
    assert str(caught.value).isprintable()


def test_many_names_take_one_process_and_little_time():
    names = [f"patient_{number:06}_left" for number in range(100_000)]
    assert find_in_names("patient_([0-9]+)", names) == [name[8:14] for name in names]


def test_stars_in_the_places_of_a_network_take_no_longer_than_their_names_are_long():
    started = time.process_time()
    assert not fnmatchcase("a" * 200, "*a" * 60 + "b")
    assert time.process_time() - started < 1
