"""Lists of executions: filters, order, pages, and what they refuse."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.scenarios.live.fixtures import QUICK
from tests.scenarios.live.server import Server, serving

COUNT = 12


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory, packs: Path) -> Iterator[tuple[Server, list[str]]]:
    """A server that nobody else uses, and its executions, oldest first: no-ops, every third one fails."""
    with serving(tmp_path_factory.mktemp("listed"), packs, env=QUICK) as server:
        made = [server.request("core.noop") if number % 3 else server.shell("exit 1") for number in range(COUNT)]
        for execution in made:
            server.ended(execution)
        yield server, made


def ids(found: list[dict[str, Any]]) -> list[str]:
    return [item["id"] for item in found]


def test_the_newest_come_first(listed: tuple[Server, list[str]]) -> None:
    server, made = listed
    assert ids(server.get("/v1/executions")) == made[::-1]
    assert ids(server.get("/v1/executions/")) == made[::-1]


@pytest.mark.parametrize(
    "order",
    [{"sort_asc": "True"}, {"sort_asc": "start_timestamp"}, {"sort_desc": "True"}, {"sort_desc": "start_timestamp"}],
)
def test_the_order_is_chosen(listed: tuple[Server, list[str]], order: dict[str, str]) -> None:
    server, made = listed
    assert ids(server.get("/v1/executions", **order)) == (made if "sort_asc" in order else made[::-1])


def test_pages_and_their_headers(listed: tuple[Server, list[str]]) -> None:
    server, made = listed
    found: list[str] = []
    for offset in range(0, COUNT + 5, 5):
        reply = server.call("GET", f"/v1/executions?limit=5&offset={offset}")
        assert (reply.headers["x-total-count"], reply.headers["x-limit"]) == (str(COUNT), "5")
        found += ids(reply.json)
    assert found == made[::-1]
    everything = server.call("GET", "/v1/executions?limit=-1")
    assert "x-limit" not in everything.headers
    assert len(everything.json) == COUNT
    assert server.call("GET", "/v1/executions").headers["x-limit"] == "100"
    assert server.get("/v1/executions", offset=1000) == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"action": "core.local"}, 4),
        ({"action": "core.noop"}, 8),
        ({"action": "no.such"}, 0),
        ({"status": "failed"}, 4),
        ({"status": "succeeded", "action": "core.local"}, 0),
        ({"runner": "noop"}, 8),
        ({"runner": "local-shell-cmd"}, 4),
        ({"user": "nobody-here"}, 0),
        ({"parent": "null"}, COUNT),
        ({"parent": "0123456789abcdef01234567"}, 0),
        ({"bogus": "x"}, COUNT),
        ({"action": ""}, COUNT),
    ],
)
def test_filters(listed: tuple[Server, list[str]], query: dict[str, str], expected: int) -> None:
    server, _ = listed
    reply = server.call("GET", "/v1/executions?" + "&".join(f"{key}={value}" for key, value in query.items()))
    assert (reply.status, len(reply.json), reply.headers["x-total-count"]) == (200, expected, str(expected))


def test_filters_by_time_and_id(listed: tuple[Server, list[str]]) -> None:
    server, made = listed
    times = [server.get(f"/v1/executions/{execution}")["start_timestamp"] for execution in made]
    assert ids(server.get("/v1/executions", timestamp_gt=times[4])) == made[:4:-1]
    assert ids(server.get("/v1/executions", timestamp_lt=times[4])) == made[3::-1]
    assert ids(server.get("/v1/executions", timestamp=f"{times[2]}..{times[5]}")) == made[5:1:-1]
    assert set(ids(server.get("/v1/executions", id=",".join(made[:3])))) == set(made[:3])


def test_children_are_listed_unless_they_are_not_wanted(
    listed: tuple[Server, list[str]], tmp_path: Path, packs: Path
) -> None:
    with serving(tmp_path, packs, env=QUICK) as server:
        with server.puppet() as (top, _):
            child = server.request("core.noop", parent=top)
            server.ended(child)
        assert ids(server.get("/v1/executions", parent="null")) == [top]
        assert ids(server.get("/v1/executions", parent=top)) == [child]
        assert set(ids(server.get("/v1/executions"))) == {top, child}
        assert server.get("/v1/executions", parent="null")[0]["children"] == [child]


def test_attributes_of_lists_are_chosen(listed: tuple[Server, list[str]]) -> None:
    server, _ = listed
    asked = "id,action.ref,context.user,status,start_timestamp,end_timestamp"
    for item in server.get("/v1/executions", include_attributes=asked, parent="null", sort_desc="True"):
        assert set(item) == {"id", "action", "context", "status", "start_timestamp", "end_timestamp"}
        assert item["action"]["ref"].startswith("core.")
        assert set(item["context"]) == {"user"}
    assert all("result" not in item for item in server.get("/v1/executions", exclude_attributes="result"))


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=-2", "limit=x", "limit=1.5", "limit=99999999999999999999", "offset=-1", "offset=x",
     "offset=2147483648",
     "include_attributes=bogus", "exclude_attributes=bogus", "exclude_attributes=action",
     "include_attributes=id&exclude_attributes=result", "timestamp_gt=yesterday", "timestamp_lt=x", "timestamp=x..y"],
)  # fmt: skip
def test_wrong_questions_are_refused(listed: tuple[Server, list[str]], query: str) -> None:
    server, _ = listed
    for path in ("/v1/executions", "/v1/actions"):
        if path == "/v1/actions" and ("timestamp" in query or query == "exclude_attributes=action"):
            continue
        reply = server.call("GET", f"{path}?{query}")
        assert (reply.status, bool(reply.fault)) == (400, True), path
