"""The worker: claims due executions, runs them side by side, and cancels their processes on request."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket

from squall.core.environment import RETRIED, back_off
from squall.core.errors import SquallError
from squall.core.execution.execution import FAILED
from squall.core.execution.launch import Outcome
from squall.ports import Bus, Clock, Due, Launcher, Store, Tx
from squall.services.execution.claims import Claims
from squall.services.execution.control import Control
from squall.services.execution.reservations import Claimed, Claimer, Reservation, Starting
from squall.services.execution.running import Running
from squall.services.execution.slots import Slots
from squall.services.lanes import CANCEL, RUN

_LOG = logging.getLogger("squall.worker")
_SOON = 0.02
_BACK_OFF = 1.0


class Worker:
    """Runs at most `slots` executions at once. `lease` and `poll` are in seconds."""

    def __init__(
        self,
        control: Control,
        claims: Claims,
        running: Running,
        launcher: Launcher,
        store: Store,
        bus: Bus,
        clock: Clock,
        starting: Starting,
        *,
        owner: str,
        slots: int,
        lease: float,
        poll: float,
    ) -> None:
        self._control = control
        self._claims = claims
        self._running = running
        self._launcher = launcher
        self._store = store
        self._bus = bus
        self._clock = clock
        self._starting = starting
        self._poll = poll
        info = {"hostname": socket.gethostname(), "pid": os.getpid()}
        self._slots = Slots(Claimer(owner, int(lease * 1_000_000), info), slots, self._start, self._give_back)
        self._group: asyncio.TaskGroup | None = None
        self._claiming = asyncio.Lock()
        self._stopping = asyncio.Event()
        self._hurried = asyncio.Event()

    async def run(self) -> None:
        """Works until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._renew())
            group.create_task(self._pass_on_cancels())
            group.create_task(self._look_for_cancels())
            self._group = group
            self._starting.slots = self._slots
            self._slots.open()
            try:
                await self._claim()
            finally:
                self._slots.close()

    def pause(self) -> None:
        """Claims no more executions. Running ones continue without this worker, until another adopts them."""
        self._stopping.set()
        self._slots.close()

    async def stop(self, grace: float) -> None:
        """Claims no more executions and waits up to `grace` seconds for the running ones. Then cancels them and waits
        for their ends."""
        self.pause()
        async with self._claiming:
            # The last claim has ended now: its executions are in their slots, and no more will come.
            await self._slots.wait_for_reservations()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace), asyncio.TaskGroup() as group:
                waits = [group.create_task(each) for each in (self._slots.wait_until_empty(), self._hurried.wait())]
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                for wait in waits:
                    wait.cancel()
        for execution_id in list(self._slots.tasks):
            with contextlib.suppress(*RETRIED):
                await self._control.cancel(execution_id, "system")
            await self._launcher.cancel(execution_id)
        await self._slots.wait_until_empty()

    def hurry(self) -> None:
        """Ends the grace time of `stop` at once."""
        self._hurried.set()

    def running(self) -> int:
        """Returns the number of executions that run here now."""
        return len(self._slots.tasks)

    def room(self) -> int | None:
        """Returns the number of free slots; None after `pause`."""
        return None if self._stopping.is_set() else self._slots.room

    async def _claim(self) -> None:
        with self._bus.subscribe(RUN) as hints:
            while not self._stopping.is_set():
                await self._slots.wait_for_room()
                async with self._claiming:
                    limit = 0 if self._stopping.is_set() else self._slots.hold()
                    claimed = await self._take(limit) if limit else []
                    for each in claimed:
                        self._slots.take(each)
                        self._start(each)
                # Under load the next hint comes before the database has told when the next row is due.
                if len(claimed) < limit and not await hints.wait(min(_SOON, self._poll)):
                    await hints.wait(await self._until_due())
        # The group must stay alive for the running executions and their leases.
        await asyncio.Event().wait()

    def _start(self, claimed: Claimed) -> None:
        assert self._group is not None  # noqa: S101 - slots are open only while the worker runs
        one = self._claims.watched(claimed.execution.id, self._one(claimed))
        self._group.create_task(one, name=f"run {claimed.execution.id}")

    def _give_back(self, reservation: Reservation) -> None:
        assert self._group is not None  # noqa: S101 - slots are open only while the worker runs
        self._group.create_task(self._return(reservation))

    async def _return(self, reservation: Reservation) -> None:
        """Gives the claims of a reservation back. Tries again while the machine is in the way."""
        failures = 0
        while True:
            try:
                await self._claims.give_back(reservation.claimed)
                return
            except RETRIED:
                failures += 1
                await asyncio.sleep(back_off(failures))

    async def _take(self, limit: int) -> list[Claimed]:
        """Claims up to `limit` executions, for which the slots are held."""
        claimed: list[Claimed] | None = None
        try:
            claimed = await self._claims.claim(self._slots.claimer, limit)
        except RETRIED as error:
            _LOG.warning("could not claim executions; trying again", extra={"error": str(error)})
            await asyncio.sleep(_BACK_OFF)
        finally:
            self._slots.release(None if claimed is None else len(claimed))
        return claimed or []

    async def _until_due(self) -> float:
        """Returns the seconds until the next row of the lane is due; at most the poll."""
        try:
            due = await self._store.read(lambda tx: tx.queue.next_due(RUN))
        except RETRIED:
            due = None
        if due is None:
            return self._poll
        return min(self._poll, max(0.0, (due - self._clock.now()) / 1_000_000))

    async def _one(self, claimed: Claimed) -> None:
        task, execution = claimed.task, claimed.execution
        outcome = await self._running.run(execution, claimed.row)
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
        self._slots.leave(execution.id)

    async def _renew(self) -> None:
        lease = self._slots.claimer.lease
        while True:
            await asyncio.sleep(lease / 3_000_000)
            tasks = list(self._slots.tasks.values())
            if tasks:
                now = self._clock.now()

                async def work(tx: Tx, tasks: list[Due] = tasks, now: int = now) -> None:
                    await tx.queue.renew(tasks, now, lease)

                with contextlib.suppress(*RETRIED):
                    await self._store.tx(work, durable=False)

    async def _pass_on_cancels(self) -> None:
        with self._bus.subscribe(CANCEL) as hints:
            while True:
                for key in await hints.wait(self._poll) & self._slots.tasks.keys():
                    await self._launcher.cancel(key)

    async def _look_for_cancels(self) -> None:
        """Polls for requests to cancel the executions that run here, since hints may be lost."""
        while True:
            await asyncio.sleep(self._poll)
            with contextlib.suppress(*RETRIED):
                for key in await self._claims.stopping(list(self._slots.tasks)):
                    await self._launcher.cancel(key)
