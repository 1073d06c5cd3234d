"""The tables, inside one transaction: one Protocol for each noun."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from squall.core.content.action import Action, Pack, RunnerType
from squall.core.event.events import Change, Event
from squall.core.execution.execution import Execution, ExecutionFilter
from squall.core.execution.retention import Finished
from squall.ports.output.archive import Seal
from squall.ports.tables.access import AccessRows
from squall.ports.tables.keys import KeyRows
from squall.ports.tables.policies import PolicyRows, SlotRows, TraceRows
from squall.ports.tables.workflows import WorkflowRows


class ExecutionRows(Protocol):
    """The table of executions."""

    async def insert(self, execution: Execution) -> None:
        """Adds a new one."""
        ...

    async def update(self, execution: Execution) -> None:
        """Writes what may change: status, times, attempt, context, runner info, result, log."""
        ...

    async def get(self, execution_id: str, with_result: bool = True) -> Execution | None:
        """One by id; without the result when `with_result` is false."""
        ...

    async def latest(self) -> str | None:
        """The id of the one that started last, of those that are nobody's child."""
        ...

    async def find(
        self, where: ExecutionFilter, limit: int | None, offset: int, with_result: bool
    ) -> Sequence[Execution]:
        """A page of those that match."""
        ...

    async def count(self, where: ExecutionFilter, cap: int) -> int:
        """How many match, but at most `cap`: counting further costs more than the number is worth."""
        ...

    async def descendants(self, execution_id: str, depth: int | None, with_result: bool) -> Sequence[Execution]:
        """Children and theirs, oldest first, `depth` levels deep (None: all)."""
        ...

    async def child_ids(self, execution_ids: Sequence[str]) -> Mapping[str, list[str]]:
        """The ids of the direct children of each of `execution_ids`, oldest first; only those that have some."""
        ...

    async def distinct(self, names: Sequence[str]) -> Mapping[str, list[str]]:
        """The different values of some of `action`, `runner`, `status`, `user`, in order; absent if none."""
        ...

    async def unfinished(self, tree: str | None) -> Sequence[str]:
        """The ids of those without a final status, of one tree or of all."""
        ...


class Due(msgspec.Struct, frozen=True):
    """A claimed queue row. `token` fences: only the holder of the newest token may finish or renew it."""

    id: int
    lane: str
    key: str
    payload: Any
    token: int
    attempts: int


class QueueRows(Protocol):
    """Whatever must happen later, in lanes. A row stays until it is done; a lease that runs out frees it."""

    async def put(self, lane: str, key: str, payload: Any, available: int) -> None:
        """Adds a row that may be claimed from `available` (µs) on. `key` is what it is about."""
        ...

    async def claim(self, lane: str, owner: str, now: int, lease: int, limit: int) -> Sequence[Due]:
        """Takes up to `limit` rows that are due and not leased, for `lease` µs, oldest first."""
        ...

    async def renew(self, tasks: Sequence[Due], now: int, lease: int) -> Sequence[int]:
        """Lengthens the leases; gives the ids of those that are still held."""
        ...

    async def done(self, task: Due) -> bool:
        """Removes the row; false when another has taken it meanwhile."""
        ...

    async def release(self, task: Due, available: int) -> bool:
        """Gives the row back, to be claimed from `available` (µs) on."""
        ...

    async def discard(self, lane: str, key: str) -> None:
        """Removes every row of `lane` about `key`, claimed or not."""
        ...

    async def next_due(self, lane: str) -> int | None:
        """When the next row of the lane is due (µs), leased rows included at the end of their lease; None if empty."""
        ...

    async def place(self, lane: str, key: str) -> tuple[int, int] | None:
        """When the lane's row about `key` may be claimed (µs), and how many rows come before it."""
        ...

    async def holds(self, lane: str, key: str) -> bool:
        """Whether the lane has a row about `key`."""
        ...

    async def free(self, owner: str, now: int) -> None:
        """Ends every lease of `owner`, who has just started anew and holds nothing."""
        ...

    async def depths(self) -> Mapping[str, int]:
        """How many rows each lane has, claimed or not."""
        ...


class EventRows(Protocol):
    """The bounded log of changes of all kinds of resources; the event stream sends them."""

    async def add(self, change: Change, document: bytes = b"") -> int:
        """Adds the event of a change; returns its row number. Without a document the event refers to its resource."""
        ...

    async def after(self, row: int, limit: int) -> Sequence[Event]:
        """Events behind `row`, in order."""
        ...

    async def bounds(self) -> tuple[int, int]:
        """(first row still kept, last row); (0, 0) when there never was one, (n + 1, n) when none is kept."""
        ...

    async def document(self, row: int) -> bytes:
        """Returns the document of an event, JSON; empty if it has none, or if its resource was purged."""
        ...

    async def of(self, kind: str, resource: str) -> Sequence[Event]:
        """Events about one resource of a kind, in order."""
        ...

    async def prune(self, keep: int) -> int:
        """Deletes all but the newest `keep`; gives how many went."""
        ...


class ContentRows(Protocol):
    """Packs, actions, runner types as registered, and the snapshots of them that executions were requested with."""

    async def replace_runners(self, runners: Sequence[RunnerType], *, switch: bool = False) -> None:
        """Registers these runner types and no others, keeping the ids of those known, and their `enabled` unless
        `switch` is set."""
        ...

    async def replace_pack(self, pack: Pack, actions: Sequence[Action]) -> None:
        """Registers a pack with these actions and no others, keeping the ids of those known."""
        ...

    async def keep_packs(self, refs: Sequence[str]) -> None:
        """Forgets every pack that is not one of `refs`, with its actions."""
        ...

    async def packs(self) -> Sequence[Pack]:
        """All packs by ref."""
        ...

    async def action(self, ref_or_id: str) -> Action | None:
        """One action."""
        ...

    async def actions(
        self, pack: str | None = None, limit: int | None = None, offset: int = 0
    ) -> tuple[Sequence[Action], int]:
        """Actions by pack and name, of all packs or of one: a part of them, and how many there are."""
        ...

    async def runner(self, name_or_id: str) -> RunnerType | None:
        """One runner type."""
        ...

    async def runners(self) -> Sequence[RunnerType]:
        """All runner types by name."""
        ...

    async def keep_snapshot(self, key: str, action: Action, runner: RunnerType) -> None:
        """Keeps both under their content hash `key`; nothing happens when it is there."""
        ...

    async def snapshot(self, key: str) -> tuple[Action, RunnerType] | None:
        """What was kept under `key`."""
        ...


class JournalRows(Protocol):
    """What is known of the sealed journals: where each is, its sizes and its hash."""

    async def keep(self, seals: Mapping[str, Seal], at: int) -> None:
        """Notes seals by tree; `at` (µs) is when those were made that are not known yet."""
        ...

    async def get(self, tree: str) -> Seal | None:
        """One tree's; None while its journal is not sealed."""
        ...

    async def complete(self, trees: Sequence[str]) -> Sequence[str]:
        """Which of these have ended as a whole, with every status change copied into their journal."""
        ...

    async def movable(self, before: int, limit: int) -> Sequence[str]:
        """Trees in sealed files of their own, sealed before `before` (µs), oldest first."""
        ...

    async def totals(self) -> Mapping[str, tuple[int, int, int]]:
        """By place: how many, bytes of journal, bytes stored."""
        ...

    async def by_action(self, limit: int) -> Sequence[tuple[str, int, int, int]]:
        """Action, how many executions, bytes of journal, bytes stored (of roots), what takes most first."""
        ...


class RetentionRows(Protocol):
    """Removing executions for good."""

    async def finished(self, after: tuple[int, str], before: int, limit: int) -> Sequence[Finished]:
        """Roots whose tree has ended, in the order of start and id: behind `after`, started before `before`."""
        ...

    async def purge(self, trees: Sequence[str]) -> int:
        """Removes the rows of whole trees from every table; gives how many executions that were."""
        ...

    async def count(self, trees: Sequence[str]) -> int:
        """How many executions these trees have."""
        ...

    async def used_snapshots(self) -> Sequence[str]:
        """The keys of snapshots that executions have."""
        ...

    async def drop_snapshots(self, used: Sequence[str], since: int) -> int:
        """Removes every snapshot but `used` ones and those of executions that started behind `since` (µs), and every
        text of a workflow that no workflow has."""
        ...

    async def size(self) -> int:
        """Bytes of the database."""
        ...


class Tx(Protocol):
    """The tables, inside one transaction."""

    @property
    def executions(self) -> ExecutionRows: ...  # noqa: D102
    @property
    def queue(self) -> QueueRows: ...  # noqa: D102
    @property
    def keys(self) -> KeyRows: ...  # noqa: D102
    @property
    def events(self) -> EventRows: ...  # noqa: D102
    @property
    def content(self) -> ContentRows: ...  # noqa: D102
    @property
    def journals(self) -> JournalRows: ...  # noqa: D102
    @property
    def policies(self) -> PolicyRows: ...  # noqa: D102
    @property
    def slots(self) -> SlotRows: ...  # noqa: D102
    @property
    def traces(self) -> TraceRows: ...  # noqa: D102
    @property
    def retention(self) -> RetentionRows: ...  # noqa: D102
    @property
    def access(self) -> AccessRows: ...  # noqa: D102
    @property
    def workflows(self) -> WorkflowRows: ...  # noqa: D102
