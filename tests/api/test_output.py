"""The output of an execution over HTTP: its formats, filters, and what it refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tests.scenarios.live.fixtures import QUICK
from tests.scenarios.live.server import OUTPUT, Server, serving


@pytest.fixture(scope="module")
def finished(plain_server: Server) -> str:
    execution = plain_server.shell("echo out; sleep 0.05; echo err >&2")
    plain_server.ended(execution)
    return execution


@pytest.mark.parametrize(
    ("query", "kind"),
    [("", "text/plain"), ("?format=text", "text/plain"), ("?format=raw", "application/octet-stream"),
     ("?format=ndjson", "application/x-ndjson"), ("?format=sse", "text/event-stream")],
)  # fmt: skip
def test_formats_have_their_content_types(plain_server: Server, finished: str, query: str, kind: str) -> None:
    reply = plain_server.call("GET", f"/v1/executions/{finished}/output{query}")
    assert reply.status == 200
    assert reply.headers["content-type"].startswith(kind)


@pytest.mark.parametrize("name", ["type", "output_type"])
@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("stdout", b"out\n"),
        ("stderr", b"err\n"),
        ("all", b"out\nerr\n"),
        ("output", b""),
        ("other", b""),
        ("bogus", b""),
    ],
)
def test_types_are_told_apart(plain_server: Server, finished: str, name: str, kind: str, text: bytes) -> None:
    reply = plain_server.call("GET", f"/v1/executions/{finished}/output?{name}={kind}")
    assert (reply.status, reply.raw) == (200, text)


def test_json_lines_hold_one_record_each(plain_server: Server, finished: str) -> None:
    lines = plain_server.call("GET", f"/v1/executions/{finished}/output?format=ndjson").raw.splitlines()
    records = [json.loads(line) for line in lines]
    assert [(record["output_type"], record["data"]) for record in records] == [("stdout", "out\n"), ("stderr", "err\n")]
    fields = {"execution_id", "action_ref", "runner_ref", "timestamp", "output_type", "id", "position", "data"}
    assert all(fields <= set(record) for record in records)
    rest = plain_server.call("GET", f"/v1/executions/{finished}/output?after={records[0]['position']}")
    assert rest.raw == b"err\n"


def test_events_have_the_fields_and_the_end(plain_server: Server, finished: str) -> None:
    with plain_server.output(finished, format="sse") as stream:
        first, second, end = stream.events()
    assert (first.name, second.name, end.name, end.data) == (OUTPUT, OUTPUT, "EOF", "''")
    assert first.id == first.body["id"] == first.body["position"]
    assert (first.body["execution_id"], first.body["action_ref"]) == (finished, "core.local")
    assert first.body["runner_ref"] == "local-shell-cmd"


def test_without_following_what_is_there_is_given_at_once(plain_server: Server) -> None:
    with plain_server.puppet() as (execution, strings), plain_server.output(execution) as stream:
        strings.say(b"so far\n")
        stream.until(b"so far\n")
        assert plain_server.call("GET", f"/v1/executions/{execution}/output?follow=false").raw == b"so far\n"
        events = plain_server.call("GET", f"/v1/executions/{execution}/output?follow=False&format=sse").raw
        assert b"so far" in events
        assert b"EOF" not in events


@pytest.mark.parametrize(
    "query", ["format=xml", "after=bogus", "after=f-x", "after=f--1", "after=7", "after=f-99999999", "after=n-4096",
              "after=f-4100", "follow=perhaps", "tree=perhaps"],
)  # fmt: skip
def test_wrong_questions_are_refused(plain_server: Server, finished: str, query: str) -> None:
    reply = plain_server.call("GET", f"/v1/executions/{finished}/output?{query}")
    assert (reply.status, query.partition("=")[0] in reply.fault) == (400, True), reply


def test_the_output_limit_is_told_as_a_gap(tmp_path_factory: pytest.TempPathFactory, packs: Path) -> None:
    env = {**QUICK, "SQUALL_ACTIONRUNNER_OUTPUT_LIMIT_BYTES": "100 KiB"}
    with serving(tmp_path_factory.mktemp("limited"), packs, env=env) as server:
        execution = server.request("examples.firehose", lines=3000, bytes=100)
        assert server.ended(execution)["status"] == "succeeded"
        with server.output(execution, format="raw") as stream:
            kept = stream.rest()
        # The beginning up to the limit, and the very last of what came behind it.
        assert 100 << 10 <= len(kept) <= 170 << 10
        assert kept.startswith(b"000000000000 ")
        assert kept.splitlines()[-1].startswith(b"000000002999 ")
        with server.output(execution, format="sse") as stream:
            gaps = [event.body for event in stream.events() if event.name == "gap"]
        assert sum(gap.get("bytes") or 0 for gap in gaps) == 300_000 - len(kept)
        with server.output(execution) as stream:
            assert b"[squall: " in stream.rest()
        assert "gap" in json.dumps([event.body for event in server.tail(execution)])


@pytest.mark.parametrize("form", ["ndjson", "sse"])
def test_resuming_behind_any_character_that_was_not_finished_repeats_and_loses_none(
    plain_server: Server, form: str
) -> None:
    execution = plain_server.shell(r"printf 'ab\360\237'; printf 'cd\360' >&2")
    plain_server.ended(execution)
    path = f"/v1/executions/{execution}/output?format={form}"

    def positions(after: str = "") -> list[str]:
        reply = plain_server.call("GET", path + after)
        return re.findall(r'"position":"([^"]*)"', reply.raw.decode())

    whole = positions()
    assert len(whole) == len(set(whole)) == 4
    for at, position in enumerate(whole, 1):
        assert positions(f"&after={position}") == whole[at:]
