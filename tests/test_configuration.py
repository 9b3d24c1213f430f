"""Settings from mappings and YAML, strictly, with every fault at once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import pytest

from focalseg.configuration import CheckedConfig, from_mapping, merge, setting, to_mapping
from focalseg.errors import SettingError
from focalseg.study.presets import PRESETS, Settings, build_settings
from focalseg.yaml_files import parse_assignments, read_yaml, write_yaml


@dataclass(frozen=True, kw_only=True)
class Inner(CheckedConfig):
    share: float = setting(0.5, at_least=0, below=1)
    sizes: tuple[int, ...] = setting((1, 2), above=0)


@dataclass(frozen=True, kw_only=True)
class Outer(CheckedConfig):
    name: str
    mode: Literal["fast", "slow"] = "fast"
    names: Mapping[str, str] = field(default_factory=dict)
    limit: int | None = None
    inner: Inner = field(default_factory=Inner)


def test_a_config_survives_yaml(tmp_path):
    config = Outer(name="naïve: yes", names={"a.0": "b"}, limit=3, inner=Inner(share=0.25, sizes=(4,)))
    path = tmp_path / "config.yaml"
    path.write_text(write_yaml(config), encoding="utf-8")
    assert from_mapping(Outer, read_yaml(path)) == config


def test_every_fault_is_reported_at_once():
    with pytest.raises(SettingError) as caught:
        from_mapping(Outer, {"mode": "fsat", "inner": {"share": 1.0, "size": [1], "sizes": [1, -2]}, "limit": True})
    assert str(caught.value).splitlines() == [
        "mode was 'fsat'; expected one of fast, slow.",
        "inner.share was 1.0; expected a finite number at least 0 and below 1.",
        "No setting named 'inner.size'; known are inner.share, inner.sizes. Did you mean 'inner.sizes'?",
        "inner.sizes was -2; expected a finite number above 0.",
        "limit was True; expected a whole number or nothing.",
        "The setting name is missing; give it a value.",
    ]


@dataclass(frozen=True, kw_only=True)
class Many(CheckedConfig):
    row: tuple[Inner, ...] = ()
    named: Mapping[str, Inner] = field(default_factory=dict)
    shares: Mapping[str, float] = setting(at_least=0)
    maybe: Inner | None = None


def test_configs_in_lists_in_mappings_and_left_out_come_back():
    one, other = Inner(share=0.25), Inner(sizes=(3,))
    many = Many(row=(one, other), named={"a": other}, shares={"b": 0.5}, maybe=one)
    assert from_mapping(Many, to_mapping(many)) == many
    nothing = Many(shares={})
    assert from_mapping(Many, to_mapping(nothing)) == nothing
    assert from_mapping(Many, {"shares": {}, "maybe": None}) == nothing


def test_every_fault_of_configs_in_lists_and_mappings_is_named_by_its_place():
    content = {
        "row": [{}, {"share": 2}, 3],
        "named": {"a": {"sizes": "x"}, "b": None},
        "shares": {"c": -1, "d": float("inf")},
        "maybe": {"chare": 1},
    }
    with pytest.raises(SettingError) as caught:
        from_mapping(Many, content, each="field")
    assert str(caught.value).splitlines() == [
        "row[1].share was 2.0; expected a finite number at least 0 and below 1.",
        "row[2] was 3; expected fields as `name: value`.",
        "named.a.sizes was 'x'; expected a list, each item a whole number.",
        "named.b was None; expected fields as `name: value`.",
        "shares.c was -1.0; expected a finite number at least 0.",
        "shares.d was inf; expected a finite number at least 0.",
        "No field named 'maybe.chare'; known are maybe.share, maybe.sizes. Did you mean 'maybe.share'?",
    ]
    with pytest.raises(SettingError) as caught:
        from_mapping(Many, {"row": {"a": {}}, "named": [], "shares": {}, "maybe": 3})
    assert str(caught.value).splitlines() == [
        "row was {'a': {}}; expected a list, each item named values.",
        "named was (); expected `name: value` lines, each value named values.",
        "maybe was 3; expected settings as `name: value`.",
    ]


def test_a_long_wrong_value_is_not_repeated_whole():
    with pytest.raises(SettingError) as caught:
        from_mapping(Inner, {"share": "x" * 5000})
    assert str(caught.value) == f"share was '{'x' * 199}...; expected a number."


@pytest.mark.parametrize("share", [float("nan"), float("inf"), -0.1, 1, "much", None, True])
def test_nonsense_is_refused_when_a_config_is_made(share):
    with pytest.raises(SettingError, match=r"^share was "):
        Inner(share=share)


def test_yaml_writes_of_numbers_are_understood(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("name: x\ninner: {share: 1e-3, sizes: [3, 4]}\n")
    assert from_mapping(Outer, read_yaml(path)).inner == Inner(share=0.001, sizes=(3, 4))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a: 1\na: 2\n", "given twice"),
        ("- 1\n", "holds a list; expected settings"),
        ("a: [1\n", "not readable as YAML"),
        ("a: !!python/object/apply:os.system [echo]\n", "not readable as YAML"),
        ("1: 2\n", "is not text"),
    ],
)
def test_a_file_that_is_no_plain_mapping_is_refused_by_name(tmp_path, text, complaint):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(SettingError, match=complaint) as caught:
        read_yaml(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_refused_by_name(tmp_path):
    with pytest.raises(SettingError, match=f"No file {tmp_path}/none.yaml"):
        read_yaml(tmp_path / "none.yaml")


def test_assignments_nest_and_are_read_as_yaml():
    assert parse_assignments(["a.b=1", "a.c=[1, x]", "d=on the way"]) == {"a": {"b": 1, "c": [1, "x"]}, "d": "on the way"}
    for wrong in (["a"], ["=1"], ["a=1", "a.b=2"], ["a=[1"]):
        with pytest.raises(SettingError, match=r"--set"):
            parse_assignments(wrong)


def test_merging_lays_changes_over_and_edits_neither():
    base, changes = {"a": {"b": 1, "c": 2}}, {"a": {"c": 3}, "d": 4}
    assert merge(base, changes) == {"a": {"b": 1, "c": 3}, "d": 4}
    assert base == {"a": {"b": 1, "c": 2}}


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_makes_settings(preset):
    assert isinstance(build_settings(preset), Settings)


def test_an_unknown_setting_or_preset_is_refused_with_the_nearest():
    with pytest.raises(SettingError, match="Did you mean 'training.steps'"):
        build_settings("quick", {"training": {"step": 3}})
    with pytest.raises(SettingError, match=r"known are seeds, .* Did you mean 'training\.steps'\?$"):
        build_settings("quick", {"steps": 3})
    with pytest.raises(
        SettingError, match=r"^No preset named 'quik'; known are quick, standard, thorough. Did you mean 'quick'\?$"
    ):
        build_settings("quik")
