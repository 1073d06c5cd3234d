# ruff: noqa: S101 - asserting is what a contract suite is for
"""The contract suite of launchers. A test class derives from `LauncherContract`; its module has the fixtures `launcher`
(a running `ports.Launcher`) and `journal` (a `ports.Journal` that reads the launcher's records).

The suite starts real processes: a shell and the standard programs of a POSIX system.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import msgspec
import pytest

from squall.core.execution.launch import End, LaunchSpec
from squall.core.output import journal as codec
from squall.ports import Journal, Launcher
from squall.testing.launcher_ends import EndContract
from squall.testing.reading import printed, read_all, read_until
from squall.testing.samples import NOON, sample_id, shell_spec
from squall.testing.waiting import PATIENCE


async def ended(launcher: Launcher, spec: LaunchSpec) -> End:
    """Starts a process, waits for its end, and returns it."""
    await launcher.spawn(spec)
    async with asyncio.timeout(PATIENCE):
        return await launcher.ended(spec.execution)


@pytest.mark.anyio
class OutputContract:
    """The contract of the output of processes and its records in the journal."""

    async def test_all_that_was_printed_is_readable_once_the_end_is_told(
        self, launcher: Launcher, journal: Journal
    ) -> None:
        """A reader that waits for the end finds all output in the journal."""
        end = await ended(launcher, shell_spec("for i in $(seq 2000); do echo line $i; done; echo oops >&2; exit 3"))
        records = await read_all(journal, sample_id(1))
        expected = b"".join(b"line %d\n" % number for number in range(1, 2001))
        assert printed(records, "stdout") == expected
        assert printed(records, "stderr") == b"oops\n"
        assert (end.exit_code, end.stdout_bytes, end.stderr_bytes) == (3, len(expected), 5)
        assert (end.error, end.timed_out, end.canceled, end.over_limit) == (None, False, False, False)

    async def test_output_comes_before_its_line_and_its_process_end(
        self, launcher: Launcher, journal: Journal, tmp_path: Path
    ) -> None:
        """A prompt is readable while the process waits for an answer."""
        os.mkfifo(tmp_path / "answer")
        spec = shell_spec(f"printf 'name? '; read name < {tmp_path}/answer; echo hello $name")
        await launcher.spawn(spec)
        records = await read_until(journal, spec.tree, lambda records: printed(records) == b"name? ")
        assert records[-1].kind == codec.OUTPUT
        with open(tmp_path / "answer", "w") as answer:
            answer.write("ada\n")
        async with asyncio.timeout(PATIENCE):
            await launcher.ended(spec.execution)
        assert printed(await read_all(journal, spec.tree)) == b"name? hello ada\n"

    async def test_bytes_are_kept_as_they_were(self, launcher: Launcher, journal: Journal, tmp_path: Path) -> None:
        """The bytes include NUL, invalid UTF-8, carriage returns and escape sequences, and no newline at the end."""
        everything = bytes(range(256)) * 40 + b"\xf0\x9f\x8c\r50%\r\x1b[31mred\x1b[0m\0"
        (tmp_path / "bytes").write_bytes(everything)
        end = await ended(launcher, shell_spec(f"cat {tmp_path}/bytes; cat {tmp_path}/bytes >&2"))
        records = await read_all(journal, sample_id(1))
        assert printed(records, "stdout") == printed(records, "stderr") == everything
        assert end.stdout_bytes == end.stderr_bytes == len(everything)

    async def test_twenty_megabytes_without_a_newline(self, launcher: Launcher, journal: Journal) -> None:
        """The launcher does not wait for the end of a line."""
        end = await ended(launcher, shell_spec("head -c 20000000 /dev/zero"))
        position = size = 0
        while (batch := await journal.read(sample_id(1), position, 1 << 20)).position != position:
            position = batch.position
            for record in batch.records:
                assert record.offset == size
                assert len(record.payload) <= codec.MAX_PAYLOAD
                size += len(record.payload)
        assert size == end.stdout_bytes == 20_000_000

    async def test_every_record_says_where_it_belongs(self, launcher: Launcher, journal: Journal) -> None:
        """A record has its execution, its stream, its offset in that stream, and the unfinished character before it."""
        await ended(launcher, shell_spec("printf 'a\\xf0\\x9f'; echo xy >&2; sleep 0.1; printf '\\x8c\\xa7b'"))
        records = await read_all(journal, sample_id(1))
        sizes = {1: 0, 2: 0}
        leads = {1: b"", 2: b""}
        text = ""
        for record in records:
            assert (record.kind, record.execution) == (codec.OUTPUT, sample_id(1))
            assert (record.offset, record.lead) == (sizes[record.stream], leads[record.stream])
            sizes[record.stream] += len(record.payload)
            decoded, leads[record.stream] = codec.decode_text(record.lead, record.payload)
            text += decoded if record.stream == codec.STREAM_NUMBERS["stdout"] else ""
        assert text == "a\U0001f327b"

    async def test_the_opening_record_stands_before_the_first_output(
        self, launcher: Launcher, journal: Journal
    ) -> None:
        """Readers learn that an execution runs before they see what it prints."""
        await ended(launcher, shell_spec("echo a", opening=b'{"status":"running"}', opened=7, opened_at=NOON))
        first, second = await read_all(journal, sample_id(1))
        assert (first.kind, first.event, first.time, bytes(first.payload)) == (
            codec.STATUS,
            7,
            NOON,
            b'{"status":"running"}',
        )
        assert (second.kind, second.prev) == (codec.OUTPUT, first.start)

    async def test_who_prints_nothing_makes_no_journal(self, launcher: Launcher, journal: Journal) -> None:
        """Most executions are silent; they cost no file."""
        end = await ended(launcher, shell_spec("true", opening=b"{}", opened=7))
        assert (end.exit_code, end.stdout_bytes, end.last_record) == (0, 0, 0)
        assert not await launcher.append(
            sample_id(1), [codec.ServerRecord(sample_id(1), codec.STATUS, NOON, 8, b"{}", create=False)]
        )
        assert await read_all(journal, sample_id(1)) == []

    async def test_the_end_of_a_long_output_is_found_from_the_end(self, launcher: Launcher, journal: Journal) -> None:
        """`last_record` is the start of the search. It finds both streams, however far back one of them ended."""
        command = "echo first >&2; for i in $(seq 300); do echo $i; done; echo between >&2; echo last"
        end = await ended(launcher, shell_spec(command))
        records = await journal.read_last(sample_id(1), end.last_record, {1: 1 << 20, 2: 1 << 20})
        assert printed(records, "stderr") == b"first\nbetween\n"
        assert printed(records, "stdout").endswith(b"300\nlast\n")
        few = await journal.read_last(sample_id(1), end.last_record, {1: 5, 2: 5})
        assert printed(few, "stdout").endswith(b"last\n")
        assert printed(few, "stderr").endswith(b"between\n")

    async def test_executions_of_one_tree_share_its_journal_and_nothing_else(
        self, launcher: Launcher, journal: Journal
    ) -> None:
        """Each execution has its own offsets and its own chain of records."""
        specs = [
            shell_spec(f"for i in 1 2 3; do echo {number}.$i; done", number, tree=sample_id(1)) for number in (1, 2)
        ]
        async with asyncio.TaskGroup() as group:
            for spec in specs:
                group.create_task(ended(launcher, spec))
        records = await read_all(journal, sample_id(1))
        for number in (1, 2):
            own = [record for record in records if record.execution == sample_id(number)]
            assert printed(own) == b"".join(b"%d.%d\n" % (number, line) for line in (1, 2, 3))
            assert own[0].offset == 0
            assert [record.prev for record in own] == [0, *(record.start for record in own[:-1])]


@pytest.mark.anyio
class LimitContract:
    """The contract of the output limit."""

    async def test_beyond_its_limit_output_is_dropped_and_counted(self, launcher: Launcher, journal: Journal) -> None:
        """With `truncate`, the process runs to its own end, and gap records count the missing bytes exactly."""
        spec = shell_spec("head -c 100000 /dev/zero; head -c 5000 /dev/zero >&2; exit 4", output_limit=30_000)
        end = await ended(launcher, spec)
        assert (end.over_limit, end.exit_code, end.canceled) == (True, 4, False)
        assert end.stdout_bytes + end.stderr_bytes == 30_000
        records = await read_all(journal, sample_id(1))
        gaps = [record for record in records if record.kind == codec.GAP]
        gap_bytes = {record.stream: msgspec.json.decode(record.payload)["bytes"] for record in gaps}
        # The end of the dropped output follows the gap: at most 64 KiB of each stream.
        dropped = {1: 100_000 - end.stdout_bytes, 2: 5_000 - end.stderr_bytes}
        tails = {stream: min(count, 64 << 10) for stream, count in dropped.items()}
        assert gap_bytes == {stream: count - tails[stream] for stream, count in dropped.items()}
        assert len(printed(records)) == 30_000 + sum(tails.values())
        last = [record for record in records if record.kind == codec.OUTPUT and record.stream == 1][-1]
        assert last.offset + len(last.payload) == 100_000
        assert all(msgspec.json.decode(record.payload)["limit"] == 30_000 for record in gaps)

    async def test_output_of_exactly_the_limit_is_complete(self, launcher: Launcher, journal: Journal) -> None:
        """No byte is missing, so there is no gap record."""
        end = await ended(launcher, shell_spec("head -c 3000 /dev/zero", output_limit=3000))
        assert not end.over_limit
        assert {record.kind for record in await read_all(journal, sample_id(1))} == {codec.OUTPUT}

    async def test_who_is_to_fail_at_the_limit_is_stopped(self, launcher: Launcher, journal: Journal) -> None:
        """A process that would print for ever ends."""
        spec = shell_spec("while :; do echo more; done", output_limit=10_000, limit_policy="fail")
        end = await ended(launcher, spec)
        assert end.over_limit
        assert end.stopped
        assert end.exit_code != 0
        assert end.stdout_bytes == 10_000 <= len(printed(await read_all(journal, sample_id(1))))


@pytest.mark.anyio
class RecordContract:
    """The contract of the server's own records."""

    async def test_an_appended_record_is_read_as_it_was_given(self, launcher: Launcher, journal: Journal) -> None:
        """The record has the same kind, execution, time, event row and payload."""
        tree = sample_id(1)
        assert await launcher.append(tree, [codec.ServerRecord(sample_id(2), codec.PROGRESS, NOON, 9, b"payload")])
        (record,) = await read_all(journal, tree)
        assert (record.kind, record.execution, record.time, record.event) == (codec.PROGRESS, sample_id(2), NOON, 9)
        assert (bytes(record.payload), record.stream, record.prev) == (b"payload", codec.NO_STREAM, 0)

    async def test_without_create_a_tree_without_a_journal_gets_none(
        self, launcher: Launcher, journal: Journal
    ) -> None:
        """The call returns False."""
        assert not await launcher.append(
            sample_id(1), [codec.ServerRecord(sample_id(1), codec.STATUS, NOON, 1, b"{}", create=False)]
        )
        assert await read_all(journal, sample_id(1)) == []

    async def test_a_copy_of_an_event_that_is_there_is_dropped(self, launcher: Launcher, journal: Journal) -> None:
        """A crash may append it twice, also to a closed tree. Records without an event are never dropped."""
        tree = sample_id(1)
        for event in (1, 2, 1, 2, 0, 0):
            assert await launcher.append(tree, [codec.ServerRecord(tree, codec.STATUS, NOON, event, b"{}")])
        await launcher.close_tree(tree)
        assert await launcher.append(tree, [codec.ServerRecord(tree, codec.STATUS, NOON, 2, b"{}", create=False)])
        assert [record.event for record in await read_all(journal, tree)] == [1, 2, 0, 0]

    async def test_closing_what_is_not_open_is_fine(self, launcher: Launcher, journal: Journal) -> None:
        """A tree without output has nothing to close, and closing twice is closing once."""
        await launcher.close_tree(sample_id(1))
        await launcher.append(sample_id(2), [codec.ServerRecord(sample_id(2), codec.STATUS, NOON, 1, b"{}")])
        await launcher.close_tree(sample_id(2))
        await launcher.close_tree(sample_id(2))
        assert len(await read_all(journal, sample_id(2))) == 1


class LauncherContract(OutputContract, LimitContract, RecordContract, EndContract):
    """The whole contract of `ports.Launcher`."""
