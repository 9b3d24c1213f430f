"""Frozen dataclasses to mappings and back, strictly: every fault is reported, and all of them at once.

A config is a frozen, keyword-only dataclass whose fields are numbers, text, booleans, literals, or other configs; tuples of
these; mappings of text to these or to any plain data (numbers, text, booleans, nothing, lists and mappings of them); or an
optional of any of these. Ranges are declared with `setting(default, at_least=...)` and checked whenever one is made.
"""

import dataclasses
import operator
import sys
import types
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from focalseg.catalogue import unknown_name_message
from focalseg.errors import SettingError, SiteError
from focalseg.findings import show_name, show_value

Config = TypeVar("Config")


LARGEST_SEED = 2**31 - 1
"""What a seed may be at most: torch's generators take 64 bits, and (seed, step, stream) become one number for them."""

DEEPEST = 20
"""How far plain data may be nested: YAML can hold a list that holds itself."""
_MOST_FAULTS = 20
"""So many faults of a file are told at once: a damaged one may have thousands."""
_WORDS_FOR = {**dict.fromkeys(("yes", "on"), True), **dict.fromkeys(("no", "off"), False)}
"""What a person may write in a file of settings, besides true and false, where one of the two is wanted."""
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


def from_mapping(kind: type[Config], mapping: Mapping[str, Any], *, each: str = "setting") -> Config:
    """The config of that kind. each: what one of its fields is called in an error;
    a setting, which YAML gives, may be a number as text (`1e-3`), a field of a file of ours may not.

    Raises SettingError with a line for each unknown key, wrong type and value out of range.
    """
    faults: list[str] = []
    config = _build(kind, mapping, "", faults, each)
    if faults or config is None:
        more = [] if len(faults) <= _MOST_FAULTS else [f"There are more faults than these {_MOST_FAULTS}; mend these first."]
        raise SettingError("\n".join([*faults[:_MOST_FAULTS], *more]))
    return config


def list_settings(kind: type[Any], prefix: str = "") -> list[str]:
    """The whole names of all settings of a kind of config, those of the configs in it among them."""
    hints = get_type_hints(kind)
    return [
        name
        for field in dataclasses.fields(kind)
        for name in (
            list_settings(hints[field.name], f"{prefix}{field.name}.")
            if dataclasses.is_dataclass(hints[field.name])
            else [prefix + field.name]
        )
    ]


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """base with changes laid over it, mappings merged key by key; neither argument is edited."""
    merged = dict(base)
    for name, value in changes.items():
        old = merged.get(name)
        merged[name] = merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def _build(kind: type[Config], mapping: Any, name: str, faults: list[str], each: str) -> Config | None:
    if not isinstance(mapping, Mapping):
        faults.append(f"{name or 'The whole'} was {show_value(mapping)}; expected {each}s as `name: value`.")
        return None
    prefix = f"{name}." if name else ""
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    hints = get_type_hints(kind)
    count_before = len(faults)
    values: dict[str, Any] = {}
    for key, value in mapping.items():
        if len(faults) > _MOST_FAULTS:
            return None
        if key not in fields:
            within = [found for found in list_settings(kind, prefix) if found.endswith(f".{key}")]
            offer = f" Did you mean {' or '.join(map(repr, within))}?" if within else ""
            faults.append(unknown_name_message(each, prefix + key, [prefix + known for known in fields], offer))
            continue
        count = len(faults)
        values[key] = _decode(value, hints[key], prefix + key, faults, each)
        if len(faults) == count:
            faults += _value_faults(prefix + key, values[key], hints[key]) or _range_faults(
                prefix + key, values[key], fields[key].metadata
            )
    for key, field in fields.items():
        if key not in mapping and field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            faults.append(f"The {each} {prefix}{key} is missing; give it a value.")
    if len(faults) > count_before:
        return None
    try:
        return kind(**values)
    except (SettingError, SiteError) as error:  # values that are right one by one and do not go together
        place = f"{name}: " if isinstance(error, SiteError) else prefix
        faults += [place + line for line in str(error).splitlines()]
        return None


def _decode(value: Any, hint: Any, name: str, faults: list[str], each: str) -> Any:
    """What a file holds as what the field holds: configs are built, lists are tuples, whole numbers and `1e-3` floats.

    What is wrong within a config is added to the faults.
    """
    options = _options(hint)
    for option in options:
        if dataclasses.is_dataclass(option) and not (value is None and type(None) in options):
            return _build(option, value, name, faults, each)  # type: ignore[arg-type]
        inner = get_args(option)
        if get_origin(option) is tuple and isinstance(value, list | tuple):
            return tuple(_decode(item, inner[0], f"{name}[{number}]", faults, each) for number, item in enumerate(value))
        if get_origin(option) is Mapping and isinstance(value, Mapping):
            return {key: _decode(item, inner[1], f"{name}.{show_name(key)}", faults, each) for key, item in value.items()}
    if isinstance(value, list) and hint is not Any:  # a list where none belongs, as an error will show it
        return tuple(_decode(item, (get_args(hint) or (Any,))[0], name, faults, each) for item in value)
    if bool in options and str not in options and each == "setting" and isinstance(value, str):
        return _WORDS_FOR.get(value.lower(), value)
    if float in options and ((each == "setting" and type(value) is str) or (type(value) is int and int not in options)):
        try:
            return float(value)
        except (ValueError, OverflowError):
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
        inner = get_args(hint)[1]
        return isinstance(value, Mapping) and all(isinstance(name, str) and _fits(item, inner) for name, item in value.items())
    if hint is Any:
        return _is_plain(value)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint)


def _value_faults(name: str, value: Any, hint: Any) -> list[str]:
    if _fits(value, hint):
        return []
    return [f"{name} was {show_value(value)}; expected {_describe(hint)}."]


def _range_faults(name: str, value: Any, metadata: Mapping[str, Any]) -> list[str]:
    bounds: dict[str, float] = metadata.get("bounds", {})
    wanted = " and ".join(f"{BOUNDS[kind][0]} {bound}" for kind, bound in bounds.items())
    if isinstance(value, Mapping) and "bounds" in metadata:
        return [fault for key, item in value.items() for fault in _range_faults(f"{name}.{show_name(key)}", item, metadata)]
    numbers = [number for number in (value if isinstance(value, tuple) else (value,)) if isinstance(number, int | float)]
    return [
        f"{name} was {show_value(number)}; expected a finite number{' ' + wanted if wanted else ''}."
        for number in numbers
        if not abs(number) <= sys.float_info.max or not all(BOUNDS[kind][1](number, bound) for kind, bound in bounds.items())
    ]


def _describe(hint: Any) -> str:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(_describe(option) for option in get_args(hint))
    if origin is Literal:
        return "one of " + ", ".join(str(option) for option in get_args(hint))
    if origin is Mapping:
        inner = get_args(hint)[1]
        return (
            "`name: value` lines, their numbers finite"
            if inner is Any
            else f"`name: value` lines, each value {_describe(inner)}"
        )
    if origin is tuple:
        return f"a list, each item {_describe(get_args(hint)[0])}"
    if dataclasses.is_dataclass(hint):
        return "named values"
    names = {int: "a whole number", float: "a number", str: "text", bool: "true or false", type(None): "nothing"}
    return names.get(hint, getattr(hint, "__name__", str(hint)))


def _is_plain(value: Any, depth: int = 0) -> bool:
    if depth > DEEPEST:
        return False
    if isinstance(value, Mapping):
        return all(isinstance(name, str) and _is_plain(item, depth + 1) for name, item in value.items())
    if isinstance(value, list | tuple):
        return all(_is_plain(item, depth + 1) for item in value)
    return value is None or isinstance(value, str) or (isinstance(value, int | float) and abs(value) <= sys.float_info.max)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value
