"""Arguments of a command that starts soon: what is text already waits for no library that could make something else of it."""

import re
from collections.abc import Iterable
from typing import Any, Literal, get_args, get_origin

from typer.core import TyperCommand, TyperGroup

_CONVERTER = "_runtime_param"
"""Where typer keeps the converter of a parameter, None before it is needed."""
_NEEDED = ("get_runtime_param", "type_descriptor")
"""What else of a parameter is used here."""
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?", re.ASCII)


class SwiftCommand(TyperCommand):
    """A command that converts words which need no more than a look by itself, and leaves all others to typer."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """What is left of the words. Their values are in the context then, as typer has it."""
        _hasten(self.get_params(ctx))
        return super().parse_args(ctx, args)


class SwiftGroup(TyperGroup):
    """Commands, and the options before them, in the same way."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """What is left of the words, the command first."""
        _hasten(self.get_params(ctx))
        return super().parse_args(ctx, args)


def _hasten(parameters: Iterable[Any]) -> None:
    # Typer (0.29) converts with pydantic, whose import takes 0.12 s of processor time on an idle machine: a third more than
    # `focalseg compare` takes without, which would not stay within its half second. Where another typer keeps its converter
    # elsewhere or builds it otherwise, this changes nothing but that time.
    for parameter in parameters:
        if getattr(parameter, _CONVERTER, parameter) is None and all(hasattr(parameter, name) for name in _NEEDED):
            setattr(parameter, _CONVERTER, _SwiftParameter(parameter))


class _SwiftParameter:
    """Typer's converter of a parameter, which is not built before it is needed."""

    def __init__(self, parameter: Any) -> None:
        self._parameter = parameter

    def __getattr__(self, name: str) -> Any:
        return getattr(self._build(), name)

    def coerce(self, value: Any, **known: Any) -> Any:
        """The value as the function of the command gets it."""
        annotation = self._parameter.type_descriptor.annotation
        if value is None and not self._parameter.multiple and self._parameter.nargs != -1:
            return None
        if annotation == list[str] and isinstance(value, list | tuple) and all(isinstance(one, str) for one in value):
            return [*value]
        if annotation is str and isinstance(value, str):
            return value
        if get_origin(annotation) is Literal and value in get_args(annotation):
            return value
        if annotation is float and isinstance(value, str) and _NUMBER.fullmatch(value):
            return float(value)
        return self._build().coerce(value, **known)

    def _build(self) -> Any:
        setattr(self._parameter, _CONVERTER, None)
        return self._parameter.get_runtime_param()
