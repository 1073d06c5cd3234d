"""The tables, inside one transaction: one Protocol for each noun."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from squall.core.content.action import Action, Pack, RunnerType
from squall.core.event.events import Change, Event
from squall.core.execution.execution import Execution, ExecutionFilter
from squall.core.execution.retention import Finished
from squall.core.output.accounts import Account
from squall.ports.output.archive import Seal
from squall.ports.tables.access import AccessRows
from squall.ports.tables.gates import GateRows, KeptBackRows, SilenceRows
from squall.ports.tables.keys import KeyRows
from squall.ports.tables.policies import PolicyRows, SlotRows, TraceRows
from squall.ports.tables.rules import EnforcementRows, RuleRows
from squall.ports.tables.scrubs import ScrubRows
from squall.ports.tables.suspects import SuspectRows
from squall.ports.tables.timers import FireRows, TimerRows
from squall.ports.tables.triggers import InstanceRows, TriggerRows, TriggerTypeRows
from squall.ports.tables.webhooks import WebhookRows
from squall.ports.tables.workflows import WorkflowRows


class ExecutionRows(Protocol):
    """The table of executions."""

    async def insert(self, execution: Execution) -> None:
        """Adds a new execution."""
        ...

    async def update(self, execution: Execution) -> None:
        """Writes the fields that may change: status, times, attempt, context, runner info, result, log."""
        ...

    async def get(self, execution_id: str, with_result: bool = True) -> Execution | None:
        """Returns an execution by its id, without its result unless `with_result`."""
        ...

    async def latest(self) -> str | None:
        """Returns the id of the latest execution without a parent."""
        ...

    async def find(
        self, where: ExecutionFilter, limit: int | None, offset: int, with_result: bool
    ) -> Sequence[Execution]:
        """Returns a page of the executions that match."""
        ...

    async def count(self, where: ExecutionFilter, cap: int) -> int:
        """Returns the number of executions that match, at most `cap`: an exact count of many costs too much."""
        ...

    async def descendants(self, execution_id: str, depth: int | None, with_result: bool) -> Sequence[Execution]:
        """Returns the children and their children, oldest first, `depth` levels deep (None: all)."""
        ...

    async def child_ids(self, execution_ids: Sequence[str]) -> Mapping[str, list[str]]:
        """Returns the ids of the direct children of each execution, oldest first; leaves out those without children."""
        ...

    async def distinct(self, names: Sequence[str]) -> Mapping[str, list[str]]:
        """Returns the different values of these attributes (`action`, `runner`, `status`, `user`, `rule`, `trigger`,
        `trigger_type`), in order; leaves out attributes without values."""
        ...

    async def unfinished(self, tree: str | None) -> Sequence[str]:
        """Returns the ids of the executions without a final status, of one tree or of all."""
        ...


class Due(msgspec.Struct, frozen=True):
    """A claimed queue row. `token` is a fencing token: only the holder of the newest one may finish or renew it."""

    id: int
    lane: str
    key: str
    payload: Any
    token: int
    attempts: int


class QueueView(Protocol):
    """The questions about rows that wait in the queue."""

    async def next_due(self, lane: str) -> int | None:
        """Returns the time (µs) at which the next row of the lane is due; None if the lane is empty. A leased row is
        due at the end of its lease."""
        ...

    async def place(self, lane: str, key: str) -> tuple[int, int] | None:
        """Returns the time (µs) from which the lane's row with this `key` may be claimed, and the number of rows before
        it."""
        ...

    async def holds(self, lane: str, key: str) -> bool:
        """Checks whether the lane has a row with this `key`."""
        ...

    async def depths(self) -> Mapping[str, int]:
        """Returns the number of rows in each lane, claimed or not."""
        ...


class QueueMoves(Protocol):
    """Changes of rows that nobody works on: of whole lanes, of one key, of one owner."""

    async def move(self, task: Due, lane: str) -> bool:
        """Moves the row to another lane, where nobody has claimed it. Returns false if another owner has claimed it
        meanwhile."""
        ...

    async def move_all(self, lane: str, to: str) -> int:
        """Moves every row of a lane to another one, where it is due at once. Returns the number of rows."""
        ...

    async def wake(self, lane: str, since: int, available: int) -> None:
        """Lets every row of the lane that may be claimed only from `since` (µs) on, or later, be claimed from
        `available` (µs) on."""
        ...

    async def free(self, owner: str, now: int) -> None:
        """Ends every lease of `owner` that lasts longer than until `now` (µs); its rows may be claimed from then on."""
        ...

    async def discard(self, lane: str, key: str) -> None:
        """Removes every row of `lane` with this `key`, claimed or not."""
        ...


class QueueRows(QueueView, QueueMoves, Protocol):
    """The queue of work to do later, in lanes. A row stays until it is done; when its lease ends it is free again."""

    async def put(self, lane: str, key: str, payload: Any, available: int) -> None:
        """Adds a row that may be claimed from `available` (µs) on. `key` names its subject, an execution for
        example."""
        ...

    async def put_claimed(self, lane: str, key: str, payload: Any, owner: str, now: int, lease: int) -> Due:
        """Adds a row that `owner` has claimed for `lease` µs. Returns it."""
        ...

    async def claim(self, lane: str, owner: str, now: int, lease: int, limit: int) -> Sequence[Due]:
        """Claims up to `limit` rows that are due and not leased, for `lease` µs, oldest first."""
        ...

    async def renew(self, tasks: Sequence[Due], now: int, lease: int) -> Sequence[int]:
        """Renews the leases. Returns the ids of the rows that are still leased to the caller."""
        ...

    async def done(self, task: Due) -> bool:
        """Removes the row. Returns false if another owner has claimed it meanwhile."""
        ...

    async def release(self, task: Due, available: int) -> bool:
        """Ends the lease of a row, which may be claimed again from `available` (µs) on."""
        ...


class EventRows(Protocol):
    """The bounded log of changes of all kinds of resources, for the event stream."""

    async def add(self, change: Change, document: bytes = b"") -> int:
        """Adds the event of a change. Returns its row number. Without a document the event refers to its resource."""
        ...

    async def after(self, row: int, limit: int) -> Sequence[Event]:
        """Returns the events behind `row`, in order."""
        ...

    async def bounds(self) -> tuple[int, int]:
        """Returns (first stored row, last row); (0, 0) if there never was one, (n + 1, n) if none is left."""
        ...

    async def document(self, row: int) -> bytes:
        """Returns the document of an event (JSON); empty if it has none, or if its resource was purged."""
        ...

    async def of(self, kind: str, resource: str) -> Sequence[Event]:
        """Returns the events of one resource of a kind, in order."""
        ...

    async def removed(self, frequent: bool) -> int:
        """Returns the number of the newest row that `prune` has removed: of the frequent kinds, or of all others; 0 if
        it has removed none."""
        ...

    async def prune(self, keep: int) -> int:
        """Deletes all events but the newest `keep`. Returns the number of deleted ones."""
        ...


class ContentRows(Protocol):
    """The registered packs, actions and runner types, and the snapshots of them at the requests of executions."""

    async def replace_runners(self, runners: Sequence[RunnerType], *, switch: bool = False) -> None:
        """Registers these runner types and no others. Existing ones keep their ids, and their `enabled` unless `switch`
        is set."""
        ...

    async def replace_pack(self, pack: Pack, actions: Sequence[Action]) -> None:
        """Registers a pack with these actions and no others. Existing ones keep their ids."""
        ...

    async def keep_packs(self, refs: Sequence[str]) -> None:
        """Removes every pack that is not one of `refs`, with its actions."""
        ...

    async def packs(self) -> Sequence[Pack]:
        """Returns all packs, ordered by ref."""
        ...

    async def action(self, ref_or_id: str) -> Action | None:
        """Returns an action by its ref or id."""
        ...

    async def actions(
        self, pack: str | None = None, limit: int | None = None, offset: int = 0
    ) -> tuple[Sequence[Action], int]:
        """Returns a page of the actions of all packs or of one, ordered by pack and name, and the number of all."""
        ...

    async def runner(self, name_or_id: str) -> RunnerType | None:
        """Returns a runner type by its name or id."""
        ...

    async def runners(self) -> Sequence[RunnerType]:
        """Returns all runner types, ordered by name."""
        ...

    async def keep_snapshot(self, key: str, action: Action, runner: RunnerType) -> None:
        """Stores both under their content hash `key`, unless it exists."""
        ...

    async def snapshot(self, key: str) -> tuple[Action, RunnerType] | None:
        """Returns the snapshot with this `key`."""
        ...


class JournalRows(Protocol):
    """The table of sealed journals: place, sizes and hash of each."""

    async def keep(self, seals: Mapping[str, Seal], at: int) -> None:
        """Stores seals by tree; `at` (µs) is the time of the new ones."""
        ...

    async def synced(self, trees: Sequence[str]) -> None:
        """Removes the rows of lane `unsynced` about executions of these trees, whose journals are on the disk."""
        ...

    async def get(self, tree: str) -> Seal | None:
        """Returns the seal of a tree; None while its journal is not sealed."""
        ...

    async def account(self, account: Account) -> None:
        """Stores what is known of the output of an execution whose process has ended."""
        ...

    async def accounts(self, tree: str) -> Sequence[Account]:
        """Returns what is known of the output of a tree's ended executions that had a record in its journal."""
        ...

    async def complete(self, trees: Sequence[str]) -> Sequence[str]:
        """Returns the trees of which all executions have ended and all status changes are in the journal."""
        ...

    async def movable(self, before: int, limit: int) -> Sequence[str]:
        """Returns trees with their own sealed file, sealed before `before` (µs), oldest first."""
        ...

    async def totals(self) -> Mapping[str, tuple[int, int, int]]:
        """Returns by place: number of journals, bytes of journal, bytes stored."""
        ...

    async def by_action(self, limit: int) -> Sequence[tuple[str, int, int, int]]:
        """Returns (action, number of root executions, bytes of journal, bytes stored), the largest first."""
        ...


class RetentionRows(Protocol):
    """The permanent removal of executions."""

    async def finished(self, after: tuple[int, str], before: int, limit: int) -> Sequence[Finished]:
        """Returns roots whose tree has ended and that started before `before`, ordered by start and id, behind
        `after`."""
        ...

    async def purge(self, trees: Sequence[str]) -> int:
        """Removes the rows of whole trees from every table. Returns the number of removed executions."""
        ...

    async def count(self, trees: Sequence[str]) -> int:
        """Returns the number of executions in these trees."""
        ...

    async def used_snapshots(self) -> Sequence[str]:
        """Returns the keys of the snapshots that executions use."""
        ...

    async def drop_snapshots(self, used: Sequence[str], since: int) -> int:
        """Removes every snapshot except the `used` ones and those of executions that started after `since` (µs), and
        every workflow text that no workflow uses."""
        ...

    async def size(self) -> int:
        """Returns the size of the database in bytes."""
        ...


class ExecutionTables(Protocol):
    """The tables of executions and of what belongs to them."""

    @property
    def executions(self) -> ExecutionRows: ...  # noqa: D102
    @property
    def queue(self) -> QueueRows: ...  # noqa: D102
    @property
    def events(self) -> EventRows: ...  # noqa: D102
    @property
    def policies(self) -> PolicyRows: ...  # noqa: D102
    @property
    def slots(self) -> SlotRows: ...  # noqa: D102
    @property
    def traces(self) -> TraceRows: ...  # noqa: D102
    @property
    def suspects(self) -> SuspectRows: ...  # noqa: D102
    @property
    def workflows(self) -> WorkflowRows: ...  # noqa: D102


class EventTables(Protocol):
    """The tables of triggers, rules and webhooks."""

    @property
    def trigger_types(self) -> TriggerTypeRows: ...  # noqa: D102
    @property
    def triggers(self) -> TriggerRows: ...  # noqa: D102
    @property
    def instances(self) -> InstanceRows: ...  # noqa: D102
    @property
    def rules(self) -> RuleRows: ...  # noqa: D102
    @property
    def enforcements(self) -> EnforcementRows: ...  # noqa: D102
    @property
    def gates(self) -> GateRows: ...  # noqa: D102
    @property
    def kept_back(self) -> KeptBackRows: ...  # noqa: D102
    @property
    def silences(self) -> SilenceRows: ...  # noqa: D102
    @property
    def webhooks(self) -> WebhookRows: ...  # noqa: D102


class TimerTables(Protocol):
    """The tables of timers."""

    @property
    def timers(self) -> TimerRows: ...  # noqa: D102
    @property
    def fires(self) -> FireRows: ...  # noqa: D102


class Tx(ExecutionTables, EventTables, TimerTables, Protocol):
    """All tables, inside one transaction."""

    @property
    def keys(self) -> KeyRows: ...  # noqa: D102
    @property
    def content(self) -> ContentRows: ...  # noqa: D102
    @property
    def journals(self) -> JournalRows: ...  # noqa: D102
    @property
    def scrubs(self) -> ScrubRows: ...  # noqa: D102
    @property
    def retention(self) -> RetentionRows: ...  # noqa: D102
    @property
    def access(self) -> AccessRows: ...  # noqa: D102
