"""The limits of an expression's time and size.

Every loop step and call costs one step of a budget. Every operation that may create a large value is checked before it
runs. So an expression ends in bounded time and memory wherever it runs. A `Deadline` with a clock bounds the time
directly.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from squall.core.expr.bounds.errors import LimitExceededError

MAX_STEPS = 250_000
"""The most calls and loop steps of one expression: about ten seconds."""

MAX_SIZE = 32 << 20
"""The most characters of one text, or bytes of one number, of an expression."""

MAX_NODES = 2_000_000
"""The most values in one structure of an expression."""

MAX_BITS = 1 << 20
_WIDE = re.compile(r"\d{7,}")


class Deadline(NamedTuple):
    """A clock (seconds, monotonic) and the most seconds of one evaluation."""

    clock: Callable[[], float]
    seconds: float


class Budget:
    """Counts the steps of one evaluation. If there is a clock, reads it at each step."""

    __slots__ = ("_clock", "_end", "_remaining", "_seconds")

    def __init__(self, deadline: Deadline | None = None, steps: int = MAX_STEPS) -> None:
        self._remaining = steps
        self._clock = deadline.clock if deadline else None
        self._seconds = deadline.seconds if deadline else 0.0
        self._end = self._clock() + self._seconds if self._clock else 0.0

    def step(self) -> None:
        """Counts a call or loop step. Raises `LimitExceededError` if there were too many, or the time is over."""
        self._remaining -= 1
        if self._remaining < 0:
            raise LimitExceededError("The expression takes too many steps.")
        if self._clock is not None and self._clock() > self._end:
            raise LimitExceededError(f"The expression takes more than {self._seconds:g} seconds.")


def check_length(length: int) -> None:
    """Raises `LimitExceededError` if a text or list of that length is too large."""
    if length > MAX_SIZE:
        raise LimitExceededError(f"The expression makes a value of more than {MAX_SIZE >> 20} MiB.")


def check_product(left: Any, right: Any) -> None:
    """Raises `LimitExceededError` if `left * right` is too large."""
    for sequence, times in ((left, right), (right, left)):
        if isinstance(times, int) and isinstance(sequence, str | bytes | list | tuple):
            check_length(len(sequence) * max(times, 0))
    if isinstance(left, int) and isinstance(right, int):
        check_bits(left.bit_length() + right.bit_length())


def check_power(left: Any, right: Any) -> None:
    """Raises `LimitExceededError` if `left ** right` is too large."""
    if isinstance(left, int) and isinstance(right, int) and right > 0:
        check_bits(left.bit_length() * right)


def check_bits(bits: int) -> None:
    """Raises `LimitExceededError` if a number of that many bits is too large."""
    if bits > MAX_BITS:
        raise LimitExceededError("The expression makes too large a number.")


def check_format(text: str, *values: Any) -> None:
    """Raises `LimitExceededError` if a format text, or a width for it, would give a very long text."""
    widths = [value for value in values if isinstance(value, int)]
    if _WIDE.search(text) or any(abs(width) > MAX_SIZE for width in widths):
        raise LimitExceededError("The expression formats to too large a width.")


def check_replace(text: str, old: str, new: str) -> None:
    """Raises `LimitExceededError` if the replacement gives too long a text."""
    if len(new) > len(old):
        check_length(text.count(old) * (len(new) - len(old)) + len(text))


def is_large(value: Any, parts: int, characters: int) -> bool:
    """Checks whether a value has more parts, or texts with more characters, than these. Visits no more of it."""
    waiting = [value]
    while waiting:
        whole = waiting.pop()
        if isinstance(whole, str):
            characters -= len(whole)
        elif isinstance(whole, dict | list):
            parts -= len(whole)
            if parts >= 0:
                waiting += whole.values() if isinstance(whole, dict) else whole
        if parts < 0 or characters < 0:
            return True
    return False


def check_value(value: Any) -> None:
    """Raises `LimitExceededError` if a structure has too many values in it. A shared value counts each time."""
    if not isinstance(value, Mapping | list | tuple | set | frozenset):
        return
    nodes = size = 0
    waiting: list[Any] = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Mapping):
            inner: Any = part.values()
        elif isinstance(part, list | tuple | set | frozenset):
            inner = part
        else:
            size += len(part) if isinstance(part, str) else 0
            continue
        nodes += len(part)
        if nodes > MAX_NODES or size > MAX_SIZE:
            raise LimitExceededError("The expression makes too large a structure.")
        waiting.extend(inner)
