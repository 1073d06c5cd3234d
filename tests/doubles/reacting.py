"""The services of triggers and rules over an `Assembly`. Nothing is evaluated by itself: a test calls `evaluate`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from tests.doubles.assembly import Assembly

from squall.core.event.rules.reading import read_rule
from squall.core.event.rules.records import Enforcement, EnforcementFilter, InstanceFilter, Rule, TriggerInstance
from squall.core.execution.execution import Execution, ExecutionFilter
from squall.ports import LoadedPack
from squall.services.event.rules.book import RuleBook
from squall.services.event.rules.deciding import Deciding
from squall.services.event.rules.enforcing import Enforcing, Gate
from squall.services.event.rules.evaluation import Evaluation
from squall.services.event.rules.rules import RuleObserver, RuleRegistrar, Rules
from squall.services.event.rules.trigger_parameters import TriggerParameters
from squall.services.event.triggers.dispatching import Dispatching, Event
from squall.services.event.triggers.instances import Instances
from squall.services.event.triggers.trigger_types import TriggerTypeRegistrar, TriggerTypes
from squall.services.event.triggers.triggers import TriggerObserver, Triggers
from squall.services.event.triggers.wanted import Wanted
from squall.testing.samples import sample_pack

USER = "robot"
LARGE = 1_000_000


def rule_body(name: str, trigger: str = "p.t", action: str = "core.noop", **more: Any) -> dict[str, Any]:
    """The body of an enabled rule. `parameters` are those of its action."""
    parameters = more.pop("parameters", {})
    return {
        "name": name,
        "pack": "p",
        "enabled": True,
        "trigger": {"type": trigger},
        "action": {"ref": action, "parameters": parameters},
        **more,
    }


def pack_of(*bodies: dict[str, Any], ref: str = "p") -> LoadedPack:
    """A pack whose files contain these rules."""
    rules = tuple(read_rule(body, ref, f"{ref}/rules/{body['name']}.yaml") for body in bodies)
    return LoadedPack(sample_pack(ref), [], [], {}, rules=rules)


class Reacting:
    """The services, with the rules of `gates` and the triggers of `observers`. `followers` follow changes of rules."""

    def __init__(
        self,
        squall: Assembly,
        gates: Sequence[Gate] = (),
        observers: Sequence[TriggerObserver] = (),
        followers: Sequence[RuleObserver] = (),
    ) -> None:
        store, bus, clock = squall.store, squall.bus, squall.clock
        self.squall = squall
        self.wanted = Wanted()
        self.triggers = Triggers(store, clock, observers)
        self.types = TriggerTypes(store, clock, self.triggers)
        self.type_registrar = TriggerTypeRegistrar(self.types, self.triggers)
        self.dispatching = Dispatching(store, bus, clock)
        self.instances = Instances(store, clock, self.dispatching)
        self.book = RuleBook(store)
        parameters = TriggerParameters(squall.binding, USER)
        self.rules = Rules(store, bus, clock, self.triggers, parameters, self.wanted, self.book.clear, USER, followers)
        self.registrar = RuleRegistrar(self.rules)
        self.deciding = Deciding(clock, squall.content, squall.binding, squall.executions, self.book, USER)
        self.enforcing = Enforcing(
            store, bus, clock, squall.executions, squall.transitions, squall.starting, gates=gates
        )
        self.evaluation = self.new_evaluation()

    def new_evaluation(self) -> Evaluation:
        """An `Evaluation` that knows nothing of what others have claimed."""
        squall = self.squall
        return Evaluation(squall.store, squall.clock, squall.suspects, self.book, self.deciding, self.enforcing)

    async def add_type(self, ref: str = "p.t", **more: Any) -> None:
        """Creates a trigger type."""
        pack, _, name = ref.partition(".")
        await self.types.create({"name": name, "pack": pack, **more})

    async def add_rule(self, name: str, trigger: str = "p.t", **more: Any) -> Rule:
        """Creates an enabled rule, of `core.noop` unless `more` says otherwise."""
        return await self.rules.create(rule_body(name, trigger, **more), USER)

    async def register(self, loaded: LoadedPack) -> list[str]:
        """Registers the rules of a pack. Returns the faults."""
        faults = await self.squall.store.tx(lambda tx: self.registrar.replace(tx, loaded))
        self.registrar.changed()
        return faults

    async def dispatch(self, payload: Any = None, trigger: str = "p.t", **more: Any) -> TriggerInstance:
        """Dispatches an event."""
        return await self.dispatching.dispatch(
            Event(trigger=trigger, payload={} if payload is None else payload, **more)
        )

    async def evaluate(self) -> int:
        """Evaluates what is due now. Returns the number of rows."""
        async with asyncio.TaskGroup() as group:
            return await self.evaluation.advance(group)

    async def enforcements(self, **where: Any) -> list[Enforcement]:
        """The enforcements, oldest first."""
        found, _ = await self.instances.enforcements(EnforcementFilter(newest_first=False, **where), LARGE, 0)
        return found

    async def stored(self, **where: Any) -> list[TriggerInstance]:
        """The instances, in the order of storing."""
        found, _ = await self.instances.find(InstanceFilter(number_after=0, newest_first=False, **where), LARGE, 0)
        return found

    async def executions(self) -> list[Execution]:
        """The executions, oldest first."""
        found, _, _ = await self.squall.executions.find(ExecutionFilter(), LARGE, 0, True)
        return sorted(found, key=lambda execution: execution.id)

    async def waiting(self) -> int:
        """The number of rows in lane `rules`."""
        depths = await self.squall.store.read(lambda tx: tx.queue.depths())
        return depths.get("rules", 0)
