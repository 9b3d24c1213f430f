"""Ports: the places in a network where a tensor passes, named in one small language.

PATH                    the output of the module of that path, such as `encoder.0`
PATH:ARGUMENT           what the module is called with: the position, from 0, or the name of the argument, such as `up.1:skip`
PORT[START:STOP]        some of its channels, such as `decoder.0:0[64:128]`, the second half of a concatenation
"""

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor, nn

from focalseg.catalogue import offer_nearest
from focalseg.errors import SiteError

_GRAMMAR = re.compile(r"(?P<path>[^:\[\]]*)(:(?P<argument>\w+))?(\[(?P<start>[0-9]*):(?P<stop>[0-9]*)\])?", re.ASCII)
_EXPECTED = "expected a module's path, with :ARGUMENT for what it is called with and [START:STOP] for some channels"

Arguments = tuple[Any, ...]
Keywords = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Port:
    """A place where a tensor passes. argument None: the module's output. start, stop: bounds of its channels, None for all.

    `name` and `position` of an argument are both known once `resolve` has looked at the module, since a caller may use either.
    """

    path: str
    argument: str | None = None
    start: int | None = None
    stop: int | None = None
    name: str | None = None
    position: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """The port that a text names. Raises SiteError for a text that is not of the language above."""
        match = _GRAMMAR.fullmatch(text)
        if match is None:
            raise SiteError(f"{text!r} is no place in a network; {_EXPECTED}.")
        start, stop = (int(bound) if bound else None for bound in (match["start"], match["stop"]))
        return cls(path=match["path"], argument=match["argument"], start=start, stop=stop)

    def __str__(self) -> str:
        argument = "" if self.argument is None else f":{self.argument}"
        bounds = ["" if bound is None else str(bound) for bound in (self.start, self.stop)]
        return self.path + argument + (f"[{bounds[0]}:{bounds[1]}]" if any(bounds) else "")

    @property
    def of_output(self) -> bool:
        """Whether the port is the output of the module, and not an argument that the module is called with."""
        return self.argument is None

    def find_module(self, network: nn.Module) -> nn.Module:
        """The module of the path. Raises SiteError, which offers near names, where there is none."""
        try:
            return network.get_submodule(self.path)
        except AttributeError:
            known = [name for name, _ in network.named_modules() if name]
            raise SiteError(describe_unknown_module(self.path, known)) from None

    def resolve(self, network: nn.Module) -> Self:
        """The same port with name and position of its argument, as the module's signature has them.

        Raises SiteError for a path that no module has, and for an argument that its module cannot be called with.
        """
        module = self.find_module(network)
        if self.argument is None:
            return self
        signature = inspect.signature(module.forward)
        kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        names = [parameter.name for parameter in signature.parameters.values() if parameter.kind in kinds]
        if self.argument.isdecimal():
            position: int | None = int(self.argument)
            name = names[int(self.argument)] if int(self.argument) < len(names) else None
        else:
            name, position = self.argument, names.index(self.argument) if self.argument in names else None
        some = {parameter.kind for parameter in signature.parameters.values()}
        if name not in signature.parameters and not some & {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}:
            raise SiteError(f"{self.path} is not called with {self.argument!r}; it takes {', '.join(names) or 'nothing'}.")
        return replace(self, name=name, position=position)

    def read(self, arguments: Arguments, keywords: Keywords, output: Any) -> Tensor:
        """The tensor (B, C, *spatial) that passes here. Raises SiteError where no tensor passes, or too few channels."""
        value = self._read_whole(arguments, keywords, output)
        if not isinstance(value, Tensor):
            given = "nothing" if value is None else f"a {type(value).__name__}"
            raise SiteError(f"What passes {self} is {given}; expected one tensor. Name another place.")
        if self.stop is not None and value.ndim > 1 and self.stop > value.shape[1]:
            raise SiteError(f"What passes {self} has {value.shape[1]} channels; expected {self.stop}. Name others.")
        return value if self.start is None and self.stop is None else value[:, self.start : self.stop]

    def write(self, arguments: Arguments, keywords: Keywords, output: Any, tensor: Tensor) -> tuple[Arguments, Keywords, Any]:
        """New arguments, keywords and output, with another tensor in this place; those that were given are not edited."""
        if self.start is not None or self.stop is not None:
            whole = self._read_whole(arguments, keywords, output)
            parts = [whole[:, : self.start or 0], tensor, whole[:, whole.shape[1] if self.stop is None else self.stop :]]
            tensor = torch.cat([part for part in parts if part.shape[1]], dim=1)
        if self.argument is None:
            return arguments, keywords, tensor
        if self.name is not None and self.name in keywords:
            return arguments, {**keywords, self.name: tensor}, output
        if self.position is None:
            raise SiteError(f"Nothing passes {self}; {_EXPECTED}.")
        return (*arguments[: self.position], tensor, *arguments[self.position + 1 :]), keywords, output

    def _read_whole(self, arguments: Arguments, keywords: Keywords, output: Any) -> Any:
        if self.argument is None:
            return output
        if self.name is not None and self.name in keywords:
            return keywords[self.name]
        return arguments[self.position] if self.position is not None and self.position < len(arguments) else None


def describe_unknown_module(path: str, known: list[str]) -> str:
    """The sentence for a path that no module has, with near names and the modules on the level where the path ends."""
    parent = path.rpartition(".")[0]
    while parent and parent not in known:
        parent = parent.rpartition(".")[0]
    level = [name for name in known if name.rpartition(".")[0] == parent]
    there = f"{parent or 'the network'} has {', '.join(level) or 'no modules'}."
    return f"No module named {path!r}; {there}{offer_nearest(path, known)}"
