"""Any mix of writers, ends of writers, seals, moves, reads and resumes gives each reader exactly the written bytes."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.doubles.journals import Kept

from squall.adapters.keeper.process.writing.journals import Journals
from squall.core.output import journal as codec
from squall.core.output.journal import Record
from squall.testing.samples import NOON, sample_id

TREE = sample_id(1)
EXECUTIONS = [TREE, sample_id(2), sample_id(3)]
STREAMS = [1, 2]

_writes = st.tuples(
    st.just("write"),
    st.sampled_from(EXECUTIONS),
    st.sampled_from(STREAMS),
    st.binary(max_size=300),
    st.integers(1, 400),
)
_steps = st.one_of(
    _writes,
    _writes,
    st.tuples(st.sampled_from(["close", "die", "seal", "move", "begin", "settle"])),
    st.tuples(st.just("read"), st.integers(0, 2), st.integers(1, 5000)),
)


_ONE = ("write", TREE, 1, b"a line\n", 3)


class World:
    """The journals of one tree, one writer at a time, and readers of which each goes on where it stood."""

    def __init__(self, folder: Path, small: int) -> None:
        self.kept = Kept(folder, small=small)
        self.files = self.kept.journal()
        self.writer: Journals | None = None
        self.wrote: dict[tuple[str, int], bytes] = {}
        self.told: dict[int, list[Record]] = {0: [], 1: [], 2: []}
        self.incarnation = 0

    async def write(self, execution: str, stream: int, data: bytes, times: int) -> None:
        if self.writer is None:
            await self.kept.archive.open(TREE)
            self.incarnation += 1
            self.writer = Journals(self.kept.root, bytes(16), self.incarnation, floor=0)
        writer = self.writer.writer(TREE, create=True)
        assert writer is not None
        writer.output(execution, stream, NOON, data * times)
        key = execution, stream
        self.wrote[key] = self.wrote.get(key, b"") + data * times

    async def close(self) -> None:
        """The tree is done: with its closing index."""
        if self.writer is not None:
            self.writer.close(TREE, NOON)
            self.writer = None
            self.kept.archive.release(TREE)

    async def die(self) -> None:
        """The writer ends as it is, and leaves half a record behind what is committed."""
        if self.writer is not None:
            self.writer.close_all()
            self.writer = None
            with open(self.kept.root / codec.file_name(TREE), "ab") as file:
                file.write(b"half a record")
            self.kept.archive.release(TREE)

    async def seal(self) -> None:
        await self.kept.archive.seal([TREE])
        await self.kept.archive.settle([TREE])

    async def move(self) -> None:
        await self.kept.archive.move([TREE])

    async def begin(self) -> None:
        """A sealer that has not settled yet, or was killed before it could."""
        await self.kept.archive.seal([TREE])

    async def settle(self) -> None:
        """Settles what was sealed, though much may have come since."""
        await self.kept.archive.settle([TREE])

    async def read(self, reader: int, limit: int) -> None:
        """One batch behind the last record that this reader has seen: of the tree, or of one execution."""
        seen = self.told[reader]
        after = seen[-1].end if seen else 0
        assert await self.files.check(TREE, after)
        if reader == 0:
            batch = await self.files.read(TREE, after, limit)
        else:
            batch = await self.files.read_execution(TREE, EXECUTIONS[reader], after, limit)
        seen += batch.records

    async def rest(self) -> None:
        """Everybody reads to the end."""
        for reader in self.told:
            while True:
                before = len(self.told[reader])
                after = self.told[reader][-1].end if self.told[reader] else 0
                position = after
                while True:
                    if reader == 0:
                        batch = await self.files.read(TREE, position, 3000)
                    else:
                        batch = await self.files.read_execution(TREE, EXECUTIONS[reader], position, 3000)
                    self.told[reader] += batch.records
                    if batch.records or batch.position == position:
                        break
                    position = batch.position
                if len(self.told[reader]) == before:
                    break

    def check(self) -> None:
        for reader, records in self.told.items():
            got: dict[tuple[str, int], bytes] = {}
            for record in records:
                assert record.kind == codec.OUTPUT
                key = record.execution, record.stream
                assert record.offset == len(got.get(key, b""))
                got[key] = got.get(key, b"") + bytes(record.payload)
            wanted = {key: data for key, data in self.wrote.items() if reader == 0 or key[0] == EXECUTIONS[reader]}
            assert {key: data for key, data in got.items() if data} == {key: d for key, d in wanted.items() if d}


async def play(steps: list[tuple[object, ...]], small: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), small)
        try:
            for name, *arguments in steps:
                await getattr(world, str(name))(*arguments)
            await world.rest()
            world.check()
            await world.close()
            await world.seal()
            await world.rest()
            world.check()
            verdict = await world.kept.archive.verify(TREE)
            assert verdict is None or verdict.faults == ()
        finally:
            world.files.close()
            world.kept.close()


@settings(max_examples=40)
@given(small=st.sampled_from([0, 5000, 1 << 20]), steps=st.lists(_steps, min_size=8, max_size=30))
@example(small=0, steps=[_ONE, ("close",), ("begin",), _ONE, ("close",), ("settle",), ("read", 0, 100)])
@example(small=0, steps=[_ONE, ("close",), ("seal",), ("move",), ("read", 0, 1), _ONE, ("die",), ("seal",)])
def test_every_reader_gets_exactly_what_was_written(small: int, steps: list[tuple[object, ...]]) -> None:
    asyncio.run(play(steps, small))
