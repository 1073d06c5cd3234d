"""What the server worked on when it died: counted at the next start, set aside after the second death."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest
from tests.doubles.assembly import Assembly

from squall.adapters.marks.file import FileMarks
from squall.core.errors import NotFoundError, UnavailableError
from squall.core.execution.execution import RUNNING
from squall.ports import Due, Store, Tx
from squall.services.lanes import JOURNAL, RUN, StatusRecord
from squall.services.suspects import Suspects

pytestmark = pytest.mark.anyio
T = TypeVar("T")
PAUSE = 3.0


async def died(squall: Assembly, folder: Path, *names: str) -> Suspects:
    """The suspects of the server that starts after one that died while it worked on `names`."""
    dead = FileMarks(folder / "marks")
    dead.forget()
    contexts = [dead.on_thread(name) for name in names]
    for context in contexts:
        context.__enter__()
    suspects = Suspects(squall.store, squall.bus, squall.clock, FileMarks(folder / "marks"), "w1", PAUSE)
    await suspects.begin()
    return suspects


class Unwritable:
    """A store that answers no writing transaction. The first `kept` ones are written all the same."""

    def __init__(self, store: Store, kept: int = 0) -> None:
        self._store = store
        self._kept = kept

    async def tx(self, work: Callable[[Tx], Awaitable[T]], *, durable: bool = True) -> T:
        if self._kept:
            self._kept -= 1
            await self._store.tx(work, durable=durable)
        raise UnavailableError("The database could not write: disk full")

    async def read(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        return await self._store.read(work)

    async def close(self) -> None:
        await self._store.close()


def on(store: Store, suspects: Suspects) -> Suspects:
    """The same suspects, which write to another store from now on."""
    suspects._store = store
    return suspects


async def done() -> str:
    return "done"


async def claimed(squall: Assembly, suspects: Suspects) -> list[str]:
    """Claims the rows of the lane `run` that are due, and gives them back."""
    now = squall.clock.now()

    async def work(tx: Tx) -> list[Due]:
        tasks = list(await suspects.claim(tx, RUN, now, 1_000_000, 100))
        for task in tasks:
            await tx.queue.release(task, now)
        return tasks

    return [task.key for task in await squall.store.tx(work)]


async def test_a_suspect_waits_a_little_and_delays_no_other(squall: Assembly, tmp_path: Path) -> None:
    one, other = [(await squall.request()).id for _ in range(2)]
    suspects = await died(squall, tmp_path, f"{RUN} {one}")
    assert await claimed(squall, suspects) == [other]
    squall.clock.advance(PAUSE)
    assert await claimed(squall, suspects) == [one, other]
    assert suspects.reason(one) == ""


async def test_suspects_are_handled_apart_from_each_other(squall: Assembly, tmp_path: Path) -> None:
    one, other = sorted([(await squall.request()).id for _ in range(2)])
    suspects = await died(squall, tmp_path, f"{RUN} {one}", f"{RUN} {other}")
    squall.clock.advance(PAUSE)
    assert await claimed(squall, suspects) == [one]
    squall.clock.advance(PAUSE)
    assert await claimed(squall, suspects) == [one, other]


async def test_what_the_server_died_of_twice_is_set_aside_and_says_why(squall: Assembly, tmp_path: Path) -> None:
    one, other = [(await squall.request()).id for _ in range(2)]
    await died(squall, tmp_path, f"{RUN} {one}")
    suspects = await died(squall, tmp_path, f"{RUN} {one}")
    squall.clock.advance(PAUSE)
    assert await claimed(squall, suspects) == [other]
    assert [(each.subject, each.deaths) for each in suspects.aside()] == [(one, 2)]
    assert f"squall queue retry {one}" in suspects.reason(one)
    assert suspects.reason(other) == ""


async def test_what_is_set_aside_stays_so_at_later_starts(squall: Assembly, tmp_path: Path) -> None:
    one = (await squall.request()).id
    for _ in range(2):
        await died(squall, tmp_path, f"{RUN} {one}")
    suspects = await died(squall, tmp_path)
    squall.clock.advance(PAUSE)
    assert await claimed(squall, suspects) == []
    assert suspects.reason(one)


async def test_a_retry_runs_at_once_and_one_more_death_sets_aside_again(squall: Assembly, tmp_path: Path) -> None:
    one, other = [(await squall.request()).id for _ in range(2)]
    for _ in range(2):
        suspects = await died(squall, tmp_path, f"{RUN} {one}", f"{RUN} {other}")
    assert await claimed(squall, suspects) == []
    await suspects.retry(one)
    assert await claimed(squall, suspects) == [one]
    suspects = await died(squall, tmp_path, f"{RUN} {one}")
    assert {each.subject for each in suspects.aside()} == {one, other}


async def test_a_retry_of_what_is_not_set_aside_says_where_to_look(squall: Assembly, tmp_path: Path) -> None:
    suspects = await died(squall, tmp_path, f"{RUN} once")
    with pytest.raises(NotFoundError, match="squall queue list"):
        await suspects.retry("once")


async def test_a_suspect_that_has_been_handled_is_one_no_more(squall: Assembly, tmp_path: Path) -> None:
    one = (await squall.request()).id
    suspects = await died(squall, tmp_path, f"{RUN} {one}")

    async def handled() -> None:
        await squall.store.read(lambda tx: tx.queue.next_due(RUN))

    await suspects.watched(RUN, one, handled())
    suspects = await died(squall, tmp_path, f"{RUN} {one}")
    assert suspects.aside() == []


async def test_a_retry_stays_one_if_the_server_is_killed_right_after_its_transaction(
    squall: Assembly, tmp_path: Path
) -> None:
    one = (await squall.request()).id
    for _ in range(2):
        suspects = await died(squall, tmp_path, f"{RUN} {one}")
    assert await claimed(squall, suspects) == []

    with pytest.raises(UnavailableError):
        await on(Unwritable(squall.store, kept=1), suspects).retry(one)
    suspects = await died(squall, tmp_path)
    squall.clock.advance(PAUSE)
    assert await claimed(squall, suspects) == [one]


async def test_a_retry_that_cannot_be_stored_leaves_the_work_set_aside(squall: Assembly, tmp_path: Path) -> None:
    one = (await squall.request()).id
    for _ in range(2):
        suspects = await died(squall, tmp_path, f"{RUN} {one}")
    with pytest.raises(UnavailableError):
        await on(Unwritable(squall.store), suspects).retry(one)
    assert [each.subject for each in suspects.aside()] == [one]


async def test_a_suspicion_that_cannot_be_removed_does_not_fail_the_work(squall: Assembly, tmp_path: Path) -> None:
    one = (await squall.request()).id
    suspects = on(Unwritable(squall.store), await died(squall, tmp_path, f"{RUN} {one}"))
    assert await suspects.watched(RUN, one, done()) == "done"
    assert await on(squall.store, suspects).watched(RUN, one, done()) == "done"
    suspects = await died(squall, tmp_path, f"{RUN} {one}")
    assert suspects.aside() == []


async def test_records_of_a_tree_that_is_set_aside_wait_until_it_is_retried(squall: Assembly, tmp_path: Path) -> None:
    tree = (await squall.request()).id
    now = squall.clock.now()
    record = StatusRecord(tree, RUNNING, 1, now, create=True)
    await squall.store.tx(lambda tx: tx.queue.put(JOURNAL, tree, record, now))
    for _ in range(2):
        suspects = await died(squall, tmp_path, f"{JOURNAL} {tree}")
    squall.journaling._suspects = suspects

    async def waits() -> bool:
        while await squall.journaling.carry():
            pass
        return await squall.store.read(lambda tx: tx.queue.holds(JOURNAL, tree))

    assert await waits()
    await suspects.retry(tree)
    assert not await waits()


async def test_marks_that_are_damaged_make_no_suspects(squall: Assembly, tmp_path: Path) -> None:
    one = (await squall.request()).id
    for _ in range(2):
        damaged = (f"{RUN} ", f"{RUN} ../x", f"nonsense {one}", one, f"{RUN} {one.upper()}x", "\ufffd", f"{RUN} {one}")
        suspects = await died(squall, tmp_path, *damaged)
    assert [(each.lane, each.subject) for each in suspects.aside()] == [(RUN, one)]
