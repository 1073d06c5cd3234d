"""The writer of a tree's journal: what it appends, what it leaves behind when it dies, what it takes up again."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tools import open_below

from squall.adapters.keeper.process.writing.writer import DiskFullError, TreeWriter
from squall.core.output import journal
from squall.core.output.journal import Record
from squall.testing.samples import sample_id

TREE, CHILD = sample_id(1), sample_id(2)
BOOT = bytes(16)
Bytes = bytes | memoryview


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "69566" / "tree.journal"


@pytest.fixture
def writer(path: Path) -> TreeWriter:
    return TreeWriter.create(path, TREE, BOOT, 1)


def header(path: Path) -> journal.Header:
    return journal.unpack_header(path.read_bytes()[: journal.HEADER_SIZE])


def records(path: Path) -> list[Record]:
    """What lies below the committed length; every frame of it must be whole and undamaged."""
    data = path.read_bytes()
    head = header(path)
    found = list(journal.unpack_frames(data[journal.HEADER_SIZE : head.committed], journal.HEADER_SIZE))
    seed = journal.checksum_seed(head.nonce)
    assert all(journal.verify(data, record.start, head.nonce, seed) for record in found)
    assert (found[-1].end if found else journal.HEADER_SIZE) == head.committed
    return found


def test_a_new_journal_is_for_its_owner_alone(writer: TreeWriter, path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert header(path)[1:] == (BOOT, TREE, journal.HEADER_SIZE, 0, 2)


def test_two_journals_do_not_share_their_nonce(writer: TreeWriter, path: Path) -> None:
    other = path.with_name("other.journal")
    TreeWriter.create(other, TREE, BOOT, 1).abandon()
    assert header(other).nonce != header(path).nonce


def test_what_is_there_is_never_overwritten_by_a_new_journal(writer: TreeWriter, path: Path) -> None:
    with pytest.raises(FileExistsError):
        TreeWriter.create(path, TREE, BOOT, 2)


def test_a_link_is_not_followed(writer: TreeWriter, path: Path, tmp_path: Path) -> None:
    link = path.with_name("link.journal")
    link.symlink_to(path)
    before = path.read_bytes()
    with pytest.raises(OSError, match=r"[Ll]inks"):
        TreeWriter.reopen(link, 2, BOOT)
    with pytest.raises(FileExistsError):
        TreeWriter.create(link, TREE, BOOT, 2)
    assert path.read_bytes() == before


def test_every_append_moves_the_committed_length_behind_itself(writer: TreeWriter, path: Path) -> None:
    for size in (0, 1, 1000, journal.MAX_PAYLOAD):
        writer.output(TREE, 1, 5, bytes(size))
        assert header(path).committed == writer.committed == path.stat().st_size == records(path)[-1].end


def test_offsets_leads_and_chains_are_each_streams_and_executions_own(writer: TreeWriter, path: Path) -> None:
    writer.output(TREE, 1, 1, b"a\xf0\x9f")
    writer.output(CHILD, 1, 2, b"xyz")
    writer.output(TREE, 2, 3, b"err\xc3")
    writer.output(TREE, 1, 4, b"\x8c")
    writer.output(TREE, 1, 5, b"\xa7b")
    writer.output(TREE, 2, 6, b"\xbc.")
    found = records(path)
    assert [(record.offset, record.lead) for record in found] == [
        (0, b""),
        (0, b""),
        (0, b""),
        (3, b"\xf0\x9f"),
        (4, b"\xf0\x9f\x8c"),
        (4, b"\xc3"),
    ]
    assert [record.prev for record in found] == [0, 0, found[0].start, *(found[index].start for index in (2, 3, 4))]
    assert writer.ends(TREE) == (found[0].start, found[5].start)
    assert writer.ends(CHILD) == (found[1].start, found[1].start)
    assert writer.ends(sample_id(9)) == (0, 0)


def test_what_was_skipped_shows_as_a_hole_and_ends_a_character(writer: TreeWriter, path: Path) -> None:
    writer.output(TREE, 1, 1, b"abc\xf0\x9f")
    writer.skip(TREE, 1, 1000)
    writer.output(TREE, 1, 2, b"\x8c\xa7")
    last = records(path)[-1]
    assert (last.offset, last.lead) == (1005, b"")


def test_a_copy_of_an_event_is_appended_once(writer: TreeWriter, path: Path) -> None:
    assert writer.note(journal.STATUS, TREE, 1, 7, b"{}")
    assert not writer.note(journal.STATUS, TREE, 2, 7, b"{}")
    assert writer.note(journal.STATUS, TREE, 3, 0, b"{}")
    assert writer.note(journal.STATUS, TREE, 4, 0, b"{}")
    assert [record.time for record in records(path)] == [1, 3, 4]


@pytest.mark.parametrize("garbage", [b"", b"x", bytes(10_000), b"half a frame" * 100])
def test_what_a_dead_writer_left_uncommitted_is_cut_off(writer: TreeWriter, path: Path, garbage: bytes) -> None:
    writer.output(TREE, 1, 1, b"kept")
    writer.abandon()
    with path.open("ab") as file:
        file.write(garbage)
    again = TreeWriter.reopen(path, 2, BOOT)
    assert path.stat().st_size == again.committed == header(path).committed
    again.output(TREE, 1, 2, b"new")
    assert [(bytes(record.payload), record.incarnation) for record in records(path)] == [(b"kept", 1), (b"new", 2)]


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("output"),
            st.sampled_from([TREE, CHILD]),
            st.integers(1, 2),
            st.binary(max_size=5) | st.sampled_from([b"\xf0\x9f", b"\x8c", b"\xa7", "ü".encode()]),
        ),
        st.tuples(st.just("note"), st.sampled_from([TREE, CHILD]), st.integers(0, 4), st.just(b"{}")),
    ),
    max_size=14,
)


def carry_out(writer: TreeWriter, step: tuple[str, str, int, bytes]) -> None:
    kind, execution, number, payload = step
    if kind == "output":
        writer.output(execution, number, 1, payload)
    else:
        writer.note(journal.STATUS, execution, 1, number, payload)


def without_writer(found: list[Record]) -> list[tuple[Any, ...]]:
    return [(*record[:9], record.lead, record.tag, bytes(record.payload)) for record in found]


@given(STEPS, st.sets(st.integers(0, 13)), st.booleans())
def test_a_journal_gone_on_with_is_the_same_as_one_written_at_once(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[str, str, int, bytes]],
    deaths: set[int],
    closing: bool,
) -> None:
    folder = tmp_path_factory.mktemp("journals")
    straight = TreeWriter.create(folder / "a", TREE, BOOT, 1)
    broken = TreeWriter.create(folder / "b", TREE, BOOT, 1)
    for number, step in enumerate(steps):
        if number in deaths:
            broken.abandon()
            with (folder / "b").open("ab") as file:
                file.write(b"torn")
            broken = TreeWriter.reopen(folder / "b", 1, BOOT)
        carry_out(straight, step)
        carry_out(broken, step)
    for writer in (straight, broken):
        writer.close(TREE, 1) if closing else writer.abandon()
    assert without_writer(records(folder / "a")) == without_writer(records(folder / "b"))


def test_a_closed_journal_has_an_index_of_where_every_chain_ends(writer: TreeWriter, path: Path) -> None:
    for number in (1, 2, 3, 1, 2):
        writer.output(sample_id(number), 1, 1, b"x")
    tails = {sample_id(number): writer.ends(sample_id(number))[1] for number in (1, 2, 3)}
    writer.close(TREE, 99)
    last = records(path)[-1]
    assert (last.kind, last.start, last.time) == (journal.INDEX, header(path).closing, 99)
    assert journal.unpack_index(last.payload) == tails


def test_a_root_alone_needs_no_index(writer: TreeWriter, path: Path) -> None:
    writer.output(TREE, 1, 1, b"x")
    writer.close(TREE, 99)
    assert header(path).closing == 0
    assert [record.kind for record in records(path)] == [journal.OUTPUT]


def test_a_closed_journal_that_is_gone_on_with_is_open_again(writer: TreeWriter, path: Path) -> None:
    writer.output(TREE, 1, 1, b"x")
    writer.output(CHILD, 1, 1, b"x")
    writer.close(TREE, 99)
    again = TreeWriter.reopen(path, 2, BOOT)
    assert header(path).closing == 0
    again.output(CHILD, 1, 1, b"y")
    again.close(TREE, 100)
    last = records(path)[-1]
    assert last.start == header(path).closing
    assert journal.unpack_index(last.payload).keys() == {TREE, CHILD}


@pytest.mark.parametrize("content", [b"", b"short", bytes(journal.HEADER_SIZE)])
def test_what_is_no_journal_is_refused_and_not_held_open(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    for _ in range(5):
        with pytest.raises(journal.NotAJournalError):
            TreeWriter.reopen(path, 1, BOOT)
    assert path.read_bytes() == content
    assert open_below(path.parents[1]) == []


class FullDisk:
    """Stands between the writer and its file; `room` is how many bytes it still takes (None: any number)."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room: int | None = None
        self.pwritev, self.pwrite = os.pwritev, os.pwrite
        monkeypatch.setattr(os, "pwritev", self.write_many)
        monkeypatch.setattr(os, "pwrite", self.write_one)

    def write_many(self, descriptor: int, buffers: list[Bytes], offset: int) -> int:
        if self.room is None:
            return self.pwritev(descriptor, buffers, offset)
        whole = b"".join(bytes(buffer) for buffer in buffers)[: self.room]
        if not whole:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self.pwrite(descriptor, whole, offset)

    def write_one(self, descriptor: int, data: Bytes, offset: int) -> int:
        return self.write_many(descriptor, [data], offset)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[FullDisk]:
    yield FullDisk(monkeypatch)
    monkeypatch.undo()


@pytest.mark.parametrize("room", [0, 1, 63, 64, 100])
def test_a_write_that_does_not_fit_has_not_happened_and_may_be_tried_again(
    disk: FullDisk, writer: TreeWriter, path: Path, room: int
) -> None:
    writer.output(TREE, 1, 1, b"before\xf0\x9f")
    before = path.read_bytes()
    disk.room = room
    for _ in range(2):
        with pytest.raises(DiskFullError):
            writer.output(TREE, 1, 2, b"\x8c" + bytes(500))
        with pytest.raises(DiskFullError):
            writer.note(journal.STATUS, TREE, 2, 9, bytes(500))
        assert path.read_bytes() == before
    disk.room = None
    writer.output(TREE, 1, 3, b"\x8c after")
    assert writer.note(journal.STATUS, TREE, 3, 9, b"{}")
    assert [(record.time, record.offset, record.lead) for record in records(path)] == [
        (1, 0, b""),
        (3, 8, b"\xf0\x9f"),
        (3, 0, b""),
    ]


def test_a_commit_that_fails_has_appended_nothing(
    writer: TreeWriter, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.output(TREE, 1, 1, b"before")
    pwrite = os.pwrite

    def failing(descriptor: int, data: Bytes, offset: int) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", failing)
    with pytest.raises(OSError, match="pace"):
        writer.output(TREE, 1, 2, b"once")
    monkeypatch.setattr(os, "pwrite", pwrite)
    writer.output(TREE, 1, 3, b"once")
    assert [(record.offset, bytes(record.payload)) for record in records(path)] == [(0, b"before"), (6, b"once")]


@pytest.mark.parametrize("room", [0, 100])
def test_a_journal_that_could_not_be_begun_can_be_begun_later(disk: FullDisk, path: Path, room: int) -> None:
    disk.room = room
    for _ in range(2):
        with pytest.raises(OSError, match="pace"):
            TreeWriter.create(path, TREE, BOOT, 1)
        assert not path.exists()
    assert open_below(path.parents[1]) == []
    disk.room = None
    TreeWriter.create(path, TREE, BOOT, 1).output(TREE, 1, 1, b"x")
    assert len(records(path)) == 1


def test_an_error_that_is_not_about_space_is_told_as_it_is(writer: TreeWriter) -> None:
    writer.abandon()
    with pytest.raises(OSError, match="Bad file descriptor") as caught:
        writer.output(TREE, 1, 1, b"x")
    assert not isinstance(caught.value, DiskFullError)


def three(path: Path) -> list[Record]:
    """A journal of three records of one stream, left behind by a dead writer."""
    writer = TreeWriter.create(path, TREE, BOOT, 1)
    for number, text in enumerate((b"one\n", b"two\n", b"three\n")):
        writer.output(TREE, 1, number, text)
    writer.abandon()
    return records(path)


def shown(path: Path) -> list[bytes]:
    """What readers get: the payloads of the undamaged frames, and b"?" for what lies between them."""
    data, head = path.read_bytes(), header(path)
    found: list[bytes] = []
    at = journal.HEADER_SIZE
    while at < head.committed:
        for record in journal.unpack_frames(data[at : head.committed], at, head.nonce):
            found.append(bytes(record.payload))
            at = record.end
        if at < head.committed:
            at = journal.find_frame(data[: head.committed], at, head.nonce, journal.checksum_seed(head.nonce))
            found.append(b"?")
            if at < 0:
                break
    return found


@pytest.mark.parametrize("part", ["marker", "length", "time", "payload"])
def test_after_another_boot_what_the_power_took_is_no_frame_any_more(path: Path, part: str) -> None:
    _, second, last = three(path)
    at = {"marker": 0, "length": 4, "time": 40, "payload": journal.FRAME_SIZE}[part]
    with path.open("r+b") as file:
        file.seek(second.start + at)
        file.write(b"\xfe" * 4)
    before = path.stat().st_size
    TreeWriter.reopen(path, 2, b"another boot's!!").abandon()
    assert shown(path) == [b"one\n", b"?", b"three\n"]
    assert path.stat().st_size == before
    again = TreeWriter.reopen(path, 3, b"another boot's!!")
    again.output(TREE, 1, 9, b"four\n")
    assert shown(path) == [b"one\n", b"?", b"three\n", b"four\n"]
    data, head = path.read_bytes(), header(path)
    added = journal.unpack_frame(memoryview(data), last.end, 0)
    assert added is not None
    assert (added.offset, added.prev, head.boot) == (last.offset + 6, last.start, b"another boot's!!")


def test_after_another_boot_an_end_that_the_power_took_is_a_gap(path: Path) -> None:
    *_, last = three(path)
    with path.open("r+b") as file:
        file.truncate(last.start + 10)
    again = TreeWriter.reopen(path, 2, b"another boot's!!")
    assert again.committed == last.end
    again.output(TREE, 1, 9, b"four\n")
    assert shown(path) == [b"one\n", b"two\n", b"?", b"four\n"]


def test_within_one_boot_nothing_is_verified(path: Path) -> None:
    """Every byte below the committed length was written; to read it all again would cost a restart its time."""
    _, second, _ = three(path)
    with path.open("r+b") as file:
        file.seek(second.start + journal.FRAME_SIZE)
        file.write(b"T")
    TreeWriter.reopen(path, 2, BOOT).abandon()
    assert shown(path) == [b"one\n", b"Two\n", b"three\n"]
