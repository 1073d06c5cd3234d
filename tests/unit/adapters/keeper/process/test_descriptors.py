from __future__ import annotations

import asyncio
import os
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from squall.adapters.clock import SystemClock
from squall.adapters.journal.files import FileJournal
from squall.adapters.keeper.process.descriptors import _unfinished, pieces
from squall.adapters.keeper.server.leftovers import remove_stale
from squall.adapters.keeper.server.remote import KeeperLauncher
from squall.core.execution.launch import End, LaunchSpec
from squall.core.output import journal as codec
from squall.core.output.journal import MAX_PAYLOAD, Record
from squall.testing.reading import read_all
from squall.testing.samples import sample_id, shell_spec
from squall.testing.waiting import PATIENCE

pytestmark = pytest.mark.anyio

TREE = sample_id(1)
WRITES = """
import os, sys, time
from squall.core.output.tagged import pack
def tell(*frames):
    for frame in frames:
        os.write(int(os.environ["SQUALL_RECORDS_FD"]), frame)
def result(data):
    while data:
        data = data[os.write(int(os.environ["SQUALL_RESULT_FD"]), data):]
"""


def python_spec(program: str, **changed: Any) -> LaunchSpec:
    env = {"PYTHONPATH": str(Path(codec.__file__).parents[3]), "PATH": os.environ["PATH"]}
    spec = shell_spec("", env=env)
    return spec._replace(argv=[sys.executable, "-c", WRITES + program], **changed)


@pytest.fixture
async def launcher(tmp_path: Path) -> AsyncIterator[KeeperLauncher]:
    made = KeeperLauncher(tmp_path / "keepers", tmp_path / "journals", SystemClock(), floor=0, fsync_seconds=0.05)
    await made.start()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(made.run())
        yield made
        running.cancel()


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[FileJournal]:
    made = FileJournal(tmp_path / "journals")
    yield made
    made.close()


async def ended(launcher: KeeperLauncher, spec: LaunchSpec) -> End:
    async with asyncio.timeout(PATIENCE):
        await launcher.spawn(spec)
        return await launcher.ended(spec.execution)


def by_tag(records: list[Record]) -> dict[tuple[str, int], bytes]:
    found: dict[tuple[str, int], bytes] = {}
    for record in records:
        if record.kind == codec.OUTPUT:
            key = (record.tag, record.stream)
            found[key] = found.get(key, b"") + record.payload
    return found


async def test_a_result_is_a_file_that_the_end_names(launcher: KeeperLauncher, tmp_path: Path) -> None:
    data = bytes(range(256)) * 40_000
    end = await ended(launcher, python_spec("result(bytes(range(256)) * 40_000); print('x')", result_limit=1 << 30))
    assert end.result_file == str(tmp_path / "results" / f"{TREE}.1")
    path = Path(end.result_file)
    assert path.read_bytes() == data
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (end.result_bytes, end.result_cut, end.stdout_bytes) == (len(data), False, 2)
    await launcher.acknowledge(TREE)
    assert not path.exists()


async def test_who_writes_no_result_has_no_file(launcher: KeeperLauncher, tmp_path: Path) -> None:
    end = await ended(launcher, python_spec("pass", result_limit=100))
    assert (end.result_file, end.result_bytes, end.result_cut) == (None, 0, False)
    assert not (tmp_path / "results").exists()


async def test_a_result_beyond_its_limit_is_cut_and_the_process_goes_on(launcher: KeeperLauncher) -> None:
    end = await ended(launcher, python_spec("result(b'a' * 3_000_000); print('done')", result_limit=1000))
    assert end.result_file is not None
    assert Path(end.result_file).read_bytes() == b"a" * 1000
    assert (end.exit_code, end.result_bytes, end.result_cut, end.stdout_bytes) == (0, 3_000_000, True, 5)


async def test_secrets_are_masked_in_a_result_also_where_it_is_cut(launcher: KeeperLauncher) -> None:
    program = "result(b'[hunt'); time.sleep(0.5); result(b'er2-hunter2]')"
    end = await ended(launcher, python_spec(program, result_limit=1000, secrets=(b"hunter2",)))
    assert end.result_file is not None
    assert Path(end.result_file).read_bytes() == b"[********-********]"
    assert end.masked == 2


async def test_a_server_removes_results_that_nobody_waits_for(tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / f"{sample_id(number)}.1").write_bytes(b"old")
    remove_stale(tmp_path, {(sample_id(2), 1), (sample_id(3), 1)})
    remove_stale(tmp_path / "nowhere", set())
    assert [path.name for path in tmp_path.iterdir()] == [f"{sample_id(2)}.1"]


async def test_tagged_output_is_kept_under_its_tags(launcher: KeeperLauncher, journal: FileJournal) -> None:
    program = "tell(pack(1, 'a', b'one\\n'), pack(2, 'b', b'two\\n'), pack(1, 'b', b'three\\n')); print('mine')"
    end = await ended(launcher, python_spec(program, tagged=True))
    records = await read_all(journal, TREE)
    assert by_tag(records) == {("a", 1): b"one\n", ("b", 2): b"two\n", ("b", 1): b"three\n", ("", 1): b"mine\n"}
    assert (end.stdout_bytes, end.stderr_bytes, end.misused) == (15, 4, None)
    sizes = {1: 0, 2: 0}
    for record in records:
        assert record.offset == sizes[record.stream]
        sizes[record.stream] += len(record.payload)


async def test_characters_of_tags_are_never_mixed_or_split(launcher: KeeperLauncher, journal: FileJournal) -> None:
    program = r"""
os.write(1, b"x\n")
tell(pack(1, "a", b"\xf0\x9f"), pack(1, "b", b"\xe2\x82"))
os.write(1, b"\xc3")
tell(pack(1, "b", b"\xac!"), pack(1, "a", b"\x8c\xa7"), pack(1, "a", b"\xf0\x9f"))
os.write(1, b"\xa9\n")
"""
    await ended(launcher, python_spec(program, tagged=True))
    records = [record for record in await read_all(journal, TREE) if record.kind == codec.OUTPUT]
    for record in records:
        assert not record.tag or record.lead == b""
    texts = {key: value.decode("utf-8", "replace") for key, value in by_tag(records).items()}
    assert texts == {("a", 1): "\U0001f327\ufffd", ("b", 1): "\u20ac!", ("", 1): "x\n\u00e9\n"}
    alone = "".join(codec.decode_text(r.lead, r.payload, True)[0] for r in records if r.tag == "a")
    assert alone == "\U0001f327\ufffd"


async def test_secrets_are_masked_in_each_tag_by_itself(launcher: KeeperLauncher, journal: FileJournal) -> None:
    program = "tell(pack(1, 'a', b'hunt'), pack(1, 'b', b'er2'), pack(1, 'a', b'er2'), pack(1, 'b', b'hunter2'))"
    await ended(launcher, python_spec(program, tagged=True, secrets=(b"hunter2",)))
    assert by_tag(await read_all(journal, TREE)) == {("a", 1): b"********", ("b", 1): b"er2********"}


@pytest.mark.parametrize("garbage", ["b'garbage!' * 1000", "pack(1, 'a', b'half')[:-1]"])
async def test_what_is_no_frame_is_told_and_harms_nobody(
    launcher: KeeperLauncher, journal: FileJournal, garbage: str
) -> None:
    program = f"tell(pack(1, 'a', b'good'), {garbage}); print('x' * 300_000)"
    end = await ended(launcher, python_spec(program, tagged=True))
    assert by_tag(await read_all(journal, TREE))[("a", 1)] == b"good"
    assert end.misused is not None
    assert (end.exit_code, end.stdout_bytes) == (0, 300_005)


async def test_a_frame_as_large_as_may_be_arrives_whole(launcher: KeeperLauncher, journal: FileJournal) -> None:
    program = "tell(pack(1, 'a', b'abc\\xe2\\x82\\xac' * 700_000))"
    await ended(launcher, python_spec(program, tagged=True, secrets=(b"abc\xe2",)))
    records = [record for record in await read_all(journal, TREE) if record.kind == codec.OUTPUT]
    assert b"".join(record.payload for record in records) == b"********\x82\xac" * 700_000


async def test_the_output_limit_holds_for_tags_with_exact_offsets(
    launcher: KeeperLauncher, journal: FileJournal
) -> None:
    program = "tell(pack(1, 'a', b'a' * 200_000), pack(1, 'b', b'b' * 200_000))"
    end = await ended(launcher, python_spec(program, tagged=True, output_limit=1000))
    assert end.over_limit
    records = [record for record in await read_all(journal, TREE) if record.kind == codec.OUTPUT]
    last = records[-1]
    assert (last.tag, last.offset + len(last.payload)) == ("b", 400_000)


def test_pieces_end_where_characters_do() -> None:
    data = "a€".encode() * 400_000
    found = pieces(data)
    assert b"".join(found) == data
    assert all(len(piece) <= MAX_PAYLOAD and piece.decode() for piece in found)


@pytest.mark.parametrize(
    ("data", "count"),
    [
        *[(b"", 0), (b"a", 0), (b"a\xc3", 1), (b"\xc3\xa9", 0), (b"\xe2\x82", 2), (b"\xe2\x82\xac", 0), (b"\xf0", 1)],
        *[(b"\xf0\x9f\x8c", 3), (b"\x80\x80\x80\x80", 0), (b"\xff", 0), (b"\xc0", 0), (b"\xf5\x80", 0)],
    ],
)
def test_only_the_start_of_a_character_is_unfinished(data: bytes, count: int) -> None:
    assert _unfinished(data) == count
