"""The tables of the scrubber: how far it has come, and the damaged journals that it has found."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from squall.adapters.sql.dialect.session import Session
from squall.ports import Damage, ScrubMark

_JSON = msgspec.json.Encoder()
_TEXTS = msgspec.json.Decoder(tuple[str, ...])


class SqlScrubs:
    """`ports.ScrubRows` in SQL."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def mark(self) -> ScrubMark:
        """Returns how far the scrubber has come."""
        rows = await self._session.run("SELECT start_us, tree, round, begun_us FROM scrubs")
        return ScrubMark(*rows[0]) if rows else ScrubMark()

    async def advance(self, mark: ScrubMark) -> None:
        """Stores how far the scrubber has come."""
        await self._session.run("DELETE FROM scrubs")
        await self._session.run(
            "INSERT INTO scrubs (start_us, tree, round, begun_us) VALUES (?, ?, ?, ?)",
            mark.start,
            mark.tree,
            mark.round,
            mark.begun,
        )

    async def note(self, damage: Damage) -> None:
        """Stores the faults of a tree's journal; removes its row if there are none. The time of an earlier row stays.
        Does nothing if the tree has been removed."""
        if not damage.faults:
            await self._session.run("DELETE FROM faults WHERE tree = ?", damage.tree)
            return
        await self._session.run(
            "INSERT INTO faults (tree, found_us, texts) SELECT id, ?, ? FROM executions WHERE id = ? "
            "ON CONFLICT (tree) DO UPDATE SET texts = excluded.texts",
            damage.found,
            _JSON.encode(damage.faults).decode(),
            damage.tree,
        )

    async def damages(self, limit: int) -> Sequence[Damage]:
        """Returns up to `limit` trees with damaged journals, the newest first."""
        rows = await self._session.run(
            f"SELECT tree, found_us, texts FROM faults ORDER BY found_us DESC, tree LIMIT {int(limit)}"
        )
        return [Damage(tree, found, _TEXTS.decode(texts)) for tree, found, texts in rows]

    async def known(self, tree: str) -> bool:
        """Returns whether a tree has stored faults."""
        return bool(await self._session.run("SELECT 1 FROM faults WHERE tree = ?", tree))

    async def count(self) -> int:
        """Returns the number of trees with damaged journals."""
        ((count,),) = await self._session.run("SELECT count(*) FROM faults")
        return int(count)
