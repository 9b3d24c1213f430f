"""A setting that a message names is one that there is: else its mend cannot be followed."""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

import focalseg
from focalseg.study.presets import Settings

SOURCE = Path(focalseg.__file__).parent
ROOMS = ("data", "split", "looks", "network", "loss", "training", "scores")
NAMED = re.compile(rf"(?<![\w./-])(?:{'|'.join(ROOMS)})\.[a-z_]+(?:\.[a-z_]+)*")
ASSIGNED = re.compile(r"--set '?([a-z_]+(?:\.[a-z_]+)*)=")
NO_SETTINGS = {"network.load_state_dict", "network.svg", "network.svg.j"}
"""A method of a network, in what is said to a person who calls Python; and the names of a drawing and of its template."""


def list_settings(config: type[Any], prefix: str = "") -> Iterator[str]:
    """Every name that an assignment may have; a name and `.*` for a mapping of free names."""
    hints = get_type_hints(config)
    for field in fields(config):
        kinds = [hints[field.name], *get_args(hints[field.name])]
        name = prefix + field.name
        yield name
        for kind in kinds:
            if is_dataclass(kind):
                yield from list_settings(kind, f"{name}.")  # type: ignore[arg-type]
        if any(getattr(kind, "__origin__", None) is not None and issubclass(kind.__origin__, Mapping) for kind in kinds
               if isinstance(getattr(kind, "__origin__", None), type)):  # fmt: skip
            yield f"{name}.*"


def list_texts() -> Iterator[tuple[str, str]]:
    """Every piece of text in the package that is no docstring, and where it stands."""
    for path in sorted(SOURCE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        documented = {
            id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documented:
                yield f"{path.relative_to(SOURCE)}:{node.lineno}", node.value


def test_every_setting_that_a_message_names_is_there():
    known = set(list_settings(Settings))
    free = tuple(name[:-1] for name in known if name.endswith(".*"))
    assert {"data.longest_side", "network.most_levels", "training.augmentation.share", "network.arguments."} <= known | {*free}
    found: dict[str, list[str]] = {}
    for place, text in list_texts():
        for name in [*NAMED.findall(text), *ASSIGNED.findall(text)]:
            found.setdefault(name.rstrip("."), []).append(place)
    strange = {name: where for name, where in found.items() if name not in known | NO_SETTINGS and not name.startswith(free)}
    assert strange == {}
    assert len(found) > 15
