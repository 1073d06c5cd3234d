"""The registered packs, actions and runner types, which `registration` writes."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import PurePosixPath

import msgspec

from squall.core.content.action import Action, Pack, RunnerType
from squall.core.errors import InvalidError, NotFoundError
from squall.ports import Clock, PackSource, Store, Tx

_MOST_CACHED = 2048
_FRESH = 1_000_000


class _Cache:
    """The content that was read, until this process registers content, or for a second, as other processes register
    content too. `until` is in µs."""

    def __init__(self, now: int) -> None:
        self.until = now + _FRESH
        self.runnable: dict[str, tuple[Action, RunnerType] | None] = {}
        self.runners: dict[str, RunnerType] = {}
        self.packs: dict[str, Pack] | None = None


class Content:
    """The registered content. It caches snapshots, which never change. It caches the rest for a second, as every step
    of a workflow reads it."""

    def __init__(self, store: Store, clock: Clock, source: PackSource) -> None:
        self._store = store
        self._clock = clock
        self._source = source
        self._snapshots: dict[str, tuple[Action, RunnerType]] = {}
        self._cache = _Cache(0)

    def _fresh(self) -> _Cache:
        now = self._clock.now()
        if now >= self._cache.until or len(self._cache.runnable) >= _MOST_CACHED:
            self._cache = _Cache(now)
        return self._cache

    def look_again(self) -> None:
        """Clears the cache, as the content has changed."""
        self._cache = _Cache(0)

    async def action(self, ref_or_id: str) -> Action:
        """Returns an action. Raises `NotFoundError`."""
        action = await self._store.read(lambda tx: tx.content.action(ref_or_id))
        if action is None:
            raise NotFoundError(f'Resource with a reference or id "{ref_or_id}" not found')
        return action

    async def actions(self, pack: str | None = None) -> list[Action]:
        """Returns all actions, or those of a pack, sorted by pack and name."""
        return (await self.page(pack, None, 0))[0]

    async def page(self, pack: str | None, limit: int | None, offset: int) -> tuple[list[Action], int]:
        """Returns a page of all actions, or of those of a pack, sorted by pack and name; and their total number."""
        actions, count = await self._store.read(lambda tx: tx.content.actions(pack, limit, offset))
        return list(actions), count

    async def runner(self, name_or_id: str) -> RunnerType:
        """Returns a runner type. Raises `NotFoundError`."""
        cache = self._fresh()
        if name_or_id not in cache.runners:
            runner = await self._store.read(lambda tx: tx.content.runner(name_or_id))
            if runner is None:
                raise NotFoundError(f'Resource with a name or id "{name_or_id}" not found')
            cache.runners[name_or_id] = runner
        return cache.runners[name_or_id]

    async def runners(self) -> list[RunnerType]:
        """Returns all runner types, sorted by name."""
        return list(await self._store.read(lambda tx: tx.content.runners()))

    async def switch_runner(self, name_or_id: str, enabled: bool) -> RunnerType:
        """Enables or disables a runner type, also for later registrations of packs. Raises `NotFoundError`."""
        name = (await self.runner(name_or_id)).name

        async def work(tx: Tx) -> None:
            runners = [
                msgspec.structs.replace(each, enabled=enabled) if each.name == name else each
                for each in await tx.content.runners()
            ]
            await tx.content.replace_runners(runners, switch=True)

        await self._store.tx(work)
        self._cache = _Cache(0)
        return await self.runner(name)

    async def packs(self) -> dict[str, Pack]:
        """Returns all packs by ref."""
        cache = self._fresh()
        if cache.packs is None:
            cache.packs = {pack.ref: pack for pack in await self._store.read(lambda tx: tx.content.packs())}
        return dict(cache.packs)

    async def pack(self, ref_or_id: str) -> Pack:
        """Returns a pack. Raises `NotFoundError`."""
        for pack in (await self.packs()).values():
            if ref_or_id in (pack.ref, pack.id):
                return pack
        raise NotFoundError(f'Resource with a ref or id "{ref_or_id}" not found')

    async def pack_file(self, pack: Pack, name: str) -> bytes:
        """Returns the present content of a pack's file. Raises `InvalidError`, `NotFoundError`."""
        return await asyncio.to_thread(self._source.file, pack, name)

    async def runnable(self, ref: str) -> tuple[Action, RunnerType] | None:
        """Returns an action and its runner type; None if there is no such action."""

        async def work(tx: Tx) -> tuple[Action, RunnerType] | None:
            action = await tx.content.action(ref)
            runner = await tx.content.runner(action.runner_type) if action is not None else None
            return (action, runner) if action is not None and runner is not None else None

        cache = self._fresh()
        if ref not in cache.runnable:
            cache.runnable[ref] = await self._store.read(work)
        return cache.runnable[ref]

    async def file(self, action: Action) -> str:
        """Returns the present text of an action's entry point. Raises `InvalidError`."""
        packs = await self.packs()
        if action.pack not in packs:
            raise InvalidError(f'The pack "{action.pack}" of action "{action.ref}" is no longer there.')
        path = PurePosixPath(packs[action.pack].path) / "actions" / action.entry_point
        return self._source.text(str(path))

    async def snapshot(self, key: str) -> tuple[Action, RunnerType]:
        """Returns the action and runner type that an execution was requested with. Raises `NotFoundError`."""
        snapshot = self._snapshots.get(key)
        if snapshot is None:
            snapshot = await self._store.read(lambda tx: tx.content.snapshot(key))
            if snapshot is None:
                raise NotFoundError(f'The snapshot "{key}" of an action is gone')
            if len(self._snapshots) >= _MOST_CACHED:
                self._snapshots.clear()
            self._snapshots[key] = snapshot
        return snapshot


def snapshot_key(action: Action, runner: RunnerType) -> str:
    """Returns the key of a snapshot: a hash of its content."""
    return hashlib.sha256(msgspec.json.encode([action, runner])).hexdigest()[:32]
