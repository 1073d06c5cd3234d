"""Ending actions as a whole: TERM, some grace, KILL, until a scan finds nothing of them. Standard library only.

All that are to end are looked at together: a scan of /proc costs as much for five hundred of them as for one.
"""

from __future__ import annotations

import signal
from collections.abc import Callable

from squall.adapters.keeper.families.processes import Census, Family, kill_all, send_signals
from squall.adapters.keeper.process.child import Child, Handle, Loop
from squall.adapters.keeper.process.life import Event, State

KILL_AFTER = 3.0
"""Seconds of grace between TERM and KILL."""

GIVE_UP = 10.0
"""Seconds after the grace at which an action ends although something of it is left that cannot be killed."""

_LOOK_AGAIN = 0.1
_LOOK_SOON = 0.01
_LOOK_SELDOM = 2.0
_SCANS = 3


class Doomed:
    """Those that are being ended. `on_gone(child)` is called once nothing is left of a child, or it is given up; again
    after every further look, until it has ended."""

    def __init__(self, loop: Loop, on_gone: Callable[[Child], None]) -> None:
        self._loop = loop
        self._on_gone = on_gone
        self._asked: list[Child] = []
        self._told: list[Child] = []
        self._timer: Handle | None = None
        self._due = 0.0

    def add(self, child: Child) -> None:
        """Asks all of a child's processes to end; after the grace they are killed."""
        child.kill_at = self._loop.time() + KILL_AFTER
        self._asked.append(child)
        self.look_soon()

    def look_soon(self) -> None:
        """Looks again in this or one of the next turns: something has ended, or is to."""
        self._look_in(_LOOK_SOON)

    def _look_in(self, delay: float) -> None:
        due = self._loop.time() + delay
        if self._timer is not None:
            if self._due <= due:
                return
            self._timer.cancel()
        self._due = due
        self._timer = self._loop.call_later(delay, self._look)

    def _look(self) -> None:
        self._timer = None
        asked, self._asked = self._asked, []
        self._told = [child for child in [*self._told, *asked] if not child.ended]
        if not self._told:
            return
        now = self._loop.time()
        left = self._ask(asked, now)
        for child in self._told:
            over = child.family is None or not left[child.family] or now > child.kill_at + GIVE_UP
            if child.state is State.SWEEPING and over:
                child.advance(Event.NOTHING_LEFT)
            if child.state is State.GONE:
                self._on_gone(child)
        self._told = [child for child in self._told if not child.ended]
        if self._told:
            late = min(now - child.kill_at for child in self._told)
            self._look_in(_LOOK_AGAIN if late < GIVE_UP else _LOOK_SELDOM)

    def _ask(self, asked: list[Child], now: float) -> dict[Family, set[int]]:
        """Signals what is to be signalled; gives what lives of each family."""
        late = [child.family for child in self._told if child.family and now >= child.kill_at]
        left = kill_all(late, _SCANS) if late else {}
        census = Census()
        for child in self._told:
            if child.family is not None and child.family not in left:
                left[child.family] = child.family.living(census)
        ask = set[int]().union(*(left[child.family] for child in asked if child.family is not None))
        if ask:
            send_signals(ask, signal.SIGTERM)
            # A stopped process only sees TERM once it is continued.
            send_signals(ask, signal.SIGCONT)
        return left
