"""Renders the `notify` sections of ended executions, and stores an event for each of their routes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from time import monotonic
from typing import Any

from squall.core.access.secret import MASK
from squall.core.environment import RETRIED, is_of_environment
from squall.core.errors import InvalidError
from squall.core.event.internal.notifications import names_for, parts_of, payloads_of
from squall.core.event.internal.payloads import NOTIFY
from squall.core.execution.execution import Execution
from squall.core.expr.jinja import Jinja
from squall.core.schema.taint import Taint
from squall.core.schema.walk import texts_in
from squall.ports import Clock, Due, Store, Tx
from squall.services.event.internal.placing import Placing
from squall.services.execution.binding import Binding
from squall.services.lanes import NOTIFICATIONS
from squall.services.suspects import Suspects

MOST = 64
"""The most notifications that are rendered at the same time."""

_LOG = logging.getLogger("squall.notify")
_LEASE = 60_000_000
_RETRY_DELAY = 1_000_000
_MOST_ATTEMPTS = 3
_FULL_PAUSE = 0.01
_LONGEST = 20.0
"""The seconds that the texts of one execution may take together; each text also has the limit of a template."""


class Notifying:
    """Sends the notifications in lane `notifications`. `user` is the owner of `st2kv.user` in their templates."""

    def __init__(
        self, store: Store, clock: Clock, suspects: Suspects, binding: Binding, placing: Placing, user: str
    ) -> None:
        self._store = store
        self._clock = clock
        self._suspects = suspects
        self._binding = binding
        self._placing = placing
        self._user = user
        self._running = 0

    async def carry(self, group: asyncio.TaskGroup) -> int:
        """Claims notifications, and sends each in a task of `group`, so that slow templates delay no others. Returns
        the number of claimed rows; waits a little, and returns `MOST`, while so many tasks run."""
        room = MOST - self._running
        if room <= 0:
            await asyncio.sleep(_FULL_PAUSE)
            return MOST
        now = self._clock.now()
        tasks = await self._store.tx(lambda tx: self._suspects.claim(tx, NOTIFICATIONS, now, _LEASE, room))
        for task in tasks:
            self._running += 1
            group.create_task(self._handle(task), name=f"notify {task.key}")
        return len(tasks)

    async def _handle(self, task: Due) -> None:
        try:
            await self._suspects.watched(NOTIFICATIONS, task.key, self._send(task))
        except Exception as error:
            await self._put_back(task, error)
        finally:
            self._running -= 1

    async def _send(self, task: Due) -> None:
        execution = await self._store.read(lambda tx: tx.executions.get(task.key, True))
        payloads = await self._payloads(execution) if execution is not None else []

        async def work(tx: Tx) -> None:
            if not await tx.queue.done(task) or execution is None:
                return
            for payload in payloads:
                await self._placing.about(tx, NOTIFY, payload, execution)

        await self._store.tx(work)
        self._placing.hint()

    async def _payloads(self, execution: Execution) -> Sequence[dict[str, Any]]:
        parts = parts_of(execution)
        texts: list[Any] = [text for part in parts for text in (part.message, dict(part.data))]
        names = names_for(execution, await self._binding.keys(texts, self._user))

        def work(jinja: Jinja, taint: Taint) -> tuple[list[dict[str, Any]], list[str]]:
            deadline = monotonic() + _LONGEST

            def render(text: str) -> str:
                if monotonic() > deadline:
                    raise InvalidError(f"the texts took more than {_LONGEST:g} seconds together")
                rendered = jinja.render(text, names)
                for secret in taint.all():
                    for word in texts_in(secret):
                        rendered = rendered.replace(word, MASK) if word else rendered
                return rendered

            problems: list[str] = []
            payloads = [each for part in parts for each in payloads_of(execution, part, render, problems)]
            return payloads, problems

        payloads, problems = await self._binding.rendering(work)
        for problem in problems[:1]:
            _LOG.warning("a notification has a text that fails", extra={"execution": execution.id, "error": problem})
        return payloads

    async def _put_back(self, task: Due, error: Exception) -> None:
        """Tries again later. After some defects, gives the notification up."""
        gives_up = task.attempts >= _MOST_ATTEMPTS and not is_of_environment(error)
        _LOG.error("a notification failed", exc_info=error, extra={"execution": task.key, "gives_up": gives_up})

        async def work(tx: Tx) -> None:
            if gives_up:
                await tx.queue.done(task)
            else:
                await tx.queue.release(task, self._clock.now() + _RETRY_DELAY)

        try:
            await self._store.tx(work)
        except RETRIED as failure:
            # The lease ends by itself, and the row is claimed again.
            _LOG.warning("a notification waits for the database", extra={"error": str(failure)})
