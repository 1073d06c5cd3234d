"""What JSON can hold, and what is told of the rest."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from squall.core.schema.literals import (
    DEEPEST,
    LONGEST_LITERAL,
    LiteralError,
    check_nesting,
    literal_value,
    read_integer,
    read_literal,
    read_number,
)


def nested(levels: int) -> Any:
    value: Any = 1
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({1, 2}, "JSON has no sets"),
        (b"x", "JSON has no bytes"),
        (1j, "JSON has no complex numbers"),
        (..., "JSON has no value ..."),
        (float("inf"), "JSON has no numbers that are infinite"),
        (float("nan"), "JSON has no numbers that are infinite"),
        (1 << 20_000, "a whole number is too large"),
        ("\ud800", "half of a surrogate pair"),
        ({"\ud800": 1}, "half of a surrogate pair"),
        ({None: 1}, "None is a key of an object"),
        ({True: 1}, "True is a key of an object"),
        ({80: 1, "80": 2}, 'two keys of an object are "80"'),
        (range(3), "no value of type 'range'"),
    ],
    ids=lambda value: str(value)[:30].encode("ascii", "replace").decode() if isinstance(value, str) else "",
)
def test_what_json_cannot_hold_is_told_wherever_it_stands(value: Any, told: str) -> None:
    for whole in (value, [value], {"a": [value]}):
        with pytest.raises(LiteralError, match=told):
            literal_value(whole)


def test_what_json_can_hold_stays_and_can_be_written() -> None:
    value = {"a": [1, 2.5, None, True, "ä", 10**30], "b": {}}
    assert literal_value(value) == value
    assert literal_value(({1: (2,)},)) == [{"1": [2]}]
    assert msgspec.json.decode(msgspec.json.encode(literal_value(10**4000))) == 10**4000


def test_values_nest_up_to_the_limit() -> None:
    assert literal_value(nested(DEEPEST)) == nested(DEEPEST)
    check_nesting(nested(DEEPEST))
    for check in (literal_value, check_nesting):
        with pytest.raises(LiteralError, match="nests more than 200 times"):
            check(nested(DEEPEST + 1))


@pytest.mark.parametrize("text", ["1_0", " 1_000 ", "٣", "\uff11", "+1_0", "1_0.5", "1e1_0", "\uff11.5"])
def test_numbers_that_only_python_reads_are_refused(text: str) -> None:
    for read in (read_integer, read_number):
        with pytest.raises(ValueError, match=r"underscores, or digits of another script|invalid literal"):
            read(text)


@pytest.mark.parametrize("text", ["[1_0]", "{'a': (1, -1_0)}", "{1_0: 'a'}", "1_0.5"])
def test_numbers_inside_of_literals_have_no_underscores(text: str) -> None:
    with pytest.raises(ValueError, match="neither JSON nor a literal"):
        read_literal(text)
    assert read_literal("{'a_1': '1_0', 'b': 10}") == {"a_1": "1_0", "b": 10}


def test_json_and_python_literals_are_read() -> None:
    assert read_literal('{"a": [true, null]}') == {"a": [True, None]}
    assert read_literal(" {'a': (True, None)} ") == {"a": [True, None]}
    assert read_integer(" -7 ") == -7
    with pytest.raises(ValueError, match="neither JSON nor a literal"):
        read_literal("web")
    with pytest.raises(LiteralError):
        read_integer("9" * 5000)


def test_a_long_text_must_be_json() -> None:
    items = "0," * LONGEST_LITERAL
    assert read_literal(f"[{items}0]") == [0] * (LONGEST_LITERAL + 1)
    with pytest.raises(LiteralError, match="must be JSON"):
        read_literal(f"[{items}]")
    assert read_literal("[" + "0," * 1000 + "]") == [0] * 1000
