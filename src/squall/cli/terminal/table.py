"""Plain tables and values for people. Text from the server cannot move the cursor or change colours here."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Rows under their headings, as wide as they need to be, without a newline at the end."""
    cells = [[column.upper() for column in columns], *([cell(value) for value in row] for row in rows)]
    widths = [max(len(row[index]) for row in cells) for index in range(len(columns))]
    lines = ("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in cells)
    return "\n".join(line.rstrip() for line in lines)


def fields(values: Mapping[str, Any]) -> str:
    """One `name: value` line per field; what is empty is left out, a text of several lines stands below its name."""
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
    """A value on one line."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return "".join(letter if letter.isprintable() else "�" if letter != "\n" else " " for letter in text)


def block(value: Any) -> str:
    """A value on as many lines as it has."""
    text = value.rstrip("\n") if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
    return "\n".join(cell(line.replace("\t", "    ")) for line in text.split("\n"))


def duration(seconds: Any) -> str:
    """A time span such as `0.15 s`, `2.5 s`, `3 min 20 s` or `2 h 5 min`; "" for anything that is no number."""
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
    """JSON for programs and people."""
    return json.dumps(value, ensure_ascii=False, indent=2)
