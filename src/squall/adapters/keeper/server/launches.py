"""What the server knows of each launch: which keeper has it, what it waits for, and how it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

from squall.adapters.keeper.runlog import Key
from squall.adapters.keeper.server.link import Link
from squall.core.execution.process import End


class Launch:
    """One attempt at running a unit.

    `link` is the keeper that has it (None: none yet, or one that died). `asking` is true while a keeper is being asked
    to start it. `waits` says to people what it waits for; empty if for nothing. `dead_homes` are the folders of dead
    keepers whose run logs still have it.
    """

    __slots__ = ("asking", "attempt", "dead_homes", "end", "link", "unit", "waits")

    def __init__(self, unit: str, attempt: int) -> None:
        self.unit = unit
        self.attempt = attempt
        self.link: Link | None = None
        self.end: asyncio.Future[End] = asyncio.get_running_loop().create_future()
        self.asking = False
        self.waits = ""
        self.dead_homes: set[Path] = set()

    @property
    def key(self) -> Key:
        """The unit and the attempt."""
        return self.unit, self.attempt

    def ended(self, end: End) -> None:
        """Wakes those that wait for the end. Only the first end counts."""
        if not self.end.done():
            self.end.set_result(end)


class Launches:
    """The launches that run, or have ended without having been acknowledged."""

    def __init__(self) -> None:
        self._of_unit: dict[str, dict[int, Launch]] = {}

    def __iter__(self) -> Iterator[Launch]:
        for attempts in self._of_unit.values():
            yield from attempts.values()

    def __contains__(self, key: Key) -> bool:
        return key[1] in self._of_unit.get(key[0], ())

    def get(self, key: Key) -> Launch:
        """The launch of an attempt, made if there is none."""
        attempts = self._of_unit.setdefault(key[0], {})
        if key[1] not in attempts:
            attempts[key[1]] = Launch(*key)
        return attempts[key[1]]

    def latest(self, unit: str) -> Launch | None:
        """The unit's launch with the highest attempt: the one whose end counts."""
        attempts = self._of_unit.get(unit)
        return attempts[max(attempts)] if attempts else None

    def of(self, unit: str) -> list[Launch]:
        """The launches of a unit."""
        return list(self._of_unit.get(unit, {}).values())

    def at(self, link: Link) -> list[Launch]:
        """The launches that a keeper has."""
        return [launch for launch in self if launch.link is link]

    def forget(self, unit: str) -> list[Launch]:
        """Removes the launches of a unit, and returns them."""
        return list(self._of_unit.pop(unit, {}).values())

    def in_home(self, home: Path) -> bool:
        """Returns True if the run log of the dead keeper in `home` still has one of them."""
        return any(home in launch.dead_homes for launch in self)
