"""Damage of any stored byte is told, in each form of a journal, and no reader takes it for an output without text."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.doubles.journals import Kept

from squall.adapters.keeper.process.writing.journals import Journals
from squall.core.output import journal as codec
from squall.core.output import sealed
from squall.core.output.accounts import Account, Loss
from squall.ports import BLOB, FILE, LIVE, ROW
from squall.testing.reading import printed, read_all, read_one
from squall.testing.samples import NOON, sample_id

pytestmark = pytest.mark.anyio

TREE, CHILD = sample_id(1), sample_id(2)
FORMS = [(LIVE, 3), (ROW, 3), (FILE, 300), (BLOB, 300)]


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    made = Kept(tmp_path)
    yield made
    made.close()


class Stored:
    """A journal of two executions in one form: `change` puts other bytes in its place."""

    def __init__(self, kept: Kept, form: str, records: int, tree: str = TREE, version: int = 2) -> None:
        self.kept = kept
        self.form = form
        self.tree = tree
        self._write(records, version)

    def _write(self, records: int, version: int) -> None:
        live = self.kept.root / codec.file_name(self.tree)
        journals = Journals(self.kept.root, b"b" * 16, 1, floor=0)
        if version == 1:
            live.parent.mkdir(parents=True, exist_ok=True)
            live.write_bytes(codec.pack_header(b"n" * 16, b"b" * 16, self.tree, 1))
        writer = journals.writer(self.tree, create=True)
        assert writer is not None
        noise = random.Random(7)
        for number in range(records):
            writer.output(self.tree if number % 3 else CHILD, 1 + number % 2, NOON + number, noise.randbytes(500))
        self.accounts = []
        for execution in (self.tree, CHILD):
            sizes = {stream: writer._offsets.get((execution, stream), 0) for stream in (1, 2)}
            self.accounts.append(Account(execution, sizes[1], sizes[2], writer.ends(execution)[1]))
        writer.note(codec.STATUS, self.tree, NOON, 1, b'{"status":"succeeded"}')
        journals.close(self.tree, NOON)

    async def place(self) -> Stored:
        """Brings it into its form."""
        archive = self.kept.archive
        if self.form != LIVE:
            seals = await archive.seal([self.tree])
            await archive.settle([self.tree])
            assert seals[self.tree].place == (ROW if self.form == ROW else FILE)
        if self.form == BLOB:
            assert list(await archive.move([self.tree])) == [self.tree]
        return self

    @property
    def path(self) -> Path:
        if self.form == BLOB:
            return self.kept.root.parent / "blobs" / sealed.file_name(self.tree)
        name = codec.file_name(self.tree) if self.form == LIVE else sealed.file_name(self.tree)
        return self.kept.root / name

    def data(self) -> bytes:
        if self.form == ROW:
            row = self.kept.rows.get(self.tree)
            assert row is not None
            return row.body
        return self.path.read_bytes()

    def change(self, data: bytes) -> None:
        if self.form == ROW:
            row = self.kept.rows.get(self.tree)
            assert row is not None
            self.kept.rows.put([msgspec.structs.replace(row, body=data)])
        else:
            self.path.write_bytes(data)

    async def faults(self) -> tuple[str, ...]:
        verdict = await self.kept.archive.verify(self.tree, self.accounts)
        assert verdict is not None
        return verdict.faults

    async def read(self) -> tuple[int, list[Loss], bool]:
        """What readers get: bytes of output, what is known to be missing, and whether there are gaps."""
        journal = self.kept.journal()
        try:
            records = await read_all(journal, self.tree)
            await read_one(journal, self.tree, CHILD)
            lost = list(await journal.lost(self.tree, self.accounts, None))
            gaps = any(record.kind == codec.GAP for record in records)
            return len(printed([record for record in records if record.kind == codec.OUTPUT])), lost, gaps
        finally:
            journal.close()


def flipped(data: bytes, at: int, bit: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]


@pytest.mark.parametrize(("form", "records"), FORMS)
async def test_an_undamaged_journal_has_no_faults(kept: Kept, form: str, records: int) -> None:
    stored = await Stored(kept, form, records).place()
    assert await stored.faults() == ()
    assert await stored.read() == (500 * records, [], False)


@pytest.mark.parametrize(("form", "records"), FORMS)
async def test_a_flipped_bit_is_told_wherever_it_is(kept: Kept, form: str, records: int) -> None:
    stored = await Stored(kept, form, records).place()
    whole = stored.data()
    chosen = random.Random(11)
    inside = range(len(whole)) if len(whole) < 8000 else [*range(200), *range(len(whole) - 600, len(whole))]
    places = {*chosen.sample(inside, min(len(inside), 400)), *chosen.sample(range(len(whole)), 100)}
    for at in sorted(places):
        stored.change(flipped(whole, at, chosen.randrange(8)))
        assert await stored.faults(), at
        size, lost, gaps = await stored.read()
        assert lost or gaps or size == 500 * records, at
    stored.change(whole)
    assert await stored.faults() == ()


async def test_each_byte_of_a_live_header_is_told(kept: Kept) -> None:
    stored = Stored(kept, LIVE, 3)
    whole = stored.data()
    for at in [*range(128), *range(128, codec.HEADER_SIZE, 61)]:
        stored.change(flipped(whole, at, at % 8))
        assert await stored.faults(), at
        size, lost, _ = await stored.read()
        assert size + sum(loss.missing for loss in lost) == 1500, at


@pytest.mark.parametrize(("form", "records"), FORMS)
async def test_a_truncation_anywhere_is_told(kept: Kept, form: str, records: int) -> None:
    stored = await Stored(kept, form, records).place()
    whole = stored.data()
    ends = {0, 1, 64, 84, 4095, 4096, 4100, len(whole) // 2, len(whole) - 1}
    if form == LIVE:
        ends |= {record.start for record in codec.unpack_frames(whole[4096:], 4096)}
    for end in sorted(end for end in ends if end < len(whole)):
        stored.change(whole[:end])
        assert await stored.faults(), end
        if form != BLOB:
            size, lost, gaps = await stored.read()
            assert lost or gaps or size == 500 * records, end
    stored.change(bytes(len(whole)))
    assert await stored.faults()


@pytest.mark.parametrize(("form", "records"), FORMS)
async def test_the_journal_of_another_tree_is_told(kept: Kept, form: str, records: int) -> None:
    stored = await Stored(kept, form, records).place()
    other = await Stored(kept, form, records, tree=sample_id(3)).place()
    mine, others = stored.data(), other.data()
    stored.change(others)
    other.change(mine)
    for each in (stored, other):
        assert await each.faults()
        _, lost, gaps = await each.read()
        assert lost or gaps


@pytest.mark.parametrize(("form", "records"), [(LIVE, 3), (FILE, 300)])
async def test_a_journal_that_is_gone_is_missing_as_a_whole(kept: Kept, form: str, records: int) -> None:
    stored = await Stored(kept, form, records).place()
    stored.path.unlink()
    assert await kept.archive.verify(TREE, stored.accounts) is None
    size, lost, _ = await stored.read()
    assert (size, sum(loss.missing for loss in lost)) == (0, 500 * records)


async def test_a_journal_of_release_0_1_0_is_read_continued_and_sealed(kept: Kept) -> None:
    stored = Stored(kept, LIVE, 3, version=1)
    assert codec.unpack_header(stored.data()[: codec.HEADER_SIZE]).version == 1
    assert await stored.faults() == ()
    await kept.archive.seal([TREE])
    await kept.archive.settle([TREE])
    assert await stored.faults() == ()
    assert await stored.read() == (1500, [], False)


@pytest.mark.parametrize("at", [0, 9, 13, 57, 63, 64, 66, 71, 79, 85, 4000])
async def test_damage_of_a_header_of_release_0_1_0_is_told_where_it_can_be(kept: Kept, at: int) -> None:
    stored = Stored(kept, LIVE, 3, version=1)
    stored.change(flipped(stored.data(), at, 6))
    assert await stored.faults()


async def test_a_damaged_header_is_set_aside_when_a_writer_goes_on(kept: Kept) -> None:
    stored = Stored(kept, LIVE, 3)
    stored.change(flipped(stored.data(), 0, 0))
    journals = Journals(kept.root, b"b" * 16, 2, floor=0)
    writer = journals.writer(TREE, create=True)
    assert writer is not None
    writer.note(codec.STATUS, TREE, NOON, 5, b'{"status":"abandoned"}')
    journals.close_all()
    assert stored.path.with_suffix(codec.DAMAGED).exists()
    size, lost, _ = await stored.read()
    assert (size, sum(loss.missing for loss in lost)) == (0, 1500)
    assert await stored.faults()
    await kept.archive.remove([TREE])
    assert list(kept.root.rglob("*.damaged")) == []
