"""The table of suspects: what the server worked on when it died."""

from __future__ import annotations

from collections.abc import Sequence

from squall.adapters.sql.dialect.session import Session
from squall.ports import Suspect


class SqlSuspects:
    """`ports.SuspectRows` in SQL."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def blame(self, lane: str, subject: str, at: int) -> None:
        """Adds one death to a subject; `at` (µs) is the time of a new row."""
        await self._session.run(
            "INSERT INTO suspects (lane, subject, deaths, since_us) VALUES (?, ?, 1, ?) "
            "ON CONFLICT (lane, subject) DO UPDATE SET deaths = suspects.deaths + 1",
            lane,
            subject,
            at,
        )

    async def put(self, suspect: Suspect) -> None:
        """Stores a suspect in place of the row of its subject."""
        await self.remove(suspect.lane, suspect.subject)
        await self._session.run(
            "INSERT INTO suspects (lane, subject, deaths, since_us) VALUES (?, ?, ?, ?)",
            suspect.lane,
            suspect.subject,
            suspect.deaths,
            suspect.since,
        )

    async def remove(self, lane: str, subject: str) -> None:
        """Removes the row of a subject, if there is one."""
        await self._session.run("DELETE FROM suspects WHERE lane = ? AND subject = ?", lane, subject)

    async def all(self) -> Sequence[Suspect]:
        """Returns all suspects, the oldest first."""
        rows = await self._session.run(
            "SELECT lane, subject, deaths, since_us FROM suspects ORDER BY since_us, lane, subject"
        )
        return [Suspect(*row) for row in rows]
