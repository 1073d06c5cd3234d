"""The services of rules over time over an `Assembly`. Nothing happens by itself: a test says how late it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.doubles.assembly import POLL, Assembly
from tests.doubles.reacting import USER, Reacting

from squall.core.event.rules.records import Rule, TriggerInstance
from squall.services.event.gates.firing import RuleFiring
from squall.services.event.gates.gating import Gating
from squall.services.event.gates.held import Held
from squall.services.event.gates.silences import Silences
from squall.services.event.rules.backtesting import Backtesting
from squall.services.event.rules.decisions import Decisions
from squall.services.event.rules.explaining import Explaining
from squall.services.event.rules.trigger_parameters import TriggerParameters


class Gated(Reacting):
    """The services, with a trigger type `p.t` and, beside it, `p.u`."""

    def __init__(self, squall: Assembly) -> None:
        gating = Gating(squall.clock)
        super().__init__(squall, [gating], followers=[gating])
        store, clock = squall.store, squall.clock
        self.gating = gating
        self.firing = RuleFiring(store, clock, squall.suspects, self.deciding, self.enforcing, gating)
        self.held = Held(store, clock, self.deciding, self.enforcing)
        self.silences = Silences(store, clock)
        self.explaining = Explaining(store, clock, self.deciding)
        self.decisions = Decisions(store, squall.bus, self.explaining, self.wanted, poll=POLL)
        self.backtesting = Backtesting(store, self.deciding, TriggerParameters(squall.binding, USER))

    async def saying(self, name: str, text: str = "{{ trigger.n }}", **own: Any) -> Rule:
        """Adds a rule whose action has this text as its command."""
        return await self.add_rule(name, action="core.local", parameters={"cmd": text}, **own)

    async def came(self, n: int = 0, after: float = 1, trigger: str = "p.t", **payload: Any) -> TriggerInstance:
        """An event that comes `after` seconds after the last one, and is evaluated."""
        self.squall.clock.advance(after)
        instance = await self.dispatch({"n": n, **payload}, trigger)
        await self.evaluate()
        return await self.instances.get(instance.id)

    async def at(self, after: float = 0) -> int:
        """Fires what is due `after` seconds from now. Returns the number of rows that were due."""
        self.squall.clock.advance(after)
        return await self.firing.advance()

    async def said(self) -> Sequence[str]:
        """The commands of the executions, oldest first."""
        return [str(each.parameters["cmd"]) for each in await self.executions()]

    async def queued(self) -> int:
        """The number of rows in lane `gates`."""
        return (await self.squall.store.read(lambda tx: tx.queue.depths())).get("gates", 0)

    async def decided(self, instance: TriggerInstance) -> dict[str, tuple[str, str]]:
        """The outcome and the reason of each rule for an instance, by ref."""
        answer = await self.explaining.instance(instance.id)
        return {each["rule"]["ref"]: (each["outcome"], each.get("reason", "")) for each in answer["rules"]}
