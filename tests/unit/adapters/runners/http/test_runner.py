"""The HTTP runner: the request that it hands to its program."""

from __future__ import annotations

import json
from typing import Any

import pytest

from squall.adapters.runners.http.runner import HttpRunner
from squall.core.errors import InvalidError
from squall.core.execution.launch import Job, LaunchSpec
from squall.testing.samples import sample_action, sample_execution, sample_runner


def request(action: dict[str, Any] | None = None, **runner: Any) -> dict[str, Any]:
    job = Job(
        execution=sample_execution(1),
        action=sample_action(),
        runner_type=sample_runner("http-request"),
        runner_parameters={"url": "http://example.org/f", **runner},
        action_parameters=action or {},
        entry_point="",
        environment={},
    )
    spec = HttpRunner({}, 1000).prepare(job)
    assert isinstance(spec, LaunchSpec)
    assert spec.stdin is not None
    body: dict[str, Any] = json.loads(spec.stdin)
    return body


@pytest.mark.parametrize(
    ("params", "query"),
    [
        ({"tag": ["x", "y"], "a": 1}, "tag=x&tag=y&a=1"),
        ({"c": None, "d": 1, "e": [None, "f"], "g": []}, "d=1&e=f"),
        ({"q": "a b&c=é/", "": ""}, "q=a+b%26c%3D%C3%A9%2F&="),
        ({"yes": True, "o": {"k": [1]}}, "yes=True&o=%7B%22k%22%3A+%5B1%5D%7D"),
        ([["a", 1], ["a", 2]], "a=1&a=2"),
        ("flag&x=%E9;y", "flag&x=%E9;y"),
        ("?flag", "flag"),
        (None, ""),
        ({}, ""),
    ],
)
def test_params_become_a_query_with_repeated_names_and_without_nulls(params: Any, query: str) -> None:
    assert request({"params": params})["query"] == query


def test_headers_and_cookies_repeat_names_and_leave_out_nulls() -> None:
    sent = request({"headers": {"X-B": ["1", None, 2], "Accept": None}}, headers={"X-A": "é", "accept": "x"},
                   cookies={"c": ["1", "2"], "d": None})  # fmt: skip
    assert sent["headers"][:4] == [["X-A", "é"], ["accept", "x"], ["X-B", "1"], ["X-B", "2"]]
    assert sent["omitted"] == ["accept"]
    assert sent["cookies"] == [["c", "1"], ["c", "2"]]


def test_headers_of_our_own_replace_those_of_the_action() -> None:
    sent = request({"headers": {"user-agent": "mine", "X-Token": "old"}, "auth": "x-token=new"})
    names = [name.lower() for name, _ in sent["headers"]]
    assert sorted(names) == ["user-agent", "x-stanley-action", "x-token"]
    assert dict(sent["headers"])["x-token"] == "new"


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"headers": {"X-Price": "5 €"}}, '"headers": the value of "X-Price"'),
        ({"headers": {"X-é": "a"}}, "\"headers\": the name 'X-é'"),
        ({"headers": {"": "a"}}, "\"headers\": the name ''"),
        ({"cookies": {"c": "日本"}}, '"cookies": the value of "c"'),
        ({"url": ""}, 'Parameter "url" is empty'),
        ({"url": None}, 'Parameter "url" is empty'),
        ({"url": "  "}, 'Parameter "url" is empty'),
    ],
)
def test_what_cannot_be_sent_is_named(parameters: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidError) as failure:
        request(**parameters)
    assert words in str(failure.value)


def test_an_address_gets_a_scheme_and_stays_as_it_is_otherwise() -> None:
    assert request(url=" example.org/?a=%e9&B;c ")["url"] == "http://example.org/?a=%e9&B;c"
    assert request(url="HTTPS://example.org")["url"] == "HTTPS://example.org"


@pytest.mark.parametrize("body", ["[" * 100_000, "[" + "0," * 100_000 + "]"])
def test_a_body_that_nests_deeply_or_is_a_long_literal_is_sent_as_it_is(body: str) -> None:
    assert request({"body": body}, headers={"content-type": "application/json"})["body"] == body
