"""Reports the disk space of journals and database, and verifies sealed journals."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from squall.core.errors import NotFoundError
from squall.ports import FILE, LIVE, Archive, Store, Tx, Verdict


class Place(msgspec.Struct, frozen=True):
    """The journals in one place: their number, the bytes of their content (`size`) and on disk (`stored`).

    Both are equal for live journals.
    """

    place: str
    journals: int
    size: int
    stored: int


class Share(msgspec.Struct, frozen=True):
    """The sealed output of one action's (or pack's) executions: bytes of content (`size`) and on disk (`stored`)."""

    name: str
    executions: int
    size: int
    stored: int


class Usage(msgspec.Struct, frozen=True):
    """The space in use, in bytes. `events` is the number of rows in the event table."""

    database: int
    events: int
    places: list[Place]
    actions: list[Share]
    packs: list[Share]


class Storage:
    """Reads space figures and checks journals."""

    def __init__(self, store: Store, archive: Archive) -> None:
        self._store = store
        self._archive = archive

    async def usage(self, actions: int) -> Usage:
        """Returns the space in use, with the `actions` largest actions and as many packs."""
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
        """Returns the SHA-256 (hex) of a sealed journal; None if it is not sealed yet."""
        seal = await self._store.read(lambda tx: tx.journals.get(tree))
        return seal.digest if seal is not None else None

    async def verify(self, tree: str) -> tuple[Verdict | None, str | None]:
        """Reads every byte of a tree's journal. Returns the verdict and the stored hash (None: not sealed yet).

        Raises `NotFoundError` if the execution does not exist.
        """

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
        pack = packs.get(name, Share(name, 0, 0, 0))
        packs[name] = Share(
            name, pack.executions + share.executions, pack.size + share.size, pack.stored + share.stored
        )
    return sorted(packs.values(), key=lambda share: (-share.stored, -share.executions, share.name))
