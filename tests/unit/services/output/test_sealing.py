"""Finished output is sealed, and moved when it is old."""

from __future__ import annotations

import hashlib

import pytest
from tests.doubles.assembly import Assembly, output_of, scripted

from squall.core.output import journal as codec
from squall.core.output import sealed
from squall.core.output.journal import STATUS
from squall.ports import BLOB, FILE, ROW
from squall.testing.reading import printed, read_all

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(("size", "place"), [(10, ROW), (100_000, FILE)])
async def test_finished_output_is_sealed_and_its_hash_is_in_the_database(
    squall: Assembly, size: int, place: str
) -> None:
    execution = await squall.done(b"x" * size)
    live = squall.kept.root / codec.file_name(execution.tree)
    data = live.read_bytes()
    before = await read_all(squall.journal, execution.tree)
    assert await squall.sealing.seal() == 1
    assert not live.exists()
    seal = await squall.store.read(lambda tx: tx.journals.get(execution.tree))
    assert seal is not None
    assert (seal.place, seal.size, seal.digest) == (place, len(data), hashlib.sha256(data).hexdigest())
    assert await read_all(squall.journal, execution.tree) == before
    assert await squall.sealing.seal() == 0


async def test_what_runs_or_has_a_status_to_copy_is_not_sealed(squall: Assembly) -> None:
    task, execution, _ = await squall.start()
    scripted(squall).show(output_of(execution), b"x")
    assert await squall.sealing.seal() == 0
    await squall.finish(task, execution)
    assert await squall.sealing.seal() == 0
    await squall.journaling.carry()
    assert await squall.sealing.seal() == 1


async def test_a_family_is_sealed_when_its_last_member_has_ended(squall: Assembly) -> None:
    task, root, _ = await squall.start()
    scripted(squall).show(output_of(root), b"root")
    child = await squall.child_of(root)
    ((child_task, _, _),) = await squall.claim()
    scripted(squall).show(output_of(child), b"child")
    await squall.end(task, root)
    assert await squall.sealing.seal() == 0
    await squall.end(child_task, child)
    assert await squall.sealing.seal() == 1
    assert printed(await read_all(squall.journal, root.tree)) == b"rootchild"


async def test_what_a_keeper_forgot_to_close_is_closed(squall: Assembly) -> None:
    execution = await squall.done()
    await squall.kept.archive.open(execution.tree)
    scripted(squall).closed.clear()
    await squall.sealing.seal()
    assert scripted(squall).closed == [execution.tree]


async def test_a_late_record_is_read_behind_what_was_sealed(squall: Assembly) -> None:
    execution = await squall.done()
    await squall.sealing.seal()
    before = await read_all(squall.journal, execution.tree)
    await squall.kept.archive.open(execution.tree)
    await squall.launcher.append(
        execution.tree, [codec.ServerRecord(execution.id, STATUS, 1, 10**9 + 1, b'{"status":"late"}', create=False)]
    )
    after = await read_all(squall.journal, execution.tree)
    assert after[: len(before)] == before
    assert bytes(after[-1].payload) == b'{"status":"late"}'
    await squall.launcher.close_tree(execution.tree)
    squall.kept.archive.release(execution.tree)
    assert await squall.sealing.seal() == 1
    assert await read_all(squall.journal, execution.tree) == after


async def test_old_seals_of_their_own_file_move_and_stay_readable(squall: Assembly) -> None:
    small, large = await squall.done(), await squall.done(b"y" * 100_000)
    await squall.sealing.seal()
    assert await squall.sealing.move() == 0
    squall.clock.advance(2 * 86_400)
    before = await read_all(squall.journal, large.tree)
    assert await squall.sealing.move() == 1
    assert list(squall.kept.blobs.keys("")) == [sealed.file_name(large.tree)]
    places = {
        execution.id: (await squall.store.read(lambda tx, tree=execution.tree: tx.journals.get(tree))).place  # type: ignore[misc]
        for execution in (small, large)
    }
    assert places == {small.id: ROW, large.id: BLOB}
    assert await read_all(squall.journal, large.tree) == before
    assert await squall.sealing.move() == 0


async def test_a_move_that_was_killed_before_it_was_noted_is_noted_later(squall: Assembly) -> None:
    large = await squall.done(b"y" * 100_000)
    await squall.sealing.seal()
    squall.clock.advance(2 * 86_400)
    await squall.kept.archive.move([large.tree])
    assert await squall.sealing.move() == 1
    seal = await squall.store.read(lambda tx: tx.journals.get(large.tree))
    assert seal is not None
    assert seal.place == BLOB


async def test_a_seal_that_was_killed_before_it_was_noted_is_made_again(squall: Assembly) -> None:
    execution = await squall.done()
    await squall.kept.archive.seal([execution.tree])
    assert await squall.store.read(lambda tx: tx.journals.get(execution.tree)) is None
    assert await squall.sealing.seal() == 1
    assert await squall.store.read(lambda tx: tx.journals.get(execution.tree)) is not None
