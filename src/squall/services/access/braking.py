"""Slows down password guessing: after failures, the next attempts wait, one after the other."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

_FIRST = 0.25
_LONGEST = 8.0
_FORGET = 900.0
_MOST_KEYS = 10_000
_PEER_FREE = 5
"""The failures of one address that cause no wait: several people may share an address."""


class _Key:
    """The failures of one user or address."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.failures = 0
        self.last = monotonic()

    def wait(self, free: int) -> float:
        """Returns the wait of the next attempt in seconds, if `free` failures cause none."""
        if monotonic() - self.last > _FORGET:
            self.failures = 0
        over = self.failures - free
        return min(_LONGEST, _FIRST * 2.0 ** min(over - 1, 10)) if over > 0 else 0.0


class Attempt:
    """One running attempt to log in."""

    def __init__(self) -> None:
        self.has_failed = False

    def failed(self) -> None:
        """Records that the password was wrong."""
        self.has_failed = True


class Brake:
    """The failure counters of a bounded number of users and addresses. A success resets the user's counter."""

    def __init__(self) -> None:
        self._keys: OrderedDict[tuple[str, str], _Key] = OrderedDict()

    @asynccontextmanager
    async def attempt(self, user: str, peer: str) -> AsyncIterator[Attempt]:
        """Waits for the attempt's turn and yields it. The attempts of one user run one after the other."""
        by_user, by_peer = self._key(("user", user)), self._key(("peer", peer))
        attempt = Attempt()
        async with by_user.lock:
            await asyncio.sleep(max(by_user.wait(0), by_peer.wait(_PEER_FREE)))
            try:
                yield attempt
            finally:
                for key in (by_user, by_peer):
                    key.last = monotonic()
                    if attempt.has_failed:
                        key.failures += 1
                if not attempt.has_failed:
                    by_user.failures = 0

    def _key(self, name: tuple[str, str]) -> _Key:
        key = self._keys.setdefault(name, _Key())
        self._keys.move_to_end(name)
        while len(self._keys) > _MOST_KEYS:
            self._keys.popitem(last=False)
        return key
