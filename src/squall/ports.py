"""What the services need of the outside, as Protocols: each has one or more adapters, and one contract suite.

Nothing here does anything. A Protocol has at most ten methods; a new adapter runs the suite of the same name in
`squall.testing`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

import msgspec

from squall.core.action import Action, Pack, RunnerType
from squall.core.events import Event
from squall.core.execution import Execution, ExecutionFilter
from squall.core.journal import Batch, Record
from squall.core.launch import End, Job, LaunchSpec, Outcome

T = TypeVar("T")


class Clock(Protocol):
    """Time and identity, so that tests may hold them still."""

    def now(self) -> int:
        """µs since 1970, UTC."""
        ...

    def new_id(self) -> str:
        """A new id: 24 hex digits, ordered by time."""
        ...


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
        """The id of the one that started last."""
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

    async def unfinished(self, tree: str | None) -> Sequence[str]:
        """The ids of those without a final status, of one tree or of all."""
        ...


class Task(msgspec.Struct, frozen=True):
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

    async def claim(self, lane: str, owner: str, now: int, lease: int, limit: int) -> Sequence[Task]:
        """Takes up to `limit` rows that are due and not leased, for `lease` µs, oldest first."""
        ...

    async def renew(self, tasks: Sequence[Task], now: int, lease: int) -> Sequence[int]:
        """Lengthens the leases; gives the ids of those that are still held."""
        ...

    async def done(self, task: Task) -> bool:
        """Removes the row; false when another has taken it meanwhile."""
        ...

    async def release(self, task: Task, available: int) -> bool:
        """Gives the row back, to be claimed from `available` (µs) on."""
        ...

    async def discard(self, lane: str, key: str) -> None:
        """Removes every row of `lane` about `key`, claimed or not."""
        ...

    async def next_due(self, lane: str) -> int | None:
        """When the next row of the lane is due (µs), leased rows included at the end of their lease; None if empty."""
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
    """The bounded log of changes that the event stream tells."""

    async def add(self, name: str, execution: Execution, at: int) -> int:
        """Adds the event that `execution` got the status it has; gives its row number."""
        ...

    async def after(self, row: int, limit: int) -> Sequence[Event]:
        """Events behind `row`, in order."""
        ...

    async def bounds(self) -> tuple[int, int]:
        """(first row still kept, last row); (0, 0) when there never was one, (n + 1, n) when none is kept."""
        ...

    async def of_execution(self, execution_id: str) -> Sequence[Event]:
        """Those about one execution, in order."""
        ...

    async def prune(self, keep: int) -> int:
        """Deletes all but the newest `keep`; gives how many went."""
        ...


class ContentRows(Protocol):
    """Packs, actions, runner types as registered, and the snapshots of them that executions were requested with."""

    async def replace_runners(self, runners: Sequence[RunnerType]) -> None:
        """Registers these runner types and no others, keeping the ids and the switch of those known."""
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

    async def actions(self) -> Sequence[Action]:
        """All actions by pack and name."""
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


class Tx(Protocol):
    """The tables, inside one transaction."""

    @property
    def executions(self) -> ExecutionRows: ...  # noqa: D102
    @property
    def queue(self) -> QueueRows: ...  # noqa: D102
    @property
    def events(self) -> EventRows: ...  # noqa: D102
    @property
    def content(self) -> ContentRows: ...  # noqa: D102


class Store(Protocol):
    """The truth. A unit of work is a coroutine function over `Tx` that awaits nothing but the tables."""

    async def tx(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Runs `work` in a writing transaction: all of it is kept, or none. What `work` raises is raised here."""
        ...

    async def read(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Runs `work` on one consistent view; it must not write."""
        ...

    async def close(self) -> None:
        """Ends after what is under way."""
        ...


class Watch(Protocol):
    """A reader's standing interest in one tree's journal."""

    @property
    def head(self) -> int:
        """The position behind the last record known of; 0 while there is no journal."""
        ...

    @property
    def changes(self) -> int:
        """How often the tree has been poked: asked before looking elsewhere, and given to `beyond`, it closes the gap
        in which a poke would be missed."""
        ...

    async def beyond(self, position: int, timeout: float, seen: int | None = None) -> bool:
        """Waits until there is something after `position`, a poke, or `timeout` seconds; true if there is something.

        Does not wait when `changes` is no longer what was `seen`.
        """
        ...


class Journal(Protocol):
    """The one door to what executions printed. Positions are numbers here, and tokens for everybody outside."""

    def watch(self, tree: str) -> AbstractContextManager[Watch]:
        """Interest in a tree, from before the first read on: subscribe first, then read."""
        ...

    def poke(self, tree: str) -> None:
        """Wakes those who wait for the tree, because something else about it changed."""
        ...

    async def read(self, tree: str, after: int, limit: int) -> Batch:
        """Whole records after a position, about `limit` bytes of them (at least one, if there is one)."""
        ...

    async def read_execution(self, tree: str, execution: str, after: int, limit: int) -> Batch:
        """As `read`, but only one execution's records, found by their chain."""
        ...

    async def read_last(self, tree: str, last_record: int, limits: Mapping[int, int]) -> list[Record]:
        """The last output records of the execution whose last record starts there, oldest first, found by walking its
        chain back: of each stream (by number) about so many bytes."""
        ...

    async def check(self, tree: str, position: int) -> bool:
        """Whether `position` is one of this journal (0 always is)."""
        ...


class BusSubscription(Protocol):
    """What arrived since it was last asked."""

    async def wait(self, timeout: float) -> set[str]:
        """The keys hinted at since the last call, waiting up to `timeout` seconds for one; empty on a time-out."""
        ...


class Bus(Protocol):
    """Hints, never facts: every message may be lost, doubled or late."""

    def publish(self, topic: str, key: str) -> None:
        """Hints that something about `key` is worth a look."""
        ...

    def subscribe(self, topic: str) -> AbstractContextManager[BusSubscription]:
        """Hears what is published on `topic` from now on."""
        ...


class Launcher(Protocol):
    """Runs processes and is the one writer of their trees' journals."""

    async def spawn(self, spec: LaunchSpec) -> None:
        """Starts it; idempotent by (execution, attempt). That it cannot be started is an `End`, not an exception."""
        ...

    async def ended(self, execution: str) -> End:
        """Waits for the end: all output is committed and flushed by then."""
        ...

    async def add_secrets(self, execution: str, secrets: Sequence[bytes]) -> None:
        """Masks these values in the execution's output from now on; they are when this returns."""
        ...

    def waiting(self, execution: str) -> str:
        """What a running execution waits for, for people to read; empty if for nothing."""
        ...

    async def acknowledge(self, execution: str) -> None:
        """The end has been taken care of and may be forgotten."""
        ...

    def held(self) -> Sequence[tuple[str, int]]:
        """What is running, or has ended without having been acknowledged: (execution, attempt) of each. It may have
        been started by a server before this one."""
        ...

    async def cancel(self, execution: str) -> None:
        """Kills the process with all its descendants in its session: TERM, then KILL. Nothing if it is not running."""
        ...

    async def append(
        self, tree: str, execution: str, kind: int, at: int, event: int, payload: bytes, create: bool
    ) -> bool:
        """Appends the server's own record; without `create`, only if the tree has a journal. False if it has none."""
        ...

    async def close_tree(self, tree: str) -> None:
        """No more records will come."""
        ...


class OutputText(Protocol):
    """Reads back what an execution printed."""

    def __call__(self, stream: str) -> tuple[str, int]:
        """The text of one stream, as much of its end as a result may hold, and how many bytes were left out."""
        ...


class Runner(Protocol):
    """One way of running actions."""

    def prepare(self, job: Job) -> LaunchSpec | Outcome:
        """What to start, or the outcome when nothing needs to be started."""
        ...

    def outcome(self, job: Job, end: End, output: OutputText) -> Outcome:
        """What the end of the process means for the execution."""
        ...


class Vault(Protocol):
    """Seals secret values for the tables, and opens them again."""

    def seal(self, value: Any) -> str:
        """An envelope of any JSON value."""
        ...

    def open(self, envelope: str) -> Any:
        """The value in an envelope. Raises `ConfigError` when the key file is not the one it was sealed under."""
        ...


class PackSource(Protocol):
    """Where packs come from."""

    def load(self) -> tuple[list[RunnerType], list[tuple[Pack, list[Action]]]]:
        """Every runner type and pack with its actions, ids empty; what is broken is left out and told in the log."""
        ...
