"""All tables of a database, as the units of work see them."""

from __future__ import annotations

from squall.adapters.sql.access.access import SqlAccess
from squall.adapters.sql.content.content import SqlContent
from squall.adapters.sql.content.keys import SqlKeys
from squall.adapters.sql.dialect.session import Session
from squall.adapters.sql.event.events import SqlEvents
from squall.adapters.sql.event.gates import SqlGates, SqlKeptBack, SqlSilences
from squall.adapters.sql.event.rules import SqlEnforcements, SqlRules
from squall.adapters.sql.event.timers import SqlFires, SqlTimers
from squall.adapters.sql.event.triggers import SqlInstances, SqlTriggers, SqlTriggerTypes
from squall.adapters.sql.event.webhooks import SqlWebhooks
from squall.adapters.sql.execution.executions import SqlExecutions
from squall.adapters.sql.execution.policies import SqlPolicies, SqlSlots
from squall.adapters.sql.execution.queue import SqlQueue
from squall.adapters.sql.execution.retention import SqlRetention
from squall.adapters.sql.execution.suspects import SqlSuspects
from squall.adapters.sql.execution.traces import SqlTraces
from squall.adapters.sql.output.journals import SqlJournals
from squall.adapters.sql.output.scrubs import SqlScrubs
from squall.adapters.sql.workflow.workflows import SqlWorkflows


class Tables:
    """A `ports.Tx` over one session: one object for each table."""

    def __init__(self, session: Session) -> None:
        self.executions = SqlExecutions(session)
        self.queue = SqlQueue(session)
        self.events = SqlEvents(session)
        self.content = SqlContent(session)
        self.access = SqlAccess(session)
        self.journals = SqlJournals(session)
        self.scrubs = SqlScrubs(session)
        self.keys = SqlKeys(session)
        self.policies = SqlPolicies(session)
        self.slots = SqlSlots(session)
        self.traces = SqlTraces(session)
        self.retention = SqlRetention(session)
        self.suspects = SqlSuspects(session)
        self.workflows = SqlWorkflows(session)
        self.trigger_types = SqlTriggerTypes(session)
        self.triggers = SqlTriggers(session)
        self.instances = SqlInstances(session)
        self.rules = SqlRules(session)
        self.enforcements = SqlEnforcements(session)
        self.gates = SqlGates(session)
        self.kept_back = SqlKeptBack(session)
        self.silences = SqlSilences(session)
        self.webhooks = SqlWebhooks(session)
        self.timers = SqlTimers(session)
        self.fires = SqlFires(session)
