"""Ids: 24 hex digits, ordered by time: 4 bytes of seconds, 2 bytes of the second's fraction, 6 random bytes."""

from __future__ import annotations

import re

_ID = re.compile(r"[0-9a-f]{24}")


def make_id(microseconds: int, random_bytes: bytes) -> str:
    """Returns an id for the time `microseconds` since 1970; `random_bytes` are 6 bytes that make it unique."""
    seconds, fraction = divmod(microseconds, 1_000_000)
    return (seconds.to_bytes(4, "big") + (fraction * 65536 // 1_000_000).to_bytes(2, "big") + random_bytes).hex()


def time_of(made: str) -> int:
    """Returns the time (µs since 1970) for which an id was made. Raises `ValueError` if the text is not hexadecimal."""
    return int(made[:8], 16) * 1_000_000 + int(made[8:12], 16) * 1_000_000 // 65536


def is_id(text: str) -> bool:
    """Checks whether `text` has the form of an id. Only such text may become part of a path."""
    return _ID.fullmatch(text) is not None
