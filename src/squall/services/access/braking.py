"""Slows down password guessing. Who guesses is refused for a while, at once, and waits in no line.

Failures count for the pair of a user and an address: guesses from one address never keep the user out at another. All
guesses of an address together have a budget, so that it cannot try many users. Pairs that have logged in before are
free of it, so that a guesser behind the same proxy does not keep them out.
"""

from __future__ import annotations

import math
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import NamedTuple

from squall.core.errors import TooManyError

_FREE = 3
"""The failures of a pair that cause no wait: people mistype."""
_KNOWN_AT_ONCE = 8
_FIRST = 1.0
_LONGEST = 8.0
_FORGET = 900.0
_BUDGET = 30
_REFILL = 2.0
"""The seconds after which an address has one more failure free."""
_MOST_KEYS = 10_000


class _Pair:
    """The failures of one user at one address. `running`: attempts that are being checked; `known`: one was right."""

    def __init__(self) -> None:
        self.failures = 0
        self.last = 0.0
        self.running = 0
        self.known = False

    def at_once(self) -> int:
        """Returns the number of attempts that may run at once: as many as may fail without a wait."""
        return _KNOWN_AT_ONCE if self.known and not self.failures else max(1, _FREE - self.failures)

    def free_at(self) -> float:
        """Returns the time of the next attempt that is allowed."""
        over = self.failures - _FREE
        return self.last + min(_LONGEST, _FIRST * 2.0 ** min(over, 10)) if over >= 0 else 0.0


class Attempt:
    """One running attempt to log in. `is_known`: the user has logged in from this address before. `failures`: those of
    the address, until it has not failed for a while. `has_begun` is set when the password is being checked; what ends
    after that without a result counts as a failure."""

    def __init__(self, is_known: bool, failures: int) -> None:
        self.is_known = is_known
        self.failures = failures
        self.has_begun = False
        self.was_right = False


class _Spent(NamedTuple):
    """The failures of one address: what they have used of its budget at the time `at`, and how many there were."""

    budget: float
    failures: int
    at: float


class Brake:
    """The failures of a bounded number of pairs and addresses. `clock` returns seconds and never goes back."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._pairs: OrderedDict[tuple[str, str], _Pair] = OrderedDict()
        self._running: Counter[str] = Counter()
        self._spent: OrderedDict[str, _Spent] = OrderedDict()

    @contextmanager
    def attempt(self, user: str, address: str) -> Iterator[Attempt]:
        """Yields the attempt if it may be made now. Raises `TooManyError`."""
        now = self._clock()
        pair = self._pairs.get((user, address)) or _Pair()
        if now - pair.last > _FORGET:
            pair.failures = 0
        wait = pair.free_at() - now
        if pair.running >= pair.at_once():
            wait = max(wait, _FIRST)
        if not pair.known:
            wait = max(wait, (self._failures(address, now) + self._running[address] + 1 - _BUDGET) * _REFILL)
        if wait > 0:
            seconds = math.ceil(wait)
            raise TooManyError(
                f"Too many attempts to log in as {user!r} from {address}. Try again in {seconds} s.", seconds
            )
        self._keep(user, address, pair)
        attempt = Attempt(pair.known, self._recent_failures(address, now))
        pair.running += 1
        self._running[address] += 1
        try:
            yield attempt
        finally:
            pair.running -= 1
            self._running[address] -= 1
            if not self._running[address]:
                del self._running[address]
            self._settle(pair, address, attempt)

    def _settle(self, pair: _Pair, address: str, attempt: Attempt) -> None:
        if not attempt.has_begun:
            return
        now = pair.last = self._clock()
        if attempt.was_right:
            pair.failures, pair.known = 0, True
            return
        pair.failures += 1
        self._spent[address] = _Spent(self._failures(address, now) + 1, self._recent_failures(address, now) + 1, now)
        self._spent.move_to_end(address)
        while len(self._spent) > _MOST_KEYS:
            self._spent.popitem(last=False)

    def _failures(self, address: str, now: float) -> float:
        """Returns the failures of an address that count now; each counts for a while only."""
        spent = self._spent.get(address)
        return max(0.0, spent.budget - (now - spent.at) / _REFILL) if spent else 0.0

    def _recent_failures(self, address: str, now: float) -> int:
        spent = self._spent.get(address)
        return spent.failures if spent and now - spent.at <= _FORGET else 0

    def _keep(self, user: str, address: str, pair: _Pair) -> None:
        self._pairs[user, address] = pair
        self._pairs.move_to_end((user, address))
        while len(self._pairs) > _MOST_KEYS:
            self._pairs.popitem(last=False)
