"""Where a workflow's expressions are evaluated, and what they ask of the store there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from squall.core.access.secret import replace_sealed
from squall.core.content.keyvalue import SYSTEM, USER
from squall.core.errors import NotFoundError
from squall.core.execution.execution import holds_sealed
from squall.core.expr.language import Language
from squall.core.timestamp import to_iso
from squall.core.workflow.conducting.state import Entry
from squall.ports import Clock, Store, Tx
from squall.services.content.keys import Keys

T = TypeVar("T")
KeyReader = Callable[[str, bool, str], Awaitable[Any]]
"""Gives the value of a key by (name, whether to decrypt, user). Raises `LookupError`."""

_PATIENCE = 60.0


def key_reader(keys: Keys) -> KeyReader:
    """Reads the datastore as `st2kv()` does: `system.x` from the system's keys, any other name from the user's own."""

    async def read(name: str, decrypt: bool, user: str) -> str:
        first, _, rest = name.removeprefix("st2kv.").partition(".")
        scope = SYSTEM if first == "system" and rest else USER
        if scope == USER:
            rest = rest if first == "user" and rest else name
        try:
            key = await keys.get(scope, user, rest)
        except NotFoundError as error:
            raise LookupError(name) from error
        return keys.reveal(key) if decrypt else key.value

    return read


class Languages:
    """The languages that expressions are evaluated with, `threads` at most at once."""

    def __init__(self, make: Callable[[], Language], threads: int = 2) -> None:
        self._make = make
        self._gate = asyncio.Semaphore(threads)
        self._alone = asyncio.Lock()
        self._model: Language | None = None
        self._idle: list[Language] = []

    async def warm(self) -> None:
        """Makes the first language, so that the first workflow need not wait for it."""
        async with self._alone:
            if self._model is None:
                self._model = await asyncio.to_thread(self._make)
                self._idle.append(self._model)

    async def apart(self, work: Callable[[Language], T]) -> T:
        """Does what evaluates expressions on a thread, with a language that nobody else has."""
        await self.warm()
        async with self._gate:
            assert self._model is not None  # noqa: S101 - it has been made
            language = self._idle.pop() if self._idle else self._model.twin()
            try:
                return await asyncio.to_thread(work, language)
            finally:
                self._idle.append(language)


class Lookups:
    """`core.workflow.engine.Outside` for one workflow. Its methods are for another thread than the loop's.

    `reveal` opens a sealed value. `secret_read` tells whether a key or a part of a result has been decrypted: then what
    is stored must be sealed.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        keys: KeyReader,
        reveal: Callable[[str], Any],
        workflow: str,
        user: str,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._store = store
        self._clock = clock
        self._keys = keys
        self._reveal = reveal
        self._workflow = workflow
        self._user = user
        self._loop = loop
        self.secret_read = False

    def _wait(self, answer: Awaitable[T]) -> T:
        async def awaited() -> T:
            return await answer

        return asyncio.run_coroutine_threadsafe(awaited(), self._loop).result(_PATIENCE)

    def opened(self, result: Any) -> Any:
        """The result of an execution with its sealed values in plain text."""

        def open_one(envelope: str) -> Any:
            self.secret_read = True
            return self._reveal(envelope)

        return replace_sealed(result, open_one) if holds_sealed(result) else result

    def new_id(self) -> str:
        """An id."""
        return self._clock.new_id()

    def item_results(self, task_execution: str, count: int) -> list[Any]:
        """The results of a task's items."""
        results: list[Any] = [None] * count
        for item, _, _, result in self._children(task_execution):
            if 0 <= item < count:
                results[item] = result
        return results

    def task_document(self, entry: Entry, items: int | None) -> dict[str, Any]:
        """What `task()` tells of a run."""
        children = self._children(entry.id)
        result: Any = children[0][3] if children else None
        if items is not None:
            shown: list[Any] = [None] * items
            for item, _, status, each in children:
                if 0 <= item < items:
                    shown[item] = {"status": status, "result": each}
            result = {"items": shown}
        return {
            "task_execution_id": entry.id,
            "workflow_execution_id": self._workflow,
            "task_name": entry.task,
            "task_id": entry.task,
            "route": entry.route,
            "result": result,
            "status": entry.status,
            "start_timestamp": to_iso(entry.start),
            "end_timestamp": to_iso(entry.end) if entry.end is not None else None,
        }

    def key(self, name: str, decrypt: bool) -> Any:
        """A key's value. Raises `LookupError`."""
        self.secret_read = self.secret_read or decrypt
        return self._wait(self._keys(name, decrypt, self._user))

    def _children(self, task_execution: str) -> list[tuple[int, str, str, Any]]:
        async def work(tx: Tx) -> list[tuple[int, str, str, Any]]:
            return list(await tx.workflows.children(task_execution))

        children = self._wait(self._store.read(work))
        return [(item, execution, status, self.opened(result)) for item, execution, status, result in children]
