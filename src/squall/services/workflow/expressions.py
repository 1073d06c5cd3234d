"""Evaluates a workflow's expressions on threads, and answers their queries to the store."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeVar

from squall.core.access.secret import replace_sealed
from squall.core.content.keyvalue import SYSTEM, USER
from squall.core.environment import is_of_environment
from squall.core.errors import NotFoundError, UnavailableError
from squall.core.execution.execution import holds_sealed
from squall.core.expr.language import Language
from squall.core.timestamp import to_iso
from squall.core.workflow.conducting.state import Entry
from squall.ports import Clock, Store, Tx
from squall.services.content.keys import Keys

T = TypeVar("T")
KeyReader = Callable[[str, bool, str], Awaitable[Any]]
"""A function that returns the value of a key by (name, whether to decrypt, user). It raises `LookupError`."""

_PATIENCE = 60.0


def key_reader(keys: Keys) -> KeyReader:
    """Returns a reader of the datastore for `st2kv()`: `system.x` is a system key, any other name a key of the user."""

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
    """The languages that evaluate expressions, on at most `threads` threads at once.

    `carried` returns the context for a thread that works for the current task (`ports.Marks`).
    """

    def __init__(
        self,
        make: Callable[[], Language],
        threads: int = 4,
        carried: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._make = make
        self._carried = carried
        self._gate = asyncio.Semaphore(threads)
        # Threads of their own: expressions that take long keep nothing else waiting.
        self._threads = ThreadPoolExecutor(threads, "expressions")
        self._alone = asyncio.Lock()
        self._model: Language | None = None
        self._idle: list[Language] = []

    async def warm(self) -> None:
        """Creates the first language, so that the first workflow does not wait for it."""
        async with self._alone:
            if self._model is None:
                self._model = await asyncio.to_thread(self._make)
                self._idle.append(self._model)

    async def apart(self, work: Callable[[Language], T]) -> T:
        """Calls `work` on a thread with a language that no other thread uses. Returns its result."""
        await self.warm()
        async with self._gate:
            assert self._model is not None  # noqa: S101 - `warm` has created it
            language = self._idle.pop() if self._idle else self._model.twin()
            context = self._carried()

            def carried() -> T:
                with context:
                    return work(language)

            try:
                return await asyncio.get_running_loop().run_in_executor(self._threads, carried)
            finally:
                self._idle.append(language)


@contextmanager
def _unavailable() -> Iterator[None]:
    """Turns errors of the environment into `UnavailableError`: no expression can be blamed for them."""
    try:
        yield
    except Exception as error:
        if isinstance(error, TimeoutError):
            raise UnavailableError("The store does not answer an expression.") from error
        if is_of_environment(error):
            raise UnavailableError(str(error)) from error
        raise


class Lookups:
    """The `core.workflow.conducting.engine.Outside` of one workflow. Call its methods on a worker thread.

    `reveal` opens a sealed value. `secret_read` becomes True when a key or a part of a result is decrypted: from then
    on the stored state must be sealed.
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

        with _unavailable():
            return asyncio.run_coroutine_threadsafe(awaited(), self._loop).result(_PATIENCE)

    def opened(self, result: Any) -> Any:
        """The result of an execution with its sealed values in plain text."""

        def open_one(envelope: str) -> Any:
            self.secret_read = True
            with _unavailable():
                return self._reveal(envelope)

        return replace_sealed(result, open_one) if holds_sealed(result) else result

    def new_id(self) -> str:
        """Returns a new id."""
        return self._clock.new_id()

    def item_results(self, task_execution: str, count: int) -> list[Any]:
        """Returns the results of a task's items; None for an item without a result."""
        results: list[Any] = [None] * count
        for item, _, _, result in self._children(task_execution):
            if 0 <= item < count:
                results[item] = result
        return results

    def task_document(self, entry: Entry, items: int | None) -> dict[str, Any]:
        """Returns the document that `task()` gives for a run of a task."""
        children = self._children(entry.id)
        result: Any = children[0][3] if children else None
        if items is not None:
            item_documents: list[Any] = [None] * items
            for item, _, status, each in children:
                if 0 <= item < items:
                    item_documents[item] = {"status": status, "result": each}
            result = {"items": item_documents}
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
        """Returns the value of a key. Raises `LookupError`."""
        self.secret_read = self.secret_read or decrypt
        return self._wait(self._keys(name, decrypt, self._user))

    def _children(self, task_execution: str) -> list[tuple[int, str, str, Any]]:
        async def work(tx: Tx) -> list[tuple[int, str, str, Any]]:
            return list(await tx.workflows.children(task_execution))

        children = self._wait(self._store.read(work))
        return [(item, execution, status, self.opened(result)) for item, execution, status, result in children]
