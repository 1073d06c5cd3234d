"""What takes space."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from squall.core.errors import NotFoundError
from squall.ports import FILE, LIVE, Archive, Store, Tx, Verdict


class Place(msgspec.Struct, frozen=True):
    """Journals of one kind: how many, their bytes, and the bytes they take (for live ones the same)."""

    place: str
    journals: int
    size: int
    stored: int


class Share(msgspec.Struct, frozen=True):
    """What the executions of one action (or pack) have: bytes of sealed output, and what these take."""

    name: str
    executions: int
    size: int
    stored: int


class Usage(msgspec.Struct, frozen=True):
    """Where the space goes, in bytes. `events` is how many rows the event log has."""

    database: int
    events: int
    places: list[Place]
    actions: list[Share]
    packs: list[Share]


class Storage:
    """Looks at what there is."""

    def __init__(self, store: Store, archive: Archive) -> None:
        self._store = store
        self._archive = archive

    async def usage(self, actions: int) -> Usage:
        """Where the space goes; the `actions` actions and packs that take most."""
        files = await self._archive.usage()

        async def work(tx: Tx) -> tuple[int, tuple[int, int], dict[str, tuple[int, int, int]], list[Share]]:
            shares = [Share(*row) for row in await tx.journals.by_action(1 << 30)]
            return await tx.retention.size(), await tx.events.bounds(), dict(await tx.journals.totals()), shares

        database, (first, last), totals, shares = await self._store.read(work)
        live, size = files.get(LIVE, (0, 0))
        places = [Place(LIVE, live, size, size)]
        places += [Place(place, *totals[place]) for place in sorted(totals)]
        if FILE not in totals and files.get(FILE, (0, 0))[0]:
            places.append(Place(FILE, *files[FILE], files[FILE][1]))
        return Usage(
            database=database,
            events=last - first + 1 if last else 0,
            places=places,
            actions=shares[:actions],
            packs=_by_pack(shares)[:actions],
        )

    async def digest(self, tree: str) -> str | None:
        """The SHA-256 (hex) of a sealed journal; None as long as it is not sealed."""
        seal = await self._store.read(lambda tx: tx.journals.get(tree))
        return seal.digest if seal is not None else None

    async def verify(self, tree: str) -> tuple[Verdict | None, str | None]:
        """What is found when every byte of a tree's journal is read, and the hash its execution has (None: it is not
        sealed). Raises `NotFoundError` when there is no such execution."""

        async def work(tx: Tx) -> str | None:
            if await tx.executions.get(tree, False) is None:
                raise NotFoundError(f'Unable to identify resource with id "{tree}".')
            seal = await tx.journals.get(tree)
            return seal.digest if seal is not None else None

        digest = await self._store.read(work)
        return await self._archive.verify(tree), digest


def _by_pack(shares: Sequence[Share]) -> list[Share]:
    packs: dict[str, Share] = {}
    for share in shares:
        name = share.name.partition(".")[0]
        had = packs.get(name, Share(name, 0, 0, 0))
        packs[name] = Share(name, had.executions + share.executions, had.size + share.size, had.stored + share.stored)
    return sorted(packs.values(), key=lambda share: (-share.stored, -share.executions, share.name))
