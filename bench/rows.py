"""The rows of the result: a figure of Squall's, the floor's, what was promised, and the table they make."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

_HEAD = ("measure", "Squall", "floor", "ratio", "must", "stretch", "verdict")


class Goal(NamedTuple):
    """What was promised, and what would be better still. A `stretch` of None has not been set."""

    must: float
    stretch: float | None


class Row(NamedTuple):
    """One figure. Latencies, times and memory are better when smaller; rates when larger (`more`).

    `floor` None means that the floor has no such thing (or was not measured). `note` is said below the table.
    """

    measure: str
    unit: str
    squall: float | None
    floor: float | None = None
    goal: Goal | None = None
    more: bool = False
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Squall's figure over the floor's."""
        return self.squall / self.floor if self.squall is not None and self.floor else None

    @property
    def verdict(self) -> str:
        """Whether the promise was kept; empty when there is none. A row without a figure is broken."""
        if self.squall is None:
            return "broken"
        if self.goal is None:
            return ""
        if not self._reaches(self.goal.must):
            return "must missed"
        if self.goal.stretch is not None and self._reaches(self.goal.stretch):
            return "must met, stretch too"
        return "must met"

    def _reaches(self, aim: float) -> bool:
        assert self.squall is not None
        return self.squall >= aim if self.more else self.squall <= aim


def shown(value: float | None) -> str:
    """A figure with three digits that mean something."""
    if value is None:
        return ""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table whose columns line up in a terminal too."""
    cells = [_HEAD, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(_HEAD))]
    lines = ["| " + " | ".join(_padded(line, widths)) + " |" for line in cells]
    rule = "|" + "|".join("-" * (width + 1) + ("-" if column in (0, 6) else ":") for column, width in enumerate(widths))
    return "\n".join([lines[0], rule + "|", *lines[1:]])


def _cells(row: Row) -> tuple[str, ...]:
    ratio = f"{shown(row.ratio)} ×" if row.ratio is not None else ""
    sign = "≥" if row.more else "≤"
    must = f"{sign} {shown(row.goal.must)}" if row.goal else ""
    stretch = f"{sign} {shown(row.goal.stretch)}" if row.goal and row.goal.stretch is not None else ""
    return f"{row.measure} ({row.unit})", shown(row.squall), shown(row.floor), ratio, must, stretch, row.verdict


def _padded(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [
        cell.ljust(width) if column in (0, 6) else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(line, widths, strict=True))
    ]


def notes(rows: Sequence[Row]) -> str:
    """What rows say beside their figures, as a list."""
    return "\n".join(f"- {row.measure}: {row.note}" for row in rows if row.note)
