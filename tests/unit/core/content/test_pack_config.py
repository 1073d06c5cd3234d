from __future__ import annotations

from squall.core.content.pack_config import secret_values, with_defaults

SCHEMA = {
    "region": {"type": "string", "default": "eu"},
    "token": {"type": "string", "secret": True},
    "login": {
        "type": "object",
        "properties": {"user": {"default": "me"}, "password": {"secret": True}, "port": {"type": "integer"}},
    },
    "hosts": {"type": "array", "items": {"type": "object", "properties": {"key": {"secret": True}}}},
    "pins": {"type": "array", "items": {"type": "string", "secret": True}},
    "odd": "not a schema",
}


def test_values_win_over_defaults_in_nested_objects_too() -> None:
    assert with_defaults({}, SCHEMA) == {"region": "eu", "login": {"user": "me"}}
    given = {"region": None, "login": {"user": "you", "port": 1}, "unknown": 1}
    assert with_defaults(given, SCHEMA) == given
    assert with_defaults({"login": "text"}, SCHEMA) == {"region": "eu", "login": "text"}


def test_what_the_schema_marks_is_secret_wherever_it_stands() -> None:
    values = {
        "region": "eu",
        "token": "t1",
        "login": {"user": "me", "password": 12345, "port": 22},
        "hosts": [{"key": "k1", "name": "a"}, {"key": "k2"}],
        "pins": ["p1", "p2"],
        "odd": "x",
        "unknown": "y",
    }
    assert list(secret_values(values, SCHEMA)) == ["t1", "12345", "k1", "k2", "p1", "p2"]


def test_all_of_a_secret_object_is_secret() -> None:
    schema = {"all": {"type": "object", "secret": True}}
    assert list(secret_values({"all": {"a": "x", "b": [1, None, True]}}, schema)) == ["x", "1"]
