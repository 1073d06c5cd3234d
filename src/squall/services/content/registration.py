"""Registers the content of packs' folders: one registrar per kind of content, one transaction per pack.

A new kind of content needs a registrar, and a line in the assembly of the server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import NamedTuple, Protocol

import msgspec

from squall.core.content.action import Action
from squall.core.errors import InvalidError
from squall.ports import Clock, LoadedPack, PackSource, Store, Tx
from squall.services.content.content import Content


class Registered(NamedTuple):
    """The result of a registration: the number of runner types, and of each kind of content by pack.

    `faults` are the (pack, message) of files that were skipped, `doubts` those of usable files with a probable mistake,
    `lacking` those of actions whose runner this server lacks. `refs` are all existing packs, also those that were not
    read. `unread` are packs that an error of the machine kept from being read; they stay as they were.
    """

    runners: int
    packs: dict[str, Mapping[str, int]]
    faults: list[tuple[str, str]]
    refs: list[str]
    doubts: Sequence[tuple[str, str]] = ()
    lacking: Sequence[tuple[str, str]] = ()
    unread: Sequence[str] = ()


class Registrar(Protocol):
    """A registrar of one kind of content."""

    async def replace(self, tx: Tx, loaded: LoadedPack) -> Sequence[str]:
        """Replaces the registered content of this kind of a pack with its present content. A repeated call is safe.

        Returns the faults of content that was left out."""
        ...

    async def keep(self, tx: Tx, refs: Collection[str]) -> None:
        """Deletes the content of packs that are not in `refs`, which are all existing packs."""
        ...

    def changed(self) -> None:
        """Clears caches and wakes waiting tasks after a transaction with changes was committed."""
        ...


class ActionRegistrar:
    """The `Registrar` of packs and their actions. Actions that the API created stay, unless a file has an action of the
    same name."""

    def __init__(self, content: Content, clock: Clock) -> None:
        self._content = content
        self._clock = clock

    async def replace(self, tx: Tx, loaded: LoadedPack) -> Sequence[str]:
        """Registers a pack and the actions of its files."""
        pack = msgspec.structs.replace(loaded.pack, id=self._clock.new_id())
        actions = [msgspec.structs.replace(action, id=self._clock.new_id()) for action in loaded.actions]
        names = {action.ref for action in actions}
        registered, _ = await tx.content.actions(pack.ref)
        await tx.content.replace_pack(pack, [*actions, *_created_over_the_api(registered, names)])
        return ()

    async def keep(self, tx: Tx, refs: Collection[str]) -> None:
        """Deletes the packs that are not in `refs`."""
        await tx.content.keep_packs(list(refs))

    def changed(self) -> None:
        """Clears the cache of the content."""
        self._content.look_again()


def _created_over_the_api(registered: Sequence[Action], names: Collection[str]) -> list[Action]:
    return [action for action in registered if not action.metadata_file and action.ref not in names]


class Registration:
    """The use cases that register packs. They call `registrars` in their order for each pack, then `later` ones, whose
    content may refer to content of other packs."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        source: PackSource,
        content: Content,
        registrars: Sequence[Registrar],
        later: Sequence[Registrar] = (),
    ) -> None:
        self._store = store
        self._clock = clock
        self._source = source
        self._content = content
        self._registrars = registrars
        self._later = later

    async def register(self, only: Collection[str] | None = None) -> Registered:
        """Registers all packs of the pack source, or only those in `only`, each in one transaction. Deletes the packs
        that the source no longer has. A repeated call is safe."""
        loaded = await asyncio.to_thread(self._source.load, only)
        runners = [msgspec.structs.replace(runner, id=self._clock.new_id()) for runner in loaded.runners]
        await self._store.tx(lambda tx: tx.content.replace_runners(runners))
        counts: dict[str, dict[str, int]] = {each.pack.ref: dict(each.counts) for each in loaded.packs}
        faults = list(loaded.faults)
        for registrars in (self._registrars, self._later):
            for each in loaded.packs:
                for kind, message in await self._store.tx(partial(_replace, loaded=each, registrars=registrars)):
                    counts[each.pack.ref][kind] = counts[each.pack.ref].get(kind, 1) - 1
                    faults.append((each.pack.ref, message))
        await self._keep(loaded.refs)
        return Registered(len(runners), dict(counts), faults, loaded.refs, loaded.doubts, loaded.lacking, loaded.unread)

    async def activate(self, refs: Collection[str], strict: bool, installation: str = "") -> None:
        """Makes the versions of packs that the execution `installation` prepared the active ones, for the next
        registration.

        If `strict` is true and they have faults, deletes them and raises `InvalidError` with all faults.
        """
        loaded = await asyncio.to_thread(self._source.prepared, refs, installation)
        if loaded.faults and strict:
            await asyncio.to_thread(self._source.discard, refs, installation)
            raise InvalidError("\n".join(f"{pack}: {fault}" for pack, fault in loaded.faults))
        await asyncio.to_thread(self._source.activate, refs, installation)

    async def forget(self, ref: str) -> None:
        """Deletes a pack and all its content from the store; its files stay. Raises `NotFoundError`."""
        pack = await self._content.pack(ref)
        await self._keep([each for each in await self._content.packs() if each != pack.ref])

    async def _keep(self, refs: Collection[str]) -> None:
        async def work(tx: Tx) -> None:
            for registrar in (*self._later, *self._registrars):
                await registrar.keep(tx, refs)

        await self._store.tx(work)
        for registrar in (*self._registrars, *self._later):
            registrar.changed()


async def _replace(tx: Tx, loaded: LoadedPack, registrars: Sequence[Registrar]) -> list[tuple[str, str]]:
    """Registers a pack's content. Returns (folder, message) of each file that a registrar left out."""
    faults = [fault for registrar in registrars for fault in await registrar.replace(tx, loaded)]
    return [(fault.partition("/")[0], fault) for fault in faults]
