"""Values made plain JSON, or refused with a reason."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from jinja2 import StrictUndefined
from jinja2.utils import Namespace
from markupsafe import Markup

from squall.core.expr.bounds.errors import LimitExceededError
from squall.core.expr.json_value import DEEPEST, NotJsonError, json_value, printable


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ({80: "web", 443: "tls"}, {"80": "web", "443": "tls"}),
        ({"a": [{80: 1}]}, {"a": [{"80": 1}]}),
        ({None: 1, True: 2, False: 3, 1.5: 4}, {"null": 1, "true": 2, "false": 3, "1.5": 4}),
        ({date(2020, 1, 2): 1}, {"2020-01-02": 1}),
        ((1, (2, [3])), [1, [2, [3]]]),
        ({1}, [1]),
        (frozenset("a"), ["a"]),
        (range(3), [0, 1, 2]),
        ({"a": 1}.keys(), ["a"]),
        ({"a": 1}.items(), [["a", 1]]),
        ({"a": 1}.values(), [1]),
        ((each for each in "ab"), ["a", "b"]),
        ([map(str, [1])], [["1"]]),
        ("é".encode(), "é"),
        (Markup("a&b"), "a&b"),
        ({Markup("k"): Markup("v")}, {"k": "v"}),
        (datetime(2020, 1, 2, 3), "2020-01-02T03:00:00"),
        (timedelta(hours=2), "2:00:00"),
        (2**128, 2**128),
        (-(2**64), -(2**64)),
    ],
)
def test_what_json_has_under_another_name_becomes_it(value: Any, plain: Any) -> None:
    made = json_value(value)
    assert made == plain
    assert type(made) is type(plain)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({(1, 2): 3}, r"the key \(1, 2\) is of type tuple"),
        pytest.param({(10**5000,): 3}, "the key a tuple is of type tuple", id="long key"),
        ({1: "a", "1": "b"}, 'two of its keys become "1"'),
        ([float("nan")], "nan is not a number in JSON"),
        ({"a": float("-inf")}, "-inf is not a number in JSON"),
        ("a\ud800", r"half of a surrogate pair \(\\ud800\)"),
        ({"\udc00": 1}, r"half of a surrogate pair \(\\udc00\)"),
        (b"\xff", "not text in UTF-8"),
        pytest.param(10**5000, "more than 4300 digits", id="long"),
        (dict, r"dict is a type.* write dict\(\)"),
        (len, r"len is a function.* write len\(\)"),
        (Namespace(a=1), "of type Namespace has no form in JSON"),
        (object(), "of type object has no form in JSON"),
        (3j, "of type complex"),
        ([StrictUndefined(name="host")], "'host' is undefined"),
        (nested(DEEPEST + 1), "nests more than"),
    ],
)
def test_what_has_no_form_in_json_is_refused_with_the_reason(value: Any, reason: str) -> None:
    with pytest.raises(NotJsonError, match=reason):
        json_value(value)


def test_plain_values_are_not_copied() -> None:
    value = {"a": [1, {"b": None, "é": ["ü", 2**70, 1.5, True]}]}
    assert json_value(value) is value
    assert json_value(nested(DEEPEST)) == nested(DEEPEST)


def test_a_converted_part_leaves_the_original_as_it_was() -> None:
    value = {"a": [1, (2,), 3]}
    assert json_value(value) == {"a": [1, [2], 3]}
    assert value == {"a": [1, (2,), 3]}


def test_an_endless_iterator_is_stopped() -> None:
    with pytest.raises(LimitExceededError):
        json_value(iter(int, 1))


def test_shared_text_counts_each_time_it_would_be_written() -> None:
    with pytest.raises(LimitExceededError):
        json_value(["x" * (1 << 20)] * 40)


def test_a_message_with_half_a_pair_can_be_stored() -> None:
    assert printable("bad \ud800 é") == "bad \\ud800 é"
