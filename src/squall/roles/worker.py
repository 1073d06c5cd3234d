"""The worker: claims due executions, runs them side by side, and cancels their processes on request."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket

from squall.core.environment import RETRIED
from squall.core.errors import SquallError
from squall.core.execution.execution import FAILED, Execution
from squall.core.execution.launch import Outcome
from squall.ports import Bus, Clock, Due, Launcher, Store, Tx
from squall.services.execution.claims import Claims
from squall.services.execution.executions import Executions
from squall.services.execution.running import Running
from squall.services.lanes import CANCEL, RUN

_LOG = logging.getLogger("squall.worker")
_SOON = 0.02
_BACK_OFF = 1.0


class Worker:
    """Runs at most `slots` executions at once. `lease` and `poll` are in seconds."""

    def __init__(
        self,
        executions: Executions,
        claims: Claims,
        running: Running,
        launcher: Launcher,
        store: Store,
        bus: Bus,
        clock: Clock,
        *,
        owner: str,
        slots: int,
        lease: float,
        poll: float,
    ) -> None:
        self._executions = executions
        self._claims = claims
        self._running = running
        self._launcher = launcher
        self._store = store
        self._bus = bus
        self._clock = clock
        self._owner = owner
        self._slots = slots
        self._lease = int(lease * 1_000_000)
        self._poll = poll
        self._info = {"hostname": socket.gethostname(), "pid": os.getpid()}
        self._tasks: dict[str, Due] = {}
        self._free = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._claiming = asyncio.Lock()
        self._stopping = asyncio.Event()
        self._hurried = asyncio.Event()

    async def run(self) -> None:
        """Works until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._renew())
            group.create_task(self._pass_on_cancels())
            group.create_task(self._look_for_cancels())
            await self._claim(group)

    def pause(self) -> None:
        """Claims no more executions. Running ones continue without this worker, until another adopts them."""
        self._stopping.set()
        self._free.set()

    async def stop(self, grace: float) -> None:
        """Claims no more executions and waits up to `grace` seconds for the running ones. Then cancels them and waits
        for their ends."""
        self.pause()
        async with self._claiming:
            # The last claim has ended now: its executions are in `_tasks`, and no more will come.
            pass
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace), asyncio.TaskGroup() as group:
                waits = [group.create_task(event.wait()) for event in (self._idle, self._hurried)]
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                for wait in waits:
                    wait.cancel()
        for execution_id in list(self._tasks):
            with contextlib.suppress(*RETRIED):
                await self._executions.cancel(execution_id, "system")
            await self._launcher.cancel(execution_id)
        await self._idle.wait()

    def hurry(self) -> None:
        """Ends the grace time of `stop` at once."""
        self._hurried.set()

    def running(self) -> int:
        """Returns the number of executions that run here now."""
        return len(self._tasks)

    def room(self) -> int | None:
        """Returns the number of free slots; None after `pause`."""
        return None if self._stopping.is_set() else max(0, self._slots - len(self._tasks))

    async def _claim(self, group: asyncio.TaskGroup) -> None:
        with self._bus.subscribe(RUN) as hints:
            while not self._stopping.is_set():
                room = self._slots - len(self._tasks)
                if room <= 0:
                    self._free.clear()
                    await self._free.wait()
                    continue
                async with self._claiming:
                    claimed = await self._take(room) if not self._stopping.is_set() else []
                    for task, execution, row in claimed:
                        self._tasks[execution.id] = task
                        self._idle.clear()
                        one = self._claims.watched(execution.id, self._one(task, execution, row))
                        group.create_task(one, name=f"run {execution.id}")
                # Under load the next hint comes before the database has told when the next row is due.
                if len(claimed) < room and not await hints.wait(min(_SOON, self._poll)):
                    await hints.wait(await self._until_due())
        # The group must stay alive for the running executions and their leases.
        await asyncio.Event().wait()

    async def _take(self, room: int) -> list[tuple[Due, Execution, int]]:
        try:
            return await self._claims.claim(self._owner, self._lease, room, self._info)
        except RETRIED as error:
            _LOG.warning("could not claim executions; trying again", extra={"error": str(error)})
            await asyncio.sleep(_BACK_OFF)
            return []

    async def _until_due(self) -> float:
        """Returns the seconds until the next row of the lane is due; at most the poll."""
        try:
            due = await self._store.read(lambda tx: tx.queue.next_due(RUN))
        except RETRIED:
            due = None
        if due is None:
            return self._poll
        return min(self._poll, max(0.0, (due - self._clock.now()) / 1_000_000))

    async def _one(self, task: Due, execution: Execution, row: int) -> None:
        outcome = await self._running.run(execution, row)
        while True:
            try:
                await self._running.finish(task, execution, outcome)
                break
            except SquallError as error:
                _LOG.error(
                    "could not finish an execution; trying again",
                    extra={"execution": execution.id, "error": str(error)},
                )
            except Exception as error:
                _LOG.exception("an outcome cannot be stored", extra={"execution": execution.id})
                outcome = Outcome(FAILED, {"error": f"The outcome could not be stored: {error}"})
            await asyncio.sleep(_BACK_OFF)
        self._tasks.pop(execution.id, None)
        self._free.set()
        if not self._tasks:
            self._idle.set()

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._lease / 3_000_000)
            tasks = list(self._tasks.values())
            if tasks:
                now = self._clock.now()

                async def work(tx: Tx, tasks: list[Due] = tasks, now: int = now) -> None:
                    await tx.queue.renew(tasks, now, self._lease)

                with contextlib.suppress(*RETRIED):
                    await self._store.tx(work, durable=False)

    async def _pass_on_cancels(self) -> None:
        with self._bus.subscribe(CANCEL) as hints:
            while True:
                for key in await hints.wait(self._poll) & self._tasks.keys():
                    await self._launcher.cancel(key)

    async def _look_for_cancels(self) -> None:
        """Polls for requests to cancel the executions that run here, since hints may be lost."""
        while True:
            await asyncio.sleep(self._poll)
            with contextlib.suppress(*RETRIED):
                for key in await self._claims.stopping(list(self._tasks)):
                    await self._launcher.cancel(key)
