"""Clients that call a real server at random, alone and about each other's executions, and record everything."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from http.client import HTTPException
from typing import Any

from tests.histories.checking import Call
from tests.histories.execution_model import (
    ABSENT,
    Action,
    Cancel,
    Complete,
    Create,
    Output,
    Passed,
    Read,
)
from tests.histories.recording import NAME, Answer, Listed, Recording, ask, name_of, read_of
from tests.scenarios.live.server import UPDATE, Server
from tests.scenarios.live.wire import Reply

from squall.core.execution.statuses import FINAL

LINES = 20
"""The lines of an execution's output: its name each time."""


class Client(threading.Thread):
    """One client, with a random life of its own."""

    def __init__(self, name: str, server: Server, recording: Recording, seed: int, over: threading.Event) -> None:
        super().__init__(name=name)
        self._server = server
        self._recording = recording
        self._rng = random.Random(seed)
        self._over = over
        self._made = 0
        self.crash: BaseException | None = None
        """What ended this client early: a mistake in the test or an answer without sense."""

    def run(self) -> None:
        """Calls until the time is over."""
        alone: list[tuple[Callable[[], None], int]] = [(self.create, 5), (self.read_list, 2)]
        about: list[tuple[Callable[[str], None], int]] = [
            (self.re_run, 1), (self.read, 5), (self.cancel, 2), (self.put_canceled, 1), (self.complete, 2),
            (self.read_output, 2), (self.follow, 1),
        ]  # fmt: skip
        kinds = [*alone, *about]
        try:
            while not self._over.wait(self._rng.random() * 0.03):
                number = self._rng.choices(range(len(kinds)), [weight for _, weight in kinds])[0]
                if number < len(alone):
                    alone[number][0]()
                elif (execution := self._some()) is not None:
                    about[number - len(alone)][0](execution)
        except BaseException as crash:
            self.crash = crash

    # -- calls

    def create(self) -> None:
        """Requests an execution."""
        name = self._new_name()
        body: dict[str, Any] = {"action": "core.local", "parameters": {"cmd": self._command(name)}}
        if self._rng.random() < 0.15:
            body["delay"] = self._rng.randrange(1, 400)
        self._created(name, self._ask("POST", "", body, (201,)))

    def re_run(self, execution: str) -> None:
        """Runs an execution again under a new name, which makes a new one."""
        name = self._new_name()
        answer = self._ask("POST", f"/{execution}/re_run", {"parameters": {"cmd": self._command(name)}}, (201, 404))
        if answer is not None and answer.reply is not None and answer.reply.status == 404:
            self._recording.add(execution, answer.call(self.name, Read(ABSENT)))
            return
        self._created(name, answer)

    def read(self, execution: str) -> None:
        """Reads an execution."""
        answer = self._ask("GET", f"/{execution}", None, (200, 404))
        if answer is not None and answer.reply is not None:
            found = read_of(answer.reply.json) if answer.reply.status == 200 else Read(ABSENT)
            self._recording.add(execution, answer.call(self.name, found))

    def read_list(self) -> None:
        """Reads the list of all executions."""
        answer = self._ask("GET", "?limit=-1&include_attributes=id,status,parameters,result", None, (200,))
        if answer is None or answer.reply is None:
            return
        documents = {document["id"]: document for document in answer.reply.json}
        reads = {execution: read_of(document) for execution, document in documents.items()}
        names = {execution: name_of(document) for execution, document in documents.items()}
        self._recording.listed(Listed(self.name, answer.invoked, answer.returned, reads), names)

    def cancel(self, execution: str) -> None:
        """Cancels an execution."""
        answer = self._ask("DELETE", f"/{execution}", None, (200, 404))
        self._add(execution, answer, Cancel("open"), self._cancelled)

    def put_canceled(self, execution: str) -> None:
        """Cancels an execution in the other way."""
        answer = self._ask("PUT", f"/{execution}", {"status": "canceled"}, (200, 400, 404, 409))
        self._add(execution, answer, Cancel("open"), self._cancelled)

    def complete(self, execution: str) -> None:
        """Ends an execution from outside."""
        status, tag = self._rng.choice(("succeeded", "failed")), self._new_name()
        answer = self._ask("PUT", f"/{execution}", {"status": status, "result": {"tag": tag}}, (200, 400, 404))
        accepted = Complete("accepted", status, tag)
        self._add(
            execution,
            answer,
            Complete("open", status, tag),
            lambda reply: accepted if reply.status == 200 else Complete("refused", status, tag),
        )
        if answer is not None and answer.reply is not None and answer.reply.status == 200:
            # The answer waits for the end, so it tells of a later moment than that of the request.
            self._recording.add(execution, answer.call(self.name, read_of(answer.reply.json)))

    def read_output(self, execution: str) -> None:
        """Reads the output that there is."""
        answer = self._ask("GET", f"/{execution}/output?format=raw&type=stdout&follow=false", None, (200, 404))
        self._add(execution, answer, None, lambda reply: Output(len(reply.raw)))

    def follow(self, execution: str) -> None:
        """Follows an execution to its end, or until the server dies: each status counts from the moment it is told."""
        try:
            with self._server.stream(end_event=UPDATE, end_execution_id=execution, events=UPDATE) as stream:
                if stream.status != 200:
                    return
                for event in stream.events():
                    now = time.monotonic()
                    if event.name == UPDATE and event.body["id"] == execution:
                        found = read_of(event.body)
                        action: Action = found if found.status in FINAL else Passed(found.status)
                        self._recording.add(execution, Call(self.name, now, now, action))
                    if self._over.is_set():
                        return
        except (OSError, HTTPException):
            return

    # -- parts of them

    def _ask(self, method: str, path: str, body: Any, expected: tuple[int, ...]) -> Answer | None:
        return ask(lambda: self._server.call(method, f"/v1/executions{path}", body), self._recording, expected)

    def _add(
        self, execution: str, answer: Answer | None, unanswered: Action | None, of: Callable[[Reply], Action]
    ) -> None:
        """Adds a call. `unanswered` is its action without an answer, `of` makes it from the answer."""
        if answer is None:
            return
        if answer.reply is None:
            if unanswered is not None:
                self._recording.add(execution, answer.call(self.name, unanswered))
            return
        action = Read(ABSENT) if answer.reply.status == 404 else of(answer.reply)
        self._recording.add(execution, answer.call(self.name, action))

    def _cancelled(self, reply: Reply) -> Action:
        document = reply.json
        if "faultstring" not in document:
            return Cancel("accepted", document["status"])
        _, says, status = str(document["faultstring"]).rpartition("State = ")
        return Cancel("refused", status.rstrip(".") if says else "")

    def _created(self, name: str, answer: Answer | None) -> None:
        if answer is None:
            return
        self._recording.created(name, answer.call(self.name, Create()))
        if answer.reply is not None:
            self._recording.seen(answer.reply.json["id"], name)

    def _command(self, name: str) -> str:
        """Returns a command that prints its name `LINES` times, some with pauses, and fails if its name says so."""
        pause = self._rng.choice(("", "", "", "sleep 0.02;"))
        code = 3 if name.endswith("-fails") else 0
        return f"for i in $(seq {LINES}); do echo {name} ; {pause} done; exit {code}"

    def _new_name(self) -> str:
        self._made += 1
        return f"{NAME}{self.name}-{self._made}" + self._rng.choice(("", "", "-fails"))

    def _some(self) -> str | None:
        """Returns the id of an execution, most often of a new one."""
        ids = list(self._recording.names)
        if not ids:
            return None
        return ids[-1 - min(int(self._rng.expovariate(0.25)), len(ids) - 1)]
