"""Writes what was measured: a table for people, and JSON for whoever compares runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.context import Load
from bench.rows import Row, notes, table

FOLDER = Path(__file__).with_name("results")


class Part(NamedTuple):
    """The rows of one measure, and what else the machine did meanwhile."""

    name: str
    rows: Sequence[Row]
    load: Load
    seconds: float


def rows_of(parts: Sequence[Part]) -> list[Row]:
    """All rows."""
    return [row for part in parts for row in part.rows]


def summary(parts: Sequence[Part], facts: dict[str, Any], quick: bool) -> str:
    """The whole result as Markdown."""
    loads = ", ".join(f"{part.name} {part.load.average:.1f} / {part.load.elsewhere:.0%}" for part in parts)
    said = notes(rows_of(parts))
    lines = [
        "# Squall beside the floor",
        "",
        "; ".join(f"{name.replace('_', ' ')}: {value}" for name, value in facts.items())
        + (" (quick)" if quick else ""),
        "",
        table(rows_of(parts)),
        "",
        *([said, ""] if said else []),
        "Load average at the end of each measure, and the share of the machine that others used meanwhile: "
        + loads
        + f". Whole run {sum(part.seconds for part in parts):.0f} s.",
    ]
    return "\n".join(lines) + "\n"


def write(parts: Sequence[Part], facts: dict[str, Any], quick: bool) -> None:
    """Writes `latest.md` and `<commit>.json`; a quick or partial run under the same commit replaces an earlier one."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "latest.md").write_text(summary(parts, facts, quick), encoding="utf-8")
    document = {
        **facts,
        "quick": quick,
        "measures": [
            {
                "name": part.name,
                "load_average": part.load.average,
                "used_by_others": round(part.load.elsewhere, 3),
                "seconds": round(part.seconds, 1),
                "rows": [{**row._asdict(), "verdict": row.verdict, "ratio": row.ratio} for row in part.rows],
            }
            for part in parts
        ],
    }
    text = json.dumps(document, indent=1, ensure_ascii=False, default=str) + "\n"
    (FOLDER / f"{facts['commit']}.json").write_text(text, encoding="utf-8")
