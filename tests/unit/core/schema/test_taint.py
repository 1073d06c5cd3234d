"""Which parameters came from secrets, and from which."""

from __future__ import annotations

from typing import Any

import pytest

from squall.core.schema.taint import Taint, disclose, enclose, secrets_of

SECRET = {"type": "string", "secret": True}


def test_what_was_opened_while_it_was_rendered_taints_a_parameter() -> None:
    taint = Taint()
    taint.open("before")
    mark = taint.mark()
    taint.open("s3cret")
    taint.since("cmd", mark)
    assert taint.of("cmd") == ["s3cret"]
    assert taint.of("other") == []
    assert set(taint.all()) == {"before", "s3cret"}


def test_a_parameter_inherits_from_one_it_was_rendered_with() -> None:
    taint = Taint()
    taint.inherit("a", "password", "hunter2", SECRET)
    taint.inherit("b", "a", "x hunter2", {"type": "string"})
    taint.inherit("c", "plain", "x", {"type": "string"})
    assert (taint.of("a"), taint.of("b"), taint.of("c")) == (["hunter2"], ["hunter2"], [])


def test_a_secret_is_held_once() -> None:
    taint = Taint()
    taint.hold("a", ["x", "x"])
    taint.hold("a", ["x", "y"])
    assert taint.of("a") == ["x", "y"]


def test_secrets_are_found_at_any_depth() -> None:
    schema = {"properties": {"list": {"items": {"properties": {"token": SECRET}}}, "shown": {"type": "string"}}}
    assert secrets_of({"list": [{"token": "a"}, {"token": "b"}], "shown": "c"}, schema) == ["a", "b"]
    assert secrets_of(None, SECRET) == []


@pytest.mark.parametrize("value", ["text", 5, {"$value": 1}, {"a": [1, None]}])
def test_an_envelope_gives_back_the_value_and_what_it_was_made_from(value: Any) -> None:
    sealed: list[Any] = []

    def seal(opened: Any) -> str:
        sealed.append(opened)
        return ""

    enclose(value, ["s3cret"], seal)
    assert disclose(sealed[0]) == (value, ["s3cret"])
    assert disclose(value) == (value, [])
