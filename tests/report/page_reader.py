"""A page as its tests read it."""

from collections.abc import Collection
from html.parser import HTMLParser

VOID = {"meta", "link", "img", "br", "hr", "input"}


class Reader(HTMLParser):
    """Text, elements and attributes of a page; fails on a tag that is closed out of order.

    void: tags that are never closed.
    apart: tags that end a word.
    """

    def __init__(self, page: str, *, void: Collection[str] = VOID, apart: Collection[str] = ("td", "th", "text")) -> None:
        super().__init__()
        self.void, self.apart = void, apart
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []
        self.text = " ".join("".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.void:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self.words.append(" " if tag in self.apart else "")

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    def of_class(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for _, attributes in self.elements if name in (attributes.get("class") or "").split()]
