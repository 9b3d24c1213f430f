"""Frozen dataclasses to mappings and YAML files and back, strictly: every fault is reported, and all of them at once.

A config is a frozen, keyword-only dataclass whose fields are numbers, text, booleans, tuples of them, literals, an optional of
these, mappings of text to text, or other configs. Ranges are declared with `setting(default, at_least=...)` and checked
whenever one is made.
"""

import dataclasses
import math
import operator
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml

from focalseg.catalogue import unknown_name_message
from focalseg.errors import SettingError

Config = TypeVar("Config")


BOUNDS: dict[str, tuple[str, Callable[[float, float], bool]]] = {
    "at_least": ("at least", operator.ge),
    "above": ("above", operator.gt),
    "at_most": ("at most", operator.le),
    "below": ("below", operator.lt),
}


def setting(default: Any = dataclasses.MISSING, **bounds: float) -> Any:
    """A dataclass field whose numbers are finite and within the bounds: at_least, above, at_most, below."""
    return dataclasses.field(default=default, metadata={"bounds": bounds})


class CheckedConfig:
    """Base that refuses nonsense: wrong types and values out of range raise SettingError when the config is made."""

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        faults = []
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            faults += _value_faults(field.name, value, hints[field.name]) or _range_faults(field.name, value, field.metadata)
        if faults:
            raise SettingError("\n".join(faults))


def to_mapping(config: Any) -> dict[str, Any]:
    """A config as plain dictionaries, lists, numbers and text, ready for YAML or JSON."""
    mapping = dataclasses.asdict(config)
    plain: dict[str, Any] = _plain(mapping)
    return plain


def from_mapping(kind: type[Config], mapping: Mapping[str, Any]) -> Config:
    """The config of that kind. Raises SettingError with a line for each unknown key, wrong type and value out of range."""
    faults: list[str] = []
    config = _build(kind, mapping, "", faults)
    if faults or config is None:
        raise SettingError("\n".join(faults))
    return config


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file as a mapping; repeated keys and anything but plain data are refused with SettingError."""
    try:
        loaded = yaml.load(path.read_text(encoding="utf-8"), Loader=_StrictLoader)  # noqa: S506 - a SafeLoader
    except FileNotFoundError as error:
        raise SettingError(f"No file {path}; expected a YAML file with settings. Check the path.") from error
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise SettingError(f"{path} is not readable as YAML: {_first_line(error)}. Mend the file and run again.") from error
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise SettingError(f"{path} holds a {type(loaded).__name__}; expected settings as `name: value` lines.")
    return loaded


def write_yaml(config: Any) -> str:
    """A config as YAML text, in the order of its fields."""
    return yaml.safe_dump(to_mapping(config), sort_keys=False, allow_unicode=True)


def parse_assignments(assignments: list[str]) -> dict[str, Any]:
    """`["a.b=1"]` as nested mappings, values read as YAML. Raises SettingError for anything without `=`."""
    nested: dict[str, Any] = {}
    for assignment in assignments:
        name, separator, text = assignment.partition("=")
        if not separator or not name.strip():
            raise SettingError(f"--set was given {assignment!r}; expected NAME=VALUE such as training.steps=500.")
        try:
            value = yaml.load(text, Loader=_StrictLoader)  # noqa: S506 - a SafeLoader
        except yaml.YAMLError as error:
            raise SettingError(f"--set {assignment!r} has a value that is not readable: {_first_line(error)}.") from error
        level = nested
        *parents, last = name.strip().split(".")
        for parent in parents:
            level = level.setdefault(parent, {})
            if not isinstance(level, dict):
                raise SettingError(f"--set {assignment!r} clashes with an earlier --set of {parent}; give each setting once.")
        level[last] = value
    return nested


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """base with changes laid over it, mappings merged key by key; neither argument is edited."""
    merged = dict(base)
    for name, value in changes.items():
        old = merged.get(name)
        merged[name] = merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


class _StrictLoader(yaml.SafeLoader):
    """SafeLoader that refuses a repeated key instead of keeping the last one in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [self.construct_object(key, deep=True) for key, _ in node.value]  # type: ignore[no-untyped-call]
        for name in names:
            if not isinstance(name, str):
                raise yaml.YAMLError(f"the key {name!r} is not text")
            if names.count(name) > 1:
                raise yaml.YAMLError(f"the key {name!r} is given twice")
        return super().construct_mapping(node, deep=deep)


def _build(kind: type[Config], mapping: Any, prefix: str, faults: list[str]) -> Config | None:
    if not isinstance(mapping, Mapping):
        faults.append(f"{prefix.rstrip('.')} was {mapping!r}; expected settings as `name: value`.")
        return None
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    hints = get_type_hints(kind)
    count_before = len(faults)
    values: dict[str, Any] = {}
    for name, value in mapping.items():
        if name not in fields:
            faults.append(unknown_name_message("setting", prefix + name, [prefix + known for known in fields]))
        elif dataclasses.is_dataclass(hints[name]):
            values[name] = _build(hints[name], value, f"{prefix}{name}.", faults)
        else:
            values[name] = _convert(value, hints[name])
            found = _value_faults(prefix + name, values[name], hints[name])
            faults += found or _range_faults(prefix + name, values[name], fields[name].metadata)
    for name, field in fields.items():
        if name not in mapping and field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            faults.append(f"The setting {prefix}{name} is missing; give it a value.")
    if len(faults) > count_before:
        return None
    return kind(**values)


def _convert(value: Any, hint: Any) -> Any:
    """What YAML gives as what the field holds: lists as tuples, whole numbers and `1e-3` as floats."""
    if isinstance(value, list):
        inner = (get_args(hint) or (Any,))[0]
        for option in _options(hint):
            if get_origin(option) is tuple:
                inner = get_args(option)[0]
        return tuple(_convert(item, inner) for item in value)
    if float in _options(hint) and not isinstance(value, bool):
        if isinstance(value, int) and int not in _options(hint):
            return float(value)
        if isinstance(value, str):
            try:
                return float(value)
            except ValueError:
                return value
    return value


def _options(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _fits(value: Any, hint: Any) -> bool:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return any(_fits(value, option) for option in get_args(hint))
    if origin is Literal:
        return value in get_args(hint)
    if origin is tuple:
        return isinstance(value, tuple) and all(_fits(item, get_args(hint)[0]) for item in value)
    if origin is Mapping:
        return isinstance(value, Mapping) and all(isinstance(part, str) for item in value.items() for part in item)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint)


def _value_faults(name: str, value: Any, hint: Any) -> list[str]:
    if _fits(value, hint):
        return []
    return [f"{name} was {value!r}; expected {_describe(hint)}."]


def _range_faults(name: str, value: Any, metadata: Mapping[str, Any]) -> list[str]:
    bounds: dict[str, float] = metadata.get("bounds", {})
    wanted = " and ".join(f"{BOUNDS[kind][0]} {bound}" for kind, bound in bounds.items())
    numbers = [number for number in (value if isinstance(value, tuple) else (value,)) if isinstance(number, int | float)]
    return [
        f"{name} was {number}; expected a finite number{' ' + wanted if wanted else ''}."
        for number in numbers
        if not math.isfinite(number) or not all(BOUNDS[kind][1](number, bound) for kind, bound in bounds.items())
    ]


def _describe(hint: Any) -> str:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(_describe(option) for option in get_args(hint))
    if origin is Literal:
        return "one of " + ", ".join(str(option) for option in get_args(hint))
    if origin is Mapping:
        return "`name: text` lines"
    if origin is tuple:
        return f"a list, each item {_describe(get_args(hint)[0])}"
    names = {int: "a whole number", float: "a number", str: "text", bool: "true or false", type(None): "nothing"}
    return names.get(hint, getattr(hint, "__name__", str(hint)))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
