"""What Ctrl-C and SIGTERM mean while an execution is watched.

The handlers run between two reads or writes of the watching code and return to it, so watching goes on unharmed; only
leaving raises. Asking the server to cancel happens in a thread of its own: it may have to wait for the server, while
output goes on.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from types import FrameType, MappingProxyType, TracebackType
from typing import Any, Self

QUESTION = b"\n[d]etach or [c]ancel? (Enter: go on watching, Ctrl-C: cancel) "
SAME_PRESS = 1.0
LAST_CHANCE = 10.0

_ANSWERS: Mapping[str, str] = MappingProxyType({"d": "detach", "c": "cancel"})


class Leave(BaseException):
    """Stop watching now. It is no `Exception`, so that nothing on the way takes it for a lost connection."""


class Detached(Leave):
    """The person wants the terminal back; the execution goes on."""


class GivenUp(Leave):
    """The person does not wait for the canceled execution to end."""


class _Again(BaseException):
    """Ctrl-C was pressed while the question stood."""


class Signals:
    """Handles SIGINT and SIGTERM inside a `with` block.

    `cancel` is called in a thread with the execution's id. With `ask` a Ctrl-C asks on descriptors 0 and 2 what to do;
    without it, it cancels like SIGTERM. A signal that comes before `watch` was called is acted upon there.
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
        self._before: dict[int, Any] = {}

    @property
    def asking(self) -> bool:
        """Whether the question stands on the terminal."""
        return self._asking

    @property
    def canceled(self) -> bool:
        """Whether a signal has asked for the execution to be canceled."""
        return self._canceled_at is not None

    def watch(self, execution_id: str) -> None:
        """From now on this is the execution that signals are about."""
        self._execution_id = execution_id
        if self.canceled:
            self._start()

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._thread is not None and kind is not GivenUp:
            # The output's reader may be gone before the server was asked: the execution must not run on.
            self._thread.join(LAST_CHANCE)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._asking:
            raise _Again
        if self._canceled_at is not None:
            # Some wrappers pass a Ctrl-C on that has come here already.
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
        """`detach`, `cancel`, or "" to go on."""
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
