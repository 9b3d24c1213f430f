"""Settings as YAML: files read strictly, assignments from the command line, configs as text.

Of YAML only plain data is read: no anchors, by which a few lines become gigabytes, no tags, and no value that readers of YAML
1.1 and 1.2 take for different ones: `010`, `1:30`, `0x1F`, dates and `no` are text. A setting of true or false takes `no` too.
"""

import re
from pathlib import Path
from typing import Any

import yaml

from focalseg.configuration import DEEPEST, to_mapping
from focalseg.errors import SettingError
from focalseg.findings import LONGEST_SHOWN, show_name, show_value
from focalseg.text_files import read_small

MOST_BYTES = 256 << 10
"""Of a file with settings. The config of a job has some 2 KiB."""
MOST_VALUES = 20_000
"""Names and values in a file: so many take less than a second to read."""
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9_]{0,99})")
_FLOAT = re.compile(
    r"[-+]?(?:(?:[0-9][0-9_]*\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+|\.(?:inf|Inf|INF))|\.nan"
)
_PLAIN = {
    "bool": (re.compile(r"true|True|TRUE|false|False|FALSE"), "tTfF"),
    "null": (re.compile(r"~|null|Null|NULL|"), ("~", "n", "N", "")),
    "int": (_INT, "-+0123456789"),
    "float": (_FLOAT, "-+.0123456789"),
}
"""By kind: what stands for it where it is not quoted, and the characters that this begins with."""


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file as a mapping; repeated keys and anything but plain data are refused with SettingError."""
    content = read_small(path, most_bytes=MOST_BYTES, expected="a YAML file with settings. Check the path.")
    try:
        loaded = _load(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SettingError(f"{path} is no UTF-8 text from line {line} on. Save it again with the encoding UTF-8.") from error
    except (yaml.YAMLError, ValueError) as error:
        raise SettingError(f"{path} is not readable as YAML: {_first_line(error)}. Mend the file and run again.") from error
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise SettingError(f"{path} holds a {type(loaded).__name__}; expected settings as `name: value` lines.")
    return loaded


def write_yaml(config: Any) -> str:
    """A config as YAML text, in the order of its fields, that `read_yaml` reads back."""
    return yaml.dump(to_mapping(config), Dumper=_PlainDumper, sort_keys=False, allow_unicode=True)


def dump_yaml(content: dict[str, Any]) -> str:
    """Plain data as YAML text, each text on one line, that readers of YAML 1.1 and of 1.2 take for the same."""
    return yaml.dump(content, Dumper=_PlainDumper, sort_keys=False, allow_unicode=True, width=2**20)


def parse_assignments(assignments: list[str]) -> dict[str, Any]:
    """`["a.b=1"]` as nested mappings, values read as YAML. Raises SettingError for anything without `=`."""
    nested: dict[str, Any] = {}
    for assignment in assignments:
        shown = show_value(assignment)
        name, separator, text = assignment.partition("=")
        *parents, last = name.strip().split(".")
        if not separator or not last or len(parents) > DEEPEST or len(text.encode(errors="replace")) > MOST_BYTES:
            raise SettingError(f"--set was given {shown}; expected NAME=VALUE such as training.steps=500.")
        try:
            value = _load(text)
        except (yaml.YAMLError, ValueError) as error:
            raise SettingError(f"--set {shown} has a value that is not readable: {_first_line(error)}.") from error
        level = nested
        for parent in parents:
            level = level.setdefault(parent, {})
            if not isinstance(level, dict):
                raise SettingError(f"--set {shown} clashes with an earlier --set of {parent}; give each setting once.")
        level[last] = value
    return nested


def _load(text: str) -> Any:
    # A SafeLoader made stricter: it makes nothing but plain data.
    return yaml.load(text, Loader=_StrictLoader)  # noqa: S506


class _StrictLoader(yaml.SafeLoader):
    """SafeLoader of plain data, bounded: what it refuses is a YAMLError."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - filled below, in place of those of YAML 1.1

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.depth = self.count = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Refuses what is more than plain data, and too much of it, before it is made."""
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise yaml.YAMLError(f"line {line} has an anchor (& or *); quote a text that begins so, or write the value out")
        if event.tag is not None:
            raise yaml.YAMLError(f"line {line} has the tag {show_value(event.tag)}; expected plain values")
        self.depth += 1
        self.count += 1
        if self.depth > DEEPEST:
            raise yaml.YAMLError(f"line {line} is nested more than {DEEPEST} levels deep")
        if self.count > MOST_VALUES:
            raise yaml.YAMLError(f"it holds more than {MOST_VALUES:,} names and values")
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuses a repeated key instead of keeping the last one in silence."""
        known: set[str] = set()
        for key, _ in node.value:
            name = self.construct_object(key, deep=True)
            if not isinstance(name, str):
                raise yaml.YAMLError(f"the key {show_value(name)} is not text")
            if name in known:
                raise yaml.YAMLError(f"the key {show_value(name)} is given twice")
            known.add(name)
        return super().construct_mapping(node, deep=deep)


class _PlainDumper(yaml.SafeDumper):
    """SafeDumper that writes every value out, and quotes whatever either version of YAML would take for more than text."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        """Always."""
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # PyYAML writes the line end of Unicode (NEL) as it is, and reads a line feed; in double quotes it has an escape.
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if "\x85" in text else None)


_PlainDumper.add_representer(str, _represent_text)
for _kind, (_pattern, _beginnings) in _PLAIN.items():
    _whole = re.compile(f"(?:{_pattern.pattern})$")
    for _reader_or_writer in (_StrictLoader, _PlainDumper):
        _reader_or_writer.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", _whole, list(_beginnings))


def _first_line(error: Exception) -> str:
    """What is wrong, and the line; without the part of the text that PyYAML repeats, in which anything may stand."""
    text = str(error)
    if isinstance(error, yaml.MarkedYAMLError):
        place = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        text = ", ".join(filter(None, (error.context, error.problem))) + place
    return show_name(" ".join(text.split())[:LONGEST_SHOWN])
