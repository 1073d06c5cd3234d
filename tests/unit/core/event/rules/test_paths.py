"""Paths of criteria: what they match, against a table and against a library, and how wrong and hostile ones end."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from squall.core.content.keyvalue import KeyNames
from squall.core.event.rules.path_parts import Steps, StepsError
from squall.core.event.rules.paths import LONGEST, MOST_PARTS, PathError, parse_path

EVENT: dict[str, Any] = {
    "trigger": {
        "name": "web1",
        "null": None,
        "items": [{"x": 1, "y": {"z": "deep"}}, {"x": 2}, 3],
        "empty": [],
        "a b": {"c.d": 4, "#": 5, 'q"': 6, "1": 7},
        "_id": "a1",
        "head-sha": "abc",
        "größe": 8,
        "where": 9,
    }
}


def found(path: str, event: Any = EVENT) -> tuple[bool, Any]:
    return tuple(parse_path(path).first(event, Steps()))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("trigger.name", "web1"),
        ("$.trigger.name", "web1"),
        (" trigger . name ", "web1"),
        ("trigger.null", None),
        ("trigger.items[0].x", 1),
        ("trigger.items[-1]", 3),
        ("trigger.items.1.x", 2),
        ("trigger.items[*].x", 1),
        ("trigger.items[1:].x", 2),
        ("trigger.items[:1].x", 1),
        ("trigger.items[0:2].x", 1),
        ('trigger."a b"."c.d"', 4),
        ("trigger.'a b'['c.d']", 4),
        ('trigger["name"]', "web1"),
        ('trigger."a b"."#"', 5),
        (r'trigger."a b"."q\""', 6),
        ('trigger."a b".1', 7),
        ("trigger._id", "a1"),
        ("trigger.head-sha", "abc"),
        ("trigger.größe", 8),
        ('trigger."where"', 9),
        ("trigger.name#second", "web1"),
        ("trigger.name # any text [", "web1"),
        ("trigger..z", "deep"),
        ("trigger..x", 1),
        ("$..z", "deep"),
        ("trigger.*", "web1"),
        ("*.name", "web1"),
        ("trigger.nosuch,name", "web1"),
        ("trigger.(nosuch|name)", "web1"),
        ("trigger.nosuch|name", "web1"),
        ("trigger.items[*].(y where z).z", "deep"),
        ("trigger.items[0].x.`parent`.y.z", "deep"),
        ("trigger.name.`this`", "web1"),
        ("trigger.name[0]", "w"),
        ("trigger.items[0].$.trigger.name", "web1"),
        ("trigger.name[*]", "web1"),
    ],
)
def test_a_path_finds_its_first_match(path: str, value: Any) -> None:
    assert found(path) == (True, value)


@pytest.mark.parametrize(
    "path",
    [
        "trigger.nosuch", "nosuch", "trigger.name.x", "trigger.items.x", "trigger.items[3]", "trigger.items[-4]",
        "trigger.empty[0]", "trigger.empty[*]", "trigger.null.x", "trigger.null[0]", "trigger.null[*]", "trigger[0]",
        "trigger.items.*", "trigger..nosuch", "trigger.items.99999999999999999999", "`parent`", "trigger.`parent`.x",
    ],
)  # fmt: skip
def test_a_path_without_a_match_finds_nothing(path: str) -> None:
    assert found(path) == (False, None)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("", "ends too early"),
        ("trigger.", "ends too early"),
        (".trigger", "'.' at character 1 cannot stand there"),
        ("trigger.a b", "'b' at character 11 cannot stand there"),
        ("trigger[", "cannot stand there|ends too early"),
        ("trigger[0", "ends too early"),
        ("trigger[x:]", "':' at character 10 cannot stand there"),
        ("trigger.(a", "ends too early"),
        ("trigger.'a", "its quote is not closed"),
        ("trigger.a&b", "no intersection"),
        ("trigger.a/b", 'put a name with such characters in quotes, such as trigger.body."a b"'),
        ("trigger.`len`", "cannot stand there"),
        ("trigger[99999999999]", "too large"),
        ("trigger.a,", "ends too early"),
        ("#only", "ends too early"),
        ("a." * MOST_PARTS + "a", f"at most {MOST_PARTS} parts"),
        ("(" * 200 + "a" + ")" * 200, f"at most {MOST_PARTS} parts"),
        ("a" * (LONGEST + 1), f"at most {LONGEST} characters"),
    ],
)
def test_a_wrong_path_is_refused_with_its_place(path: str, reason: str) -> None:
    with pytest.raises(PathError, match=reason.replace("(", r"\(") if "|" not in reason else reason):
        parse_path(path)


def test_a_path_reads_keys_with_dots_in_their_names() -> None:
    event = {"system": KeyNames({"a.b": "text", "empty": ""}), "st2kv": {"system": KeyNames({"x": "1"})}}
    assert found("system.a.b", event) == (True, "text")
    assert found("system.empty", event) == (True, "")
    assert found("system.a", event) == (False, None)
    assert found("st2kv.system.x", event) == (True, "1")
    assert found("st2kv.system.(y|x)", event) == (False, None)


def test_a_deep_payload_is_searched_without_recursion() -> None:
    deep: Any = {"x": "bottom"}
    for _ in range(50_000):
        deep = [deep]
    assert found("trigger..x", {"trigger": deep}) == (True, "bottom")
    assert found("trigger..nosuch", {"trigger": deep}) == (False, None)


@pytest.mark.parametrize("path", ["trigger..a..b..c..d", "trigger[*]..[*]..x", "trigger..x..x"])
def test_a_search_that_visits_too_many_values_ends(path: str) -> None:
    wide = [[[{"a": {"b": {"c": [1, 2, 3]}}}] * 60] * 60] * 60
    with pytest.raises(StepsError, match="look at more than 1000000 values"):
        parse_path(path).first({"trigger": wide}, Steps())


names = st.sampled_from(["a", "b", "c"])
documents = st.recursive(
    st.integers(0, 3) | st.text("xy", max_size=2) | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=12,
)
simple = st.one_of(
    names.map(lambda name: f".{name}"),
    names.map(lambda name: f"..{name}"),
    st.integers(0, 2).map(lambda index: f"[{index}]"),
    st.just(".'a',b"),
)


@settings(deadline=None, max_examples=200)
@given(documents, st.lists(simple, max_size=4))
def test_paths_agree_with_the_library_jsonpath_ng(document: Any, steps: list[str]) -> None:
    from jsonpath_ng.parser import parse

    path = "a" + "".join(steps)
    root = {"a": document}
    expected = [match.value for match in parse(path).find(_without_texts(root))]
    exists, value = found(path, _without_texts(root))
    assert exists == bool(expected)
    assert value == (expected[0] if expected else None)


def _without_texts(value: Any) -> Any:
    """Returns the value with numbers for texts and null: the library takes an index of these in other ways."""
    if isinstance(value, dict):
        return {key: _without_texts(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_texts(item) for item in value]
    return value if isinstance(value, int) else 7
