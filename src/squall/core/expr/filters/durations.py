"""Durations as people read them."""

from __future__ import annotations

_PARTS = (365 * 86_400, 86_400, 3_600, 60, 1)
_NAMES = "ydhms"


def to_human_time_from_seconds(seconds: int | float) -> str:
    """Writes seconds as `0s`, `56s`, `1m2s`, `1h3m5s`, `1d0h0m1s`, `2y…`: the first unit that is not zero and all
    below it.

    A year has 365 days. A number below one stays as it is, with StackStorm's `μs` behind it. Raises `TypeError` if
    `seconds` is not a number, and `ValueError` if it is negative.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise TypeError(f"{seconds!r} is not a number of seconds")
    if seconds == 0:
        return "0s"
    if seconds < 0:
        raise ValueError(f"{seconds!r} seconds are less than none")
    if seconds < 1:
        return f"{seconds}μs"
    rest = round(seconds)
    text = ""
    for size, name in zip(_PARTS, _NAMES, strict=True):
        amount, rest = divmod(rest, size)
        if amount or text:
            text += f"{amount}{name}"
    return text
