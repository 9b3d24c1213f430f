"""Alters text files the way disks, editors and hostile people do: for tests that readers refuse or read, and nothing else."""

import json
import re
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
import yaml

from imagesets.corpus.fuzzing import alter_text
from imagesets.layouts.trees import HOSTILE, garble
from imagesets.mutation import mutate

ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 7, 10**30, -(10**99), 1.5, -0.0, 1e-300, 1e300, float("nan"), float("inf"),
    "", "x", "no", "1e3", "010", "1:30", "2020-01-01", "x" * 3000, "a\nb", "\x1b[2J", "\0", "\u202e", "\ud800", "=1+1", "<b>",
    "${x}", "{0}", "%s", "../../x", "/dev/zero", "os:system", "torch.hub:load", [], {}, [[]], [None], [1, "a"], {"": 1},
    {"a": {"b": []}}, {"x\n": "y"}, ["x"] * 500,
)  # fmt: skip
"""What stands where something else should."""
LONGEST = 300_000
"""Bytes of a mutant at most, but for those that are made to be too large."""


def alter(content: bytes, random: np.random.Generator, kind: str) -> bytes:
    """A mutant of a file of that kind: json, yaml or csv."""
    ways: list[Callable[[bytes, np.random.Generator], bytes]] = [mutate, _alter_words, _alter_lines, _nest, _inflate, _recode]
    if kind in ("json", "yaml"):
        ways += [lambda content, random: _alter_tree(content, random, kind)] * 4
    for _ in range(1 if random.random() < 0.7 else 2):
        content = ways[random.integers(len(ways))](content, random)[:LONGEST]
    return content


def _alter_words(content: bytes, random: np.random.Generator) -> bytes:
    """Words and signs for others."""
    try:
        return (garble if random.random() < 0.5 else alter_text)(content, random)
    except ValueError:  # no UTF-8 any more, or nothing left
        return mutate(content, random)


def _alter_lines(content: bytes, random: np.random.Generator) -> bytes:
    """Lines doubled, in another order, with other ends or none."""
    lines = content.split(b"\n")
    deed = int(random.integers(5))
    if deed == 0:
        return b"\r\n".join(lines)
    if deed == 1:
        return b"\r".join(lines)
    if deed == 2:
        return b"".join(lines)
    if deed == 3:
        return b"\n".join(lines[number] for number in random.permutation(len(lines)))
    return b"\n".join(line for line in lines for _ in range(int(random.integers(1, 4))))


def _nest(content: bytes, random: np.random.Generator) -> bytes:
    """Brackets or blanks by the thousand, at any place, closed or not."""
    count = int(10 ** random.uniform(1, 4.5))
    opening, closing = [
        (b"[", b"]"),
        (b"{", b"}"),
        (b'{"a":', b"}"),
        (b"- ", b""),
        (b" ", b""),
        (b"? ", b""),
        (b"(", b")"),
        (b'"', b""),
    ][random.integers(8)]
    place = int(random.integers(len(content) + 1))
    return content[:place] + opening * count + (closing * count if random.random() < 0.5 else b"") + content[place:]


def _inflate(content: bytes, random: np.random.Generator) -> bytes:
    """A part, a sign or a number made very long; names that stand for ever more."""
    place, count = int(random.integers(len(content) + 1)), int(10 ** random.uniform(1, 5))
    part = content[place : place + int(random.integers(1, 30))] or b"x"
    many = [part, b"9", b"x", b",", b"\n", b"\0", b"a: 1\n", b"\xff", b"'", b"\t", "\u202e".encode(), b"-"][random.integers(12)]
    bomb = b"".join(b"k%d: &k%d [%s]\n" % (level, level, b"*k%d," % (level - 1) * 9 if level else b"x") for level in range(9))
    return content[:place] + (bomb if random.random() < 0.1 else many * (count // len(many) + 1)) + content[place:]


def _recode(content: bytes, random: np.random.Generator) -> bytes:
    """Other encodings and marks of them."""
    text = content.decode(errors="replace")
    encodings = ("utf-8-sig", "utf-16", "utf-32-le", "latin-1", "cp1252", "utf-7")
    return text.encode(encodings[random.integers(len(encodings))], errors="replace")


def _alter_tree(content: bytes, random: np.random.Generator, kind: str) -> bytes:
    """A value for another of any type, a key renamed, taken out, put in or doubled, in what the text holds."""
    try:
        tree = json.loads(content) if kind == "json" else yaml.safe_load(content)
    except (ValueError, RecursionError, yaml.YAMLError):
        return mutate(content, random)
    for _ in range(int(random.integers(1, 4))):
        places = list(_places(tree))
        if not places:
            break
        parent, key = places[random.integers(len(places))]
        deed = int(random.integers(6))
        if deed < 3:
            parent[key] = deepcopy(ODD[random.integers(len(ODD))])
        elif deed == 3:
            del parent[key]
        elif isinstance(parent, list):
            parent[key:key] = [deepcopy(parent[key]) for _ in range(int(random.integers(1, 50)))]
        else:
            parent[HOSTILE[random.integers(len(HOSTILE))]] = deepcopy(parent[key]) if deed == 4 else parent.pop(key)
    if kind == "yaml":
        text = yaml.dump(tree, allow_unicode=True, default_flow_style=bool(random.random() < 0.5))
    else:
        text = json.dumps(tree, ensure_ascii=bool(random.random() < 0.5))
    if random.random() < 0.1:  # a key given twice
        text = re.sub(r'("?\w+"?: ?[^,{}\[\]\n]+)', r"\1, \1" if kind == "json" else r"\1\n\1", text, count=1)
    return text.encode(errors="surrogatepass")


def _places(tree: Any) -> Any:
    """Every (parent, key) within."""
    if isinstance(tree, dict | list):
        for key in list(tree) if isinstance(tree, dict) else range(len(tree)):
            yield tree, key
            yield from _places(tree[key])
