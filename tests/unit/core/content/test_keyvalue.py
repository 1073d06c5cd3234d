"""Keys: scopes, documents, and what templates see of them."""

from __future__ import annotations

import pytest

from squall.core.content.keyvalue import (
    SYSTEM,
    USER,
    Key,
    KeyNames,
    check_name,
    document,
    full_scope,
    key_text,
    mentions_keys,
)
from squall.core.errors import InvalidError
from squall.core.expr.jinja import Jinja


@pytest.mark.parametrize(
    ("given", "scope"),
    [(None, SYSTEM), ("", SYSTEM), ("system", SYSTEM), ("user", USER), (SYSTEM, SYSTEM), (USER, USER)],
)
def test_a_scope_has_two_spellings(given: str | None, scope: str) -> None:
    assert full_scope(given) == scope


def test_a_scope_that_is_none_is_told_in_stackstorms_words() -> None:
    with pytest.raises(InvalidError, match=r"^Invalid scope: st2kv\.bogus$"):
        full_scope("bogus")
    with pytest.raises(InvalidError, match=r"^Scope st2kv\.bogus is not in allowed scopes list"):
        full_scope("bogus", writing=True)


def key(**changes: object) -> Key:
    fields: dict[str, object] = {"id": "1" * 24, "scope": SYSTEM, "user": "", "name": "k", "value": "v"}
    return Key(**{**fields, **changes})  # type: ignore[arg-type]


def test_a_key_is_shown_as_stackstorm_shows_it() -> None:
    assert document(key()) == {
        "uid": "key_value_pair:st2kv.system:k", "scope": "st2kv.system", "name": "k", "value": "v", "secret": False,
        "id": "1" * 24, "encrypted": False,
    }  # fmt: skip
    shown = document(key(scope=USER, user="ada", expires=1_000_000))
    assert (shown["uid"], shown["user"]) == ("key_value_pair:st2kv.user:ada:k", "ada")
    assert shown["expire_timestamp"] == "1970-01-01T00:00:01.000000Z"


def test_a_secret_key_is_ciphertext_until_it_is_revealed() -> None:
    hidden = document(key(secret=True, value="AB"))
    assert (hidden["value"], hidden["encrypted"]) == ("AB", True)
    shown = document(key(secret=True, value="AB"), "open")
    assert (shown["value"], shown["encrypted"], shown["secret"]) == ("open", False, True)


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 1025])
def test_what_cannot_be_a_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidError, match="name"):
        check_name(name)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ st2kv.system.k1 }}", "v1"),
        ("{{ st2kv.system.a.b.c }}", "dotted"),
        ("{{ st2kv.system['with space'] }}", "spaced"),
        ("{{ st2kv.system.nosuch }}", ""),
        ("{{ st2kv.system.nosuch or 'other' }}", "other"),
        ("{% if st2kv.system.k1 == 'v1' %}same{% endif %}", "same"),
        ("{{ st2kv.system.k1 | upper }}", "V1"),
    ],
)
def test_templates_read_keys_by_their_names(template: str, text: str) -> None:
    values = KeyNames({"k1": "v1", "a.b.c": "dotted", "with space": "spaced"})
    assert Jinja().render(template, {"st2kv": {"system": values}}) == text


def test_templates_cannot_look_behind_the_names() -> None:
    with pytest.raises(InvalidError):
        Jinja().render("{{ st2kv.system._values.k1 }}", {"st2kv": {"system": KeyNames({"k1": "v1"})}})


def test_keys_are_looked_up_only_where_a_text_may_name_some() -> None:
    assert mentions_keys({"a": ["x", {"b": "{{ st2kv.system.k }}"}]})
    assert mentions_keys({"{{ st2kv.user.k }}": 1})
    assert not mentions_keys({"a": ["st2kvish", 5, None]})


@pytest.mark.parametrize(
    "template", ["{{ st2kv }}", "{{ st2kv.system }}", "{{ [st2kv.system] }}", "{{ st2kv['user'] ~ 1 }}"]
)
def test_a_scope_without_a_key_is_not_a_text(template: str) -> None:
    names = {"system": KeyNames({"a": "1"}), "user": KeyNames({})}
    with pytest.raises(InvalidError, match="a scope has no value; add the name of a key"):
        Jinja().render(template, {"st2kv": names})


def test_keys_in_lists_and_objects_are_shown_as_their_values() -> None:
    names = {"st2kv": {"system": KeyNames({"a": "it"})}}
    assert Jinja().render("{{ [st2kv.system.a, {'k': st2kv.system.b}] }}", names) == "['it', {'k': ''}]"


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{{ st2kv.system.count | int }}", 5),
        ("{{ st2kv.system.count | int + 1 }}", 6),
        ("{{ st2kv.system.ratio | float }}", 1.5),
        ("{{ st2kv.system.ratio | int }}", 1),
        ("{{ st2kv.system.word | int(7) }}", 7),
        ("{{ st2kv.system.nosuch | int(7) }}", 7),
    ],
)
def test_a_key_can_be_read_as_a_number(template: str, value: float) -> None:
    names = {"st2kv": {"system": KeyNames({"count": "5", "ratio": "1.5", "word": "x"})}}
    assert Jinja().value(template, names) == value


def test_the_text_of_a_key_is_none_if_there_is_no_key() -> None:
    names = KeyNames({"a.b": "", "c": "x"})
    assert (key_text(names.a.b), key_text(names["c"]), key_text(names.a), key_text(names)) == ("", "x", None, None)


def test_a_key_in_a_template_is_a_text_of_characters_and_a_scope_is_none() -> None:
    names = KeyNames({"a": "xyz"})
    assert list(names["a"]) == ["x", "y", "z"]
    with pytest.raises(TypeError, match="a scope has no value"):
        list(names)
