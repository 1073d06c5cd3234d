"""A timer on the clock of the test, and what it did."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.doubles.assembly import Assembly, assembled

from squall.core.event.rules.records import PROCESSED, InstanceFilter, Trigger, TriggerInstance, TriggerType
from squall.core.event.timers.records import MissedFire
from squall.core.execution.execution import Execution
from squall.services.execution.executions import Request
from squall.testing.samples import NOON

TYPES = ("IntervalTimer", "DateTimer", "CronTimer")


class Bench:
    """An assembly with the trigger types of timers."""

    def __init__(self, squall: Assembly) -> None:
        self.squall = squall

    async def timer(self, kind: str = "IntervalTimer", **parameters: Any) -> Trigger:
        """Adds a timer, each minute unless the parameters say otherwise."""
        if kind == "IntervalTimer":
            parameters = {"unit": "seconds", "delta": 60, **parameters}
        return await self.squall.triggers.put({"type": f"core.st2.{kind}", "parameters": parameters})

    async def after(self, seconds: float) -> None:
        """Moves the clock, and lets all timers fire that are due."""
        self.squall.clock.advance(seconds)
        while await self.squall.firing.fire():
            pass

    async def instances(self, trigger: Trigger | None = None) -> list[TriggerInstance]:
        """Returns the instances, oldest first."""
        where = InstanceFilter(triggers=None if trigger is None else (trigger.ref,), newest_first=False)
        return list(await self.squall.store.read(lambda tx: tx.instances.find(where, None, 0)))

    async def fires(self, trigger: Trigger | None = None) -> list[float]:
        """Returns the nominal times of the fires that happened, as seconds after noon."""
        return [
            (int((each.source or "").rpartition(":")[2]) - NOON) / 1_000_000 for each in await self.instances(trigger)
        ]

    async def missed(self, trigger: Trigger) -> list[MissedFire]:
        """Returns the missed fires, oldest first."""
        return (await self.squall.timers.missed(trigger.id, None, 0))[::-1]

    async def evaluate(self, action: str | None = "core.local") -> list[Execution]:
        """Ends the evaluation of all instances. A rule starts `action` for each of them, unless that is None."""
        executions = []
        for each in await self.instances():
            if each.status == PROCESSED:
                continue
            if action is not None:
                executions.append(await self.run(each))
            ended = msgspec.structs.replace(each, status=PROCESSED)
            await self.squall.store.tx(lambda tx, ended=ended: tx.instances.settle(ended))  # type: ignore[misc]
        return executions

    async def run(self, instance: TriggerInstance) -> Execution:
        """Requests the execution of a rule for an instance."""
        context = {"trigger_instance": {"id": instance.id, "name": None}}
        return await self.squall.executions.request(
            Request(action="core.local", parameters={"cmd": "true"}, context=context)
        )


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with assembled(tmp_path) as squall:
        made = Bench(squall)
        for number, name in enumerate(TYPES):
            kind = TriggerType(uid=name, ref=f"core.st2.{name}", name=f"st2.{name}", pack="core", id=f"{number:024x}")
            await squall.store.tx(lambda tx, kind=kind: tx.trigger_types.put(kind))  # type: ignore[misc]
        yield made
