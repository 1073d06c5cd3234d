"""Assembles the services of triggers, rules, timers and webhooks, their roles and their routes.

`wiring` is the only caller.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from squall.api.event.enforcements import EnforcementRoutes
from squall.api.event.explaining import ExplainingRoutes
from squall.api.event.gates import HeldRoutes, SilenceRoutes
from squall.api.event.hooks.webhook_log import WebhookLogRoutes
from squall.api.event.hooks.webhooks import WebhookRoutes
from squall.api.event.instances import InstanceRoutes
from squall.api.event.rules import RuleRoutes
from squall.api.event.timers import TimerRoutes
from squall.api.event.triggers import TriggerRoutes
from squall.api.http.routes import Route
from squall.api.output.tails import StreamSources
from squall.assembly import arguments
from squall.assembly.conducting import Ground
from squall.assembly.outside import Outside, Role
from squall.assembly.zones import server_zone
from squall.config import Settings
from squall.roles.carrier import Carrier
from squall.roles.janitor import Chore
from squall.roles.timers import TimersRole
from squall.services.due import SOON, seconds_until_due
from squall.services.event.gates import firing
from squall.services.event.gates.firing import RuleFiring
from squall.services.event.gates.gating import Gating
from squall.services.event.gates.held import Held
from squall.services.event.gates.silences import Silences
from squall.services.event.history import History
from squall.services.event.internal.executions import ExecutionEvents
from squall.services.event.internal.notifying import Notifying
from squall.services.event.internal.placing import Placing
from squall.services.event.internal.resources import FileEvents, KeyEvents
from squall.services.event.rules import evaluation, rebinding
from squall.services.event.rules.backtesting import Backtesting
from squall.services.event.rules.book import RuleBook
from squall.services.event.rules.deciding import Deciding
from squall.services.event.rules.decisions import Decisions
from squall.services.event.rules.enforcing import Enforcing
from squall.services.event.rules.evaluation import Evaluation
from squall.services.event.rules.explaining import Explaining
from squall.services.event.rules.rebinding import Rebinding
from squall.services.event.rules.rules import RuleRegistrar, Rules
from squall.services.event.rules.trigger_parameters import TriggerParameters
from squall.services.event.rules.views import RuleViews
from squall.services.event.timers.firing import Firing
from squall.services.event.timers.timer_triggers import TimerTriggers
from squall.services.event.timers.timers import Timers
from squall.services.event.triggers.dispatching import Dispatching
from squall.services.event.triggers.instances import Instances
from squall.services.event.triggers.trigger_types import TriggerTypeRegistrar, TriggerTypes
from squall.services.event.triggers.triggers import Triggers
from squall.services.event.triggers.wanted import Wanted
from squall.services.event.webhooks.delivering import Delivering
from squall.services.event.webhooks.delivery_log import DeliveryLog
from squall.services.event.webhooks.outcomes import Outcomes
from squall.services.event.webhooks.settings import WebhookSettings
from squall.services.lanes import GATES, NOTIFICATIONS, REBINDING, RULES, SCHEDULE

_SWEEP_EVERY = 10
"""Old records of missed fires are removed once in so many intervals of the janitor."""

_RARE = 3
"""Roles that most servers rarely need poll at so many times the interval of others. Hints wake them at once."""


class Inside(NamedTuple):
    """The storing of events inside of Squall. It exists before the services whose changes it follows."""

    wanted: Wanted
    dispatching: Dispatching
    placing: Placing
    keys: KeyEvents
    files: FileEvents
    executions: ExecutionEvents


class Reacting(NamedTuple):
    """The use cases of triggers, rules, timers and webhooks."""

    types: TriggerTypes
    triggers: Triggers
    dispatching: Dispatching
    instances: Instances
    rules: Rules
    views: RuleViews
    deciding: Deciding
    explaining: Explaining
    backtesting: Backtesting
    wanted: Wanted
    evaluation: Evaluation
    firing: RuleFiring
    held: Held
    silences: Silences
    type_registrar: TriggerTypeRegistrar
    rule_registrar: RuleRegistrar
    webhook_settings: WebhookSettings
    delivery_log: DeliveryLog
    delivering: Delivering
    outcomes: Outcomes
    timer_firing: Firing
    timers: Timers
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
    """Returns the use cases of triggers, rules, timers and webhooks. `user` runs the actions of rules."""
    out = ground.out
    store, bus, clock = out.store, out.bus, out.clock
    zone = server_zone(settings.timers.timezone)
    triggers = Triggers(store, clock, [TimerTriggers(clock, zone)])
    types = TriggerTypes(store, clock, triggers)
    dispatching = within.dispatching
    book = RuleBook(store)

    def forget() -> None:
        book.clear()
        # The change of a rule may have added a timer that is due before all others.
        bus.publish(SCHEDULE, "")

    parameters = TriggerParameters(ground.binding, user)
    gating = Gating(clock)
    rules = Rules(store, bus, clock, triggers, parameters, within.wanted, forget, user, [gating])
    deciding = Deciding(clock, ground.content, ground.binding, ground.executions, book, user)
    enforcing = Enforcing(store, bus, clock, ground.executions, ground.transitions, ground.starting, [gating])
    hooks = WebhookSettings(store, clock, out.vault)
    log = DeliveryLog(store, clock, days=settings.retention.delivery_days)
    return Reacting(
        types=types,
        triggers=triggers,
        dispatching=dispatching,
        instances=Instances(store, clock, dispatching),
        rules=rules,
        views=RuleViews(store, ground.content, ground.binding),
        deciding=deciding,
        explaining=Explaining(store, clock, deciding),
        backtesting=Backtesting(store, deciding, parameters),
        wanted=within.wanted,
        evaluation=Evaluation(store, clock, ground.suspects, book, deciding, enforcing),
        firing=RuleFiring(store, clock, ground.suspects, deciding, enforcing, gating),
        held=Held(store, clock, deciding, enforcing),
        silences=Silences(store, clock),
        type_registrar=TriggerTypeRegistrar(types, triggers),
        rule_registrar=RuleRegistrar(rules),
        webhook_settings=hooks,
        delivery_log=log,
        delivering=Delivering(store, clock, triggers, dispatching, hooks, log),
        outcomes=Outcomes(store, bus, poll=settings.queue.poll_seconds),
        timer_firing=Firing(store, bus, clock, ground.suspects, dispatching, ground.transitions, zone),
        timers=Timers(store, bus, clock, dispatching, zone, settings.timers.missed_days),
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
    """Returns the roles that evaluate events, let rules and timers fire, and end the waits of webhooks."""
    poll = settings.queue.poll_seconds
    rare = poll * _RARE
    return [
        Carrier(
            RULES,
            use.evaluation.advance,
            evaluation.MOST,
            out.bus,
            poll=poll,
            until_due=partial(seconds_until_due, out.store, out.clock, RULES, poll),
            soon=SOON,
        ),
        Carrier(
            GATES,
            lambda _group: use.firing.advance(),
            firing.MOST,
            out.bus,
            poll=rare,
            until_due=partial(seconds_until_due, out.store, out.clock, GATES, rare),
        ),
        TimersRole(use.timer_firing, out.bus, out.clock, poll=poll),
        Carrier(REBINDING, use.rebinding.carry, rebinding.MOST, out.bus, poll=rare),
        Carrier(NOTIFICATIONS, use.notifying.carry, 1, out.bus, poll=rare),
        use.outcomes,
    ]


def chores(settings: Settings, use: Reacting) -> list[Chore]:
    """Returns the chores of the janitor."""
    every = settings.storage.janitor_seconds
    return [
        Chore("deliveries", every, use.delivery_log.expire),
        Chore("silences", every, use.silences.expire),
        Chore("missed fires", every * _SWEEP_EVERY, use.timers.forget),
    ]


def routes(settings: Settings, out: Outside, use: Reacting, sources: StreamSources, url: str) -> list[Route]:
    """Returns the routes of triggers, rules, timers and webhooks. `sources` has the executions, their documents, and
    the heartbeat. `url` is the address of the API."""
    decisions = Decisions(
        out.store,
        out.bus,
        use.explaining,
        use.wanted,
        poll=settings.queue.poll_seconds,
        stopping=lambda: sources.outputs.stopping,
    )
    explaining = ExplainingRoutes(
        use.explaining, use.backtesting, decisions, use.instances, heartbeat=sources.heartbeat
    )
    return [
        *TriggerRoutes(use.types, use.triggers).routes(),
        *TimerRoutes(use.timers).routes(),
        *InstanceRoutes(use.instances).routes(),
        *RuleRoutes(use.rules, use.views).routes(),
        *HeldRoutes(use.held).routes(),
        *SilenceRoutes(use.silences).routes(),
        *explaining.routes(),
        *EnforcementRoutes(use.instances, sources.executions, sources.views).routes(),
        *WebhookRoutes(use.triggers, use.delivering, use.outcomes, url).routes(),
        *WebhookLogRoutes(use.webhook_settings, use.delivery_log).routes(),
    ]
