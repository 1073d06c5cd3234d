"""The archive: what is sealed, what is left in use, what is removed, and what a kill leaves."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from backports.zstd import decompress
from tests.doubles.journals import Kept

from squall.adapters.journal import archive as archive_module
from squall.adapters.journal.sources import open_source
from squall.adapters.keeper.process.writing.journals import Journals
from squall.core.output import journal as codec
from squall.core.output import sealed
from squall.ports import BLOB, FILE, ROW
from squall.testing.samples import NOON, sample_id

ROOT = Path(__file__).parents[4]
pytestmark = pytest.mark.anyio

TREE, CHILD = sample_id(1), sample_id(2)
MORTAL = "65a0c0ffee00000000000001"


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    made = Kept(tmp_path)
    yield made
    made.close()


def write(kept: Kept, size: int, tree: str = TREE, event: int = 1) -> bytes:
    """Writes (more of) a journal of two executions; its bytes."""
    journals = Journals(kept.root, bytes(16), 1, floor=0)
    writer = journals.writer(tree, create=True)
    assert writer is not None
    piece = os.urandom(500) * 2
    for number in range(max(1, size // 1000)):
        writer.output(TREE if number % 3 else CHILD, 1, NOON + number, piece)
    writer.note(codec.STATUS, TREE, NOON, event, b'{"status":"succeeded"}')
    journals.close(tree, NOON)
    return live(kept, tree).read_bytes()


def live(kept: Kept, tree: str = TREE) -> Path:
    return kept.root / codec.file_name(tree)


def sealed_file(kept: Kept, tree: str = TREE) -> Path:
    return kept.root / sealed.file_name(tree)


def whole(kept: Kept, tree: str = TREE) -> bytes:
    source = open_source(kept.root, tree, kept.rows, lambda: kept.blobs)
    try:
        return bytes(source.pread(0, source.committed + 1000))
    finally:
        source.close()


def everything(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {
        "seals.db", "seals.db-wal", "seals.db-shm",
    }  # fmt: skip


@pytest.mark.parametrize(("size", "place"), [(0, ROW), (50_000, ROW), (70_000, FILE), (2_000_000, FILE)])
async def test_a_sealed_journal_has_the_same_bytes_and_its_hash(kept: Kept, size: int, place: str) -> None:
    data = write(kept, size)
    made = await kept.archive.seal([TREE])
    assert live(kept).exists()
    await kept.archive.settle([TREE])
    assert not live(kept).exists()
    assert made[TREE].place == place
    assert made[TREE].size == len(data)
    assert made[TREE].digest == hashlib.sha256(data).hexdigest()
    assert whole(kept) == data
    row = kept.rows.get(TREE)
    stored = row.body if row is not None else sealed_file(kept).read_bytes()
    assert made[TREE].stored == len(stored)
    # Any zstd reads it.
    assert decompress(stored) == data


async def test_a_moved_journal_has_the_same_bytes_and_only_one_place(kept: Kept, tmp_path: Path) -> None:
    data = write(kept, 700_000)
    await kept.archive.seal([TREE])
    await kept.archive.settle([TREE])
    moved = await kept.archive.move([TREE, CHILD])
    assert list(moved) == [TREE]
    assert moved[TREE].place == BLOB
    assert not sealed_file(kept).exists()
    assert list(kept.blobs.keys("")) == [sealed.file_name(TREE)]
    assert whole(kept) == data
    assert (await kept.archive.remove([TREE])) == [TREE]
    assert everything(tmp_path) == set()


async def test_an_object_that_is_not_what_was_put_is_not_trusted(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write(kept, 700_000)
    await kept.archive.seal([TREE])
    await kept.archive.settle([TREE])
    monkeypatch.setattr(kept.blobs, "read", lambda key, at, length: b"x" * length)
    with pytest.raises(OSError, match="the file stays"):
        await kept.archive.move([TREE])
    monkeypatch.undo()
    assert sealed_file(kept).exists()
    assert whole(kept) == data


@pytest.mark.parametrize("size", [1000, 200_000])
@pytest.mark.parametrize("far", [False, True])
async def test_a_late_writer_goes_on_behind_what_was_sealed(kept: Kept, size: int, far: bool) -> None:
    data = write(kept, size)
    await kept.archive.seal([TREE])
    await kept.archive.settle([TREE])
    if far:
        await kept.archive.move([TREE])
    await kept.archive.open(TREE)
    assert live(kept).read_bytes() == data
    more = write(kept, 1000, event=2)
    assert more[4096 : len(data)] == data[4096:]
    assert len(more) > len(data)
    assert await kept.archive.seal([TREE]) == {}
    kept.archive.release(TREE)
    assert (await kept.archive.seal([TREE]))[TREE].digest == hashlib.sha256(more).hexdigest()
    await kept.archive.settle([TREE])
    assert not live(kept).exists()
    assert whole(kept) == more


async def test_what_is_written_between_sealing_and_settling_is_not_lost(kept: Kept) -> None:
    write(kept, 1000)
    await kept.archive.seal([TREE])
    more = write(kept, 1000, event=2)
    await kept.archive.settle([TREE])
    assert whole(kept) == more
    await kept.archive.seal([TREE])
    await kept.archive.settle([TREE])
    assert whole(kept) == more


def killed_at(home: Path, kill: int, size: int) -> tuple[str, bytes]:
    """Lives in a process that kills itself at the moment of that number; its name (empty when there is none), and what
    was written first."""
    program = Path(__file__).with_name("mortal_archive.py")
    command = [sys.executable, str(program), str(home), str(kill), str(size)]
    ran = subprocess.run(command, stdout=subprocess.PIPE, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert ran.returncode == (-signal.SIGKILL if ran.stdout else 0)
    return ran.stdout.decode(), (home / "written").read_bytes()


@pytest.mark.parametrize("size", [1000, 200_000])
async def test_a_kill_at_any_moment_loses_nothing_and_leaves_nothing(tmp_path: Path, size: int) -> None:
    """The whole life of a journal, killed at each moment that there is; what comes after goes on from there."""
    names: list[str] = []
    while True:
        home = tmp_path / f"{len(names)}"
        home.mkdir()
        name, data = killed_at(home, len(names), size)
        if not name:
            break
        names.append(name)
        (home / "written").unlink()
        again = Kept(home)
        await again.archive.candidates(3600)
        assert not [left for left in everything(home) if left.endswith((".sealing", ".opening"))]
        if name not in ("live purged", "objects purged") or "live purged" not in names:
            assert whole(again, MORTAL)[4096 : len(data)] == data[4096:], name
            for step in (again.archive.seal, again.archive.settle, again.archive.move):
                await step([MORTAL])
            assert whole(again, MORTAL)[4096 : len(data)] == data[4096:], name
            verdict = await again.archive.verify(MORTAL)
            assert verdict is not None
            assert verdict.faults == ()
        await again.archive.remove([MORTAL])
        assert everything(home) == set(), name
        again.close()
    wanted = {"live removed", "journal written", "journal opened", "sealed removed", "live purged"}
    wanted |= {"rows made", "rows kept"} if size == 1000 else {"file written", "file in place", "object put"}
    assert wanted <= set(names)


async def test_candidates_are_idle_and_not_held(kept: Kept) -> None:
    write(kept, 10)
    assert await kept.archive.candidates(3600) == []
    assert await kept.archive.candidates(0) == [TREE]
    await kept.archive.open(TREE)
    assert await kept.archive.candidates(0) == []
    kept.archive.release(TREE)
    await kept.archive.seal([TREE])
    await kept.archive.settle([TREE])
    for _ in range(2):
        assert await kept.archive.candidates(0) == []
    await kept.archive.open(TREE)
    kept.archive.release(TREE)
    assert await kept.archive.candidates(0) == [TREE]


async def test_an_undamaged_journal_is_found_to_be_so(kept: Kept) -> None:
    data = write(kept, 700_000)
    for step in ("live", "sealed"):
        verdict = await kept.archive.verify(TREE)
        assert verdict is not None
        assert verdict.faults == ()
        assert verdict.size == len(data)
        assert verdict.records == 702
        if step == "live":
            await kept.archive.seal([TREE])
            await kept.archive.settle([TREE])
    assert await kept.archive.verify(CHILD) is None


async def test_damage_is_found_wherever_it_is(kept: Kept) -> None:
    data = write(kept, 700_000)
    for at in (5000, 4096 + 8, 300_000, len(data) - 30):
        live(kept).write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        verdict = await kept.archive.verify(TREE)
        assert verdict is not None
        assert verdict.faults, at
    live(kept).write_bytes(data)
    await kept.archive.seal([TREE])
    await kept.archive.settle([TREE])
    stored = sealed_file(kept).read_bytes()
    at = len(stored) // 2
    sealed_file(kept).write_bytes(stored[:at] + bytes([stored[at] ^ 1]) + stored[at + 1 :])
    verdict = await kept.archive.verify(TREE)
    assert verdict is not None
    assert verdict.faults


async def test_a_damaged_seal_is_not_opened_over_nothing(kept: Kept) -> None:
    write(kept, 700_000)
    await kept.archive.seal([TREE])
    await kept.archive.settle([TREE])
    stored = sealed_file(kept).read_bytes()
    at = len(stored) // 2
    sealed_file(kept).write_bytes(stored[:at] + bytes([stored[at] ^ 1]) + stored[at + 1 :])
    with pytest.raises(OSError, match="damaged"):
        await kept.archive.open(TREE)
    assert sealed_file(kept).exists()
    assert not live(kept).exists()


async def test_small_is_below_64_kib(kept: Kept) -> None:
    assert archive_module.SMALL == 65536
