"""Reports the disk space of journals and database, and verifies sealed journals."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from squall.core.errors import NotFoundError
from squall.core.output.accounts import Account, losses
from squall.ports import FILE, LIVE, Archive, Clock, Damage, ScrubMark, Seal, Store, Tx, Verdict


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


class Checked(msgspec.Struct, frozen=True):
    """The result of a check of one tree: the verdict on its journal (None: there is none), the hash from its sealing
    (None: it is not sealed), and all faults."""

    tree: str
    verdict: Verdict | None
    digest: str | None
    faults: tuple[str, ...]


class Storage:
    """Reads space figures and checks journals."""

    def __init__(self, store: Store, archive: Archive, clock: Clock) -> None:
        self._store = store
        self._archive = archive
        self._clock = clock

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

    async def verify(self, tree: str, rate: float | None = None) -> Checked:
        """Reads every byte of a tree's journal, about `rate` bytes a second (None: as fast as possible), and compares
        it with what the database knows: that it must exist, its hash when it was sealed, and the bytes of each stream
        of each execution.

        Raises `NotFoundError` if the execution does not exist, `UnavailableError` if the journal cannot be read.
        """

        async def work(tx: Tx) -> tuple[Seal | None, Sequence[Account], bool]:
            if await tx.executions.get(tree, False) is None:
                raise NotFoundError(f'Unable to identify resource with id "{tree}".')
            # The journal of a tree with children has their statuses, also if nobody has printed anything.
            expected = bool(await tx.executions.child_ids([tree])) and bool(await tx.journals.complete([tree]))
            return await tx.journals.get(tree), await tx.journals.accounts(tree), expected

        seal, accounts, expected = await self._store.read(work)
        verdict = await self._archive.verify(tree, accounts, rate)
        if verdict is None:
            faults = [loss.text() for loss in losses(accounts, {})]
            if seal is not None:
                faults.insert(0, "the output was sealed, but its file is missing")
            elif accounts or expected:
                faults.insert(0, "the journal is missing")
        else:
            faults = list(verdict.faults)
            if seal is not None and verdict.place != LIVE and verdict.digest != seal.digest and verdict.digest:
                faults.append("the hash of the output differs from the hash in the execution record")
        return Checked(tree, verdict, seal.digest if seal is not None else None, tuple(faults))

    async def check(self, tree: str, rate: float | None = None) -> Checked:
        """As `verify`, and stores the faults for `damages`."""
        checked = await self.verify(tree, rate)
        now = self._clock.now()
        known = await self._store.read(lambda tx: tx.scrubs.known(tree))
        if known or checked.faults:
            await self._store.tx(lambda tx: tx.scrubs.note(Damage(tree, now, checked.faults)))
        return checked

    async def damages(self, limit: int) -> tuple[Sequence[Damage], int, ScrubMark]:
        """Returns up to `limit` trees with damaged journals, the number of all of them, and how far the scrubber has
        come."""

        async def work(tx: Tx) -> tuple[Sequence[Damage], int, ScrubMark]:
            return await tx.scrubs.damages(limit), await tx.scrubs.count(), await tx.scrubs.mark()

        return await self._store.read(work)


def _by_pack(shares: Sequence[Share]) -> list[Share]:
    packs: dict[str, Share] = {}
    for share in shares:
        name = share.name.partition(".")[0]
        pack = packs.get(name, Share(name, 0, 0, 0))
        packs[name] = Share(
            name, pack.executions + share.executions, pack.size + share.size, pack.stored + share.stored
        )
    return sorted(packs.values(), key=lambda share: (-share.stored, -share.executions, share.name))
