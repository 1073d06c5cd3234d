"""The end of actions that must stop: TERM, a grace period, then KILL until a scan finds none of their processes.
Standard library only.

One scan serves all of them: a scan of /proc costs as much for five hundred actions as for one.
"""

from __future__ import annotations

import signal
from collections.abc import Callable

from squall.adapters.keeper.families.processes import Census, Family, kill_all, send_signals
from squall.adapters.keeper.process.child import Child, Handle, Loop
from squall.adapters.keeper.process.life import Event, State

KILL_AFTER = 3.0
"""The grace period between TERM and KILL, in seconds."""

GIVE_UP = 10.0
"""The seconds after the grace period at which an action ends although some of its processes survive KILL."""

_LOOK_AGAIN = 0.1
_LOOK_SOON = 0.01
_LOOK_SELDOM = 2.0
_SCANS = 3


class Doomed:
    """The children that are being stopped. It calls `on_gone(child)` when no process of a child is left or the keeper
    gives up on them, and again after every further scan until the child has ended."""

    def __init__(self, loop: Loop, on_gone: Callable[[Child], None]) -> None:
        self._loop = loop
        self._on_gone = on_gone
        self._unsignalled: list[Child] = []
        self._children: list[Child] = []
        self._timer: Handle | None = None
        self._due = 0.0

    def add(self, child: Child) -> None:
        """Sends TERM to all processes of a child; after the grace period, sends KILL."""
        child.kill_at = self._loop.time() + KILL_AFTER
        self._unsignalled.append(child)
        self.look_soon()

    def look_soon(self) -> None:
        """Schedules the next scan for about now: a process has ended, or must be stopped."""
        self._schedule(_LOOK_SOON)

    def _schedule(self, delay: float) -> None:
        """Schedules the next scan in `delay` seconds, unless an earlier one is scheduled."""
        due = self._loop.time() + delay
        if self._timer is not None:
            if self._due <= due:
                return
            self._timer.cancel()
        self._due = due
        self._timer = self._loop.call_later(delay, self._look)

    def _look(self) -> None:
        self._timer = None
        unsignalled, self._unsignalled = self._unsignalled, []
        self._children = [child for child in [*self._children, *unsignalled] if not child.ended]
        if not self._children:
            return
        now = self._loop.time()
        living = self._signal(unsignalled, now)
        for child in self._children:
            finished = child.family is None or not living[child.family] or now > child.kill_at + GIVE_UP
            if child.state is State.SWEEPING and finished:
                child.advance(Event.NOTHING_LEFT)
            if child.state is State.GONE:
                self._on_gone(child)
        self._children = [child for child in self._children if not child.ended]
        if self._children:
            overdue = min(now - child.kill_at for child in self._children)
            self._schedule(_LOOK_AGAIN if overdue < GIVE_UP else _LOOK_SELDOM)

    def _signal(self, unsignalled: list[Child], now: float) -> dict[Family, set[int]]:
        """Sends TERM to `unsignalled` children, and KILL to those after their grace period. Returns the living pids of
        each family."""
        overdue = [child.family for child in self._children if child.family and now >= child.kill_at]
        living = kill_all(overdue, _SCANS) if overdue else {}
        census = Census()
        for child in self._children:
            if child.family is not None and child.family not in living:
                living[child.family] = child.family.living(census)
        pids = set[int]().union(*(living[child.family] for child in unsignalled if child.family is not None))
        if pids:
            send_signals(pids, signal.SIGTERM)
            # A stopped process receives TERM only after CONT.
            send_signals(pids, signal.SIGCONT)
        return living
