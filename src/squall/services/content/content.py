"""Packs, actions and runner types as they are registered: `registration` writes them."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import PurePosixPath

import msgspec

from squall.core.content.action import Action, Pack, RunnerType
from squall.core.errors import InvalidError, NotFoundError
from squall.ports import Clock, PackSource, Store, Tx

_KEPT = 2048
_FRESH = 1_000_000


class _Kept:
    """What was read of the content, until it is registered again here, or, for others who register it, a moment."""

    def __init__(self, now: int) -> None:
        self.until = now + _FRESH
        self.runnable: dict[str, tuple[Action, RunnerType] | None] = {}
        self.runners: dict[str, RunnerType] = {}
        self.packs: dict[str, Pack] | None = None


class Content:
    """The registered content. Snapshots never change, so those used last are kept in memory; the rest is kept for a
    second, as every step of every workflow asks for it."""

    def __init__(self, store: Store, clock: Clock, source: PackSource) -> None:
        self._store = store
        self._clock = clock
        self._source = source
        self._snapshots: dict[str, tuple[Action, RunnerType]] = {}
        self._kept = _Kept(0)

    def _fresh(self) -> _Kept:
        now = self._clock.now()
        if now >= self._kept.until or len(self._kept.runnable) >= _KEPT:
            self._kept = _Kept(now)
        return self._kept

    def look_again(self) -> None:
        """Forgets what it has read: something was changed."""
        self._kept = _Kept(0)

    async def action(self, ref_or_id: str) -> Action:
        """One action. Raises `NotFoundError`."""
        found = await self._store.read(lambda tx: tx.content.action(ref_or_id))
        if found is None:
            raise NotFoundError(f'Resource with a reference or id "{ref_or_id}" not found')
        return found

    async def actions(self, pack: str | None = None) -> list[Action]:
        """All actions, by pack and name, or those of a pack."""
        return (await self.page(pack, None, 0))[0]

    async def page(self, pack: str | None, limit: int | None, offset: int) -> tuple[list[Action], int]:
        """A part of all actions, by pack and name, or of those of a pack; and how many there are."""
        found, count = await self._store.read(lambda tx: tx.content.actions(pack, limit, offset))
        return list(found), count

    async def runner(self, name_or_id: str) -> RunnerType:
        """One runner type. Raises `NotFoundError`."""
        kept = self._fresh()
        if name_or_id not in kept.runners:
            found = await self._store.read(lambda tx: tx.content.runner(name_or_id))
            if found is None:
                raise NotFoundError(f'Resource with a name or id "{name_or_id}" not found')
            kept.runners[name_or_id] = found
        return kept.runners[name_or_id]

    async def runners(self) -> list[RunnerType]:
        """All runner types, by name."""
        return list(await self._store.read(lambda tx: tx.content.runners()))

    async def switch_runner(self, name_or_id: str, enabled: bool) -> RunnerType:
        """Enables or disables a runner type; it stays so when packs are registered again. Raises `NotFoundError`."""
        name = (await self.runner(name_or_id)).name

        async def work(tx: Tx) -> None:
            known = await tx.content.runners()
            changed = [msgspec.structs.replace(each, enabled=enabled) if each.name == name else each for each in known]
            await tx.content.replace_runners(changed, switch=True)

        await self._store.tx(work)
        self._kept = _Kept(0)
        return await self.runner(name)

    async def packs(self) -> dict[str, Pack]:
        """All packs by ref."""
        kept = self._fresh()
        if kept.packs is None:
            kept.packs = {pack.ref: pack for pack in await self._store.read(lambda tx: tx.content.packs())}
        return dict(kept.packs)

    async def pack(self, ref_or_id: str) -> Pack:
        """One pack. Raises `NotFoundError`."""
        for pack in (await self.packs()).values():
            if ref_or_id in (pack.ref, pack.id):
                return pack
        raise NotFoundError(f'Resource with a ref or id "{ref_or_id}" not found')

    async def pack_file(self, pack: Pack, name: str) -> bytes:
        """A file of a pack as it is now. Raises `InvalidError`, `NotFoundError`."""
        return await asyncio.to_thread(self._source.file, pack, name)

    async def runnable(self, ref: str) -> tuple[Action, RunnerType] | None:
        """An action and its runner type, or None when there is no such action."""

        async def work(tx: Tx) -> tuple[Action, RunnerType] | None:
            action = await tx.content.action(ref)
            runner = await tx.content.runner(action.runner_type) if action is not None else None
            return (action, runner) if action is not None and runner is not None else None

        kept = self._fresh()
        if ref not in kept.runnable:
            kept.runnable[ref] = await self._store.read(work)
        return kept.runnable[ref]

    async def file(self, action: Action) -> str:
        """The text of an action's entry point, as it stands in its pack now. Raises `InvalidError`."""
        packs = await self.packs()
        if action.pack not in packs:
            raise InvalidError(f'The pack "{action.pack}" of action "{action.ref}" is no longer there.')
        path = PurePosixPath(packs[action.pack].path) / "actions" / action.entry_point
        return self._source.text(str(path))

    async def snapshot(self, key: str) -> tuple[Action, RunnerType]:
        """What an execution was requested with. Raises `NotFoundError`."""
        found = self._snapshots.get(key)
        if found is None:
            found = await self._store.read(lambda tx: tx.content.snapshot(key))
            if found is None:
                raise NotFoundError(f'The snapshot "{key}" of an action is gone')
            if len(self._snapshots) >= _KEPT:
                self._snapshots.clear()
            self._snapshots[key] = found
        return found


def snapshot_key(action: Action, runner: RunnerType) -> str:
    """The content hash that names a snapshot."""
    return hashlib.sha256(msgspec.json.encode([action, runner])).hexdigest()[:32]
