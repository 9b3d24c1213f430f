"""Settings as YAML: files read strictly, assignments from the command line, configs as text."""

from pathlib import Path
from typing import Any

import yaml

from focalseg.configuration import to_mapping
from focalseg.errors import SettingError


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file as a mapping; repeated keys and anything but plain data are refused with SettingError."""
    try:
        loaded = yaml.load(path.read_text(encoding="utf-8"), Loader=_StrictLoader)  # noqa: S506 - a SafeLoader
    except FileNotFoundError as error:
        raise SettingError(f"No file {path}; expected a YAML file with settings. Check the path.") from error
    except (yaml.YAMLError, ValueError, OSError) as error:
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
        except (yaml.YAMLError, ValueError) as error:
            raise SettingError(f"--set {assignment!r} has a value that is not readable: {_first_line(error)}.") from error
        level = nested
        *parents, last = name.strip().split(".")
        for parent in parents:
            level = level.setdefault(parent, {})
            if not isinstance(level, dict):
                raise SettingError(f"--set {assignment!r} clashes with an earlier --set of {parent}; give each setting once.")
        level[last] = value
    return nested


class _StrictLoader(yaml.SafeLoader):
    """SafeLoader that refuses a repeated key instead of keeping the last one in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [self.construct_object(key, deep=True) for key, _ in node.value]
        for name in names:
            if not isinstance(name, str):
                raise yaml.YAMLError(f"the key {name!r} is not text")
            if names.count(name) > 1:
                raise yaml.YAMLError(f"the key {name!r} is given twice")
        return super().construct_mapping(node, deep=deep)


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
