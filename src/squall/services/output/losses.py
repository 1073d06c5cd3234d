"""Tells which output of ended executions their journals do not hold any more."""

from __future__ import annotations

from collections.abc import Sequence

from squall.core.execution.execution import Execution
from squall.core.output.accounts import Account, Loss
from squall.core.output.journal import NO_STREAM, Batch, loss_record
from squall.core.output.places import Place
from squall.ports import Journal, Seal, Store, Tx

_CAPACITY = 4096


def ended_at(execution: Execution) -> int:
    """Returns the time (µs) for gaps in the output of an ended execution that have no record beside them."""
    return execution.end or execution.start


_LARGE = 100


class Losses:
    """Compares journals with what the database knows. It remembers the answers for large trees that have ended."""

    def __init__(self, store: Store, journal_port: Journal) -> None:
        self._store = store
        self._journal = journal_port
        self._known: dict[tuple[str, bool], tuple[Loss, ...]] = {}

    def clear(self) -> None:
        """Forgets all answers: a file may have been restored."""
        self._known.clear()

    async def of(self, execution: Execution, whole: bool) -> tuple[Loss, ...]:
        """Returns what is missing of the output of an ended execution, or of its `whole` tree."""
        key = execution.id, whole
        known = self._known.get(key)
        if known is None:

            async def work(tx: Tx) -> tuple[Sequence[Account], Seal | None]:
                return await tx.journals.accounts(execution.tree), await tx.journals.get(execution.tree)

            accounts, seal = await self._store.read(work)
            own = [account for account in accounts if whole or account.execution == execution.id]
            size = seal.size if seal is not None else None
            known = tuple(await self._journal.lost(execution.tree, own, size))
            if len(own) > _LARGE:
                if len(self._known) >= _CAPACITY:
                    self._known.clear()
                self._known[key] = known
        return known

    async def told(self, batch: Batch, execution: Execution, whole: bool, end: Place) -> Batch:
        """Returns the batch with gap records for what is missing before the record that starts at `end`; behind all
        records if none does. The batch of a journal that is missing as a whole gets a place behind its beginning."""
        missing = await self.of(execution, whole)
        if not missing:
            return batch
        at = next((number for number, record in enumerate(batch.records) if record.start == end), len(batch.records))
        beside = batch.records[max(0, at - 1) : at + 1]
        time = beside[-1].time if beside else ended_at(execution)
        gaps = [
            loss_record(
                loss.execution if loss.stream != NO_STREAM else execution.id, loss.stream, loss.missing, end, time
            )
            for loss in missing
        ]
        return Batch([*batch.records[:at], *gaps, *batch.records[at:]], max(batch.position, gaps[-1].end))
