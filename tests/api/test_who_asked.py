"""Who did something, as the API records it: the user whose credential a request carries, not the server's user."""

from __future__ import annotations

import base64
import getpass
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.scenarios.live.fixtures import QUICK
from tests.scenarios.live.server import FINAL, UPDATE, Server, serving
from tests.scenarios.live.wire import Reply, Stream

from squall.adapters.htpasswd import write

SHA_RIGHT = "{SHA}" + base64.b64encode(hashlib.sha1(b"right").digest()).decode()
USER = "zoe"
HOLD = "while ! [ -e {} ]; do sleep 0.05; done"


class Caller:
    """A user who is logged in to a server, and is not the user that the server runs as."""

    def __init__(self, server: Server, user: str) -> None:
        self.server = server
        self.user = user
        password = base64.b64encode(f"{user}:right".encode()).decode()
        token = server.call("POST", "/auth/v1/tokens", {}, headers={"Authorization": f"Basic {password}"}).json
        assert token["user"] == user
        self.credential = {"X-Auth-Token": token["token"]}

    def call(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Reply:
        """One request, which must succeed."""
        reply = self.server.call(method, path, body, headers={**self.credential, **(headers or {})})
        assert 200 <= reply.status < 300 and b"faultstring" not in reply.raw, (method, path, reply)
        return reply

    def run(self, action: str, **parameters: Any) -> str:
        """Requests an execution; its id."""
        return str(self.call("POST", "/v1/executions", {"action": action, "parameters": parameters}).json["id"])

    def reach(self, execution: str, *statuses: str) -> dict[str, Any]:
        """Waits until an execution has one of the statuses; its document."""
        with Stream(self.server.url, f"/stream/v1/stream?events={UPDATE}", self.credential) as stream:
            events = iter(stream.events())
            while True:
                document: dict[str, Any] = self.call("GET", f"/v1/executions/{execution}").json
                if document["status"] in statuses:
                    return document
                next(event for event in events if event.body["id"] == execution)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, packs: Path) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("named")
    write(home / "data" / "htpasswd", {USER: SHA_RIGHT, "yan": SHA_RIGHT})
    env = {**QUICK, "SQUALL_CONTENT_INDEX_URL": "nosuch.json"}
    with serving(home, packs, "--auth", env=env) as running:
        yield running


@pytest.fixture(scope="module")
def zoe(server: Server) -> Caller:
    assert getpass.getuser() != USER
    return Caller(server, USER)


@pytest.fixture(scope="module")
def yan(server: Server) -> Caller:
    """Another user, whose executions are acted upon."""
    return Caller(server, "yan")


Route = Callable[[Caller, Caller, Path], list[Any]]
"""Does something as the first caller, to what belongs to the second; gives every name that is recorded of it."""


def held(owner: Caller, folder: Path) -> str:
    """An execution of `owner` that runs until it is canceled."""
    execution = owner.run("core.local", cmd=HOLD.format(folder / "never"))
    owner.reach(execution, "running")
    return execution


def names_of_cancel(caller: Caller, execution: str) -> list[Any]:
    document = caller.reach(execution, "canceled")
    assert document["context"]["user"] == "yan"
    return [document["context"]["cancelled_by"], document["result"]["user"]]


def cancel(zoe: Caller, yan: Caller, folder: Path) -> list[Any]:
    execution = held(yan, folder)
    zoe.call("DELETE", f"/v1/executions/{execution}")
    return names_of_cancel(zoe, execution)


def cancel_many(zoe: Caller, yan: Caller, folder: Path) -> list[Any]:
    execution = held(yan, folder)
    zoe.call("POST", "/v1/executions/cancel", {"ids": [execution]})
    return names_of_cancel(zoe, execution)


def put(status: str) -> Route:
    def canceled(zoe: Caller, yan: Caller, folder: Path) -> list[Any]:
        execution = held(yan, folder)
        zoe.call("PUT", f"/v1/executions/{execution}", {"status": status})
        return names_of_cancel(zoe, execution)

    return canceled


def cancel_a_delayed_one(zoe: Caller, yan: Caller, folder: Path) -> list[Any]:
    body = {"action": "core.noop", "delay": 3_600_000}
    execution = yan.call("POST", "/v1/executions", body).json["id"]
    zoe.call("PUT", f"/v1/executions/{execution}", {"status": "canceling"})
    return names_of_cancel(zoe, execution)


def pause_and_resume(zoe: Caller, yan: Caller, folder: Path) -> list[Any]:
    execution = yan.run("live.hold", go=str(folder / "go"))
    yan.reach(execution, "running")
    zoe.call("PUT", f"/v1/executions/{execution}", {"status": "pausing"})
    (folder / "go").touch()
    zoe.reach(execution, "paused")
    zoe.call("PUT", f"/v1/executions/{execution}", {"status": "resuming"})
    context = zoe.reach(execution, *FINAL)["context"]
    assert context["user"] == "yan"
    return [context["paused_by"], context["resumed_by"]]


def answer(zoe: Caller, yan: Caller, folder: Path) -> list[Any]:
    inquiry = yan.run("core.ask", schema={"type": "object"})
    yan.reach(inquiry, "pending")
    zoe.call("PUT", f"/v1/inquiries/{inquiry}", {"id": inquiry, "response": {}})
    return [zoe.reach(inquiry, *FINAL)["context"]["responded_by"]]


def user_of(caller: Caller, execution: str) -> list[Any]:
    return [caller.call("GET", f"/v1/executions/{execution}").json["context"]["user"]]


def request(zoe: Caller, yan: Caller, folder: Path) -> list[Any]:
    return user_of(zoe, zoe.run("core.noop"))


def request_with_forged_names(zoe: Caller, yan: Caller, folder: Path) -> list[Any]:
    forged = {"user": "yan", "cancelled_by": "yan", "paused_by": "yan", "resumed_by": "yan", "responded_by": "yan"}
    body = {"action": "core.noop", "context": {**forged, "mine": 1}}
    context = zoe.call("POST", "/v1/executions", body, {"St2-Context": json.dumps(forged)}).json["context"]
    assert context["mine"] == 1
    return [value for name, value in context.items() if name in forged]


def re_run(zoe: Caller, yan: Caller, folder: Path) -> list[Any]:
    old = yan.run("core.noop")
    yan.reach(old, *FINAL)
    return user_of(zoe, zoe.call("POST", f"/v1/executions/{old}/re_run", {}).json["id"])


def re_run_many(zoe: Caller, yan: Caller, folder: Path) -> list[Any]:
    old = yan.run("core.noop")
    yan.reach(old, *FINAL)
    (told,) = zoe.call("POST", "/v1/executions/re_run", {"ids": [old]}).json
    return user_of(zoe, told["execution"])


def children(zoe: Caller, yan: Caller, folder: Path) -> list[Any]:
    execution = zoe.run("examples.flow_line")
    zoe.reach(execution, *FINAL)
    below = zoe.call("GET", f"/v1/executions/{execution}/children").json
    assert below
    return [name for each in below for name in (each["context"]["user"], each["context"]["parent"]["user"])]


def pack(verb: str) -> Route:
    def work(zoe: Caller, yan: Caller, folder: Path) -> list[Any]:
        return user_of(zoe, zoe.call("POST", f"/v1/packs/{verb}", {"packs": ["nosuch"]}).json["execution_id"])

    return work


def user_key(zoe: Caller, yan: Caller, folder: Path) -> list[Any]:
    path = "/v1/keys/mine?scope=user"
    written = zoe.call("PUT", "/v1/keys/mine", {"name": "mine", "value": "x", "scope": "user"}).json
    read = zoe.call("GET", path).json
    zoe.call("DELETE", path)
    return [written["user"], read["user"], written["uid"].split(":")[2]]


def api_key(zoe: Caller, yan: Caller, folder: Path) -> list[Any]:
    made = zoe.call("POST", "/v1/apikeys", {}).json
    shown = zoe.call("GET", f"/v1/apikeys/{made['id']}").json
    run = zoe.server.call("POST", "/v1/executions", {"action": "core.noop"}, headers={"St2-Api-Key": made["key"]}).json
    return [made["user"], shown["user"], run["context"]["user"]]


def token(zoe: Caller, yan: Caller, folder: Path) -> list[Any]:
    return [zoe.call("GET", "/v1/user").json["username"]]


def what_an_action_asks_for(zoe: Caller, yan: Caller, folder: Path) -> list[Any]:
    """The token of an action stands for the user of its execution."""
    victim = held(yan, folder)
    command = (
        f"curl -sf -X PUT -H 'Content-Type: application/json' -H \"X-Auth-Token: $ST2_ACTION_AUTH_TOKEN\" "
        f'-d \'{{"status": "canceling"}}\' "$ST2_ACTION_API_URL/executions/{victim}"'
    )
    done = zoe.reach(zoe.run("core.local", cmd=command), *FINAL)
    assert done["status"] == "succeeded", done["result"]
    return names_of_cancel(zoe, victim)


@pytest.fixture(scope="module")
def held_flow(zoe: Caller) -> None:
    """`live.hold`: waits for a file, then has one more task."""
    flow = {
        "version": 1.0,
        "input": ["go"],
        "tasks": {
            "a": {"action": "core.local", "input": {"cmd": HOLD.format("<% ctx().go %>")}, "next": [{"do": "b"}]},
            "b": {"action": "core.noop"},
        },
    }
    body = {
        "name": "hold",
        "pack": "live",
        "runner_type": "orquesta",
        "entry_point": "workflows/hold.yaml",
        "parameters": {"go": {"type": "string"}},
        "data_files": [{"file_path": "workflows/hold.yaml", "content": json.dumps(flow)}],
    }
    zoe.call("POST", "/v1/actions", body)


@pytest.mark.parametrize(
    "route",
    [
        pytest.param(cancel, id="DELETE /executions/{id}"),
        pytest.param(cancel_many, id="POST /executions/cancel"),
        pytest.param(put("canceling"), id="PUT /executions/{id} canceling"),
        pytest.param(put("canceled"), id="PUT /executions/{id} canceled"),
        pytest.param(cancel_a_delayed_one, id="PUT /executions/{id} canceling, before it runs"),
        pytest.param(answer, id="PUT /inquiries/{id}"),
        pytest.param(pause_and_resume, id="PUT /executions/{id} pausing, resuming"),
        pytest.param(request, id="POST /executions"),
        pytest.param(request_with_forged_names, id="POST /executions with other names in its context"),
        pytest.param(re_run, id="POST /executions/{id}/re_run"),
        pytest.param(re_run_many, id="POST /executions/re_run"),
        pytest.param(children, id="children of a workflow"),
        pytest.param(pack("install"), id="POST /packs/install"),
        pytest.param(pack("uninstall"), id="POST /packs/uninstall"),
        pytest.param(user_key, id="PUT, GET /keys/{name}"),
        pytest.param(api_key, id="POST /apikeys"),
        pytest.param(token, id="POST /auth/v1/tokens"),
        pytest.param(what_an_action_asks_for, id="an action's own token"),
    ],
)
@pytest.mark.usefixtures("held_flow")
def test_the_name_that_is_recorded_is_the_callers(zoe: Caller, yan: Caller, tmp_path: Path, route: Route) -> None:
    recorded = route(zoe, yan, tmp_path)
    assert recorded
    assert set(recorded) == {USER}


def test_without_authentication_the_name_is_that_of_all_requests(plain_server: Server, tmp_path: Path) -> None:
    execution = plain_server.shell(HOLD.format(tmp_path / "never"))
    plain_server.running(execution)
    assert plain_server.call("PUT", f"/v1/executions/{execution}", {"status": "canceling"}).status == 200
    document = plain_server.ended(execution)
    user = plain_server.get("/v1/user")["username"]
    assert (document["context"]["cancelled_by"], document["result"]["user"]) == (user, user)
