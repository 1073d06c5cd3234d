"""Sizes as people write them: `10 MiB`, `1.5 GB`, `4096`."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

KIB: Final = 1 << 10
MIB: Final = 1 << 20
GIB: Final = 1 << 30

_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)", re.IGNORECASE | re.ASCII)
_FACTORS: Final = {
    "": 1,
    "b": 1,
    "kib": KIB,
    "mib": MIB,
    "gib": GIB,
    "tib": 1 << 40,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
}


def parse_size(text: str) -> int:
    """Parses a size into bytes: a whole number, or a number with a unit (`kB` is 1000, `KiB` 1024).

    Raises ValueError for any other text, and if the result is not a whole number of bytes.
    """
    match = _SIZE.fullmatch(text.strip())
    factor = _FACTORS.get(match[2].lower()) if match else None
    if match is None or factor is None:
        raise ValueError(f"not a size: {text!r}")
    exact = Fraction(match[1]) * factor
    if exact.denominator != 1:
        raise ValueError(f"not a whole number of bytes: {text!r}")
    return exact.numerator


def size_text(size: int) -> str:
    """Writes `size` (bytes) in the largest unit that is exact; `parse_size` reads it back."""
    for unit, factor in (("GiB", GIB), ("MiB", MIB), ("KiB", KIB)):
        if size and size % factor == 0:
            return f"{size // factor} {unit}"
    return f"{size} B"
