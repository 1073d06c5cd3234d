# ruff: noqa: S101 - asserting is what a contract suite is for
"""The contract of the table of suspects; a part of `squall.testing.tables.store`."""

from __future__ import annotations

import pytest

from squall.ports import Store, Suspect, Tx


@pytest.mark.anyio
class SuspectContract:
    """The contract of `ports.SuspectRows`."""

    async def test_deaths_are_counted_for_each_subject_of_a_lane(self, store: Store) -> None:
        """The time is that of the first one."""

        async def work(tx: Tx) -> None:
            await tx.suspects.blame("run", "a", 2)
            await tx.suspects.blame("run", "b", 1)
            await tx.suspects.blame("run", "a", 3)
            await tx.suspects.blame("advance", "a", 4)

        await store.tx(work)
        suspects = await store.read(lambda tx: tx.suspects.all())
        assert suspects == [Suspect("run", "b", 1, 1), Suspect("run", "a", 2, 2), Suspect("advance", "a", 1, 4)]

    async def test_a_suspect_is_replaced_and_removed(self, store: Store) -> None:
        """Removing what is not there does nothing."""

        async def work(tx: Tx) -> None:
            await tx.suspects.blame("run", "a", 1)
            await tx.suspects.put(Suspect("run", "a", 7, 5))
            await tx.suspects.put(Suspect("run", "b", 1, 6))
            await tx.suspects.remove("run", "b")
            await tx.suspects.remove("run", "c")

        await store.tx(work)
        assert await store.read(lambda tx: tx.suspects.all()) == [Suspect("run", "a", 7, 5)]
