"""Assembles the services of triggers and rules, their roles and their routes. `wiring` is the only caller."""

from __future__ import annotations

from typing import NamedTuple

from squall.api.event.enforcements import EnforcementRoutes
from squall.api.event.instances import InstanceRoutes
from squall.api.event.rules import RuleRoutes
from squall.api.event.triggers import TriggerRoutes
from squall.api.event.webhooks import WebhookRoutes
from squall.api.http.routes import Route
from squall.assembly import arguments
from squall.assembly.conducting import Ground
from squall.assembly.outside import Outside, Role
from squall.config import Settings
from squall.roles.carrier import Carrier
from squall.roles.rules import RulesRole
from squall.services.event.history import History
from squall.services.event.internal.executions import ExecutionEvents
from squall.services.event.internal.notifying import Notifying
from squall.services.event.internal.placing import Placing
from squall.services.event.internal.resources import FileEvents, KeyEvents
from squall.services.event.rules import rebinding
from squall.services.event.rules.book import RuleBook
from squall.services.event.rules.deciding import Deciding
from squall.services.event.rules.enforcing import Enforcing
from squall.services.event.rules.evaluation import Evaluation
from squall.services.event.rules.rebinding import Rebinding
from squall.services.event.rules.rules import RuleRegistrar, Rules
from squall.services.event.rules.trigger_parameters import TriggerParameters
from squall.services.event.triggers.dispatching import Dispatching
from squall.services.event.triggers.instances import Instances
from squall.services.event.triggers.trigger_types import TriggerTypeRegistrar, TriggerTypes
from squall.services.event.triggers.triggers import Triggers
from squall.services.event.triggers.wanted import Wanted
from squall.services.lanes import NOTIFICATIONS, REBINDING


class Inside(NamedTuple):
    """The storing of events inside of Squall. It exists before the services whose changes it follows."""

    wanted: Wanted
    dispatching: Dispatching
    placing: Placing
    keys: KeyEvents
    files: FileEvents
    executions: ExecutionEvents


class Reacting(NamedTuple):
    """The use cases of triggers and rules."""

    types: TriggerTypes
    triggers: Triggers
    dispatching: Dispatching
    instances: Instances
    rules: Rules
    deciding: Deciding
    evaluation: Evaluation
    type_registrar: TriggerTypeRegistrar
    rule_registrar: RuleRegistrar
    rebinding: Rebinding
    notifying: Notifying
    history: History


def inside(settings: Settings, out: Outside) -> Inside:
    """Returns what stores events inside of Squall."""
    wanted = Wanted(always=settings.events.store_internal)
    dispatching = Dispatching(out.store, out.bus, out.clock)
    placing = Placing(dispatching, wanted)
    executions = ExecutionEvents(placing, arguments.emit_when(settings))
    return Inside(wanted, dispatching, placing, KeyEvents(placing, out.bus), FileEvents(placing), executions)


def reacting(settings: Settings, ground: Ground, within: Inside, user: str) -> Reacting:
    """Returns the use cases of triggers and rules. `user` runs the actions of rules."""
    out = ground.out
    store, bus, clock = out.store, out.bus, out.clock
    triggers = Triggers(store, clock)
    types = TriggerTypes(store, clock, triggers)
    dispatching = within.dispatching
    book = RuleBook(store)
    parameters = TriggerParameters(ground.binding, user)
    rules = Rules(store, bus, clock, triggers, parameters, within.wanted, book.clear, user)
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
        rebinding=Rebinding(store, clock, ground.suspects, triggers, parameters, rules.settled),
        notifying=Notifying(store, clock, ground.suspects, ground.binding, within.placing, user),
        history=History(
            store,
            clock,
            instance_days=settings.retention.trigger_instance_days,
            enforcement_days=settings.retention.enforcement_days,
        ),
    )


def roles(settings: Settings, out: Outside, use: Reacting) -> list[Role]:
    """Returns the roles that evaluate events."""
    poll = settings.queue.poll_seconds
    return [
        RulesRole(use.evaluation, out.store, out.bus, out.clock, poll=poll),
        Carrier(REBINDING, use.rebinding.carry, rebinding.MOST, out.bus, poll=poll),
        Carrier(NOTIFICATIONS, use.notifying.carry, 1, out.bus, poll=poll),
    ]


def routes(use: Reacting) -> list[Route]:
    """Returns the routes of triggers and rules."""
    return [
        *TriggerRoutes(use.types, use.triggers).routes(),
        *InstanceRoutes(use.instances).routes(),
        *RuleRoutes(use.rules).routes(),
        *EnforcementRoutes(use.instances).routes(),
        *WebhookRoutes(use.triggers, use.dispatching).routes(),
    ]
