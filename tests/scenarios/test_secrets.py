"""Secret parameters: used by the action, shown as asterisks, never written down as they are."""

from __future__ import annotations

import contextlib
import shlex
import sqlite3
import sys
from pathlib import Path

import pytest
from tests.scenarios.live.server import OUTPUT, Server

from squall.testing.waiting import until

SECRET = "correct-horse-battery-staple"
MASK = "********"


@pytest.fixture(scope="module")
def execution(plain_server: Server) -> str:
    found = plain_server.request("live.secretive", token=SECRET)
    plain_server.ended(found)
    return found


def test_the_action_gets_the_value(plain_server: Server, execution: str) -> None:
    document = plain_server.get(f"/v1/executions/{execution}")
    assert document["result"]["stdout"] == f"{len(SECRET)} characters"


@pytest.mark.parametrize(
    "path",
    ["/v1/executions/{id}", "/v1/executions?id={id}", "/v1/executions/{id}?include_attributes=parameters",
     "/v1/executions/{id}?include_attributes=liveaction", "/v1/executions/{id}?exclude_attributes=result"],
)  # fmt: skip
def test_every_document_shows_asterisks(plain_server: Server, execution: str, path: str) -> None:
    reply = plain_server.call("GET", path.format(id=execution))
    assert reply.status == 200
    assert SECRET.encode() not in reply.raw
    assert MASK.encode() in reply.raw


def test_the_answers_to_requests_show_asterisks(plain_server: Server, execution: str) -> None:
    body = {"action": "live.secretive", "parameters": {"token": SECRET}}
    for path, sent in (("/v1/executions", body), (f"/v1/executions/{execution}/re_run", {})):
        reply = plain_server.call("POST", path, sent)
        assert (reply.status, reply.json["parameters"]["token"]) == (201, MASK)
        assert SECRET.encode() not in reply.raw
        assert plain_server.ended(reply.json["id"])["result"]["stdout"] == f"{len(SECRET)} characters"


def test_secrets_are_revealed_to_who_asks_for_them(plain_server: Server, execution: str) -> None:
    shown = plain_server.get(f"/v1/executions/{execution}", show_secrets="true")
    assert shown["parameters"]["token"] == SECRET


def test_no_event_tells_a_secret(plain_server: Server) -> None:
    with plain_server.stream(events="*") as stream:
        assert stream.read(1) == b"\n"
        body = {"action": "live.secretive", "parameters": {"token": SECRET}}
        started = plain_server.call("POST", "/v1/executions", body).json["id"]
        seen = ""
        for event in stream.events():
            seen += event.data
            if event.name == "st2.execution__update" and event.body["id"] == started and "result" in event.body:
                break
    tail = "".join(event.data for event in plain_server.tail(started, "*"))
    assert SECRET not in seen + tail
    assert MASK in seen
    assert MASK in tail


def test_no_file_of_the_data_directory_holds_a_secret(plain_server: Server, execution: str) -> None:
    files = [path for path in plain_server.data_dir.rglob("*") if path.is_file()]
    assert any(path.name == "squall.db" for path in files)
    holding = [path.name for path in files if SECRET.encode() in path.read_bytes()]
    assert holding == []


def test_an_error_about_a_secret_does_not_tell_it(plain_server: Server) -> None:
    body = {"action": "live.secretive", "parameters": {"token": [SECRET]}}
    reply = plain_server.call("POST", "/v1/executions", body)
    assert reply.status == 400
    assert "token" in reply.fault
    assert SECRET not in reply.fault


def test_the_data_directory_is_for_its_owner_only(plain_server: Server) -> None:
    assert plain_server.data_dir.stat().st_mode & 0o077 == 0
    below = [path for path in plain_server.data_dir.rglob("*") if path.exists() and not path.is_symlink()]
    assert [path.name for path in below if path.is_file() and path.stat().st_mode & 0o077] == []


def test_a_secret_too_short_to_be_masked_is_warned_of_in_the_output(plain_server: Server) -> None:
    execution = plain_server.shell("echo printed", sudo_password="abc")
    with plain_server.output(execution, format="sse") as stream:
        events = list(stream.events())
    assert [event.name for event in events if event.name != OUTPUT] == ["progress", "EOF"]
    assert "fewer than 4 bytes" in events[0].body["warning"]
    assert plain_server.ended(execution)["result"]["stdout"] == "printed"
    long = plain_server.shell("echo printed", sudo_password="abcd")
    with plain_server.output(long, format="sse") as stream:
        assert "progress" not in [event.name for event in stream.events()]


def test_a_secret_too_long_to_be_masked_is_warned_of_in_the_output(plain_server: Server) -> None:
    execution = plain_server.shell("echo printed", sudo_password="x" * (64 * 1024 + 1))
    with plain_server.output(execution, format="sse") as stream:
        warnings = [event.body["warning"] for event in stream.events() if event.name == "progress"]
    assert len(warnings) == 1
    assert "more than 64 KiB" in warnings[0]
    assert plain_server.ended(execution)["result"]["stdout"] == "printed"


ASKING = """
import json, os, urllib.request
url = os.environ["ST2_ACTION_API_URL"] + "/keys/demo.asked?decrypt=true"
request = urllib.request.Request(url, headers={"X-Auth-Token": os.environ["ST2_ACTION_AUTH_TOKEN"]})
print("it is", json.load(urllib.request.urlopen(request))["value"], "now")
"""


def test_a_key_that_an_action_decrypts_while_it_runs_is_masked_in_what_it_prints_next(plain_server: Server) -> None:
    key = {"name": "demo.asked", "value": SECRET, "secret": True}
    assert plain_server.call("PUT", "/v1/keys/demo.asked", key).status == 200
    execution = plain_server.shell(f"{sys.executable} -c {shlex.quote(ASKING)}")
    assert plain_server.ended(execution)["result"]["stdout"] == f"it is {MASK} now"
    assert plain_server.call("GET", f"/v1/executions/{execution}/output").raw == f"it is {MASK} now\n".encode()


def test_what_a_client_sends_in_the_form_of_an_encrypted_value_stays_plain_data(plain_server: Server) -> None:
    for env in ({"$sealed": "junk"}, {"$$sealed": "junk"}, {"A": {"$sealed": "v1:AAAA"}}):
        execution = plain_server.request("core.local", cmd="echo ran", env=env)
        assert plain_server.ended(execution)["result"]["stdout"] == "ran"
        assert plain_server.get(f"/v1/executions/{execution}", show_secrets="true")["parameters"]["env"] == env


def test_a_decrypted_key_is_masked_in_output_and_sealed_in_the_execution(plain_server: Server) -> None:
    key = {"name": "demo.pw", "value": SECRET, "secret": True}
    assert plain_server.call("PUT", "/v1/keys/demo.pw", key).status == 200
    execution = plain_server.shell("echo it is {{ st2kv.system.demo.pw | decrypt_kv }} now")
    document = plain_server.ended(execution)
    assert document["result"]["stdout"] == f"it is {MASK} now"
    assert document["parameters"]["cmd"] == MASK
    shown = plain_server.get(f"/v1/executions/{execution}", show_secrets="true")
    assert shown["parameters"]["cmd"] == f"echo it is {SECRET} now"
    again = plain_server.call("POST", f"/v1/executions/{execution}/re_run", {}).json["id"]
    assert plain_server.ended(again)["result"]["stdout"] == f"it is {MASK} now"


def test_a_secret_part_of_a_result_is_encrypted_in_the_database(plain_server: Server) -> None:
    execution = plain_server.request("live.promising")
    assert plain_server.ended(execution)["result"]["stdout"] == MASK
    with contextlib.closing(sqlite3.connect(plain_server.data_dir / "squall.db")) as database:
        (row,) = database.execute("SELECT body FROM results WHERE execution = ?", [execution])
    assert ("hidden" in row[0], '"$sealed"' in row[0]) == (False, True)
    assert plain_server.get(f"/v1/executions/{execution}", show_secrets="true")["result"]["stdout"] == "hidden"


def test_a_result_of_an_older_version_that_looks_like_an_encrypted_value_is_masked(plain_server: Server) -> None:
    execution = plain_server.shell("echo x")
    plain_server.ended(execution)
    with contextlib.closing(sqlite3.connect(plain_server.data_dir / "squall.db")) as database, database:
        body = '{"stdout": {"$sealed": "junk"}}'
        database.execute("UPDATE results SET body = ? WHERE execution = ?", [body, execution])
    for path in (f"{execution}", f"{execution}?show_secrets=true"):
        assert plain_server.get(f"/v1/executions/{path}")["result"] == {"stdout": MASK}
    assert plain_server.get(f"/v1/executions/{execution}/result") == {"stdout": MASK}


def test_a_secret_part_that_an_older_version_has_stored_as_it_is_reads_as_before(plain_server: Server) -> None:
    execution = plain_server.request("live.promising")
    plain_server.ended(execution)
    with contextlib.closing(sqlite3.connect(plain_server.data_dir / "squall.db")) as database, database:
        body = '{"stdout": "kept as it was", "return_code": 0}'
        database.execute("UPDATE results SET body = ? WHERE execution = ?", [body, execution])
    assert plain_server.get(f"/v1/executions/{execution}")["result"] == {"stdout": MASK, "return_code": 0}
    shown = plain_server.get(f"/v1/executions/{execution}", show_secrets="true")
    assert shown["result"]["stdout"] == "kept as it was"


def test_no_process_has_a_secret_in_its_arguments(plain_server: Server, tmp_path: Path) -> None:
    secret = "never-seen-in-a-process-table"
    begun, go = tmp_path / "begun", tmp_path / "go"
    cmd = f"echo {{{{ password }}}} > {begun}; until [ -e {go} ]; do sleep 0.05; done; cat"
    action = {
        "name": "hidden", "pack": "default", "runner_type": "local-shell-cmd",
        "parameters": {"cmd": {"default": cmd}, "password": {"type": "string", "secret": True}},
    }  # fmt: skip
    assert plain_server.call("POST", "/v1/actions", action).status == 201
    execution = plain_server.request("default.hidden", password=secret)
    until(lambda: begun.exists() and begun.read_text().strip() == secret, "the action has its secret")
    readable: list[bytes] = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            readable.append((folder / "cmdline").read_bytes())
    go.touch()
    assert plain_server.ended(execution)["status"] == "succeeded"
    assert not [words for words in readable if secret.encode() in words]
