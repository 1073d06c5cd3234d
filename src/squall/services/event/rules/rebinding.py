"""Renders the parameters of rules' triggers again when keys have changed, and gives the rules the triggers for them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from squall.core.environment import is_of_environment
from squall.core.errors import InvalidError
from squall.core.event.rules.changes import UPDATE, change_document, change_of
from squall.core.event.rules.records import Rule, RuleFilter, with_trigger
from squall.ports import Clock, Store, Tx
from squall.services.event.rules.trigger_parameters import TriggerParameters
from squall.services.event.triggers.triggers import Triggers
from squall.services.lanes import REBINDING
from squall.services.suspects import Suspects

MOST = 1_000
"""The most rows that one call of `carry` claims."""

_LOG = logging.getLogger("squall.rules")
_LEASE = 60_000_000
_LONGEST_ERROR = 1_000


class Rebinding:
    """Handles the rows in lane `rebinding`. `settled` clears the caches of rules after a change."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        suspects: Suspects,
        triggers: Triggers,
        parameters: TriggerParameters,
        settled: Callable[[], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._suspects = suspects
        self._triggers = triggers
        self._parameters = parameters
        self._settled = settled

    async def carry(self, _group: asyncio.TaskGroup | None = None) -> int:
        """Claims at most `MOST` rows, and renders the parameters of all triggers that have templates. Returns the
        number of rows. They stay until all rules are done, so a server that dies meanwhile loses nothing."""
        now = self._clock.now()
        tasks = await self._store.tx(lambda tx: self._suspects.claim(tx, REBINDING, now, _LEASE, MOST))
        if not tasks:
            return 0
        rules = await self._store.read(lambda tx: tx.rules.find(RuleFilter(templated=True)))
        keys = await self._parameters.keys()
        for rule in rules:
            await self._bind(rule, keys)

        async def work(tx: Tx) -> None:
            for task in tasks:
                await tx.queue.done(task)

        await self._store.tx(work)
        return len(tasks)

    async def _bind(self, rule: Rule, keys: Mapping[str, Any]) -> None:
        parameters, error = await self._rendered(rule, keys)

        async def work(tx: Tx) -> bool:
            current = await tx.rules.get(rule.id)
            if current is None or _template(current) != _template(rule):
                # Whoever changed the rule has queued a row for it.
                return False
            if parameters is None:
                return await self._keep(tx, current, error)
            try:
                return await self._move(tx, current, parameters)
            except InvalidError as refusal:
                return await self._keep(tx, current, str(refusal))

        if await self._store.tx(work):
            self._settled()

    async def _rendered(self, rule: Rule, keys: Mapping[str, Any]) -> tuple[Mapping[str, Any] | None, str]:
        try:
            return await self._parameters.rendered(rule, keys), ""
        except Exception as error:
            if is_of_environment(error):
                raise
            if not isinstance(error, InvalidError):
                _LOG.exception("the parameters of a trigger could not be rendered", extra={"rule": rule.ref})
            return None, str(error) or type(error).__name__

    async def _move(self, tx: Tx, rule: Rule, parameters: Mapping[str, Any]) -> bool:
        """Gives the rule the trigger of these parameters. Returns False if it has it already. Raises `InvalidError`,
        and has changed nothing then."""
        now = self._clock.now()
        trigger_type = await tx.trigger_types.get(rule.trigger.type)
        if trigger_type is None:
            raise InvalidError(f'trigger.type: there is no trigger type "{rule.trigger.type}".')
        await self._triggers.check(trigger_type, parameters)
        trigger = await self._triggers.obtain(tx, trigger_type.ref, parameters, now)
        if trigger.ref == rule.trigger.ref and rule.trigger_error is None:
            return False
        await self._write(tx, msgspec.structs.replace(with_trigger(rule, trigger.ref), trigger_error=None), now)
        if rule.trigger.ref != trigger.ref:
            await self._triggers.release(tx, rule.trigger.ref, now)
        return True

    async def _keep(self, tx: Tx, rule: Rule, error: str) -> bool:
        """Leaves the rule with the trigger that it has, and notes the error on it."""
        error = error[:_LONGEST_ERROR]
        if rule.trigger_error == error:
            return False
        await self._write(tx, msgspec.structs.replace(rule, trigger_error=error), self._clock.now())
        return True

    async def _write(self, tx: Tx, rule: Rule, now: int) -> None:
        await tx.rules.put(rule, now)
        await tx.events.add(change_of(rule, UPDATE, now), change_document(rule))


def _template(rule: Rule) -> tuple[str, Mapping[str, Any]]:
    return rule.trigger.type, rule.trigger.parameters
