"""The tables of rules over time: states of groups, held matches, and silences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from squall.adapters.sql.dialect.session import Session, marks
from squall.core.event.gates.records import GateState, HeldMatch
from squall.core.event.gates.silences import Silence
from squall.core.event.rules.records import KeptBack

_STATE = "id, rule, gate, group_key, until_us, touched_us, body"


class SqlGates:
    """`ports.GateRows` in SQL."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def put(self, state: GateState) -> None:
        """Adds a state, or replaces the one with its id."""
        await self._session.run(
            f"INSERT INTO rule_states ({_STATE}) VALUES ({marks(7)}) ON CONFLICT (id) DO UPDATE SET "
            "until_us = excluded.until_us, touched_us = excluded.touched_us, body = excluded.body",
            state.id,
            state.rule,
            state.gate,
            state.key,
            state.until,
            state.touched,
            state.body.decode(),
        )

    async def get(self, rule_id: str, gate: str, key: str) -> GateState | None:
        """Returns the state of a group; None if there is none."""
        return await self._one("rule = ? AND gate = ? AND group_key = ?", rule_id, gate, key)

    async def state(self, state_id: str) -> GateState | None:
        """Returns a state by its id; None if there is none."""
        return await self._one("id = ?", state_id)

    async def oldest(self, rule_id: str, gate: str) -> GateState | None:
        """Returns the state of a rule that was touched first; None if there is none."""
        return await self._one("rule = ? AND gate = ? ORDER BY touched_us, id LIMIT 1", rule_id, gate)

    async def remove(self, state_id: str) -> None:
        """Deletes a state."""
        await self._session.run("DELETE FROM rule_states WHERE id = ?", state_id)

    async def count(self, rule_id: str, gate: str) -> int:
        """Returns the number of states of a rule."""
        rows = await self._session.run("SELECT count(*) FROM rule_states WHERE rule = ? AND gate = ?", rule_id, gate)
        return int(rows[0][0])

    async def drop(self, rule_id: str, gates: Sequence[str]) -> Sequence[str]:
        """Deletes the states of a rule that belong to these gates. Returns their ids."""
        rows = await self._session.run(
            f"DELETE FROM rule_states WHERE rule = ? AND gate IN ({marks(len(gates))}) RETURNING id", rule_id, *gates
        )
        return [row[0] for row in rows]

    async def expire(self, now: int, limit: int) -> int:
        """Deletes up to `limit` states whose time is over. Returns their number."""
        rows = await self._session.run(
            "DELETE FROM rule_states WHERE id IN (SELECT id FROM rule_states WHERE until_us > 0 AND until_us <= ? "
            f"LIMIT {int(limit)}) RETURNING id",
            now,
        )
        return len(rows)

    async def hold(self, held: HeldMatch) -> bool:
        """Adds a held match; returns False if there is one of its rule and instance."""
        rows = await self._session.run(
            "INSERT INTO held_matches (id, rule, instance, at_us, body) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (rule, instance) DO NOTHING RETURNING id",
            held.id,
            held.rule,
            held.instance,
            held.held_at,
            msgspec.json.encode(held).decode(),
        )
        return bool(rows)

    async def held(self, rule_id: str, ids: Sequence[str] | None, limit: int, offset: int = 0) -> Sequence[HeldMatch]:
        """Returns a page of the held matches of a rule, the oldest first."""
        if ids is not None and not ids:
            return []
        chosen = "" if ids is None else f" AND id IN ({marks(len(ids))})"
        rows = await self._session.run(
            f"SELECT body FROM held_matches WHERE rule = ?{chosen} ORDER BY at_us, id "
            f"LIMIT {int(limit)} OFFSET {int(offset)}",
            rule_id,
            *(ids or ()),
        )
        return [msgspec.json.decode(row[0], type=HeldMatch) for row in rows]

    async def held_count(self, rule_id: str) -> int:
        """Returns the number of held matches of a rule."""
        return int((await self._session.run("SELECT count(*) FROM held_matches WHERE rule = ?", rule_id))[0][0])

    async def take(self, held_id: str) -> bool:
        """Deletes a held match; returns False if there is none."""
        return bool(await self._session.run("DELETE FROM held_matches WHERE id = ? RETURNING id", held_id))

    async def drop_held(self, rule_id: str) -> None:
        """Deletes the held matches of a rule."""
        await self._session.run("DELETE FROM held_matches WHERE rule = ?", rule_id)

    async def _one(self, clause: str, *values: str) -> GateState | None:
        rows = await self._session.run(f"SELECT {_STATE} FROM rule_states WHERE {clause}", *values)
        if not rows:
            return None
        state_id, rule, gate, key, until, touched, body = rows[0]
        return GateState(
            id=state_id, rule=rule, gate=gate, key=key, until=int(until), touched=int(touched), body=body.encode()
        )


class SqlKeptBack:
    """`ports.KeptBackRows` in SQL."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def put(self, kept: KeptBack) -> None:
        """Adds a match, or replaces its reason."""
        await self._session.run(
            "INSERT INTO kept_matches (instance, rule, rule_ref, at_us, reason) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (instance, rule) DO UPDATE SET rule_ref = excluded.rule_ref, at_us = excluded.at_us, "
            "reason = excluded.reason",
            kept.instance,
            kept.rule,
            kept.rule_ref,
            kept.at,
            kept.reason,
        )

    async def of(self, instances: Sequence[str], rule_id: str | None = None) -> Sequence[KeptBack]:
        """Returns the matches of these instances, ordered by rule."""
        if not instances:
            return []
        one = "" if rule_id is None else " AND rule = ?"
        rows = await self._session.run(
            "SELECT instance, rule, rule_ref, at_us, reason FROM kept_matches "
            f"WHERE instance IN ({marks(len(instances))}){one} ORDER BY rule_ref, instance",
            *instances,
            *(() if rule_id is None else (rule_id,)),
        )
        return [
            KeptBack(instance=instance, rule=rule, rule_ref=ref, at=int(at), reason=reason)
            for instance, rule, ref, at, reason in rows
        ]


class SqlSilences:
    """`ports.SilenceRows` in SQL."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def put(self, silence: Silence) -> None:
        """Adds a silence."""
        await self._session.run(
            "INSERT INTO silences (id, scope, target, until_us, count, last_us, body) VALUES (?, ?, ?, ?, ?, ?, ?)",
            silence.id,
            silence.scope,
            silence.target,
            silence.until,
            silence.count,
            silence.last_at,
            msgspec.json.encode(silence).decode(),
        )

    async def get(self, silence_id: str) -> Silence | None:
        """Returns one silence; None if there is none."""
        silences = await self._find("id = ?", silence_id)
        return silences[0] if silences else None

    async def delete(self, silence_id: str) -> None:
        """Deletes a silence."""
        await self._session.run("DELETE FROM silences WHERE id = ?", silence_id)

    async def all(self) -> Sequence[Silence]:
        """Returns all silences, the oldest first."""
        return await self._find("1 = 1")

    async def over(self, targets: Sequence[tuple[str, str]], now: int) -> Sequence[Silence]:
        """Returns the silences of these scopes and targets that are in force at `now`."""
        either = " OR ".join("(scope = ? AND target = ?)" for _ in targets)
        values = [text for target in targets for text in target]
        return await self._find(f"({either}) AND until_us > ?", *values, now)

    async def silenced(self, silence_id: str, at: int) -> None:
        """Counts one more silenced match."""
        await self._session.run("UPDATE silences SET count = count + 1, last_us = ? WHERE id = ?", at, silence_id)

    async def _find(self, clause: str, *values: Any) -> list[Silence]:
        rows = await self._session.run(f"SELECT body, count, last_us FROM silences WHERE {clause} ORDER BY id", *values)
        return [
            msgspec.structs.replace(msgspec.json.decode(body, type=Silence), count=int(count), last_at=int(last_at))
            for body, count, last_at in rows
        ]
