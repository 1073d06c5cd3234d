"""The tables of rules over time: states of groups, held matches, and silences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from squall.core.event.gates.records import GateState, HeldMatch
from squall.core.event.gates.silences import Silence
from squall.core.event.rules.records import KeptBack


class StateRows(Protocol):
    """The table of the states of rules: at most one for each rule, gate and group."""

    async def put(self, state: GateState) -> None:
        """Adds a state, or replaces the one with the same id."""
        ...

    async def get(self, rule_id: str, gate: str, key: str) -> GateState | None:
        """Returns the state of a group."""
        ...

    async def state(self, state_id: str) -> GateState | None:
        """Returns a state by its id."""
        ...

    async def remove(self, state_id: str) -> None:
        """Removes a state."""
        ...

    async def count(self, rule_id: str, gate: str) -> int:
        """Returns the number of groups of a rule that have a state."""
        ...

    async def oldest(self, rule_id: str, gate: str) -> GateState | None:
        """Returns the state of a rule that has not changed for the longest time."""
        ...

    async def drop(self, rule_id: str, gates: Sequence[str]) -> Sequence[str]:
        """Removes the states of a rule that belong to these gates. Returns their ids."""
        ...

    async def expire(self, now: int, limit: int) -> int:
        """Removes up to `limit` states that have no meaning any more at `now` (µs). Returns their number."""
        ...


class HeldRows(Protocol):
    """The table of held matches: at most one for each rule and trigger instance."""

    async def hold(self, held: HeldMatch) -> bool:
        """Adds a match. Returns False, and adds nothing, if this match is held already."""
        ...

    async def held(self, rule_id: str, ids: Sequence[str] | None, limit: int, offset: int = 0) -> Sequence[HeldMatch]:
        """Returns a page of the held matches of a rule, the oldest first; with `ids`, only these."""
        ...

    async def held_count(self, rule_id: str) -> int:
        """Returns the number of held matches of a rule."""
        ...

    async def take(self, held_id: str) -> bool:
        """Removes a held match. Returns False if it is not there any more."""
        ...

    async def drop_held(self, rule_id: str) -> None:
        """Removes all held matches of a rule."""
        ...


class GateRows(StateRows, HeldRows, Protocol):
    """The tables of states and held matches."""


class KeptBackRows(Protocol):
    """The table of matches that were kept back: at most one for each rule and trigger instance. An instance that is
    removed takes its rows with it."""

    async def put(self, kept: KeptBack) -> None:
        """Adds a match, or replaces the earlier reason of the same match."""
        ...

    async def of(self, instances: Sequence[str], rule_id: str | None = None) -> Sequence[KeptBack]:
        """Returns the matches of these instances that were kept back, of one rule or of all, ordered by rule."""
        ...


class SilenceRows(Protocol):
    """The table of silences."""

    async def put(self, silence: Silence) -> None:
        """Adds a silence."""
        ...

    async def get(self, silence_id: str) -> Silence | None:
        """Returns a silence by its id."""
        ...

    async def delete(self, silence_id: str) -> None:
        """Removes a silence."""
        ...

    async def all(self) -> Sequence[Silence]:
        """Returns all silences, the oldest first."""
        ...

    async def over(self, targets: Sequence[tuple[str, str]], now: int) -> Sequence[Silence]:
        """Returns the silences of these (scope, target) that are in force at `now` (µs), the oldest first."""
        ...

    async def silenced(self, silence_id: str, at: int) -> None:
        """Counts one more silenced match, at `at` (µs)."""
        ...
