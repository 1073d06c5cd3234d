"""Records what several clients call and what a real server answers, as one history for each execution."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from http.client import HTTPException
from math import inf
from typing import Any, NamedTuple

from tests.histories.checking import Call
from tests.histories.execution_model import ABSENT, Action, Read
from tests.scenarios.live.wire import Reply

NAME = "name-"
"""How the word in a command begins by which an execution is recognized: the answer with its id may be lost."""
UNEXPECTED = "unexpected answer"
"""How the fault of an answer with a wrong status begins."""


class Listed(NamedTuple):
    """One list of all executions: the read of each by its id. One that is not in it was absent then."""

    client: str
    invoked: float
    returned: float
    reads: dict[str, Read]


class Recording:
    """The calls of all clients. It is safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: dict[str, list[Call[Action]]] = {}
        self._created: dict[str, Call[Action]] = {}
        self._lists: list[Listed] = []
        self.names: dict[str, str] = {}
        """The name of each execution that a client has seen, by id."""
        self.faults: list[str] = []
        """Answers that no history may have, such as a 500."""

    def add(self, execution: str, call: Call[Action]) -> None:
        """Adds a call about one execution."""
        with self._lock:
            self._calls.setdefault(execution, []).append(call)

    def created(self, name: str, call: Call[Action]) -> None:
        """Adds the request of an execution of this name."""
        with self._lock:
            self._created[name] = call

    def listed(self, read: Listed, names: dict[str, str]) -> None:
        """Adds a list of all executions, with their names by id."""
        with self._lock:
            self._lists.append(read)
            self.names.update(names)

    def seen(self, execution: str, name: str) -> None:
        """Adds the id of an execution of this name."""
        with self._lock:
            self.names[execution] = name

    def fault(self, text: str) -> None:
        """Adds an answer that is wrong by itself."""
        with self._lock:
            self.faults.append(text)

    def histories(self) -> dict[str, list[Call[Action]]]:
        """Returns the history of each execution by id, and faults for names that two executions have."""
        ids: dict[str, str] = {}
        for execution, name in self.names.items():
            if ids.setdefault(name, execution) != execution:
                self.faults.append(f"one request made two executions: {execution} and {ids[name]}, {name}")
        histories = {}
        for execution, name in self.names.items():
            calls = [*self._calls.get(execution, ())]
            if (created := self._created.get(name)) is not None:
                calls.append(created)
            calls += (
                Call(each.client, each.invoked, each.returned, each.reads.get(execution, Read(ABSENT)))
                for each in self._lists
            )
            histories[execution] = calls
        return histories


class Answer(NamedTuple):
    """The time of a request, and its answer; None if the connection was cut and nobody knows what happened."""

    invoked: float
    returned: float
    reply: Reply | None

    def call(self, client: str, action: Action) -> Call[Action]:
        """Returns the call for a history."""
        return Call(client, self.invoked, self.returned, action)


def ask(send: Callable[[], Reply], recording: Recording, expected: Iterable[int]) -> Answer | None:
    """Makes a request. Returns None if nobody listened, so that it certainly did not happen. Another status than the
    expected ones is a fault; 503 is an open call."""
    invoked = time.monotonic()
    try:
        reply = send()
    except ConnectionRefusedError:
        return None
    except (OSError, HTTPException):
        return Answer(invoked, inf, None)
    if reply.status not in expected:
        if reply.status != 503:
            recording.fault(f"{UNEXPECTED} {reply}")
        return Answer(invoked, inf, None)
    return Answer(invoked, time.monotonic(), reply)


def read_of(document: dict[str, Any]) -> Read:
    """Returns what the document of an execution says."""
    result = document.get("result")
    return Read(document["status"], str(result.get("tag", "")) if isinstance(result, dict) else "")


def name_of(document: dict[str, Any]) -> str:
    """Returns the name in the command of an execution."""
    command = str(document["parameters"]["cmd"])
    return next((word for word in command.split() if word.startswith(NAME)), "")
