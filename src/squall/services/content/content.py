"""Packs, actions and runner types: registering what the pack folders hold, and finding it again."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Collection, Mapping
from functools import partial
from pathlib import PurePosixPath
from typing import NamedTuple

import msgspec

from squall.core.content.action import Action, Pack, RunnerType
from squall.core.errors import InvalidError, NotFoundError
from squall.core.execution.policy import Policy
from squall.ports import Clock, PackSource, Store, Tx

_KEPT = 2048
_FRESH = 1_000_000


class Registered(NamedTuple):
    """What was found: how many runner types, and of each pack how many of each kind of content, and its policies.

    `faults` are (pack, message) of what was left out; `refs` are all packs that there are, also those not looked into.
    """

    runners: int
    packs: dict[str, Mapping[str, int]]
    policies: dict[str, list[Policy]]
    faults: list[tuple[str, str]]
    refs: list[str]


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

    async def register(self, only: Collection[str] | None = None) -> Registered:
        """Registers what the pack source has, or only these packs of it, each in one transaction, and forgets the
        packs it no longer has. It may be called again and again."""
        loaded = await asyncio.to_thread(self._source.load, only)
        new_id = self._clock.new_id
        runners = [msgspec.structs.replace(runner, id=new_id()) for runner in loaded.runners]
        await self._store.tx(lambda tx: tx.content.replace_runners(runners))
        for found in loaded.packs:
            pack = msgspec.structs.replace(found.pack, id=new_id())
            actions = [msgspec.structs.replace(action, id=new_id()) for action in found.actions]
            await self._store.tx(partial(_replace, pack, actions))
        await self._store.tx(lambda tx: tx.content.keep_packs(loaded.refs))
        self._kept = _Kept(0)
        return Registered(
            len(runners),
            {found.pack.ref: found.counts for found in loaded.packs},
            {found.pack.ref: found.policies for found in loaded.packs},
            loaded.faults,
            loaded.refs,
        )

    async def activate(self, refs: Collection[str], strict: bool) -> None:
        """Uses the versions of packs that were prepared, from the next registration on.

        Raises `InvalidError`, with everything that is wrong in them, if that is to be `strict`; then they are removed.
        """
        loaded = await asyncio.to_thread(self._source.prepared, refs)
        if loaded.faults and strict:
            await asyncio.to_thread(self._source.discard, refs)
            raise InvalidError("\n".join(f"{pack}: {told}" for pack, told in loaded.faults))
        await asyncio.to_thread(self._source.activate, refs)

    def look_again(self) -> None:
        """Forgets what it has read: something was changed."""
        self._kept = _Kept(0)

    async def forget(self, ref: str) -> list[str]:
        """Forgets a pack and its actions; its files stay. Gives the packs that are left. Raises `NotFoundError`."""
        pack = await self.pack(ref)
        left = [each for each in await self.packs() if each != pack.ref]
        await self._store.tx(lambda tx: tx.content.keep_packs(left))
        self._kept = _Kept(0)
        return left

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


async def _replace(pack: Pack, actions: list[Action], tx: Tx) -> None:
    """Registers what files say; what was made over the API, and no file has the name of, stays."""
    named = {action.ref for action in actions}
    known, _ = await tx.content.actions(pack.ref)
    made = [action for action in known if not action.metadata_file and action.ref not in named]
    await tx.content.replace_pack(pack, [*actions, *made])


def snapshot_key(action: Action, runner: RunnerType) -> str:
    """The content hash that names a snapshot."""
    return hashlib.sha256(msgspec.json.encode([action, runner])).hexdigest()[:32]
