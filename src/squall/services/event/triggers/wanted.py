"""The trigger types whose internal events are stored: those that an enabled rule or a viewer waits for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from squall.ports import Tx


class Wanted:
    """Decides whether an event inside of Squall is stored. If `always`, each one is.

    Units of work that write follow one another. The unit that enables a rule also adds the rule's type here, so every
    later unit stores its events of that type, though the caches of rules are cleared later.
    """

    def __init__(self, *, always: bool = False) -> None:
        self._always = always
        self._types: set[str] | None = None
        self._viewed: Counter[str] = Counter()

    async def wants(self, tx: Tx, type_ref: str) -> bool:
        """Checks in the transaction `tx` whether events of a type are stored."""
        if self._always or type_ref in self._viewed:
            return True
        types = self._types
        if types is None:
            types = set(await tx.rules.enabled_types())
            self._types = types
        return type_ref in types

    def add(self, type_ref: str) -> None:
        """Adds the type of an enabled rule. Call it in the transaction that writes the rule."""
        if self._types is not None:
            self._types.add(type_ref)

    def clear(self) -> None:
        """Forgets the types of rules, so that they are read again. Call it after a change of rules."""
        self._types = None

    @contextmanager
    def viewed(self, type_ref: str) -> Iterator[None]:
        """While the context is open, events of a type are stored, because someone watches them."""
        self._viewed[type_ref] += 1
        try:
            yield
        finally:
            self._viewed[type_ref] -= 1
            if not self._viewed[type_ref]:
                del self._viewed[type_ref]
