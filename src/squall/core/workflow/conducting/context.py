"""Contexts: a task sees the values that were published on the ways to it, merged in the order of their arrival."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from squall.core.expr.scope import Variables
from squall.core.workflow.conducting.state import State

_CACHE_SIZE = 256


def merged(left: Mapping[str, Any], right: Mapping[str, Any]) -> dict[str, Any]:
    """Merges `right` over `left`: objects are merged, all other values replaced. Changes neither of them."""
    values = dict(left)
    for key, value in right.items():
        old = values.get(key)
        values[key] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return values


class Contexts:
    """The merged contexts of a state. It derives a context from its nearest cached ancestor, and caches the latest
    ones."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._full: dict[int, dict[str, Any]] = {}
        self._added: dict[int, dict[str, Any]] = {}
        self._variables: dict[int, Variables] = {}

    def variables(self, index: int) -> Variables:
        """Returns the variables in a context."""
        variables = self._variables.get(index)
        if variables is None:
            variables = Variables(self.full(index))
            self._variables[index] = variables
            if len(self._variables) > _CACHE_SIZE:
                del self._variables[next(iter(self._variables))]
        return variables

    def full(self, index: int) -> dict[str, Any]:
        """Returns all values of a context. The caller must not change them."""
        self._merge(index)
        return self._full[index]

    def added(self, index: int) -> dict[str, Any]:
        """Returns a context's values without those of the first context. The caller must not change them."""
        waiting = [index]
        needed: set[int] = set()
        while waiting:
            each = waiting.pop()
            if each < 0 or each in self._added or each in needed:
                continue
            needed.add(each)
            node = self._state.contexts[each]
            waiting += [node.base, node.other]
        for each in sorted(needed):
            node = self._state.contexts[each]
            if node.base < 0:
                self._added[each] = {}
                continue
            below = self._added[node.base]
            if node.other >= 0:
                below = merged(below, self._added[node.other])
            self._added[each] = merged(below, node.values) if node.values else below
        values = self._added[index]
        _trim(self._added, index)
        return values

    def _merge(self, index: int) -> None:
        chain = []
        at = index
        while at >= 0 and at not in self._full:
            chain.append(at)
            at = self._state.contexts[at].base
        for each in reversed(chain):
            node = self._state.contexts[each]
            below = self._full[node.base] if node.base >= 0 else {}
            if node.other >= 0:
                below = merged(below, self.added(node.other))
            self._full[each] = merged(below, node.values) if node.values else below
            _trim(self._full, index)

    def forget(self) -> None:
        """Empties the cache."""
        self._full.clear()
        self._added.clear()
        self._variables.clear()


def _trim(cache: dict[int, dict[str, Any]], needed: int) -> None:
    while len(cache) > _CACHE_SIZE:
        oldest = next(iter(cache))
        if oldest == needed:
            return
        del cache[oldest]
