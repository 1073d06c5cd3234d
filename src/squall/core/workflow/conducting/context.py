"""Contexts: what a task sees is what was published on the ways to it, merged in the order in which the ways came."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from squall.core.expr.scope import Variables
from squall.core.workflow.conducting.state import State

_KEPT = 256


def merged(left: Mapping[str, Any], right: Mapping[str, Any]) -> dict[str, Any]:
    """`right` over `left`: objects are merged, all other values replaced. Neither is changed."""
    made = dict(left)
    for key, value in right.items():
        old = made.get(key)
        made[key] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return made


class Contexts:
    """The merged contexts of a state, worked out from their nearest known ancestor and kept for a while."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._full: dict[int, dict[str, Any]] = {}
        self._added: dict[int, dict[str, Any]] = {}
        self._variables: dict[int, Variables] = {}

    def variables(self, index: int) -> Variables:
        """The variables in a context."""
        found = self._variables.get(index)
        if found is None:
            found = Variables(self.full(index))
            self._variables[index] = found
            if len(self._variables) > _KEPT:
                del self._variables[next(iter(self._variables))]
        return found

    def full(self, index: int) -> dict[str, Any]:
        """All values of a context. Must not be changed."""
        self._work_out(index)
        return self._full[index]

    def added(self, index: int) -> dict[str, Any]:
        """A context's values without those of the first context. Must not be changed."""
        needed = [index]
        asked: set[int] = set()
        while needed:
            each = needed.pop()
            if each < 0 or each in self._added or each in asked:
                continue
            asked.add(each)
            node = self._state.contexts[each]
            needed += [node.base, node.other]
        for each in sorted(asked):
            node = self._state.contexts[each]
            if node.base < 0:
                self._added[each] = {}
                continue
            below = self._added[node.base]
            if node.other >= 0:
                below = merged(below, self._added[node.other])
            self._added[each] = merged(below, node.values) if node.values else below
        found = self._added[index]
        _trim(self._added, index)
        return found

    def _work_out(self, index: int) -> None:
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
        """Drops what is kept."""
        self._full.clear()
        self._added.clear()
        self._variables.clear()


def _trim(kept: dict[int, dict[str, Any]], needed: int) -> None:
    while len(kept) > _KEPT:
        oldest = next(iter(kept))
        if oldest == needed:
            return
        del kept[oldest]
