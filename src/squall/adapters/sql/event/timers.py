"""The tables of timers, of their missed fires, and of the fires that later ones may wait for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from squall.adapters.sql.dialect.session import Session, marks
from squall.core.event.rules.records import PENDING, Trigger
from squall.core.event.schedules.fire import Fire
from squall.core.event.schedules.misfires import Missed
from squall.core.event.timers.records import MissedFire, Pause, Timer
from squall.core.ids import is_id

_TIMER = (
    "SELECT triggers.body, start_us, last_us, next_us, fired_us, zone, pause, "
    "(SELECT COALESCE(sum(COALESCE(fires, 1)), 0) FROM missed_fires AS missed WHERE missed.trigger_id = triggers.id), "
    "(SELECT group_concat(ref) FROM (SELECT ref FROM rules WHERE trigger_ref = triggers.ref ORDER BY ref LIMIT 20)) "
    "FROM timers JOIN triggers ON triggers.id = timers.trigger_id"
)
_ALL = 2**62


class SqlTimers:
    """`ports.TimerRows` in SQL."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def put(self, timer: Timer) -> None:
        """Adds a timer, or replaces the one of its trigger."""
        await self._session.run(
            "INSERT INTO timers (trigger_id, type, start_us, last_us, next_us, fired_us, zone, pause) "
            f"VALUES ({marks(8)}) ON CONFLICT (trigger_id) DO UPDATE SET type = excluded.type, "
            "start_us = excluded.start_us, last_us = excluded.last_us, next_us = excluded.next_us, "
            "fired_us = excluded.fired_us, zone = excluded.zone, pause = excluded.pause",
            timer.trigger.id,
            timer.trigger.type,
            timer.start,
            timer.last,
            timer.next,
            timer.fired,
            timer.zone,
            None if timer.pause is None else msgspec.json.encode(timer.pause).decode(),
        )

    async def get(self, ref_or_id: str) -> Timer | None:
        """Returns one timer, also by the ref of a rule that has it; None if there is none."""
        column = "id" if is_id(ref_or_id) else "ref"
        rows = await self._session.run(f"{_TIMER} WHERE triggers.{column} = ?", ref_or_id)
        if not rows:
            by_rule = "(SELECT trigger_ref FROM rules WHERE rules.ref = ?)"
            rows = await self._session.run(f"{_TIMER} WHERE triggers.ref = {by_rule}", ref_or_id)
        return _timer(rows[0]) if rows else None

    async def load(self, trigger_ids: Sequence[str]) -> Sequence[Timer]:
        """Returns the timers of these triggers."""
        rows = await self._session.run(f"{_TIMER} WHERE trigger_id IN ({marks(len(trigger_ids))})", *trigger_ids)
        return [_timer(row) for row in rows]

    async def delete(self, trigger_id: str) -> None:
        """Deletes a timer with its missed fires and its waiting ones."""
        for table in ("timers", "missed_fires", "timer_fires", "timer_executions"):
            await self._session.run(f"DELETE FROM {table} WHERE trigger_id = ?", trigger_id)

    async def find(self, type_ref: str | None, limit: int | None, offset: int) -> Sequence[Timer]:
        """Returns a page of timers by ref."""
        where, values = ("", ()) if type_ref is None else (" WHERE timers.type = ?", (type_ref,))
        most = _ALL if limit is None else int(limit)
        rows = await self._session.run(
            f"{_TIMER}{where} ORDER BY triggers.ref LIMIT {most} OFFSET {int(offset)}", *values
        )
        return [_timer(row) for row in rows]

    async def count(self, type_ref: str | None) -> int:
        """Returns the number of timers."""
        where, values = ("", ()) if type_ref is None else (" WHERE type = ?", (type_ref,))
        rows = await self._session.run(f"SELECT count(*) FROM timers{where}", *values)
        return int(rows[0][0])

    async def in_other_zones(self, zone: str, limit: int) -> Sequence[str]:
        """Returns up to `limit` ids of triggers whose next fire depends on another zone of a server."""
        rows = await self._session.run(
            f"SELECT trigger_id FROM timers WHERE zone <> '' AND zone <> ? LIMIT {int(limit)}", zone
        )
        return [row[0] for row in rows]

    async def miss(self, trigger_id: str, missed: Missed, now: int, since: int | None = None) -> None:
        """Adds a record of missed fires, or extends the newest one if that is from after `since`."""
        if since is not None and await self._session.run(
            "UPDATE missed_fires SET last_us = ?, recorded_us = ?, fires = fires + 1 WHERE id = ("
            "SELECT id FROM missed_fires WHERE trigger_id = ? ORDER BY at_us DESC LIMIT 1) "
            "AND reason = ? AND last_us < ? AND last_us > ? RETURNING id",
            missed.last,
            now,
            trigger_id,
            missed.reason,
            missed.at,
            since,
        ):
            return
        await self._session.run(
            f"INSERT INTO missed_fires (trigger_id, at_us, last_us, fires, reason, recorded_us) VALUES ({marks(6)})",
            trigger_id,
            missed.at,
            missed.last,
            1 if missed.at == missed.last else None,
            missed.reason,
            now,
        )

    async def missed(self, trigger_id: str, limit: int | None, offset: int) -> Sequence[MissedFire]:
        """Returns a page of a timer's missed fires, newest first."""
        most = _ALL if limit is None else int(limit)
        rows = await self._session.run(
            "SELECT at_us, last_us, fires, reason, recorded_us FROM missed_fires WHERE trigger_id = ? "
            f"ORDER BY at_us DESC, id DESC LIMIT {most} OFFSET {int(offset)}",
            trigger_id,
        )
        return [MissedFire(at=row[0], last=row[1], fires=row[2], reason=row[3], recorded=row[4]) for row in rows]

    async def forget(self, before: int, limit: int) -> int:
        """Deletes up to `limit` records of missed fires from before `before`. Returns their number."""
        rows = await self._session.run(
            "DELETE FROM missed_fires WHERE id IN (SELECT id FROM missed_fires WHERE recorded_us < ? "
            f"ORDER BY recorded_us LIMIT {int(limit)}) RETURNING id",
            before,
        )
        return len(rows)


class SqlFires:
    """`ports.FireRows` in SQL."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def begin(self, trigger_id: str, nominal: int, instance_id: str) -> None:
        """Notes that a fire runs."""
        await self._session.run(
            "INSERT INTO timer_fires (trigger_id, nominal_us, local, note, instance) VALUES (?, ?, '', '', ?) "
            "ON CONFLICT (trigger_id, nominal_us) DO UPDATE SET instance = excluded.instance",
            trigger_id,
            nominal,
            instance_id,
        )

    async def running(self, trigger_id: str) -> Sequence[tuple[str, bool]]:
        """Returns the instances of the fires that run, each with True if it is pending. Deletes ended ones."""
        await self._session.run(
            "DELETE FROM timer_fires WHERE trigger_id = ? AND instance IS NOT NULL AND NOT EXISTS ("
            "SELECT 1 FROM trigger_instances WHERE id = timer_fires.instance AND status = ?) AND NOT EXISTS ("
            "SELECT 1 FROM timer_executions WHERE timer_executions.instance = timer_fires.instance)",
            trigger_id,
            PENDING,
        )
        rows = await self._session.run(
            "SELECT instance, EXISTS (SELECT 1 FROM trigger_instances WHERE id = timer_fires.instance AND status = ?) "
            "FROM timer_fires WHERE trigger_id = ? AND instance IS NOT NULL ORDER BY nominal_us",
            PENDING,
            trigger_id,
        )
        return [(row[0], bool(row[1])) for row in rows]

    async def wait(self, trigger_id: str, fire: Fire) -> None:
        """Adds a fire that waits."""
        await self._session.run(
            "INSERT INTO timer_fires (trigger_id, nominal_us, local, note, instance) VALUES (?, ?, ?, ?, NULL) "
            "ON CONFLICT (trigger_id, nominal_us) DO NOTHING",
            trigger_id,
            fire.at,
            fire.local,
            fire.note,
        )

    async def waiting(self, trigger_id: str) -> Sequence[Fire]:
        """Returns the fires that wait, oldest first."""
        rows = await self._session.run(
            "SELECT nominal_us, local, note FROM timer_fires WHERE trigger_id = ? AND instance IS NULL "
            "ORDER BY nominal_us",
            trigger_id,
        )
        return [Fire(*row) for row in rows]

    async def drop(self, trigger_id: str, nominal: int) -> None:
        """Deletes a fire that waits."""
        await self._session.run(
            "DELETE FROM timer_fires WHERE trigger_id = ? AND nominal_us = ? AND instance IS NULL", trigger_id, nominal
        )

    async def entered(self, execution_id: str, instance_id: str) -> None:
        """Notes that the instance of a fire that runs has started an execution."""
        await self._session.run(
            "INSERT INTO timer_executions (execution, instance, trigger_id) "
            "SELECT ?, instance, trigger_id FROM timer_fires WHERE instance = ?",
            execution_id,
            instance_id,
        )

    async def ended(self, execution_id: str) -> str | None:
        """Notes the end of an execution. Returns its timer's trigger if fires wait."""
        rows = await self._session.run(
            "DELETE FROM timer_executions WHERE execution = ? RETURNING trigger_id", execution_id
        )
        if rows and await self.waiting(rows[0][0]):
            return str(rows[0][0])
        return None

    async def executions(self, trigger_id: str) -> Sequence[str]:
        """Returns the executions of a timer's fires that have not ended."""
        rows = await self._session.run(
            "SELECT execution FROM timer_executions WHERE trigger_id = ? ORDER BY execution", trigger_id
        )
        return [row[0] for row in rows]


def _timer(row: tuple[Any, ...]) -> Timer:
    return Timer(
        trigger=msgspec.json.decode(row[0], type=Trigger),
        start=row[1],
        last=row[2],
        next=row[3],
        fired=row[4],
        zone=row[5],
        pause=None if row[6] is None else msgspec.json.decode(row[6], type=Pause),
        missed=row[7],
        rules=tuple(row[8].split(",")) if row[8] else (),
    )
