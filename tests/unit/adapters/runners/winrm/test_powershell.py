"""PowerShell as text: literals, arguments, command lines, and what it reports as errors."""

from __future__ import annotations

import base64
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squall.adapters.runners.winrm.powershell import COMMAND_LINE_MOST, Errors, arguments, command, literal


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "$null"),
        (True, "$true"),
        (False, "$false"),
        (3, "3"),
        (-1.5, "-1.5"),
        ("", "''"),
        ("a b", "'a b'"),
        ('it\'s $HOME `n $(x) "q"', "'it''s $HOME `n $(x) \"q\"'"),
        ("\u2018a\u2019; \u201ab\u201b", "'\u2018\u2018a\u2019\u2019; \u201a\u201ab\u201b\u201b'"),
        ("two\nlines", "'two\nlines'"),
        ([], "@()"),
        ([1, "a", [None]], "@(1, 'a', @($null))"),
        ({}, "@{}"),
        ({"a": 1, "b c": {"d": [True]}}, "@{'a' = 1; 'b c' = @{'d' = @($true)}}"),
    ],
)
def test_a_value_is_a_literal_that_evaluates_nothing(value: Any, text: str) -> None:
    assert literal(value) == text


@given(st.text())
def test_a_text_cannot_end_its_quotes(text: str) -> None:
    inner = literal(text)[1:-1]
    for quote in "'\u2018\u2019\u201a\u201b":
        inner = inner.replace(quote * 2, "")
    assert not set(inner) & set("'\u2018\u2019\u201a\u201b")


def test_arguments_are_named_ones_then_positional_ones_without_nulls() -> None:
    named = {"a": 1, "b": None, "c": True, "d": False, "e": "", "f": [None]}
    assert arguments(named, ["x", ""], "-") == "-a 1 -c:$true -d:$false -e '' -f @($null) 'x' ''"
    assert arguments({"a": None}, [], "-") == ""


def decoded(line: str) -> str:
    return base64.b64decode(line.removeprefix("powershell -encodedcommand ")).decode("utf-16-le")


def test_a_short_script_is_the_command_line() -> None:
    line, stdin = command("Get-Date # é")
    assert (decoded(line), stdin) == ("Get-Date # é", b"")
    line, _ = command("param($a) $a # done", "-a 1")
    assert decoded(line) == "& {\nparam($a) $a # done\n} -a 1"


@pytest.mark.parametrize("length", [3050, 3060, 100_000])
def test_a_long_script_goes_to_standard_input(length: int) -> None:
    script = "é" * length
    line, stdin = command(script)
    assert len(line) <= COMMAND_LINE_MOST
    if stdin:
        assert base64.b64decode(b"".join(stdin.split(b"\r\n"))).decode() == script
        assert "$input" in decoded(line)
    else:
        assert decoded(line) == script


XML = (
    '#< CLIXML\r\n<Objs Version="1.1.0.1"><Obj S="progress"><MS><S N="a">no</S></MS></Obj>'
    '<S S="Error">a &lt;b&gt; &amp;_x000D__x000A_</S><S S="warning">c_xD83D__xDE00_</S></Objs>'
    '\r\nplain\r\n<Objs><S S="Error">d</S></Objs>'
)


@given(st.lists(st.integers(0, len(XML))))
def test_the_messages_in_reported_objects_are_text_however_they_come(cuts: list[int]) -> None:
    errors = Errors()
    edges = [0, *sorted(cuts), len(XML)]
    text = "".join(errors.feed(XML[start:end]) for start, end in pairwise(edges))
    assert text + errors.finish() == "a <b> &\nc\U0001f600\r\nplain\r\nd"


@pytest.mark.parametrize("text", ["plain text", "", "#< CL", "#", "#< other\n", "#< CLIXML\r\n<Objs>never ended"])
def test_other_text_stays(text: str) -> None:
    errors = Errors()
    found = errors.feed(text) + errors.finish()
    assert found == text.removeprefix("#< CLIXML\r\n")
