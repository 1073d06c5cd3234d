"""Plain tables and values for people. Text from the server cannot move the cursor or change colours here."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

_GAP = 2
_NARROWEST = 8
"""The minimum width of a cut column, in cells."""


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]], width: int | None = None) -> str:
    """Returns rows under their headings, without a newline at the end.

    Columns are as wide as their widest cell. If the table exceeds `width` cells of a terminal, the widest columns are
    cut, with an ellipsis.
    """
    cells = [[column.upper() for column in columns], *([cell(value) for value in row] for row in rows)]
    widths = [max(cell_width(row[index]) for row in cells) for index in range(len(columns))]
    if width is not None:
        widths = _fitting(widths, width)
    lines = ("  ".join(_padded(text, room) for text, room in zip(row, widths, strict=True)) for row in cells)
    return "\n".join(line.rstrip() for line in lines)


def _fitting(widths: list[int], width: int) -> list[int]:
    """Returns the widths of columns after cutting the widest ones until all fit, or none may be cut further."""
    fitting = [min(room, width) for room in widths]
    excess = sum(fitting) + _GAP * (len(fitting) - 1) - width
    for _ in range(excess):
        widest = max(range(len(fitting)), key=fitting.__getitem__)
        if fitting[widest] <= _NARROWEST:
            break
        fitting[widest] -= 1
    return fitting


def _padded(text: str, width: int) -> str:
    text = clipped(text, width)
    return text + " " * (width - cell_width(text))


def cell_width(text: str) -> int:
    """Returns the number of a line's cells on a terminal: two for wide letters (Chinese, say), none for marks."""
    if text.isascii():
        return len(text)
    return sum(_letter_width(letter) for letter in text)


def _letter_width(letter: str) -> int:
    if unicodedata.combining(letter) or unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in ("W", "F") else 1


def clipped(text: str, width: int) -> str:
    """Returns a line of at most `width` cells; an ellipsis replaces the part that was cut off."""
    if width <= 0:
        return ""
    if cell_width(text) <= width:
        return text
    room = width - 1
    letters = []
    for letter in text:
        room -= _letter_width(letter)
        if room < 0:
            break
        letters.append(letter)
    return "".join(letters) + "…"


def fields(values: Mapping[str, Any]) -> str:
    """Returns one `name: value` line per field. It leaves empty values out; a text of several lines stands below its
    name."""
    width = max((len(name) for name in values), default=0) + 1
    lines = []
    for name, value in values.items():
        if value is None or value in ("", {}, []):
            continue
        text = block(value)
        if "\n" in text:
            lines.append(f"{name}:")
            lines.extend(f"  {line}" for line in text.split("\n"))
        else:
            lines.append(f"{name + ':':<{width}} {text}")
    return "\n".join(lines)


def cell(value: Any) -> str:
    """Returns a value on one line."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return "".join(letter if letter.isprintable() else "�" if letter != "\n" else " " for letter in text)


def block(value: Any) -> str:
    """Returns a value on all its lines."""
    text = value.rstrip("\n") if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
    return "\n".join(cell(line.replace("\t", "    ")) for line in text.split("\n"))


def duration(seconds: Any) -> str:
    """Returns a time span such as `0.15 s`, `2.5 s`, `3 min 20 s` or `2 h 5 min`; "" for a value that is no number."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return ""
    if seconds < 1:
        return f"{seconds:.2f} s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def dump(value: Any) -> str:
    """Returns a value as indented JSON."""
    return json.dumps(value, ensure_ascii=False, indent=2)
