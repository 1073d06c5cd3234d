"""Functions and filters that expressions call and that do not exist: found without evaluating, for who writes them."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator
from typing import Any

from jinja2 import nodes


def unknown_in_yaql(expression: Any, known: Collection[str]) -> list[str]:
    """The names that a parsed YAQL expression calls and that are not `known`. One that defines functions has none."""
    called = list(_calls(expression))
    return [] if "def" in called else [name for name in dict.fromkeys(called) if name not in known]


def _calls(expression: Any) -> Iterator[str]:
    name = getattr(expression, "name", None)
    if isinstance(name, str) and name[:1].isalpha():
        yield name
    for part in getattr(expression, "args", ()):
        yield from _calls(part)
    for part in (getattr(expression, "source", None), getattr(expression, "destination", None)):
        if part is not None:
            yield from _calls(part)


def unknown_in_jinja(template: nodes.Template, functions: Collection[str], filters: Collection[str]) -> list[str]:
    """The names that a parsed template calls, or uses as filters, and that are neither known nor set in it."""
    own = {node.name for node in template.find_all(nodes.Name) if node.ctx != "load"}
    own |= {node.name for node in template.find_all(nodes.Macro)}
    called = [node.node.name for node in template.find_all(nodes.Call) if isinstance(node.node, nodes.Name)]
    unknown = [name for name in called if name not in functions and name not in own]
    unknown += [node.name for node in template.find_all(nodes.Filter) if node.name not in filters]
    return list(dict.fromkeys(unknown))


def wording(name: str, known: Collection[str]) -> str:
    """A sentence about an unknown name, with the one that was probably meant."""
    meant = difflib.get_close_matches(name, known, 1)
    return f'There is no function "{name}".' + (f" Did you mean {meant[0]}?" if meant else "")
