"""Data directories of released versions: this version starts on them, and everything in them is there."""

from __future__ import annotations

import itertools
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.scenarios.live.fixtures import QUICK
from tests.scenarios.live.server import Server

DATA = Path(__file__).with_name("data")
KEEP = {**QUICK, "SQUALL_RETENTION_DAYS": "36500"}
"""However old the directories get, what is in them is not removed."""


@pytest.fixture(scope="module", params=sorted(path.name for path in DATA.glob("*.tar.gz")))
def upgraded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of this version on the data directory of an older one."""
    home = tmp_path_factory.mktemp("upgraded")
    (home / "data").mkdir(mode=0o700)
    with tarfile.open(DATA / request.param) as archive:
        archive.extractall(home / "data", filter="fully_trusted")
    server = Server(home, env=KEEP).start()
    try:
        yield server
    finally:
        server.stop()


def one(server: Server, action: str) -> dict[str, Any]:
    """The first execution of an action that no other execution has started."""
    return dict(server.get(f"/v1/executions?action={action}&parent=null&sort_asc=true")[0])


def test_executions_keep_their_status_and_result(upgraded: Server) -> None:
    hello, flow = one(upgraded, "kept.hello"), one(upgraded, "kept.flow")
    assert (hello["status"], hello["result"]["result"]) == ("succeeded", {"who": "Ada"})
    assert hello["parameters"] == {"who": "Ada", "password": "********"}
    assert flow["status"] == "failed"
    assert len(upgraded.get(f"/v1/executions/{flow['id']}/children")) == 2
    assert one(upgraded, "core.ask")["status"] in ("pending", "timeout")


def test_output_is_there_to_the_byte_and_undamaged(upgraded: Server) -> None:
    sequence = "".join(f"{number}\n" for number in range(1, 20_001)).encode()
    roots = upgraded.get("/v1/executions?action=core.local&parent=null")
    output = upgraded.call("GET", f"/v1/executions/{roots[0]['id']}/output?follow=false&format=raw")
    assert output.raw == sequence
    for execution in upgraded.get("/v1/executions?parent=null"):
        verdict = upgraded.get(f"/v1/executions/{execution['id']}/output/verify")
        assert verdict["ok"], verdict


def test_keys_and_sealed_parameters_can_be_opened(upgraded: Server) -> None:
    assert upgraded.get("/v1/keys/region")["value"] == "eu"
    assert upgraded.get("/v1/keys/token?decrypt=true")["value"] == "s3cret"
    shown = upgraded.get(f"/v1/executions/{one(upgraded, 'kept.hello')['id']}?show_secrets=true")
    assert shown["parameters"]["password"] == "hunter2-secret"


def test_policies_and_packs_are_in_force(upgraded: Server) -> None:
    assert [policy["ref"] for policy in upgraded.get("/v1/policies?pack=kept")] == ["kept.one"]
    assert upgraded.get("/v1/packs/kept")["version"] == "1.0.0"


def test_a_client_goes_on_from_the_event_it_saw_last(upgraded: Server) -> None:
    with upgraded.stream(events="st2.execution__*", last_event_id="3") as stream:
        events = list(itertools.islice(stream.events(), 5))
    assert [event.id for event in events] == ["4", "5", "6", "7", "8"]
    document = upgraded.get(f"/v1/executions/{events[0].body['id']}")
    assert events[0].body["status"] in [entry["status"] for entry in document["log"]]


def test_what_ran_before_runs_again(upgraded: Server) -> None:
    old = one(upgraded, "kept.hello")
    again = upgraded.call("POST", f"/v1/executions/{old['id']}/re_run", {})
    assert upgraded.ended(again.json["id"])["status"] == "succeeded"
    flow = one(upgraded, "kept.flow")
    again = upgraded.call("POST", f"/v1/executions/{flow['id']}/re_run", {"tasks": ["*"]})
    assert upgraded.ended(again.json["id"])["status"] == "failed"
