"""Removing finished executions: exactly those, with everything about them, whatever moment a server is killed at."""

from __future__ import annotations

import pytest
from tests.doubles.assembly import Assembly, output_of, scripted

from squall.core.event.events import EXECUTION
from squall.core.execution.execution import Execution
from squall.core.execution.retention import Selection, Terms, parse_rules
from squall.ports import Tx
from squall.services.lanes import PURGE
from squall.testing.reading import read_all
from squall.testing.sealed import Moments

pytestmark = pytest.mark.anyio


class _KilledError(BaseException):
    """Stands for the end of the process."""


async def there(squall: Assembly) -> set[str]:
    """Ids of all executions there are."""
    found = await squall.store.read(lambda tx: tx.retention.finished((0, ""), 1 << 60, 1000))
    running = await squall.store.read(lambda tx: tx.executions.unfinished(None))
    return {each.id for each in found} | set(running)


async def left_of(squall: Assembly, execution: Execution) -> list[str]:
    """Where something about an execution is still to be found."""

    async def work(tx: Tx) -> list[str]:
        found = []
        if await tx.executions.get(execution.id):
            found.append("execution")
        if len(await tx.events.of(EXECUTION, execution.id)) > 1:
            found.append("events")
        if await tx.journals.get(execution.tree):
            found.append("seal")
        if await tx.queue.holds(PURGE, execution.tree):
            found.append("queue")
        return found

    found = await squall.store.read(work)
    root = squall.kept.root.parent
    found += [path.name for path in root.rglob(f"{execution.tree}*")]
    found += ["row"] if squall.kept.rows.get(execution.tree) is not None else []
    return found


async def test_what_is_old_goes_with_everything_about_it(squall: Assembly) -> None:
    old = [await squall.done(), await squall.done(b"x" * 100_000), await squall.done()]
    await squall.sealing.seal()
    live = await squall.done()
    (squall.kept.root / live.tree[:5] / f"{live.tree}.lines").write_bytes(b"an index")
    squall.clock.advance(31 * 86_400)
    await squall.sealing.move()
    new = await squall.done()
    assert await squall.retention.sweep() == 4
    for execution in [*old, live]:
        assert await left_of(squall, execution) == []
    assert await there(squall) == {new.id}
    assert await read_all(squall.journal, new.tree)
    assert await squall.retention.sweep() == 0


async def test_what_has_not_ended_is_never_removed(squall: Assembly) -> None:
    root = (await squall.start())[1]
    child = await squall.child_of(root)
    ((task, _, _),) = await squall.claim()
    await squall.end(task, child)
    squall.clock.advance(1000 * 86_400)
    assert await squall.retention.sweep() == 0
    assert await there(squall) >= {root.id}


async def test_a_family_goes_as_a_whole_when_its_root_is_old(squall: Assembly) -> None:
    task, root, _ = await squall.start()
    child = await squall.child_of(root)
    ((child_task, _, _),) = await squall.claim()
    scripted(squall).show(output_of(child), b"child")
    await squall.end(child_task, child)
    await squall.end(task, root)
    squall.clock.advance(31 * 86_400)
    assert await squall.retention.sweep() == 2
    assert await left_of(squall, child) == await left_of(squall, root) == []


async def test_rules_say_what_stays_longer_or_shorter(squall: Assembly) -> None:
    local, noop = await squall.done(), await squall.done(action="core.noop")
    failed = await squall.done(status="failed")
    squall.clock.advance(5 * 86_400)
    terms = Terms(30, parse_rules("status=failed days=0; action=core.noop days=3"))
    assert await squall.make_retention(terms).sweep() == 1
    assert await there(squall) == {local.id, failed.id}
    squall.clock.advance(100 * 86_400)
    assert await squall.make_retention(terms).sweep() == 1
    assert await there(squall) == {failed.id}
    assert await left_of(squall, noop) == []


async def test_the_oldest_make_room_for_the_others(squall: Assembly) -> None:
    executions = []
    for number in range(4):
        executions.append(await squall.done(bytes(100_000) + bytes([number])))
        squall.clock.advance(1)
    await squall.sealing.seal()
    totals = await squall.store.read(lambda tx: tx.journals.totals())
    one = sum(stored for _, _, stored in totals.values()) // 4
    assert await squall.make_retention(Terms(0, max_bytes=2 * one + one // 2)).sweep() == 2
    assert await there(squall) == {execution.id for execution in executions[2:]}


async def test_a_dry_run_tells_exactly_what_a_purge_then_does(squall: Assembly) -> None:
    for number in range(7):
        await squall.done(action="core.noop" if number % 2 else "core.local")
    await squall.sealing.seal()
    squall.clock.advance(86_400)
    wanted = Selection(before=squall.clock.now(), actions=frozenset({"core.local"}))
    for dry_run in (True, False):
        cursor: tuple[int, str] | None = None
        executions = trees = 0
        while True:
            page = await squall.retention.purge(wanted, cursor, 2, dry_run)
            executions, trees, cursor = executions + page.executions, trees + page.trees, page.cursor
            if cursor is None:
                break
        assert (executions, trees) == (4, 4)
    assert len(await there(squall)) == 3
    assert (await squall.retention.purge(wanted, None, 100, True)).executions == 0


async def test_snapshots_that_nobody_needs_go_and_the_others_stay(squall: Assembly) -> None:
    local = await squall.done()
    squall.clock.advance(31 * 86_400)
    noop = await squall.done(action="core.noop")
    await squall.retention.sweep()
    assert await squall.store.read(lambda tx: tx.content.snapshot(local.snapshot)) is None
    assert await squall.store.read(lambda tx: tx.content.snapshot(noop.snapshot)) is not None


@pytest.mark.parametrize("moment", ["rows removed", "journals removed"])
async def test_a_kill_while_purging_leaves_nothing_behind(squall: Assembly, moment: str) -> None:
    executions = [await squall.done(), await squall.done(b"x" * 100_000)]
    await squall.sealing.seal()
    squall.clock.advance(31 * 86_400)

    def kill(name: str) -> None:
        if name == moment:
            raise _KilledError

    with pytest.raises(_KilledError):
        await squall.make_retention(Terms(30), Moments(kill)).sweep()
    await squall.store.tx(lambda tx: tx.queue.free("w1", squall.clock.now()))
    assert await squall.retention.carry() == 1
    for execution in executions:
        assert await left_of(squall, execution) == []


async def test_journals_that_cannot_be_removed_now_are_removed_later(
    squall: Assembly, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = await squall.done(b"x" * 100_000)
    await squall.sealing.seal()
    squall.clock.advance(31 * 86_400)
    await squall.sealing.move()

    def away(keys: object) -> None:
        raise OSError("no route to the store")

    monkeypatch.setattr(squall.kept.blobs, "delete", away)
    assert await squall.retention.sweep() == 1
    assert list(squall.kept.blobs.keys(""))
    monkeypatch.undo()
    squall.clock.advance(86_400)
    assert await squall.retention.carry() == 1
    assert await left_of(squall, large) == []
    assert list(squall.kept.blobs.keys("")) == []


async def test_a_follower_of_what_is_removed_ends(squall: Assembly) -> None:
    execution = await squall.done()
    await squall.sealing.seal()
    batches = squall.outputs.follow(execution, True, 0, True, 60)
    first = await anext(batches)
    assert first is not None
    squall.clock.advance(31 * 86_400)
    await squall.retention.sweep()
    assert [batch async for batch in batches] == []
