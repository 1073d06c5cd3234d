"""One execution while the n-th call of the store, the journal's reader or a runner fails: its outcome is the same."""

from __future__ import annotations

import asyncio
import errno
import itertools
import os
from collections.abc import Callable
from typing import Any

import apsw
import pytest
from tests.doubles.assembly import LIMITS, Assembly, scripted

from squall.adapters.journal import live, sources
from squall.adapters.sql import sqlite
from squall.core.errors import InvalidError, KeyFileError, UnavailableError
from squall.core.execution.execution import Execution
from squall.core.execution.launch import End, Job, LaunchSpec, Outcome
from squall.ports import Due, OutputText
from squall.services import holdups as module
from squall.services.execution.running import Running
from squall.services.holdups import Holdups

pytestmark = pytest.mark.anyio
NUMBERS = [errno.EMFILE, errno.ENFILE, errno.EIO, errno.ENOSPC, errno.EROFS, errno.ENOMEM, errno.EDQUOT]


class NthCall:
    """Raises an error at the n-th call, and only then."""

    def __init__(self, n: int, error: Exception) -> None:
        self.left = n
        self._error = error

    def count(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise self._error

    @property
    def struck(self) -> bool:
        return self.left <= 0


class FaultyOs:
    """The module `os` for one other module, whose calls that open and read are counted."""

    def __init__(self, nth: NthCall) -> None:
        self._nth = nth

    def __getattr__(self, name: str) -> Any:
        value = getattr(os, name)
        if name not in ("open", "pread", "fstat"):
            return value

        def counted(*args: Any, **kwargs: Any) -> Any:
            self._nth.count()
            return value(*args, **kwargs)

        return counted


async def one(squall: Assembly, arm: Callable[[], None]) -> Execution:
    """An execution that prints two lines and ends with 0, while what `arm` arms is armed from its claim on."""
    task, execution, row = await squall.start()
    arm()
    async with asyncio.TaskGroup() as group:
        group.create_task(to_its_end(squall.running, task, execution, row))
        spec = await scripted(squall).starting(execution.id)
        for text in (b"one\n", b"two\n"):
            scripted(squall).show(spec, text, "stdout")
        scripted(squall).end(spec)
    return execution


async def to_its_end(running: Running, task: Due, execution: Execution, row: int) -> Outcome:
    outcome = await running.run(execution, row)
    await running.finish(task, execution, outcome)
    return outcome


async def check(squall: Assembly, execution: Execution) -> None:
    ended = await squall.executions.get(execution.id)
    assert (ended.status, ended.result["stdout"]) == ("succeeded", "one\ntwo")
    assert [entry.status for entry in ended.log].count("succeeded") == 1
    assert scripted(squall).acknowledged.count(execution.id) >= 1


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow each other at once."""
    monkeypatch.setattr(module, "back_off", lambda _failures: 0)


@pytest.mark.parametrize(
    "error", [apsw.FullError, apsw.IOError, apsw.CantOpenError, apsw.ReadOnlyError, apsw.BusyError, MemoryError]
)
async def test_no_failing_statement_of_the_store_changes_an_outcome(
    squall: Assembly, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    run = sqlite._Session.run
    for n in itertools.count(1):
        nth = NthCall(n, error("it fails"))

        async def counted(self: Any, statement: str, *parameters: Any, nth: NthCall = nth) -> Any:
            nth.count()
            return await run(self, statement, *parameters)

        def arm(counted: Any = counted) -> None:
            monkeypatch.setattr(sqlite._Session, "run", counted)

        execution = await one(squall, arm)
        monkeypatch.setattr(sqlite._Session, "run", run)
        await check(squall, execution)
        if not nth.struck:
            assert n > 5
            return


@pytest.mark.parametrize("number", NUMBERS)
async def test_no_failing_call_of_the_journals_reader_changes_an_outcome(
    squall: Assembly, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    for n in itertools.count(1):
        nth = NthCall(n, OSError(number, os.strerror(number)))

        def arm(nth: NthCall = nth) -> None:
            for reader in (live, sources):
                monkeypatch.setattr(reader, "os", FaultyOs(nth))

        execution = await one(squall, arm)
        for reader in (live, sources):
            monkeypatch.setattr(reader, "os", os)
        await check(squall, execution)
        if not nth.struck:
            assert n > 2
            return


class FailingRunner:
    """Fails with these errors, one after the other, then has an outcome."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)

    def prepare(self, job: Job) -> LaunchSpec | Outcome:
        if self.errors:
            raise self.errors.pop(0)
        return Outcome("succeeded", "done")

    def outcome(self, job: Job, end: End, output: OutputText) -> Outcome:
        raise AssertionError("nothing was started")


@pytest.mark.parametrize("error", [*(OSError(number, "x") for number in NUMBERS), KeyFileError("away"), MemoryError()])
async def test_a_runner_that_the_machine_hinders_is_asked_again(squall: Assembly, error: Exception) -> None:
    task, execution, row = await squall.start()
    running = squall.make_running(LIMITS, {"local-shell-cmd": FailingRunner(error, error)})
    assert (await to_its_end(running, task, execution, row)).status == "succeeded"


@pytest.mark.parametrize(
    "error", [FileNotFoundError(errno.ENOENT, "x"), PermissionError(errno.EACCES, "x"), InvalidError("x")]
)
async def test_what_the_action_itself_gets_wrong_fails_at_once(squall: Assembly, error: Exception) -> None:
    _, execution, row = await squall.start()
    running = squall.make_running(LIMITS, {"local-shell-cmd": FailingRunner(error)})
    assert (await running.run(execution, row)).status == "failed"


async def test_an_execution_that_is_canceled_while_it_waits_for_the_machine_never_starts(squall: Assembly) -> None:
    _, execution, row = await squall.start()
    runner = FailingRunner(*[UnavailableError("full")] * 1_000_000)
    async with asyncio.TaskGroup() as group:
        run = group.create_task(squall.make_running(LIMITS, {"local-shell-cmd": runner}).run(execution, row))
        await squall.control.cancel(execution.id, "ada")
    assert run.result().status == "canceled"
    assert scripted(squall).spawned == []


async def test_what_waits_says_why_until_it_goes_on() -> None:
    held = Holdups()
    assert held.reason("a") == ""
    await held.wait("a", OSError(errno.EMFILE, "Too many open files"))
    assert held.reason("a") == "waits, and tries again: [Errno 24] Too many open files"
    held.over("a")
    assert held.reason("a") == ""
