"""A steady load of everything that people do with a server, each kind in a thread of its own at its own pace."""

from __future__ import annotations

import base64
import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from http.client import HTTPConnection, HTTPException
from typing import Any

from tests.scenarios.live.server import FINAL, Server
from tests.scenarios.live.wire import Reply

USER, PASSWORD = "ada", "right"
WORKFLOWS = ("flow_parallel", "flow_items", "flow_line", "flow_errors", "chain_hello")


class Load:
    """The threads that make the load. `done` counts what each kind did."""

    def __init__(self, server: Server, seed: int) -> None:
        self._server = server
        self._over = threading.Event()
        self._rng = random.Random(seed)
        self._key: Mapping[str, str] = {}
        self.done: Counter[str] = Counter()
        self.faults: list[str] = []
        self._threads = [
            threading.Thread(target=self._repeat, args=kind, name=kind[0].__name__) for kind in self._kinds()
        ]

    def _kinds(self) -> list[tuple[Callable[[], None], float]]:
        """The kinds of load, each with the mean pause after it in seconds."""
        return [
            (self.run_actions, 0.5),
            (self.run_python, 2.0),
            (self.run_workflow, 2.0),
            (self.follow_and_leave, 0.5),
            (self.cut_stream, 0.7),
            (self.log_in, 3.0),
            (self.register, 5.0),
            (self.cancel, 2.0),
            (self.keys, 1.0),
            (self.read_lists, 0.7),
            (self.read_lines, 1.0),
            (self.mistakes, 0.7),
        ]

    def start(self) -> None:
        """Makes a key for all requests, and starts."""
        token = self._log_in(PASSWORD).json["token"]
        made = self._server.call("POST", "/v1/apikeys", {}, headers={"X-Auth-Token": token})
        assert made.status == 201, made
        self._key = {"St2-Api-Key": made.json["key"]}
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stops all threads, and waits for each."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _repeat(self, kind: Callable[[], None], pause: float) -> None:
        while not self._over.wait(pause * (0.5 + self._rng.random())):
            try:
                kind()
                self.done[kind.__name__] += 1
            except (AssertionError, OSError, HTTPException, KeyError, ValueError) as fault:
                self.faults.append(f"{kind.__name__}: {fault!r}")

    # -- kinds

    def run_actions(self) -> None:
        """Runs short actions to their ends, one of them failing."""
        for action, parameters in (
            ("core.noop", {}),
            ("core.local", {"cmd": f"echo {self._rng.random()}; seq 100"}),
            ("core.local", {"cmd": "echo wrong >&2; exit 3"}),
        ):
            self.ended(self.request(action, parameters))

    def run_python(self) -> None:
        """Runs a Python action and an HTTP action, which fork servers start."""
        self.ended(self.request("core.uuid", {}))
        self.ended(self.request("core.http", {"url": f"{self._server.url}/readyz"}))

    def run_workflow(self) -> None:
        """Runs one of the workflows."""
        self.ended(self.request(f"examples.{self._rng.choice(WORKFLOWS)}", {}))

    def follow_and_leave(self) -> None:
        """Follows an action in one of the forms, and leaves before its end."""
        execution = self.request("core.local", {"cmd": "for i in 1 2 3 4 5 6 7 8 9 10; do seq 200; sleep 0.1; done"})
        form = self._rng.choice(("raw", "sse", "ndjson"))
        self.listen(f"/v1/executions/{execution}/output?format={form}", self._rng.choice((100, 3_000, 8_000)))

    def cut_stream(self) -> None:
        """Listens to the stream of everything, and cuts the connection."""
        self.listen("/stream/v1/stream?events=st2.execution__create,st2.execution__update", 3_000)

    def log_in(self) -> None:
        """Logs in with wrong passwords and the right one, and logs out."""
        statuses = {self._log_in("wrong").status, self._log_in("right", "nobody").status}
        assert statuses <= {401, 429}, statuses
        reply = self._log_in(PASSWORD)
        assert reply.status in (201, 429), reply
        # A token that expires is kept for a day, so that its holder is told why it is refused.
        if reply.status == 201:
            out = self._server.call("DELETE", "/auth/v1/tokens", headers={"X-Auth-Token": reply.json["token"]})
            assert out.status == 204, out

    def register(self) -> None:
        """Registers the packs again."""
        self.call("POST", "/v1/packs/register", {"packs": ["live", "examples"]}, 200)

    def cancel(self) -> None:
        """Cancels actions: running, waiting, and one that is just requested."""
        for delay, action in ((None, "core.local"), (60_000, "core.local"), (None, "core.noop")):
            parameters = {"cmd": "sleep 600"} if action == "core.local" else {}
            execution = self.request(action, parameters, delay)
            self.call("DELETE", f"/v1/executions/{execution}", None, 200)
            self.ended(execution)

    def keys(self) -> None:
        """Writes keys, of which one ends by itself and one is deleted."""
        for number, more in enumerate(({"ttl": 3}, {})):
            name = f"k{number}-{self._rng.random()}"
            self.call("PUT", f"/v1/keys/{name}", {"name": name, "value": "v", **more}, 200)
        self.call("DELETE", f"/v1/keys/{name}", None, 204)

    def read_lists(self) -> None:
        """Reads lists and pages."""
        for path in ("/v1/executions?limit=50", "/v1/actions?limit=20", "/v1/executions/views/filters", "/v1/traces"):
            self.call("GET", path, None, 200)

    def read_lines(self) -> None:
        """Reads lines by number, searches them and verifies them, which line readers do beside the server."""
        execution = self.request("core.local", {"cmd": "seq 20000"})
        self.ended(execution)
        for part in ("rows?from_row=15000&to_row=15020", "search?pattern=777", "stats", "verify"):
            self.call("GET", f"/v1/executions/{execution}/output/{part}", None, 200)

    def mistakes(self) -> None:
        """Sends requests that must fail."""
        self.call("POST", "/v1/executions", {"action": "no.such"}, 400)
        self.call("GET", "/v1/executions/nothing", None, 404)
        assert self._server.call("GET", "/v1/executions").status == 401
        self.call("POST", "/v1/executions", {"action": "live.typed", "parameters": {"count": "x"}}, 400)

    # -- requests

    def call(self, method: str, path: str, body: Any, status: int) -> Any:
        """Makes a request that must have this status. Returns its JSON; None if there is none."""
        reply = self._server.call(method, path, body, headers=self._key)
        assert reply.status == status, (method, path, reply)
        return reply.json if reply.raw else None

    def request(self, action: str, parameters: Mapping[str, Any], delay: int | None = None) -> str:
        """Requests an execution; its id."""
        body = {"action": action, "parameters": parameters, **({"delay": delay} if delay else {})}
        return str(self.call("POST", "/v1/executions", body, 201)["id"])

    def ended(self, execution: str) -> None:
        """Follows an execution to its end."""
        self.listen(f"/v1/executions/{execution}/output?type=output&tree=false", 1 << 30)
        assert self.call("GET", f"/v1/executions/{execution}", None, 200)["status"] in FINAL

    def listen(self, path: str, limit: int) -> None:
        """Reads `limit` bytes of a stream or all of it, and cuts the connection, which the server sees as a reset."""
        connection = HTTPConnection("127.0.0.1", self._server.port, timeout=60)
        try:
            connection.request("GET", path, headers=dict(self._key))
            response = connection.getresponse()
            assert response.status == 200, response.status
            # What is read at once closes the socket in `response` only: keep it for the cut.
            sock = connection.sock
            while limit > 0 and not self._over.is_set():
                data = response.read1(min(limit, 65_536))
                if not data:
                    return
                limit -= len(data)
            if sock is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            response.close()
        finally:
            connection.close()

    def _log_in(self, password: str, user: str = USER) -> Reply:
        basic = base64.b64encode(f"{user}:{password}".encode()).decode()
        return self._server.call("POST", "/auth/v1/tokens", {}, headers={"Authorization": f"Basic {basic}"})
