"""The table of sealed journals: the place, sizes and hash of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from squall.adapters.sql.dialect.session import Session, marks
from squall.core.execution.execution import FINAL
from squall.core.output.accounts import Account
from squall.ports import FILE, Seal

_FINAL = sorted(FINAL)
_LANE = "journal"
_UNSYNCED = "unsynced"


class SqlJournals:
    """`ports.JournalRows` in SQL."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def keep(self, seals: Mapping[str, Seal], at: int) -> None:
        """Stores seals by tree, with the time `at` (µs) for new ones."""
        for tree, seal in seals.items():
            # If the execution was removed meanwhile, this inserts no row.
            await self._session.run(
                "INSERT INTO journals (tree, place, size, stored, digest, sealed_us) "
                "SELECT id, ?, ?, ?, ?, ? FROM executions WHERE id = ? "
                "ON CONFLICT (tree) DO UPDATE SET place = excluded.place, size = excluded.size, "
                "stored = excluded.stored, digest = excluded.digest",
                seal.place,
                seal.size,
                seal.stored,
                seal.digest,
                at,
                tree,
            )

    async def synced(self, trees: Sequence[str]) -> None:
        """Deletes the rows of lane `unsynced` about executions of these trees, whose journals are on the disk."""
        for tree in trees:
            await self._session.run(
                "DELETE FROM queue WHERE lane = ? AND key IN (SELECT id FROM executions WHERE id = ? "
                "UNION ALL SELECT id FROM executions WHERE tree = ? AND parent IS NOT NULL)",
                _UNSYNCED,
                tree,
                tree,
            )

    async def get(self, tree: str) -> Seal | None:
        """Returns the seal of one tree; None if its journal is not sealed."""
        rows = await self._session.run("SELECT place, size, stored, digest FROM journals WHERE tree = ?", tree)
        return Seal(*rows[0]) if rows else None

    async def account(self, account: Account) -> None:
        """Stores what is known of the output of an execution whose process has ended."""
        await self._session.run(
            "UPDATE executions SET stdout_bytes = ?, stderr_bytes = ?, last_record = ? WHERE id = ?",
            account.stdout,
            account.stderr,
            account.last_record,
            account.execution,
        )

    async def accounts(self, tree: str) -> Sequence[Account]:
        """Returns what is known of the output of a tree's ended executions that had a record in its journal."""
        columns = "SELECT id, stdout_bytes, stderr_bytes, last_record FROM executions"
        rows = await self._session.run(
            f"{columns} WHERE id = ? AND last_record > 0 "
            f"UNION ALL {columns} WHERE tree = ? AND parent IS NOT NULL AND last_record > 0",
            tree,
            tree,
        )
        return [Account(*row) for row in rows]

    async def complete(self, trees: Sequence[str]) -> Sequence[str]:
        """Returns the trees that have ended as a whole and whose status changes are all in their journals."""
        ended: list[str] = []
        for at in range(0, len(trees), 500):
            chunk = trees[at : at + 500]
            rows = await self._session.run(
                f"SELECT id FROM executions AS root WHERE id IN ({marks(len(chunk))}) "
                f"AND status IN ({marks(len(_FINAL))}) AND NOT EXISTS ("
                "SELECT 1 FROM executions AS child WHERE child.tree = root.id AND child.parent IS NOT NULL "
                f"AND child.status NOT IN ({marks(len(_FINAL))}))",
                *chunk,
                *_FINAL,
                *_FINAL,
            )
            ended += [row[0] for row in rows]
        # The lane is short, so one query for all its rows is cheaper than a search for each tree.
        waiting = await self._session.run(
            "SELECT DISTINCT executions.tree FROM queue JOIN executions ON executions.id = queue.key "
            "WHERE queue.lane = ?",
            _LANE,
        )
        incomplete = {row[0] for row in waiting}
        return [tree for tree in ended if tree not in incomplete]

    async def movable(self, before: int, limit: int) -> Sequence[str]:
        """Returns up to `limit` trees in sealed files, sealed before `before` (µs), oldest first."""
        rows = await self._session.run(
            f"SELECT tree FROM journals WHERE place = ? AND sealed_us < ? ORDER BY sealed_us LIMIT {int(limit)}",
            FILE,
            before,
        )
        return [row[0] for row in rows]

    async def totals(self) -> Mapping[str, tuple[int, int, int]]:
        """Returns by place: the number of journals, their bytes, and their stored bytes."""
        rows = await self._session.run("SELECT place, count(*), sum(size), sum(stored) FROM journals GROUP BY place")
        return {str(place): (int(count), int(size), int(stored)) for place, count, size, stored in rows}

    async def by_action(self, limit: int) -> Sequence[tuple[str, int, int, int]]:
        """Returns for each action: the number of executions, the bytes of their journals, and the stored bytes."""
        rows = await self._session.run(
            "SELECT action, count(*), COALESCE(sum(journals.size), 0), COALESCE(sum(journals.stored), 0) "
            "FROM executions LEFT JOIN journals ON journals.tree = executions.id "
            f"GROUP BY action ORDER BY 4 DESC, 2 DESC, 1 LIMIT {int(limit)}"
        )
        return [(str(action), int(count), int(size), int(stored)) for action, count, size, stored in rows]
