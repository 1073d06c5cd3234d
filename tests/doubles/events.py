"""The services of triggers and rules over an assembly, with the trigger types of the pack `core`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from tests.doubles.assembly import Assembly

import squall
from squall.core.event.rules.records import InstanceFilter, Rule, TriggerInstance
from squall.services.event.internal.notifying import Notifying
from squall.services.event.rules.rebinding import Rebinding
from squall.services.event.rules.rules import Rules
from squall.services.event.rules.trigger_parameters import TriggerParameters
from squall.services.event.triggers.trigger_types import TriggerTypes
from squall.services.event.triggers.triggers import Triggers

_TYPES = Path(squall.__file__).parent / "packs" / "core" / "triggers"


class Events:
    """What reacts to the changes of an assembly. Nothing happens until a test calls `carry`."""

    def __init__(self, assembly: Assembly) -> None:
        store, bus, clock = assembly.store, assembly.bus, assembly.clock
        self.store = store
        self.triggers = Triggers(store, clock)
        self.types = TriggerTypes(store, clock, self.triggers)
        self.parameters = TriggerParameters(assembly.binding, "ada")
        self.rules = Rules(store, bus, clock, self.triggers, self.parameters, assembly.wanted, lambda: None, "ada")
        self.rebinding = Rebinding(store, clock, assembly.suspects, self.triggers, self.parameters, self.rules.settled)
        self.notifying = Notifying(store, clock, assembly.suspects, assembly.binding, assembly.placing, "ada")

    async def create_types(self) -> None:
        """Creates the trigger types of the pack `core`."""
        for file in sorted(_TYPES.glob("*.yaml")):
            await self.types.create(msgspec.yaml.decode(file.read_bytes()))

    async def rule(self, trigger: str, name: str = "r", **changes: Any) -> Rule:
        """Creates an enabled rule of a trigger type that runs `core.noop`."""
        of_trigger = {"type": trigger, "parameters": changes.pop("parameters", {})}
        body = {"name": name, "trigger": of_trigger, "action": {"ref": "core.noop"}, "enabled": True, **changes}
        return await self.rules.create(body, "ada")

    async def notify(self) -> int:
        """Sends the notifications that wait; returns their number."""
        async with asyncio.TaskGroup() as group:
            return await self.notifying.carry(group)

    async def instances(self, trigger_type: str) -> Sequence[TriggerInstance]:
        """The stored events of a type, the oldest first."""
        where = InstanceFilter(type=trigger_type, number_after=0, newest_first=False)
        return await self.store.read(lambda tx: tx.instances.find(where, None, 0))


async def events_of(assembly: Assembly) -> Events:
    """The services, with the types created."""
    events = Events(assembly)
    await events.create_types()
    return events
