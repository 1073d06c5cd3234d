"""The tables of policies, and of the executions that run or wait under concurrency policies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from squall.adapters.sql.dialect.session import Session
from squall.core.execution.policy import Policy
from squall.core.ids import is_id
from squall.ports import Slot

_SLOT = "id, policy, key, execution, holding, child, workflow"


def _slot(row: tuple[Any, ...]) -> Slot:
    return Slot(int(row[0]), row[1], row[2], row[3], bool(row[4]), bool(row[5]), bool(row[6]))


class SqlPolicies:
    """`ports.PolicyRows` in SQL."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def put(self, policy: Policy) -> None:
        """Adds a policy, or replaces the one with its id."""
        await self._session.run(
            "INSERT INTO policies (id, ref, pack, resource, type, body) VALUES (?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET ref = excluded.ref, pack = excluded.pack, resource = excluded.resource, "
            "type = excluded.type, body = excluded.body",
            policy.id,
            policy.ref,
            policy.pack,
            policy.resource_ref,
            policy.policy_type,
            msgspec.json.encode(policy).decode(),
        )

    async def get(self, ref_or_id: str) -> Policy | None:
        """Returns one policy; None if there is none."""
        column = "id" if is_id(ref_or_id) else "ref"
        rows = await self._session.run(f"SELECT body FROM policies WHERE {column} = ?", ref_or_id)
        return msgspec.json.decode(rows[0][0], type=Policy) if rows else None

    async def delete(self, policy_id: str) -> None:
        """Deletes a policy."""
        await self._session.run("DELETE FROM policies WHERE id = ?", policy_id)

    async def find(
        self, resource_ref: str | None = None, pack: str | None = None, policy_type: str | None = None
    ) -> Sequence[Policy]:
        """Returns the policies that match, by ref."""
        columns = {"resource": resource_ref, "pack": pack, "type": policy_type}
        terms = {column: value for column, value in columns.items() if value is not None}
        clause = " WHERE " + " AND ".join(f"{column} = ?" for column in terms) if terms else ""
        rows = await self._session.run(f"SELECT body FROM policies{clause} ORDER BY ref", *terms.values())
        return [msgspec.json.decode(row[0], type=Policy) for row in rows]


class SqlSlots:
    """`ports.SlotRows` in SQL."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def add(self, slot: Slot) -> None:
        """Adds a slot at the end of the line."""
        await self._session.run(
            "INSERT INTO slots (policy, key, execution, holding, child, workflow) VALUES (?, ?, ?, ?, ?, ?)",
            slot.policy,
            slot.key,
            slot.execution,
            int(slot.holding),
            int(slot.child),
            int(slot.workflow),
        )

    async def hold(self, execution_id: str) -> None:
        """Marks every slot of an execution as held."""
        await self._session.run("UPDATE slots SET holding = 1 WHERE execution = ?", execution_id)

    async def leave(self, execution_id: str) -> Sequence[Slot]:
        """Deletes every slot of an execution. Returns the deleted slots."""
        rows = await self._session.run(f"DELETE FROM slots WHERE execution = ? RETURNING {_SLOT}", execution_id)
        return [_slot(row) for row in rows]

    async def of_execution(self, execution_id: str) -> Sequence[Slot]:
        """Returns every slot of an execution."""
        rows = await self._session.run(f"SELECT {_SLOT} FROM slots WHERE execution = ? ORDER BY id", execution_id)
        return [_slot(row) for row in rows]

    async def held(self, policy: str, key: str, leaves: bool) -> int:
        """Returns the number of held slots; with `leaves`, workflows are not counted."""
        only = " AND workflow = 0" if leaves else ""
        rows = await self._session.run(
            f"SELECT count(*) FROM slots WHERE policy = ? AND key = ? AND holding = 1{only}", policy, key
        )
        return int(rows[0][0])

    async def line(self, policy: str, key: str, children: bool, after: int, limit: int) -> Sequence[Slot]:
        """Returns up to `limit` waiting slots behind the number `after`, in order; with `children`, only those of child
        executions."""
        only = " AND child = 1" if children else ""
        rows = await self._session.run(
            f"SELECT {_SLOT} FROM slots WHERE policy = ? AND key = ? AND holding = 0 AND id > ?{only} "
            f"ORDER BY id LIMIT {int(limit)}",
            policy,
            key,
            after,
        )
        return [_slot(row) for row in rows]

    async def waiting(self, action: str) -> Sequence[str]:
        """Returns the waiting executions of an action, in order."""
        rows = await self._session.run(
            "SELECT execution, min(slots.id) FROM slots JOIN executions ON executions.id = slots.execution "
            "WHERE executions.action = ? AND slots.holding = 0 GROUP BY execution ORDER BY 2",
            action,
        )
        return [row[0] for row in rows]

    async def ahead(self, slot: Slot) -> int:
        """Returns the number of slots that wait before this one."""
        rows = await self._session.run(
            "SELECT count(*) FROM slots WHERE policy = ? AND key = ? AND holding = 0 AND id < ?",
            slot.policy,
            slot.key,
            slot.number,
        )
        return int(rows[0][0])

    async def holders(self, policy: str, key: str, limit: int) -> Sequence[str]:
        """Returns up to `limit` executions that hold a slot, the oldest first."""
        rows = await self._session.run(
            f"SELECT execution FROM slots WHERE policy = ? AND key = ? AND holding = 1 ORDER BY id LIMIT {int(limit)}",
            policy,
            key,
        )
        return [row[0] for row in rows]
