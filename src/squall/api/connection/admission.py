"""Admits connections: counts them by address and in all, and closes those that let a time pass.

A connection *waits* if no request of it is being answered: it has sent nothing, only a part, or is idle. If there are
too many connections, the one that has waited longest makes room for a new one. So connections that somebody keeps open
without a request keep nobody out, and what is answered, a long stream for instance, is never ended.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from enum import Enum
from typing import Protocol

from squall.api.connection.limits import Limits, counted_as, is_trusted
from squall.api.connection.pacing import Pacing

_MOST_REFUSED = 64
_SPARE_PART = 16
"""One of so many connections is for trusted addresses alone: an administrator at the machine gets in."""


class Verdict(Enum):
    """The decision about a new connection: `REFUSED` gets an answer that says so, `DROPPED` gets none."""

    ADMITTED = "admitted"
    REFUSED = "refused"
    DROPPED = "dropped"


class Connection(Protocol):
    """A connection. `deadline` is on the clock of its `Connections`."""

    deadline: float

    def overdue(self, now: float) -> None:
        """Handles that the deadline has passed."""
        ...

    def evict(self) -> None:
        """Closes the connection at once, without an answer."""
        ...


class _Address:
    """The open connections of one address."""

    def __init__(self) -> None:
        self.count = 0
        self.waiting: OrderedDict[Connection, None] = OrderedDict()


class Connections:
    """All open connections of a server, on all of its sockets. `clock` returns seconds and never goes back. `pacing`
    is the pace of pipelined requests on all of them."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self.clock = clock
        self.pacing = Pacing()
        self._open: dict[Connection, _Address] = {}
        self._names: dict[Connection, str] = {}
        self._addresses: dict[str, _Address] = {}
        self._waiting: OrderedDict[Connection, None] = OrderedDict()
        self._refused: set[Connection] = set()

    def __len__(self) -> int:
        return len(self._open)

    def admit(self, connection: Connection, peer: str, descriptor: int) -> Verdict:
        """Decides about a new connection from the address `peer` on `descriptor`. Evicts waiting ones to make room."""
        limits, trusted = self.limits, is_trusted(peer, self.limits.trusted)
        name = counted_as(peer)
        address = self._addresses.get(name)
        if not trusted and address is not None and address.count >= limits.per_address:
            return self._enter(connection, name) if self._evict(address.waiting) else self._refuse(connection)
        most = limits.connections if trusted else limits.connections - limits.connections // _SPARE_PART
        if len(self._open) >= most or descriptor >= limits.last_descriptor:
            return self._enter(connection, name) if self._evict(self._waiting) else self._refuse(connection)
        return self._enter(connection, name)

    def waits(self, connection: Connection) -> None:
        """Notes that no request of the connection is being answered."""
        address = self._open.get(connection)
        if address is not None:
            address.waiting[connection] = None
            self._waiting[connection] = None

    def works(self, connection: Connection) -> None:
        """Notes that a request of the connection is being answered."""
        address = self._open.get(connection)
        if address is not None:
            address.waiting.pop(connection, None)
            self._waiting.pop(connection, None)

    def leave(self, connection: Connection) -> None:
        """Forgets a connection that is closed."""
        self._refused.discard(connection)
        address = self._open.pop(connection, None)
        if address is None:
            return
        address.waiting.pop(connection, None)
        self._waiting.pop(connection, None)
        name = self._names.pop(connection)
        address.count -= 1
        if not address.count:
            del self._addresses[name]

    def expire(self) -> None:
        """Tells each connection whose deadline has passed."""
        now = self.clock()
        late = [each for group in (self._open, self._refused) for each in group if each.deadline <= now]
        for connection in late:
            connection.overdue(now)

    def _enter(self, connection: Connection, name: str) -> Verdict:
        address = self._addresses.setdefault(name, _Address())
        address.count += 1
        self._open[connection] = address
        self._names[connection] = name
        self.waits(connection)
        return Verdict.ADMITTED

    def _refuse(self, connection: Connection) -> Verdict:
        if len(self._refused) >= _MOST_REFUSED:
            return Verdict.DROPPED
        self._refused.add(connection)
        return Verdict.REFUSED

    def _evict(self, waiting: OrderedDict[Connection, None]) -> bool:
        """Closes the connection that has waited longest. Returns False if none waits."""
        if not waiting:
            return False
        oldest = next(iter(waiting))
        self.leave(oldest)
        oldest.evict()
        return True
