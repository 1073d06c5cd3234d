"""Finds functions and filters that expressions call and that do not exist, without evaluation, for their authors."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator
from typing import Any

from jinja2 import nodes


def unknown_in_yaql(expression: Any, existing: Collection[str]) -> list[str]:
    """Returns the names that a parsed YAQL expression calls and that do not exist; none if it defines functions."""
    names = list(_calls(expression))
    return [] if "def" in names else [name for name in dict.fromkeys(names) if name not in existing]


def _calls(expression: Any) -> Iterator[str]:
    # A long path nests as deeply as it is long, so there is no recursion here.
    waiting = [expression]
    while waiting:
        part = waiting.pop()
        name = getattr(part, "name", None)
        if isinstance(name, str) and name[:1].isalpha():
            yield name
        ends = (getattr(part, "source", None), getattr(part, "destination", None))
        inner = [*getattr(part, "args", ()), *(each for each in ends if each is not None)]
        waiting += reversed(inner)


def unknown_in_jinja(template: nodes.Template, functions: Collection[str], filters: Collection[str]) -> list[str]:
    """Returns the names that a parsed template calls, or uses as filters, and that neither exist nor are set in it."""
    own = {node.name for node in template.find_all(nodes.Name) if node.ctx != "load"}
    own |= {node.name for node in template.find_all(nodes.Macro)}
    names = [node.node.name for node in template.find_all(nodes.Call) if isinstance(node.node, nodes.Name)]
    unknown = [name for name in names if name not in functions and name not in own]
    unknown += [node.name for node in template.find_all(nodes.Filter) if node.name not in filters]
    return list(dict.fromkeys(unknown))


def wording(name: str, existing: Collection[str]) -> str:
    """Returns a sentence about an unknown name, with the most similar existing one."""
    similar = difflib.get_close_matches(name, existing, 1)
    return f'There is no function "{name}".' + (f" Did you mean {similar[0]}?" if similar else "")
