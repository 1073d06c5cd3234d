# ruff: noqa: S101 - asserting is what a contract suite is for
"""The contract of starting and ending processes; a part of `squall.testing.launcher`."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from squall.ports import Journal, Launcher
from squall.testing.reading import printed, read_all, read_until
from squall.testing.samples import sample_id, shell_spec
from squall.testing.waiting import PATIENCE, eventually


async def end_of(launcher: Launcher, command: str, number: int = 1, **changes: Any) -> Any:
    """Runs a shell command and returns its end."""
    spec = shell_spec(command, number, **changes)
    await launcher.spawn(spec)
    async with asyncio.timeout(PATIENCE):
        return await launcher.ended(spec.execution)


async def gone(pid: int) -> bool:
    """Returns True when the process has gone. Raises `AssertionError` if it stays for `PATIENCE` seconds."""

    def is_over() -> bool:
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                return file.read().rpartition(b")")[2].split()[0] in (b"Z", b"X")
        except OSError:
            return True

    return bool(await eventually(is_over, f"process {pid} goes away"))


STUBBORN = "bash -c 'trap \"\" TERM; echo $$ > {folder}/pid; {close} echo ready; while :; do sleep 60 & wait; done'"
"""A shell command that ignores TERM, writes its pid into a folder and prints `ready`."""


@pytest.mark.anyio
class StartContract:
    """The contract of starting processes and of telling their ends."""

    @pytest.mark.parametrize(("command", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -KILL $$", -9)])
    async def test_the_exit_code_is_told_that_of_a_signal_as_negative(
        self, launcher: Launcher, command: str, code: int
    ) -> None:
        """The exit code is the one that the operating system reports."""
        assert (await end_of(launcher, command)).exit_code == code

    async def test_environment_and_folder_are_the_given_ones(
        self, launcher: Launcher, journal: Journal, tmp_path: Path
    ) -> None:
        """The process gets nothing of the launcher's own environment."""
        await end_of(launcher, "pwd; /usr/bin/env", env={"A": "b ü\nc"}, cwd=str(tmp_path))
        lines = printed(await read_all(journal, sample_id(1))).decode()
        names = {line.partition("=")[0] for line in lines.splitlines()[1:] if "=" in line}
        assert lines.startswith(f"{tmp_path.resolve()}\n")
        assert "A=b ü\nc\n" in lines
        # A launcher may mark its processes so that it finds all of them again.
        assert {name for name in names if not name.startswith("SQUALL_")} <= {"A", "PWD", "SHLVL", "_"}

    async def test_standard_input_is_what_is_given_and_then_ends(self, launcher: Launcher, journal: Journal) -> None:
        """For example, sudo reads its password from there. Without input, standard input ends at once."""
        await end_of(launcher, "cat", stdin=b"secret\n")
        await end_of(launcher, "cat; echo end", 2)
        assert printed(await read_all(journal, sample_id(1))) == b"secret\n"
        assert printed(await read_all(journal, sample_id(2))) == b"end\n"

    async def test_input_that_nobody_reads_holds_up_nobody_else(self, launcher: Launcher) -> None:
        """This holds for input of any size."""
        order: list[int] = []

        async def run(number: int, command: str, stdin: bytes | None) -> None:
            await end_of(launcher, command, number, stdin=stdin)
            order.append(number)

        async with asyncio.TaskGroup() as group:
            group.create_task(run(1, "sleep 1", b"x" * 1_000_000))
            group.create_task(run(2, "true", None))
        assert order == [2, 1]

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"argv": ["/nosuch/program"]}, "/nosuch/program"),
            ({"cwd": "/nosuch/folder"}, "/nosuch/folder"),
            ({"argv": ["/bin/echo", "x" * 200_000]}, "Argument list too long"),
            ({"argv": ["/bin/echo", "a\0b"]}, "null byte"),
            ({"argv": ["/etc/passwd"]}, "ermission denied"),
            ({"env": {"A=B": "c"}}, "environment"),
        ],
    )
    async def test_what_cannot_be_started_ends_with_an_error_that_says_why(
        self, launcher: Launcher, journal: Journal, change: dict[str, Any], reason: str
    ) -> None:
        """The failure is an end, not an exception."""
        end = await end_of(launcher, "true", **change)
        assert reason in (end.error or "")
        assert end.exit_code != 0
        assert not end.canceled
        assert await read_all(journal, sample_id(1)) == []

    async def test_spawning_the_same_attempt_again_starts_nothing(self, launcher: Launcher, tmp_path: Path) -> None:
        """A worker that is not sure may spawn twice. Another attempt starts another process."""
        spec = shell_spec(f"echo x >> {tmp_path}/runs")
        await launcher.spawn(spec)
        await launcher.spawn(spec)
        async with asyncio.timeout(PATIENCE):
            assert (await launcher.ended(spec.execution)).attempt == 1
            await launcher.spawn(spec)
            assert (await launcher.ended(spec.execution)).attempt == 1
        assert (tmp_path / "runs").read_text() == "x\n"
        end = await end_of(launcher, f"echo x >> {tmp_path}/runs", attempt=2)
        assert end.attempt == 2
        assert (tmp_path / "runs").read_text() == "x\nx\n"

    async def test_what_is_held_is_told_until_it_is_acknowledged(self, launcher: Launcher) -> None:
        """This holds for running and ended processes, so that a worker does not start them again."""
        spec = shell_spec("sleep 0.1", attempt=3)
        assert list(launcher.held()) == []
        await launcher.spawn(spec)
        assert list(launcher.held()) == [(spec.execution, 3)]
        async with asyncio.timeout(PATIENCE):
            await launcher.ended(spec.execution)
        assert list(launcher.held()) == [(spec.execution, 3)]
        await launcher.acknowledge(spec.execution)
        assert list(launcher.held()) == []

    async def test_an_end_is_told_until_it_is_acknowledged(self, launcher: Launcher) -> None:
        """All waiting callers get the end, also if one of them gives up."""
        spec = shell_spec("sleep 0.2; exit 5")
        await launcher.spawn(spec)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await launcher.ended(spec.execution)
        async with asyncio.timeout(PATIENCE):
            ends = await asyncio.gather(launcher.ended(spec.execution), launcher.ended(spec.execution))
            again = await launcher.ended(spec.execution)
        assert {end.exit_code for end in (*ends, again)} == {5}
        await launcher.acknowledge(spec.execution)
        await launcher.acknowledge(spec.execution)


@pytest.mark.anyio
class EndContract(StartContract):
    """The contract of starting, ending and killing processes."""

    async def test_a_timeout_ends_a_process(self, launcher: Launcher, journal: Journal) -> None:
        """The journal has all output from before the time-out."""
        end = await end_of(launcher, "echo start; exec sleep 60", timeout=0.3)
        assert (end.timed_out, end.canceled) == (True, False)
        assert end.exit_code < 0
        assert printed(await read_all(journal, sample_id(1))) == b"start\n"

    async def test_what_ignores_term_is_killed_in_the_end(
        self, launcher: Launcher, journal: Journal, tmp_path: Path
    ) -> None:
        """This holds for a time-out and a cancel, and for a grandchild without a parent, whether it holds the pipes or
        has closed them."""
        folders = [tmp_path / name for name in ("holds", "closed", "itself")]
        for folder in folders:
            folder.mkdir()
        holds, closed, itself = (
            STUBBORN.format(folder=folder, close=close)
            for folder, close in zip(folders, ("", "exec >/dev/null 2>&1;", ""), strict=True)
        )
        spec = shell_spec(f"exec {itself}", 3)
        await launcher.spawn(spec)
        await read_until(journal, spec.tree, lambda records: printed(records) == b"ready\n")
        await launcher.cancel(spec.execution)
        async with asyncio.timeout(PATIENCE):
            ends = await asyncio.gather(
                end_of(launcher, f"{holds} & sleep 60", 1, timeout=0.5),
                end_of(launcher, f"{closed} & sleep 60", 2, timeout=0.5),
                launcher.ended(spec.execution),
            )
        assert [(end.timed_out, end.canceled) for end in ends] == [(True, False), (True, False), (False, True)]
        assert ends[2].exit_code == -9
        assert all([await gone(int((folder / "pid").read_text())) for folder in folders])

    async def test_canceling_ends_a_process_and_all_it_has_started(
        self, launcher: Launcher, journal: Journal, tmp_path: Path
    ) -> None:
        """This includes children with their own process group."""
        spec = shell_spec(f"set -m; sleep 60 & echo $! > {tmp_path}/pid; echo ready; wait")
        await launcher.spawn(spec)
        await read_until(journal, spec.tree, lambda records: printed(records) == b"ready\n")
        await launcher.cancel(spec.execution)
        await launcher.cancel(spec.execution)
        async with asyncio.timeout(PATIENCE):
            end = await launcher.ended(spec.execution)
        assert (end.canceled, end.timed_out) == (True, False)
        assert await gone(int((tmp_path / "pid").read_text()))

    async def test_a_process_may_end_by_itself_when_it_is_canceled(self, launcher: Launcher, journal: Journal) -> None:
        """The journal has its last output, and the end has its own exit code."""
        spec = shell_spec("trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.05; done")
        await launcher.spawn(spec)
        await read_until(journal, spec.tree, lambda records: printed(records) == b"ready\n")
        await launcher.cancel(spec.execution)
        async with asyncio.timeout(PATIENCE):
            end = await launcher.ended(spec.execution)
        assert (end.canceled, end.exit_code) == (True, 3)
        assert printed(await read_all(journal, spec.tree), "stdout") == b"ready\nbye\n"

    async def test_canceling_before_the_start_is_not_lost(self, launcher: Launcher) -> None:
        """The process never runs to its own end."""
        await launcher.cancel(sample_id(1))
        end = await end_of(launcher, "sleep 60")
        assert end.canceled

    async def test_canceling_what_has_ended_changes_nothing(self, launcher: Launcher) -> None:
        """Canceling an unknown execution changes nothing either."""
        await launcher.cancel(sample_id(9))
        assert not (await end_of(launcher, "true")).canceled
        await launcher.cancel(sample_id(1))
        assert not (await launcher.ended(sample_id(1))).canceled

    async def test_an_orphan_that_keeps_the_pipe_open_holds_up_no_end(
        self, launcher: Launcher, journal: Journal, tmp_path: Path
    ) -> None:
        """The orphan lives on, because an action may start a daemon."""
        end = await end_of(launcher, f"sleep 60 & echo $! > {tmp_path}/pid; echo done")
        pid = int((tmp_path / "pid").read_text())
        try:
            assert end.exit_code == 0
            assert printed(await read_all(journal, sample_id(1))) == b"done\n"
            os.kill(pid, 0)
        finally:
            os.kill(pid, 9)

    async def test_an_orphan_that_prints_for_ever_holds_up_no_end(
        self, launcher: Launcher, journal: Journal, tmp_path: Path
    ) -> None:
        """After a moment its output no longer belongs to the execution."""
        command = f"(while :; do echo again; sleep 0.1; done) & echo $! > {tmp_path}/pid"
        try:
            end = await end_of(launcher, command)
            assert end.exit_code == 0
            records = await read_all(journal, sample_id(1))
            assert len(printed(records)) == end.stdout_bytes
        finally:
            os.kill(int((tmp_path / "pid").read_text()), 9)

    async def test_what_is_printed_shortly_after_the_exit_is_kept(self, launcher: Launcher, journal: Journal) -> None:
        """For example, a process substitution outlives its shell."""
        end = await end_of(launcher, "echo first > >(sleep 0.2; cat; echo second)")
        assert end.exit_code == 0
        assert printed(await read_all(journal, sample_id(1))) == b"first\nsecond\n"
