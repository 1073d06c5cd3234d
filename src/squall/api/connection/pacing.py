"""The pace of pipelined requests: how many begin in one turn of the event loop, and how much of their answers waits."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

_AT_ONCE = 4
"""The most pipelined requests that begin in one turn of the event loop, on all connections together."""
_NOT_SENT_LOWAT = 25
"""`TCP_NOTSENT_LOWAT` of Linux, which Python has no name for."""
_NOT_SENT = 64 << 10


class Pacing:
    """Begins pipelined requests, a few in one turn of the event loop, in the order in which they become due. Other
    clients thus wait for a few of them, however many clients pipeline."""

    def __init__(self) -> None:
        self._begun = 0
        self._due: deque[Callable[[], None]] = deque()

    def begin(self, request: Callable[[], None]) -> None:
        """Calls `request` now if this turn of the event loop may begin one more, otherwise in one of the next turns."""
        if self._begun == 0:
            asyncio.get_running_loop().call_soon(self._turn)
        if self._begun < _AT_ONCE:
            self._begun += 1
            request()
        else:
            self._due.append(request)

    def _turn(self) -> None:
        """Begins what is due in a new turn."""
        requests = [self._due.popleft() for _ in range(min(_AT_ONCE, len(self._due)))]
        self._begun = len(requests)
        if requests:
            asyncio.get_running_loop().call_soon(self._turn)
        for request in requests:
            request()


def keep_few_unsent(sock: Any) -> None:
    """Lets the kernel take only little more of an answer than it can send. Otherwise it takes megabytes for a client
    that reads nothing, and the server would take that for progress. Does nothing if the kernel cannot do this."""
    with suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, _NOT_SENT_LOWAT, _NOT_SENT)
