"""The registered packs, actions and runner types, and snapshots of them for the executions that used them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from squall.adapters.sql.dialect.session import Session
from squall.core.content.action import Action, Pack, RunnerType
from squall.core.ids import is_id


def _text(record: msgspec.Struct) -> str:
    return msgspec.json.encode(record).decode()


class SqlContent:
    """`ports.ContentRows` in SQL. A new resource gets the id of its record; a registered one keeps its own id."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def replace_runners(self, runners: Sequence[RunnerType], *, switch: bool = False) -> None:
        """Registers these runner types and no others. `switch` replaces the `enabled` of registered ones too."""
        registered = {runner.name: runner for runner in await self.runners()}
        await self._session.run("DELETE FROM runner_types")
        for runner in runners:
            if (old := registered.get(runner.name)) is not None:
                enabled = runner.enabled if switch else old.enabled
                runner = msgspec.structs.replace(runner, id=old.id, enabled=enabled)
            await self._session.run(
                "INSERT INTO runner_types (name, id, body) VALUES (?, ?, ?)", runner.name, runner.id, _text(runner)
            )

    async def replace_pack(self, pack: Pack, actions: Sequence[Action]) -> None:
        """Registers a pack with these actions and no others."""
        rows = await self._session.run("SELECT id FROM packs WHERE ref = ?", pack.ref)
        if rows:
            pack = msgspec.structs.replace(pack, id=rows[0][0])
        await self._session.run(
            "INSERT INTO packs (ref, id, body) VALUES (?, ?, ?) ON CONFLICT (ref) DO UPDATE SET body = excluded.body",
            pack.ref,
            pack.id,
            _text(pack),
        )
        action_ids = dict(await self._session.run("SELECT ref, id FROM actions WHERE pack = ?", pack.ref))
        await self._session.run("DELETE FROM actions WHERE pack = ?", pack.ref)
        for action in actions:
            action = msgspec.structs.replace(action, id=action_ids.get(action.ref, action.id))
            await self._session.run(
                "INSERT INTO actions (ref, id, pack, name, body) VALUES (?, ?, ?, ?, ?)",
                action.ref,
                action.id,
                action.pack,
                action.name,
                _text(action),
            )

    async def keep_packs(self, refs: Sequence[str]) -> None:
        """Deletes every pack that is not one of `refs`, with its actions."""
        for pack in await self.packs():
            if pack.ref not in refs:
                await self._session.run("DELETE FROM actions WHERE pack = ?", pack.ref)
                await self._session.run("DELETE FROM packs WHERE ref = ?", pack.ref)

    async def packs(self) -> Sequence[Pack]:
        """Returns all packs by ref."""
        rows = await self._session.run("SELECT body FROM packs ORDER BY ref")
        return [msgspec.json.decode(row[0], type=Pack) for row in rows]

    async def action(self, ref_or_id: str) -> Action | None:
        """Returns one action; None if there is none."""
        column = "id" if is_id(ref_or_id) else "ref"
        rows = await self._session.run(f"SELECT body FROM actions WHERE {column} = ?", ref_or_id)
        return msgspec.json.decode(rows[0][0], type=Action) if rows else None

    async def actions(
        self, pack: str | None = None, limit: int | None = None, offset: int = 0
    ) -> tuple[Sequence[Action], int]:
        """Returns a page of the actions of all packs or of one, by pack and name, and the number of all of them."""
        where, values = ("", ()) if pack is None else (" WHERE pack = ?", (pack,))
        count = int((await self._session.run(f"SELECT count(*) FROM actions{where}", *values))[0][0])
        part = f" LIMIT {int(limit if limit is not None else 2**62)} OFFSET {int(offset)}"
        rows = await self._session.run(f"SELECT body FROM actions{where} ORDER BY pack, name{part}", *values)
        return [msgspec.json.decode(row[0], type=Action) for row in rows], count

    async def runner(self, name_or_id: str) -> RunnerType | None:
        """Returns one runner type; None if there is none."""
        column = "id" if is_id(name_or_id) else "name"
        rows = await self._session.run(f"SELECT body FROM runner_types WHERE {column} = ?", name_or_id)
        return msgspec.json.decode(rows[0][0], type=RunnerType) if rows else None

    async def runners(self) -> Sequence[RunnerType]:
        """Returns all runner types by name."""
        rows = await self._session.run("SELECT body FROM runner_types ORDER BY name")
        return [msgspec.json.decode(row[0], type=RunnerType) for row in rows]

    async def keep_snapshot(self, key: str, action: Action, runner: RunnerType) -> None:
        """Stores both documents under `key`, unless it is stored already."""
        await self._session.run(
            "INSERT INTO snapshots (key, action, runner) VALUES (?, ?, ?) ON CONFLICT (key) DO NOTHING",
            key,
            _text(action),
            _text(runner),
        )

    async def snapshot(self, key: str) -> tuple[Action, RunnerType] | None:
        """Returns the documents stored under `key`; None if there are none."""
        rows = await self._session.run("SELECT action, runner FROM snapshots WHERE key = ?", key)
        if not rows:
            return None
        return msgspec.json.decode(rows[0][0], type=Action), msgspec.json.decode(rows[0][1], type=RunnerType)
