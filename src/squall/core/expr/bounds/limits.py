"""How long and how large an expression may get.

Every loop step and call costs one step of a budget; every operation that makes something large is checked before
it is done. So an expression ends in bounded time and memory wherever it runs. Who has a clock may give it, and then
the time is bounded directly.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from squall.core.expr.bounds.errors import LimitExceededError

MAX_STEPS = 250_000
"""Calls and loop steps of one expression: at most about ten seconds."""

MAX_SIZE = 32 << 20
"""Characters of one text, or bytes of one number, that an expression may make."""

MAX_NODES = 2_000_000
"""Values in one structure that an expression may give."""

MAX_BITS = 1 << 20
_WIDE = re.compile(r"\d{7,}")


class Deadline(NamedTuple):
    """A clock (seconds, monotonic) and how many seconds one evaluation may take."""

    clock: Callable[[], float]
    seconds: float


class Budget:
    """Counts the steps of one evaluation, and looks at the clock at each if there is one."""

    __slots__ = ("_clock", "_end", "_left", "_seconds")

    def __init__(self, deadline: Deadline | None = None, steps: int = MAX_STEPS) -> None:
        self._left = steps
        self._clock = deadline.clock if deadline else None
        self._seconds = deadline.seconds if deadline else 0.0
        self._end = self._clock() + self._seconds if self._clock else 0.0

    def step(self) -> None:
        """One call or loop step. Raises `LimitExceededError` when there were too many, or it is too late."""
        self._left -= 1
        if self._left < 0:
            raise LimitExceededError("The expression takes too many steps.")
        if self._clock is not None and self._clock() > self._end:
            raise LimitExceededError(f"The expression takes more than {self._seconds:g} seconds.")


def check_length(length: int) -> None:
    """Raises `LimitExceededError` when a text or list of that length is too large."""
    if length > MAX_SIZE:
        raise LimitExceededError(f"The expression makes a value of more than {MAX_SIZE >> 20} MiB.")


def check_product(left: Any, right: Any) -> None:
    """Raises `LimitExceededError` when `left * right` gets too large."""
    for some, times in ((left, right), (right, left)):
        if isinstance(times, int) and isinstance(some, str | bytes | list | tuple):
            check_length(len(some) * max(times, 0))
    if isinstance(left, int) and isinstance(right, int):
        check_bits(left.bit_length() + right.bit_length())


def check_power(left: Any, right: Any) -> None:
    """Raises `LimitExceededError` when `left ** right` gets too large."""
    if isinstance(left, int) and isinstance(right, int) and right > 0:
        check_bits(left.bit_length() * right)


def check_bits(bits: int) -> None:
    """Raises `LimitExceededError` when a number of that many bits is too large."""
    if bits > MAX_BITS:
        raise LimitExceededError("The expression makes too large a number.")


def check_format(text: str, *values: Any) -> None:
    """Raises `LimitExceededError` when a format text, or a width given to it, asks for a very long result."""
    given = [value for value in values if isinstance(value, int)]
    if _WIDE.search(text) or any(abs(value) > MAX_SIZE for value in given):
        raise LimitExceededError("The expression formats to too large a width.")


def check_replace(text: str, old: str, new: str) -> None:
    """Raises `LimitExceededError` when replacing makes too long a text."""
    if len(new) > len(old):
        check_length(text.count(old) * (len(new) - len(old)) + len(text))


def check_value(value: Any) -> None:
    """Raises `LimitExceededError` when a structure has too many values in it, also when they are shared."""
    if not isinstance(value, Mapping | list | tuple | set | frozenset):
        return
    nodes = size = 0
    waiting: list[Any] = [value]
    while waiting:
        some = waiting.pop()
        if isinstance(some, Mapping):
            inside: Any = some.values()
        elif isinstance(some, list | tuple | set | frozenset):
            inside = some
        else:
            size += len(some) if isinstance(some, str) else 0
            continue
        nodes += len(some)
        if nodes > MAX_NODES or size > MAX_SIZE:
            raise LimitExceededError("The expression makes too large a structure.")
        waiting.extend(inside)
