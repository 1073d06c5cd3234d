"""The handling of Ctrl-C and SIGTERM while a command watches an execution.

The handlers run between two reads or writes of the watching code and return to it, so watching continues; only
`Leave` is raised. A separate thread sends the request to cancel, because it may have to wait for the server while
output continues.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from types import FrameType, MappingProxyType, TracebackType
from typing import Any, Self

QUESTION = b"\n[d]etach or [c]ancel? (Enter: continue watching, Ctrl-C: cancel) "
SAME_PRESS = 1.0
LAST_CHANCE = 10.0

_ANSWERS: Mapping[str, str] = MappingProxyType({"d": "detach", "c": "cancel"})


class Leave(BaseException):
    """The signal to stop watching now. It is no `Exception`, so that no caller takes it for a lost connection."""


class Detached(Leave):
    """The user detached; the execution continues."""


class GivenUp(Leave):
    """The user does not wait for the end of the canceled execution."""


class _Again(BaseException):
    """The user pressed Ctrl-C at the question."""


class Signals:
    """The handler of SIGINT and SIGTERM inside a `with` block.

    A thread calls `cancel` with the execution's id. With `ask`, Ctrl-C asks on descriptors 0 and 2 what to do; without
    it, Ctrl-C cancels like SIGTERM. A signal before the call of `watch` takes effect in that call.
    """

    def __init__(
        self, cancel: Callable[[str], None], *, ask: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._cancel = cancel
        self._ask = ask
        self._clock = clock
        self._execution_id: str | None = None
        self._canceled_at: float | None = None
        self._thread: threading.Thread | None = None
        self._asking = False
        self._previous_handlers: dict[int, Any] = {}

    @property
    def asking(self) -> bool:
        """True while the question is on the terminal."""
        return self._asking

    @property
    def canceled(self) -> bool:
        """True if a signal requested to cancel the execution."""
        return self._canceled_at is not None

    def watch(self, execution_id: str) -> None:
        """Sets the execution that signals cancel."""
        self._execution_id = execution_id
        if self.canceled:
            self._start()

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous_handlers[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous_handlers.items():
            signal.signal(number, handler)
        if self._thread is not None and kind is not GivenUp:
            # The output's reader may close before the request is sent: the execution must not continue.
            self._thread.join(LAST_CHANCE)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._asking:
            raise _Again
        if self._canceled_at is not None:
            # Some wrappers forward a Ctrl-C that this process has received already.
            if self._clock() - self._canceled_at >= SAME_PRESS:
                raise GivenUp
            return
        if number == signal.SIGTERM or not self._ask or self._execution_id is None:
            self._request()
            return
        try:
            choice = self._question()
        except _Again:
            self._asking = False
            choice = "cancel"
        if choice == "cancel":
            self._request()
        elif choice == "detach":
            raise Detached

    def _question(self) -> str:
        """Asks the user. Returns `detach`, `cancel`, or "" to continue."""
        self._asking = True
        try:
            os.write(2, QUESTION)
            line = os.read(0, 1024)
        except OSError:
            return "detach"
        finally:
            self._asking = False
        if not line:
            return "detach"
        return _ANSWERS.get(line.decode("ascii", "replace").strip().lower()[:1], "")

    def _request(self) -> None:
        self._canceled_at = self._clock()
        if self._execution_id is not None:
            self._start()

    def _start(self) -> None:
        if self._thread is None and self._execution_id is not None:
            self._thread = threading.Thread(target=self._cancel, args=(self._execution_id,), daemon=True)
            self._thread.start()
