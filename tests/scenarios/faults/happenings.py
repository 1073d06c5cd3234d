"""Webhooks that are sent to a server while it dies, and what must come of each: the rules, and their plain model."""

from __future__ import annotations

import json
import random
import sqlite3
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from http.client import HTTPException
from typing import Any

from tests.scenarios.faults.mortal import Mortal
from tests.scenarios.live.server import Server
from tests.scenarios.live.wire import PATIENCE, Reply

from squall.testing.waiting import until

HOOKS = ("red", "blue")
_CLIENTS = 4


def _rule(name: str, hook: str, criteria: dict[str, Any], **more: Any) -> dict[str, Any]:
    body = {
        "name": f"{hook}_{name}",
        "pack": "faults",
        "enabled": True,
        "trigger": {"type": "core.st2.webhook", "parameters": {"url": hook}},
        "criteria": criteria,
        "action": {"ref": "core.noop", "parameters": {}},
    }
    return body | more


def add_rules(server: Server) -> None:
    """Creates the rules: for each hook one that always matches, one for odd numbers, one that fails, one that never
    matches, and one for what no other wants."""
    odd = {"trigger.body.odd": {"type": "eq", "pattern": True}}
    no_parameter = {"ref": "core.local", "parameters": {"cmd": "{{ trigger.body.nothing }}"}}
    for hook in HOOKS:
        for body in (
            _rule("always", hook, {"trigger.body.n": {"type": "exists"}}),
            _rule("odd", hook, odd),
            _rule("fails", hook, odd, action=no_parameter),
            _rule("never", hook, {"trigger.body.n": {"type": "lt", "pattern": 0}}),
            _rule("else", hook, {}, type={"ref": "backstop", "parameters": {}}),
        ):
            reply = server.call("POST", "/v1/rules", body)
            assert reply.status == 201, reply


def _expected(hook: str, number: int) -> list[tuple[str, str]]:
    """Returns (rule, status) of each enforcement that an event must have."""
    if number < 0:
        return [(f"faults.{hook}_never", "succeeded")]
    more = [(f"faults.{hook}_fails", "failed"), (f"faults.{hook}_odd", "succeeded")] if number % 2 else []
    return sorted([(f"faults.{hook}_always", "succeeded"), *more])


class Senders:
    """Clients that send numbered webhooks one after the other, as long as the server answers or comes back."""

    def __init__(self, server: Mortal, count: int, first: int = 0) -> None:
        self.accepted: set[int] = set()
        self.unanswered: set[int] = set()
        self.sent = 0
        self._server = server
        self._numbers: Iterator[int] = iter(range(first, first + count))
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._send) for _ in range(_CLIENTS)]

    @property
    def ended(self) -> bool:
        """True if everything was sent."""
        return not any(thread.is_alive() for thread in self._threads)

    @contextmanager
    def sending(self) -> Iterator[Senders]:
        """Sends until all is sent; waits for that at the end of the context."""
        for thread in self._threads:
            thread.start()
        try:
            yield self
        finally:
            for thread in self._threads:
                thread.join()

    def restart(self) -> None:
        """Kills the server, if it still lives, and starts it again. What is sent meanwhile waits."""
        if self._server.process.poll() is None:
            self._server.kill()
        else:
            self._server.wait()
        self._server.again()

    def _send(self) -> None:
        while True:
            with self._lock:
                number = next(self._numbers, None)
                self.sent += 1
            if number is None:
                return
            try:
                reply = self._reply(number)
            except (OSError, HTTPException):
                self.unanswered.add(number)
                continue
            assert reply.status == 202, reply
            self.accepted.add(number)

    def _reply(self, number: int) -> Reply:
        """Sends one webhook, as soon as the server listens."""
        path, body = f"/v1/webhooks/{HOOKS[number % 7 % 2]}", {"n": number, "odd": number % 2 == 1}
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self._server.call("POST", path, body)
            except ConnectionRefusedError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)


def settled(server: Server) -> None:
    """Waits until every event is evaluated, and every execution of a rule has ended."""

    def total(path: str) -> int:
        return int(server.call("GET", path).headers["x-total-count"])

    until(lambda: total("/v1/triggerinstances?status=pending&limit=1") == 0, "all events are evaluated", pause=0.1)
    for status in ("requested", "scheduled", "running"):
        until(lambda s=status: total(f"/v1/executions?status={s}&limit=1") == 0, "all executions end", pause=0.1)  # type: ignore[misc]


def check_once(server: Mortal, senders: Sequence[Senders], *, ordered: bool = True) -> None:
    """Checks that each accepted webhook was stored once, and that each of its matches has one execution. An unanswered
    one is stored or not. If `ordered`, the events of a hook must have been evaluated in the order of storing."""
    accepted = set().union(*(each.accepted for each in senders))
    unanswered = set().union(*(each.unanswered for each in senders))
    with closing(sqlite3.connect(f"file:{server.data_dir}/squall.db?mode=ro", uri=True)) as database:
        instances = {
            row[0]: (row[1], row[2], json.loads(row[3])["body"]["n"], row[4])
            for row in database.execute("SELECT id, number, trigger_ref, payload, status FROM trigger_instances")
        }
        enforcements = [json.loads(row[0]) for row in database.execute("SELECT body FROM enforcements ORDER BY rowid")]
        executions = {
            row[0]: (row[1], json.loads(row[2]))
            for row in database.execute("SELECT id, status, context FROM executions")
        }
        [[left]] = database.execute("SELECT count(*) FROM queue WHERE lane IN ('rules', 'run')")
    assert left == 0
    copies = Counter(number for _, _, number, _ in instances.values())
    assert {number: count for number, count in copies.items() if count > 1} == {}
    assert (accepted - set(copies), set(copies) - accepted - unanswered) == (set(), set())
    assert {status for *_, status in instances.values()} == {"processed"}
    by_instance: dict[str, list[tuple[str, str]]] = defaultdict(list)
    lines: dict[str, list[int]] = defaultdict(list)
    for each in enforcements:
        instance = each["trigger_instance_id"]
        by_instance[instance].append((each["rule"]["ref"], each["status"]))
        lines[instances[instance][1]].append(instances[instance][0])
        # The execution of parameters that cannot be rendered fails at once.
        status = "succeeded" if each["status"] == "succeeded" else "failed"
        assert executions[each["execution_id"]][0] == status
    for key, (_, _, number, _) in instances.items():
        assert sorted(by_instance[key]) == _expected(HOOKS[number % 7 % 2], number), (key, number)
    fired = [each["execution_id"] for each in enforcements if each.get("execution_id")]
    of_rules = [key for key, (_, context) in executions.items() if "rule" in context]
    assert sorted(fired) == sorted(of_rules)
    if ordered:
        assert {ref: line for ref, line in lines.items() if line != sorted(line)} == {}


def kill_at_random(senders: Senders, rng: random.Random, kills: int, count: int) -> None:
    """Kills the server again and again, each time after some more webhooks, and starts it again."""
    for kill in range(1, kills + 1):
        goal = count * kill // (kills + 1) + rng.randrange(max(count // (kills + 1) // 2, 1))
        until(lambda goal=goal: senders.sent >= goal, "more is sent", pause=0.001)  # type: ignore[misc]
        senders.restart()
