"""The services of webhooks over an assembly, with the trigger type of webhooks."""

from __future__ import annotations

from typing import Any

from tests.doubles.assembly import POLL, Assembly

from squall.core.event.rules.records import InstanceFilter, Trigger, TriggerInstance, TriggerType
from squall.ports import Tx
from squall.services.event.triggers.dispatching import Dispatching
from squall.services.event.triggers.triggers import WEBHOOK, Triggers
from squall.services.event.webhooks.delivering import Delivered, Delivering, Incoming
from squall.services.event.webhooks.delivery_log import DeliveryLog
from squall.services.event.webhooks.outcomes import Outcomes
from squall.services.event.webhooks.settings import WebhookSettings


class Hooks:
    """The services. `begin` must come first."""

    def __init__(self, squall: Assembly, days: int = 14) -> None:
        store, clock = squall.store, squall.clock
        self.squall = squall
        self.store = store
        self.triggers = Triggers(store, clock)
        self.dispatching = Dispatching(store, squall.bus, clock)
        self.settings = WebhookSettings(store, clock, squall.vault)
        self.log = DeliveryLog(store, clock, days=days)
        self.delivering = Delivering(store, clock, self.triggers, self.dispatching, self.settings, self.log)
        self.outcomes = Outcomes(store, squall.bus, poll=POLL)

    async def begin(self, *urls: str) -> Hooks:
        """Registers the trigger type, and a hook for each URL."""
        kind = TriggerType(
            uid="trigger_type:core:st2.webhook",
            ref=WEBHOOK,
            name="st2.webhook",
            pack="core",
            payload_schema={"type": "object", "properties": {"body": {"type": ["array", "object"]}}},
            id=self.squall.clock.new_id(),
        )

        async def work(tx: Tx) -> list[Trigger]:
            await tx.trigger_types.put(kind)
            now = self.squall.clock.now()
            return [await self.triggers.obtain(tx, WEBHOOK, {"url": url}, now) for url in urls]

        await self.store.tx(work)
        return self

    async def send(self, url: str, raw: bytes = b"{}", user: str = "ada", **headers: str) -> Delivered:
        """Sends a delivery; a user has a credential, and names of headers have `_` for `-`."""
        pairs = tuple((name.replace("_", "-"), value) for name, value in headers.items())
        incoming = Incoming(url=url, headers=pairs, remote="192.0.2.1", user=user, has_credential=bool(user))
        return await self.delivering.deliver(await self.delivering.admit(incoming), raw)

    async def instances(self) -> list[TriggerInstance]:
        """All trigger instances, the oldest first."""

        return list(await self.store.read(lambda tx: tx.instances.find(InstanceFilter(newest_first=False), None, 0)))

    async def logged(self, url: str, **where: Any) -> list[str]:
        """The verdicts in the log of a hook, the oldest first."""
        page, _ = await self.log.find(url, where.get("verdict"), None, 0)
        return [each.verdict for each in reversed(page)]

    async def events(self, kind: str) -> list[str]:
        """The names of the events of a kind."""
        return [
            event.name for event in await self.store.read(lambda tx: tx.events.after(0, 1000)) if event.kind == kind
        ]
