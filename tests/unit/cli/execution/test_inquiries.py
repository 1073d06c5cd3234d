"""Questions that wait for a person, and their answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

ID = "65a0c0ffee00000000000001"


def answered(server: Any) -> Any:
    return [request.body for request in server.requests if request.method == "PUT"]


def test_the_list_tells_what_is_asked_and_who_may_answer(fake: ModuleType, run: Callable[..., Any]) -> None:
    with fake.FakeSquall([]) as server:
        got = run("--url", server.url, "inquiry", "list")
        listed = json.loads(run("--url", server.url, "inquiry", "list", "-j").out)
    assert got.out.decode().splitlines()[1].split("  ", 2) == [
        ID, "ops", "  Shall it go on?; password; count; color  after 30 min  ada, role admin",
    ]  # fmt: skip
    assert [inquiry["id"] for inquiry in listed] == [ID]


def test_one_inquiry_is_shown_with_the_parts_of_its_answer(fake: ModuleType, run: Callable[..., Any]) -> None:
    with fake.FakeSquall([]) as server:
        shown = run("--url", server.url, "inquiry", "get", ID).out.decode()
    rows = [line.split() for line in shown.splitlines()]
    assert ["count", "integer", "(required)"] in rows and ["color", "string", "red"] in rows


def test_words_are_cast_by_the_schema(fake: ModuleType, run: Callable[..., Any]) -> None:
    with fake.FakeSquall([]) as server:
        got = run("--url", server.url, "inquiry", "respond", ID, "proceed=yes", "count=5")
        assert answered(server) == [{"id": ID, "response": {"proceed": True, "count": 5}}]
    assert got.status == 0


@pytest.mark.parametrize("words", [[], ["yes"], ["proceed=maybe"], ["proceed=yes", "and", "more"]])
def test_an_answer_that_cannot_be_read_is_refused_and_not_sent(
    fake: ModuleType, spawn: Callable[..., Any], words: list[str]
) -> None:
    with fake.FakeSquall([]) as server:
        got = spawn("--url", server.url, "inquiry", "respond", ID, *words).end()
        assert answered(server) == []
    assert got.status == 2 and got.err.startswith(b"squall: ")


def test_at_a_terminal_each_part_is_asked_for_until_it_fits_and_no_secret_is_echoed(
    fake: ModuleType, spawn: Callable[..., Any]
) -> None:
    with fake.FakeSquall([]) as server:
        session = spawn("--url", server.url, "inquiry", "respond", ID, terminal=True)
        # Each question is the last that is written before an answer is read.
        for question, answer in (
            ("proceed (yes or no): ", "\n"),
            ("proceed (yes or no): ", "no\n"),
            ("password (string, may be left out): ", "hunter2\n"),
            ("count (integer): ", "many\n"),
            ("count (integer): ", "7\n"),
            ('color (red | green, Enter: "red"): ', "blue\n"),
            ('color (red | green, Enter: "red"): ', "\n"),
        ):
            session.until(question)
            session.write(answer)
        got = session.end()
        response = answered(server)[0]["response"]
    assert got.status == 0
    for text in (
        b"Shall it go on?",
        b"proceed is required",
        b"is not of type integer",
        b"color must be one of red, green",
    ):
        assert text in got.out
    assert response == {"proceed": False, "password": "hunter2", "count": 7, "color": "red"}
    assert got.out.count(b"hunter2") == 1  # In the server's answer, which this one does not mask.


def test_the_end_of_the_input_is_no_answer(fake: ModuleType, spawn: Callable[..., Any]) -> None:
    with fake.FakeSquall([]) as server:
        session = spawn("--url", server.url, "inquiry", "respond", ID, terminal=True)
        session.until("proceed (yes or no): ")
        session.write("\x04")
        assert session.end().status == 2
        assert answered(server) == []
