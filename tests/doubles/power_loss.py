"""A workload of real services over a real store, and what must be there after a loss of power at any of its moments."""

from __future__ import annotations

import asyncio
import shutil
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from tests.doubles.assembly import Assembly, assembled
from tests.doubles.disk import Crash, Disk
from tests.doubles.recording import recorded

from squall.adapters.sql.copying import check_database
from squall.adapters.sql.sqlite import Synchronous, open_store
from squall.adapters.vault import KeyFileVault
from squall.core.access.secret import replace_sealed
from squall.core.event.events import EXECUTION
from squall.core.execution.execution import Execution
from squall.ports import Due, Store, Tx
from squall.services.lanes import JOURNAL


class Accepted(NamedTuple):
    """A client was told that an execution was accepted."""

    execution: str
    command: str


class Ended(NamedTuple):
    """The end of an execution was told."""

    execution: str
    status: str
    result: Any


class Content(NamedTuple):
    """A client was told that the packs were registered."""


async def record(folder: Path, rounds: int, *, payload: int = 64, synchronous: Synchronous = "full") -> Disk:
    """Returns the record of `rounds` of executions that are requested, claimed and ended side by side, with results of
    `payload` characters. In the middle the store is closed and opened again."""
    folder.mkdir()
    disk = Disk(folder.resolve())
    with recorded(disk):
        for day, part in enumerate((rounds - rounds // 2, rounds // 2)):
            async with assembled(disk.root, synchronous=synchronous, reserve=day == 1) as made:
                made.clock.advance(day * 86_400)
                disk.told(Content())
                for number in range(part):
                    await _round(made, disk, number, payload)
    return disk


async def _round(made: Assembly, disk: Disk, number: int, payload: int) -> None:
    async def accept(each: int) -> None:
        command = f"echo {number}-{each}"
        execution = await made.request(parameters={"cmd": command, "password": f"secret of {command}"})
        disk.told(Accepted(execution.id, command))

    async def end(task: Due, execution: Execution) -> None:
        status = "failed" if number % 3 == 0 else "succeeded"
        result = f"{execution.id} " * (payload // 25)
        if await made.finish(task, execution, status, result):
            disk.told(Ended(execution.id, status, result))

    async def steps() -> None:
        # Nobody is told of these commits. What is told after them must be on the disk all the same.
        for owner in ("a", "b"):
            now = made.clock.now()
            claim = partial(_claim_records, owner=owner, now=now)
            await made.store.tx(claim, durable=False)

    await asyncio.gather(*(accept(each) for each in range(3)), steps())
    await steps()
    await asyncio.gather(*(end(task, execution) for task, execution, _ in await made.claim()))


async def _claim_records(tx: Tx, owner: str, now: int) -> None:
    await tx.queue.claim(JOURNAL, owner, now, 0, 5)


async def lost_facts(crash: Crash, folder: Path) -> list[object]:
    """Writes the image of a crash into the new folder `folder`, and opens it as a server does.

    Returns the facts that had been told and are not there, and what SQLite finds wrong. Removes the folder.
    """
    crash.restore(folder)
    try:
        store = open_store(folder / "squall.db", backup_suffix=".old")
        try:
            vault = KeyFileVault.open_file(folder / "secret.key")
            lost = [fact for fact in crash.facts if not await _holds(store, vault, fact)]
        finally:
            await store.close()
        fault = check_database(folder / "squall.db")
        return [*lost, fault] if fault else lost
    finally:
        shutil.rmtree(folder)


async def _holds(store: Store, vault: KeyFileVault, fact: object) -> bool:
    async def work(tx: Tx) -> bool:
        match fact:
            case Content():
                return await tx.content.action("core.local") is not None
            case Accepted(execution_id, command):
                execution = await tx.executions.get(execution_id)
                if execution is None:
                    return False
                parameters = replace_sealed(execution.parameters, vault.open)
                return bool(parameters["cmd"] == command and parameters["password"] == f"secret of {command}")
            case Ended(execution_id, status, result):
                execution = await tx.executions.get(execution_id)
                events = await tx.events.of(EXECUTION, execution_id)
                return (
                    execution is not None
                    and execution.status == events[-1].status == status
                    and execution.result == result
                )
        raise TypeError(f"{fact!r} is no fact of this workload")

    return await store.read(work)
