from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from squall.client.api import Api
from squall.client.http import Client
from squall.core.errors import NotFoundError


class Exchange:
    """An API client, and the requests that its server saw."""

    def __init__(self, fake: ModuleType) -> None:
        self.answers: list[tuple[Any, str]] = []
        self.server = fake.ScriptedServer(self._respond)

    def _respond(self, request: Any, peer: Any) -> bool:
        document, headers = self.answers.pop(0)
        peer.answer(200, document, headers)
        return True


@pytest.fixture
def exchange(fake: ModuleType) -> Iterator[tuple[Api, Exchange]]:
    made = Exchange(fake)
    with made.server, Api(Client(made.server.url)) as api:
        yield api, made


def seen(exchange: Exchange) -> list[tuple[str, str, dict[str, str], Any]]:
    return [(*tuple(r)[:3], r.body) for r in exchange.server.requests]


def test_a_list_is_fetched_in_pages_until_its_total(exchange: tuple[Api, Exchange]) -> None:
    api, made = exchange
    total = "X-Total-Count: 3\r\n"
    made.answers = [([{"ref": "a"}, {"ref": "b"}], total), ([{"ref": "c"}], total)]
    assert [item["ref"] for item in api.actions("core")] == ["a", "b", "c"]
    assert [query["offset"] for _, _, query, _ in seen(made)] == ["0", "2"]
    assert {query["pack"] for _, _, query, _ in seen(made)} == {"core"}


def test_a_total_that_is_too_large_does_not_loop_for_ever(exchange: tuple[Api, Exchange]) -> None:
    api, made = exchange
    made.answers = [([{"name": "a"}], "X-Total-Count: 9\r\n"), ([], "X-Total-Count: 9\r\n")]
    assert [item["name"] for item in api.runners()] == ["a"]


def test_a_capped_total_is_read(exchange: tuple[Api, Exchange]) -> None:
    api, made = exchange
    made.answers = [([{"id": "a"}], "X-Total-Count: 10000+\r\n")]
    assert api.executions({"limit": 1}).total == 10000


def test_a_runner_is_found_by_its_name(exchange: tuple[Api, Exchange]) -> None:
    api, made = exchange
    made.answers = [([{"name": "noop"}], ""), ([], "")]
    assert api.runner("noop")["name"] == "noop"
    with pytest.raises(NotFoundError, match="nope"):
        api.runner("nope")
    assert seen(made)[0][:3] == ("GET", "/v1/runnertypes/", {"name": "noop"})


def test_an_execution_is_requested_with_its_parameters(exchange: tuple[Api, Exchange]) -> None:
    api, made = exchange
    made.answers = [({"id": "1"}, ""), ({"id": "2"}, "")]
    api.request_execution("core.local", {"cmd": "date"})
    api.request_execution("core.local", {}, 1500)
    assert seen(made)[0] == ("POST", "/v1/executions", {}, {"action": "core.local", "parameters": {"cmd": "date"}})
    assert seen(made)[1][3]["delay"] == 1500


def test_the_other_calls_use_the_documented_paths(exchange: tuple[Api, Exchange]) -> None:
    api, made = exchange
    made.answers = [({"id": "1"}, "")] * 4
    api.action("core.local")
    api.execution("last", exclude="result")
    api.cancel("1")
    api.run_again("1", {"cmd": "x"})
    assert seen(made) == [
        ("GET", "/v1/actions/core.local", {}, None),
        ("GET", "/v1/executions/last", {"exclude_attributes": "result"}, None),
        ("DELETE", "/v1/executions/1", {}, None),
        (
            "POST",
            "/v1/executions/1/re_run",
            {},
            {"parameters": {"cmd": "x"}, "tasks": [], "reset": [], "delay": 0},
        ),
    ]
