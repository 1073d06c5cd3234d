"""The tables of trigger types, triggers and trigger instances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from squall.adapters.sql.dialect.documents import document, document_text
from squall.adapters.sql.dialect.session import Session, marks
from squall.core.event.rules.records import (
    LARGE_PAYLOAD,
    PENDING,
    InstanceFilter,
    Trigger,
    TriggerInstance,
    TriggerType,
    omitted_payload,
)
from squall.core.ids import is_id

_INSTANCE = (
    "number, id, trigger_ref, type, occurred_us, status, source, trace, trace_tag, depth, evaluated_us, rules_number, "
    "reason, size, payload"
)
_APART = ""
"""The column `payload` of an instance whose payload has a row of its own. It is no JSON, so no payload is equal."""


def _text(record: msgspec.Struct) -> str:
    return msgspec.json.encode(record).decode()


class SqlTriggerTypes:
    """`ports.TriggerTypeRows` in SQL."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def put(self, trigger_type: TriggerType) -> None:
        """Adds a trigger type, or replaces the one with its id."""
        await self._session.run(
            "INSERT INTO trigger_types (id, ref, pack, body) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET ref = excluded.ref, pack = excluded.pack, body = excluded.body",
            trigger_type.id,
            trigger_type.ref,
            trigger_type.pack,
            _text(trigger_type),
        )

    async def get(self, ref_or_id: str) -> TriggerType | None:
        """Returns one trigger type; None if there is none."""
        column = "id" if is_id(ref_or_id) else "ref"
        rows = await self._session.run(f"SELECT body FROM trigger_types WHERE {column} = ?", ref_or_id)
        return msgspec.json.decode(rows[0][0], type=TriggerType) if rows else None

    async def delete(self, type_id: str) -> None:
        """Deletes a trigger type."""
        await self._session.run("DELETE FROM trigger_types WHERE id = ?", type_id)

    async def find(self, pack: str | None = None) -> Sequence[TriggerType]:
        """Returns the trigger types of all packs or of one, by ref."""
        where, values = ("", ()) if pack is None else (" WHERE pack = ?", (pack,))
        rows = await self._session.run(f"SELECT body FROM trigger_types{where} ORDER BY ref", *values)
        return [msgspec.json.decode(row[0], type=TriggerType) for row in rows]


class SqlTriggers:
    """`ports.TriggerRows` in SQL."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def put(self, trigger: Trigger, digest: str) -> None:
        """Adds a trigger, or replaces the one with its id."""
        await self._session.run(
            "INSERT INTO triggers (id, ref, type, digest, body) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET ref = excluded.ref, type = excluded.type, digest = excluded.digest, "
            "body = excluded.body",
            trigger.id,
            trigger.ref,
            trigger.type,
            digest,
            _text(trigger),
        )

    async def get(self, ref_or_id: str) -> Trigger | None:
        """Returns one trigger; None if there is none."""
        column = "id" if is_id(ref_or_id) else "ref"
        return await self._one(f"{column} = ?", ref_or_id)

    async def with_parameters(self, type_ref: str, digest: str) -> Trigger | None:
        """Returns the oldest trigger of a type whose parameters have this digest."""
        return await self._one("type = ? AND digest = ? ORDER BY id LIMIT 1", type_ref, digest)

    async def delete(self, trigger_id: str) -> None:
        """Deletes a trigger."""
        await self._session.run("DELETE FROM triggers WHERE id = ?", trigger_id)

    async def find(self, type_ref: str | None = None) -> Sequence[Trigger]:
        """Returns the triggers of all types or of one, by ref."""
        where, values = ("", ()) if type_ref is None else (" WHERE type = ?", (type_ref,))
        rows = await self._session.run(f"SELECT body FROM triggers{where} ORDER BY ref", *values)
        return [msgspec.json.decode(row[0], type=Trigger) for row in rows]

    async def _one(self, clause: str, *values: str) -> Trigger | None:
        rows = await self._session.run(f"SELECT body FROM triggers WHERE {clause}", *values)
        return msgspec.json.decode(rows[0][0], type=Trigger) if rows else None


class SqlInstances:
    """`ports.InstanceRows` in SQL."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def add(self, instance: TriggerInstance) -> TriggerInstance | None:
        """Adds an instance; returns it with its number, or None if there is one with its source."""
        payload = document_text(instance.payload)
        # Bytes, not characters: what counts is the space in a page of the database.
        is_large = len(payload.encode()) > LARGE_PAYLOAD
        rows = await self._session.run(
            "INSERT INTO trigger_instances (id, trigger_ref, type, occurred_us, status, source, trace, trace_tag, "
            "depth, evaluated_us, rules_number, reason, size, payload) "
            f"VALUES ({marks(14)}) ON CONFLICT (source) DO NOTHING RETURNING number",
            instance.id,
            instance.trigger,
            instance.type,
            instance.occurred_at,
            instance.status,
            instance.source,
            instance.trace,
            instance.trace_tag,
            instance.depth,
            instance.evaluated_at,
            instance.rules_number,
            instance.reason,
            len(payload),
            _APART if is_large else payload,
        )
        if rows and is_large:
            await self._session.run(
                "INSERT INTO trigger_payloads (instance, payload) VALUES (?, ?)", instance.id, payload
            )
        return msgspec.structs.replace(instance, number=int(rows[0][0])) if rows else None

    async def get(self, instance_id: str) -> TriggerInstance | None:
        """Returns one instance; None if there is none."""
        rows = await self._session.run(f"SELECT {_INSTANCE} FROM trigger_instances WHERE id = ?", instance_id)
        return await self._whole(rows[0]) if rows else None

    async def with_source(self, source: str) -> TriggerInstance | None:
        """Returns the instance with this source; None if there is none."""
        rows = await self._session.run(f"SELECT {_INSTANCE} FROM trigger_instances WHERE source = ?", source)
        return await self._whole(rows[0]) if rows else None

    async def load(self, instance_ids: Sequence[str], most_bytes: int) -> Sequence[TriggerInstance]:
        """Returns the first of these instances: at least one, and as many as have `most_bytes` of payload."""
        chosen = await self._first(instance_ids, most_bytes)
        rows = await self._session.run(
            f"SELECT {_INSTANCE} FROM trigger_instances WHERE id IN ({marks(len(chosen))})", *chosen
        )
        instances = {row[1]: await self._whole(row) for row in rows}
        return [instances[instance_id] for instance_id in chosen]

    async def _first(self, instance_ids: Sequence[str], most_bytes: int) -> list[str]:
        """Returns the ids of the instances to load."""
        rows = await self._session.run(
            f"SELECT id, size FROM trigger_instances WHERE id IN ({marks(len(instance_ids))})", *instance_ids
        )
        sizes = {row[0]: int(row[1]) for row in rows}
        chosen: list[str] = []
        left = most_bytes
        for instance_id in instance_ids:
            if instance_id not in sizes:
                continue
            left -= sizes[instance_id]
            if left < 0 and chosen:
                break
            chosen.append(instance_id)
        return chosen

    async def statuses(self, instance_ids: Sequence[str]) -> Mapping[str, str]:
        """Returns the statuses of instances by id."""
        if not instance_ids:
            return {}
        rows = await self._session.run(
            f"SELECT id, status FROM trigger_instances WHERE id IN ({marks(len(instance_ids))})", *instance_ids
        )
        return {row[0]: row[1] for row in rows}

    async def settle(self, instance: TriggerInstance) -> None:
        """Writes the fields of an evaluation."""
        await self._session.run(
            "UPDATE trigger_instances SET status = ?, evaluated_us = ?, rules_number = ?, reason = ?, trace = ? "
            "WHERE id = ?",
            instance.status,
            instance.evaluated_at,
            instance.rules_number,
            instance.reason,
            instance.trace,
            instance.id,
        )

    async def find(self, where: InstanceFilter, limit: int | None, offset: int) -> Sequence[TriggerInstance]:
        """Returns a page of the instances that match."""
        clause, values = _where(where)
        direction = "DESC" if where.newest_first else "ASC"
        by_number = where.number_after is not None or where.number_before is not None
        order = f"number {direction}" if by_number else f"occurred_us {direction}, number {direction}"
        most = 2**62 if limit is None else int(limit)
        rows = await self._session.run(
            f"SELECT {_INSTANCE} FROM trigger_instances{clause} ORDER BY {order} LIMIT {most} OFFSET {int(offset)}",
            *values,
        )
        return [await self._whole(row) if where.whole else _reduced(row) for row in rows]

    async def _whole(self, row: tuple[Any, ...]) -> TriggerInstance:
        if row[-1] != _APART:
            return _instance(row, document(row[-1]))
        texts = await self._session.run("SELECT payload FROM trigger_payloads WHERE instance = ?", row[1])
        return _instance(row, document(texts[0][0]))

    async def batch(self, where: InstanceFilter, limit: int, most_bytes: int) -> Sequence[TriggerInstance]:
        """Returns the next instances by number: at least one, and as many as have `most_bytes` of payload."""
        clause, values = _where(where)
        direction = "DESC" if where.newest_first else "ASC"
        rows = await self._session.run(
            f"SELECT number, size FROM trigger_instances{clause} ORDER BY number {direction} LIMIT {int(limit)}",
            *values,
        )
        numbers: list[int] = []
        for number, size in rows:
            most_bytes -= int(size)
            if most_bytes < 0 and numbers:
                break
            numbers.append(int(number))
        if not numbers:
            return []
        rows = await self._session.run(
            f"SELECT {_INSTANCE} FROM trigger_instances WHERE number IN ({marks(len(numbers))}) "
            f"ORDER BY number {direction}",
            *numbers,
        )
        return [await self._whole(row) for row in rows]

    async def newest(self, trigger: str) -> int:
        """Returns the number of the newest instance of a trigger; 0 if it has none."""
        rows = await self._session.run("SELECT max(number) FROM trigger_instances WHERE trigger_ref = ?", trigger)
        return int(rows[0][0] or 0)

    async def count(self, where: InstanceFilter, cap: int) -> int:
        """Returns the number of instances that match, at most `cap`."""
        clause, values = _where(where)
        rows = await self._session.run(
            f"SELECT count(*) FROM (SELECT 1 FROM trigger_instances{clause} LIMIT {int(cap)}) AS matching", *values
        )
        return int(rows[0][0])

    async def expire(self, before: int, limit: int) -> int:
        """Deletes up to `limit` evaluated instances of events before `before`. Returns their number."""
        rows = await self._session.run(
            "DELETE FROM trigger_instances WHERE number IN (SELECT number FROM trigger_instances "
            f"WHERE occurred_us < ? AND status <> ? ORDER BY occurred_us LIMIT {int(limit)}) RETURNING id, payload = ?",
            before,
            PENDING,
            _APART,
        )
        for instance_id, is_apart in rows:
            if is_apart:
                await self._session.run("DELETE FROM trigger_payloads WHERE instance = ?", instance_id)
            await self._session.run("DELETE FROM kept_matches WHERE instance = ?", instance_id)
        return len(rows)


def _reduced(row: tuple[Any, ...]) -> TriggerInstance:
    is_large = row[-1] == _APART
    return _instance(row, omitted_payload(row[1], int(row[-2])) if is_large else document(row[-1]))


def _instance(row: tuple[Any, ...], payload: Any) -> TriggerInstance:
    return TriggerInstance(
        number=int(row[0]),
        id=row[1],
        trigger=row[2],
        type=row[3],
        occurred_at=int(row[4]),
        status=row[5],
        source=row[6],
        trace=row[7],
        trace_tag=row[8],
        depth=int(row[9]),
        evaluated_at=int(row[10]),
        rules_number=int(row[11]),
        reason=row[12],
        payload=payload,
    )


def _where(where: InstanceFilter) -> tuple[str, list[Any]]:
    terms: list[str] = []
    values: list[Any] = []
    for column, names in (("id", where.ids), ("trigger_ref", where.triggers)):
        if names is not None:
            terms.append(f"{column} IN ({marks(len(names))})" if names else "1 = 0")
            values += names
    comparisons = (
        ("type = ?", where.type),
        ("status = ?", where.status),
        ("occurred_us > ?", where.after),
        ("occurred_us < ?", where.before),
        ("number > ?", where.number_after),
        ("number < ?", where.number_before),
    )
    for term, value in comparisons:
        if value is not None:
            terms.append(term)
            values.append(value)
    return (" WHERE " + " AND ".join(terms) if terms else ""), values
