"""Registering what the folders of packs hold: a registrar for each kind of content, one transaction for each pack.

A new kind of content needs a registrar, and a line where the server is put together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from squall.core.content.action import Action
from squall.core.errors import InvalidError
from squall.ports import Clock, LoadedPack, PackSource, Store, Tx
from squall.services.content.content import Content


class Registered(NamedTuple):
    """What was registered: how many runner types, and how many of each kind of content each pack has.

    `faults` are (pack, message) of what was left out, `doubts` of what is used although it is hardly meant as it is,
    `lacking` of actions whose runner this server lacks. `refs` are all packs that there are, also those not read;
    `unread` those that only the machine kept from being read, which stay as they were.
    """

    runners: int
    packs: dict[str, Mapping[str, int]]
    faults: list[tuple[str, str]]
    refs: list[str]
    doubts: Sequence[tuple[str, str]] = ()
    lacking: Sequence[tuple[str, str]] = ()
    unread: Sequence[str] = ()


class Registrar(Protocol):
    """Registers one kind of content."""

    async def replace(self, tx: Tx, loaded: LoadedPack) -> None:
        """Registers what a pack has now of this kind, and forgets what it has no longer. It may be called again."""
        ...

    async def keep(self, tx: Tx, refs: Collection[str]) -> None:
        """Forgets what packs had that are not among `refs`, which are all packs that there are."""
        ...

    def changed(self) -> None:
        """Something was registered or forgotten, and the transaction is committed: drops caches, wakes who waits."""
        ...


class ActionRegistrar:
    """`Registrar` of packs and their actions. Actions that were made over the API stay, unless a file takes their
    name."""

    def __init__(self, content: Content, clock: Clock) -> None:
        self._content = content
        self._clock = clock

    async def replace(self, tx: Tx, loaded: LoadedPack) -> None:
        """Registers a pack and the actions of its files."""
        pack = msgspec.structs.replace(loaded.pack, id=self._clock.new_id())
        actions = [msgspec.structs.replace(action, id=self._clock.new_id()) for action in loaded.actions]
        names = {action.ref for action in actions}
        known, _ = await tx.content.actions(pack.ref)
        await tx.content.replace_pack(pack, [*actions, *_made_over_the_api(known, names)])

    async def keep(self, tx: Tx, refs: Collection[str]) -> None:
        """Forgets packs that are gone."""
        await tx.content.keep_packs(list(refs))

    def changed(self) -> None:
        """What was read of the content is read again."""
        self._content.look_again()


def _made_over_the_api(known: Sequence[Action], names: Collection[str]) -> list[Action]:
    return [action for action in known if not action.metadata_file and action.ref not in names]


class Registration:
    """Use cases of registering packs. `registrars` are called in their order for each pack."""

    def __init__(
        self, store: Store, clock: Clock, source: PackSource, content: Content, registrars: Sequence[Registrar]
    ) -> None:
        self._store = store
        self._clock = clock
        self._source = source
        self._content = content
        self._registrars = registrars

    async def register(self, only: Collection[str] | None = None) -> Registered:
        """Registers what the pack source has, or only these packs of it, each in one transaction, and forgets the
        packs it no longer has. It may be called again and again."""
        loaded = await asyncio.to_thread(self._source.load, only)
        runners = [msgspec.structs.replace(runner, id=self._clock.new_id()) for runner in loaded.runners]
        await self._store.tx(lambda tx: tx.content.replace_runners(runners))
        for each in loaded.packs:
            await self._store.tx(lambda tx, each=each: self._replace(tx, each))  # type: ignore[misc]
        await self._keep(loaded.refs)
        counts = {each.pack.ref: each.counts for each in loaded.packs}
        return Registered(
            len(runners), counts, loaded.faults, loaded.refs, loaded.doubts, loaded.lacking, loaded.unread
        )

    async def activate(self, refs: Collection[str], strict: bool, installation: str = "") -> None:
        """Uses the versions of packs that the execution `installation` prepared, from the next registration on.

        Raises `InvalidError`, with everything that is wrong in them, if that is to be `strict`; then they are removed.
        """
        loaded = await asyncio.to_thread(self._source.prepared, refs, installation)
        if loaded.faults and strict:
            await asyncio.to_thread(self._source.discard, refs, installation)
            raise InvalidError("\n".join(f"{pack}: {fault}" for pack, fault in loaded.faults))
        await asyncio.to_thread(self._source.activate, refs, installation)

    async def forget(self, ref: str) -> None:
        """Forgets a pack and all of its content; its files stay. Raises `NotFoundError`."""
        pack = await self._content.pack(ref)
        await self._keep([each for each in await self._content.packs() if each != pack.ref])

    async def _replace(self, tx: Tx, loaded: LoadedPack) -> None:
        for registrar in self._registrars:
            await registrar.replace(tx, loaded)

    async def _keep(self, refs: Collection[str]) -> None:
        async def work(tx: Tx) -> None:
            for registrar in self._registrars:
                await registrar.keep(tx, refs)

        await self._store.tx(work)
        for registrar in self._registrars:
            registrar.changed()
