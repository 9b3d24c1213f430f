"""Templates filled to one self-contained page."""

from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from focalseg.evaluation.statistics import REPLICATES
from focalseg.findings import counted
from focalseg.report import wording
from focalseg.report.lettering import show_characters

_FILTERS = (
    "decimal", "signed", "grouped", "magnitude", "megaflops", "milliseconds", "duration", "percent_more", "listed",
    "split_sentences", "probability", "step_time", "each_training",
)  # fmt: skip


def render(template: str, filters: Mapping[str, Callable[..., str]] = MappingProxyType({}), /, **values: Any) -> str:
    """A template of this package as a page, with the values it names. filters: those that this page alone uses."""
    environment = _open_templates(tuple(filters.items()))
    page = environment.get_template(template).render(replicates=REPLICATES, **values)
    return page.encode("utf-8", errors="replace").decode("utf-8")  # half a surrogate pair, which JSON may hold, is no text


@cache
def _open_templates(filters: tuple[tuple[str, Callable[..., str]], ...]) -> Environment:
    """The templates with these filters besides those of all. Kept, since to compile them takes longer than to fill them."""
    environment = Environment(
        loader=PackageLoader("focalseg.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in _FILTERS:
        environment.filters[name] = getattr(wording, name)
    environment.filters |= {"show_characters": show_characters, "counted": counted, **dict(filters)}
    return environment
