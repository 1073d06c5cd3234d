"""The services that explain rules, over an assembly with the trigger type `p.t`. A test calls `evaluate`."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.doubles.assembly import POLL, Assembly

from squall.core.event.rules.records import Rule, TriggerInstance
from squall.services.event.rules.backtesting import Backtesting
from squall.services.event.rules.book import RuleBook
from squall.services.event.rules.deciding import Deciding
from squall.services.event.rules.decisions import Decisions
from squall.services.event.rules.enforcing import Enforcing
from squall.services.event.rules.evaluation import Evaluation
from squall.services.event.rules.explaining import Explaining
from squall.services.event.rules.rules import Rules
from squall.services.event.rules.trigger_parameters import TriggerParameters
from squall.services.event.rules.views import RuleViews
from squall.services.event.triggers.dispatching import Dispatching, Event
from squall.services.event.triggers.trigger_types import TriggerTypes
from squall.services.event.triggers.triggers import Triggers
from squall.services.event.triggers.wanted import Wanted


def rule_body(name: str, **more: Any) -> dict[str, Any]:
    """The body of an enabled rule that runs `core.noop` for events of `p.t` whose `n` is greater than 5."""
    return {
        "name": name,
        "pack": "p",
        "enabled": True,
        "trigger": {"type": "p.t"},
        "criteria": {"trigger.n": {"type": "gt", "pattern": 5}},
        "action": {"ref": "core.noop"},
        **more,
    }


class Explainers:
    """The services. `begin` must come first."""

    def __init__(self, squall: Assembly) -> None:
        store, bus, clock = squall.store, squall.bus, squall.clock
        self.squall = squall
        triggers = Triggers(store, clock)
        self.types = TriggerTypes(store, clock, triggers)
        self.dispatching = Dispatching(store, bus, clock)
        self.wanted = Wanted()
        book = RuleBook(store)
        parameters = TriggerParameters(squall.binding, "ada")
        self.rules = Rules(store, bus, clock, triggers, parameters, self.wanted, book.clear, "ada")
        self.views = RuleViews(store, squall.content, squall.binding)
        self.deciding = Deciding(clock, squall.content, squall.binding, squall.executions, book, "ada")
        enforcing = Enforcing(store, bus, clock, squall.executions, squall.transitions, squall.starting)
        self.evaluation = Evaluation(store, clock, squall.suspects, book, self.deciding, enforcing)
        self.explaining = Explaining(store, clock, self.deciding)
        self.backtesting = Backtesting(store, self.deciding, parameters)
        self.decisions = Decisions(store, bus, self.explaining, self.wanted, poll=POLL)

    async def begin(self) -> Explainers:
        """Creates the trigger type."""
        await self.types.create({"name": "t", "pack": "p"})
        return self

    async def add(self, name: str, **more: Any) -> Rule:
        """Creates a rule of `rule_body`."""
        return await self.rules.create(rule_body(name, **more), "ada")

    async def event(self, **payload: Any) -> TriggerInstance:
        """Dispatches an event and evaluates it. Returns its instance."""
        instance = await self.dispatching.dispatch(Event(trigger="p.t", payload=payload))
        await self.evaluate()
        stored = await self.squall.store.read(lambda tx: tx.instances.get(instance.id))
        assert stored is not None
        return stored

    async def evaluate(self) -> None:
        """Evaluates what is due now."""
        async with asyncio.TaskGroup() as group:
            await self.evaluation.advance(group)
