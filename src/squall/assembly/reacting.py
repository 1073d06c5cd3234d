"""Assembles the services of triggers and rules, their roles and their routes. `wiring` is the only caller."""

from __future__ import annotations

from typing import NamedTuple

from squall.api.event.enforcements import EnforcementRoutes
from squall.api.event.instances import InstanceRoutes
from squall.api.event.rules import RuleRoutes
from squall.api.event.timers import TimerRoutes
from squall.api.event.triggers import TriggerRoutes
from squall.api.event.webhooks import WebhookRoutes
from squall.api.http.routes import Route
from squall.assembly.conducting import Ground
from squall.assembly.outside import Outside, Role
from squall.assembly.zones import server_zone
from squall.config import Settings
from squall.roles.rules import RulesRole
from squall.roles.timers import TimersRole
from squall.services.event.rules.book import RuleBook
from squall.services.event.rules.deciding import Deciding
from squall.services.event.rules.enforcing import Enforcing
from squall.services.event.rules.evaluation import Evaluation
from squall.services.event.rules.rules import RuleRegistrar, Rules
from squall.services.event.rules.trigger_parameters import TriggerParameters
from squall.services.event.timers.firing import Firing
from squall.services.event.timers.timer_triggers import TimerTriggers
from squall.services.event.timers.timers import Timers
from squall.services.event.triggers.dispatching import Dispatching
from squall.services.event.triggers.instances import Instances
from squall.services.event.triggers.trigger_types import TriggerTypeRegistrar, TriggerTypes
from squall.services.event.triggers.triggers import Triggers
from squall.services.event.triggers.wanted import Wanted
from squall.services.lanes import SCHEDULE


class Reacting(NamedTuple):
    """The use cases of triggers, rules and timers."""

    types: TriggerTypes
    triggers: Triggers
    dispatching: Dispatching
    instances: Instances
    rules: Rules
    deciding: Deciding
    evaluation: Evaluation
    type_registrar: TriggerTypeRegistrar
    rule_registrar: RuleRegistrar
    firing: Firing
    timers: Timers


def reacting(settings: Settings, ground: Ground, wanted: Wanted, user: str) -> Reacting:
    """Returns the use cases of triggers, rules and timers. `user` runs the actions of rules. Raises `ConfigError`."""
    out = ground.out
    store, bus, clock = out.store, out.bus, out.clock
    zone = server_zone(settings.timers.timezone)
    triggers = Triggers(store, clock, [TimerTriggers(clock, zone)])
    types = TriggerTypes(store, clock, triggers)
    dispatching = Dispatching(store, bus, clock)
    book = RuleBook(store)

    def forget() -> None:
        book.clear()
        # The change of a rule may have added a timer that is due before all others.
        bus.publish(SCHEDULE, "")

    parameters = TriggerParameters(ground.binding, user)
    rules = Rules(store, bus, clock, triggers, parameters, wanted, forget, user)
    deciding = Deciding(clock, ground.content, ground.binding, ground.executions, book, user)
    enforcing = Enforcing(store, bus, clock, ground.executions, ground.transitions, ground.starting)
    return Reacting(
        types=types,
        triggers=triggers,
        dispatching=dispatching,
        instances=Instances(store, clock, dispatching),
        rules=rules,
        deciding=deciding,
        evaluation=Evaluation(store, clock, ground.suspects, book, deciding, enforcing),
        type_registrar=TriggerTypeRegistrar(types, triggers),
        rule_registrar=RuleRegistrar(rules),
        firing=Firing(store, bus, clock, ground.suspects, dispatching, ground.transitions, zone),
        timers=Timers(store, bus, clock, dispatching, zone, settings.timers.missed_days),
    )


def roles(settings: Settings, out: Outside, use: Reacting) -> list[Role]:
    """Returns the roles that evaluate events and let timers fire."""
    poll = settings.queue.poll_seconds
    return [
        RulesRole(use.evaluation, out.store, out.bus, out.clock, poll=poll),
        TimersRole(use.firing, out.bus, out.clock, poll=poll),
    ]


def routes(use: Reacting) -> list[Route]:
    """Returns the routes of triggers, rules and timers."""
    return [
        *TriggerRoutes(use.types, use.triggers).routes(),
        *TimerRoutes(use.timers).routes(),
        *InstanceRoutes(use.instances).routes(),
        *RuleRoutes(use.rules).routes(),
        *EnforcementRoutes(use.instances).routes(),
        *WebhookRoutes(use.triggers, use.dispatching).routes(),
    ]
