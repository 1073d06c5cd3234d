"""The server's state of each launch: its keeper, the reason why it waits, and its end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

from squall.adapters.keeper.runlog import Key
from squall.adapters.keeper.server.link import Link
from squall.core.execution.process import End


class Launch:
    """One attempt at running a unit.

    `link` is the keeper that has it; None if no keeper has it yet, or the keeper died. `asking` is true during a start
    request to a keeper. `wait_reason` is a text for people; empty if it does not wait. `dead_homes` are the folders of
    dead keepers whose run logs still have it.
    """

    __slots__ = ("asking", "attempt", "dead_homes", "end", "link", "unit", "wait_reason")

    def __init__(self, unit: str, attempt: int) -> None:
        self.unit = unit
        self.attempt = attempt
        self.link: Link | None = None
        self.end: asyncio.Future[End] = asyncio.get_running_loop().create_future()
        self.asking = False
        self.wait_reason = ""
        self.dead_homes: set[Path] = set()

    @property
    def key(self) -> Key:
        """The unit and the attempt."""
        return self.unit, self.attempt

    def ended(self, end: End) -> None:
        """Sets the end and wakes the callers that wait for it. Only the first end counts."""
        if not self.end.done():
            self.end.set_result(end)


class Launches:
    """The launches that run, or whose end has not been acknowledged."""

    def __init__(self) -> None:
        self._of_unit: dict[str, dict[int, Launch]] = {}

    def __iter__(self) -> Iterator[Launch]:
        for attempts in self._of_unit.values():
            yield from attempts.values()

    def __contains__(self, key: Key) -> bool:
        return key[1] in self._of_unit.get(key[0], ())

    def get(self, key: Key) -> Launch:
        """Returns the launch of an attempt. Creates it if there is none."""
        attempts = self._of_unit.setdefault(key[0], {})
        if key[1] not in attempts:
            attempts[key[1]] = Launch(*key)
        return attempts[key[1]]

    def latest(self, unit: str) -> Launch | None:
        """Returns the unit's launch with the highest attempt, whose end counts; None if the unit has no launch."""
        attempts = self._of_unit.get(unit)
        return attempts[max(attempts)] if attempts else None

    def of(self, unit: str) -> list[Launch]:
        """Returns the launches of a unit."""
        return list(self._of_unit.get(unit, {}).values())

    def at(self, link: Link) -> list[Launch]:
        """Returns the launches that a keeper has."""
        return [launch for launch in self if launch.link is link]

    def forget(self, unit: str) -> list[Launch]:
        """Removes the launches of a unit, and returns them."""
        return list(self._of_unit.pop(unit, {}).values())

    def in_home(self, home: Path) -> bool:
        """Returns True if the run log of the dead keeper in `home` still has a launch."""
        return any(home in launch.dead_homes for launch in self)
