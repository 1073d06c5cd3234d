"""The services of rules over time over an `Assembly`. Nothing happens by itself: a test says how late it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.doubles.assembly import Assembly
from tests.doubles.reacting import Reacting

from squall.core.event.rules.records import Rule
from squall.services.event.gates.firing import RuleFiring
from squall.services.event.gates.gating import Gating
from squall.services.event.gates.held import Held
from squall.services.event.gates.silences import Silences


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

    async def saying(self, name: str, text: str = "{{ trigger.n }}", **own: Any) -> Rule:
        """Adds a rule whose action has this text as its command."""
        return await self.add_rule(name, action="core.local", parameters={"cmd": text}, **own)

    async def came(self, n: int = 0, after: float = 1, trigger: str = "p.t", **payload: Any) -> None:
        """An event that comes `after` seconds after the last one, and is evaluated."""
        self.squall.clock.advance(after)
        await self.dispatch({"n": n, **payload}, trigger)
        await self.evaluate()

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
