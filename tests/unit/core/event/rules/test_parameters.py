"""The parameters of a rule's action: what templates become, and why they cannot be rendered."""

from __future__ import annotations

from typing import Any

import pytest

from squall.core.content.keyvalue import KeyNames
from squall.core.errors import InvalidError, UnavailableError
from squall.core.event.rules.parameters import Rendering, RenderingError, Setting
from squall.core.expr.jinja import Jinja
from squall.core.schema.taint import Taint

PAYLOAD: dict[str, Any] = {
    "n": 5, "text": "x", "none": None, "flag": False, "list": [1, {"a": "b"}], "hidden": "{{ 7 * 7 }}",
}  # fmt: skip
NAMES = {
    "trigger": PAYLOAD,
    "st2kv": {"system": KeyNames({"a.b": "value"}), "user": {}},
    "system": KeyNames({"k": "v"}),
}


def rendered(parameters: dict[str, Any], schemas: dict[str, Any] | None = None) -> dict[str, Any]:
    setting = Setting(Jinja(), 0, schemas=lambda _action: schemas or {})
    rows = Rendering(NAMES, setting).parameters("core.echo", parameters)
    return {name: each.value for name, each in rows.items()}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain", "plain"),
        (5, 5),
        (None, None),
        ("n={{ trigger.n }}", "n=5"),
        ("{{ trigger.n }}", "5"),
        ("{{ trigger.list }}", "[1, {'a': 'b'}]"),
        ("{{ trigger.none }}", "None"),
        ("{{ trigger.none | use_none }}", None),
        ("{{ trigger.n | use_none }}", "5"),
        ("{{ trigger.hidden }}", "{{ 7 * 7 }}"),
        ("{{ st2kv.system.a.b }} {{ system.k }}", "value v"),
        (["{{ trigger.n }}", {"k": "{{ trigger.none }}"}], [5, {"k": None}]),
        ({"{{ trigger.text }}": ["{{ trigger.text }}!"]}, {"x": ["x!"]}),
        ({"x": "{{ trigger.none | use_none }}"}, {"x": None}),
    ],
)
def test_a_template_becomes_text_and_keeps_its_type_within_others(value: Any, expected: Any) -> None:
    assert rendered({"p": value}) == {"p": expected}


@pytest.mark.parametrize(
    ("declared", "value", "expected"),
    [
        ("string", "{{ trigger.n }}", "5"),
        ("integer", "{{ trigger.n }}", 5),
        ("array", "{{ trigger.list }}", [1, {"a": "b"}]),
        ("object", "{{ trigger }}", PAYLOAD),
        ("boolean", "{{ trigger.flag }}", False),
        ("integer", "{{ trigger.none }}", None),
        (["string", "integer"], "{{ trigger.n }}", 5),
        ("integer", "1{{ trigger.n }}", "15"),
    ],
)
def test_a_template_keeps_its_type_if_the_action_takes_it(declared: Any, value: str, expected: Any) -> None:
    assert rendered({"p": value}, {"p": {"type": declared}}) == {"p": expected}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("{{ trigger.nosuch }}", "'dict object' has no attribute 'nosuch'"),
        ("{{ trigger.a.b }}", "'dict object' has no attribute 'a'"),
        ("{{ nosuch }}", "'nosuch' is undefined"),
        (["{{ trigger.nosuch }}"], "'dict object' has no attribute 'nosuch'"),
        ("{{ 'x' * 999999999 }}", "more than 32 MiB"),
        ("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}", "too many|Range too big"),
    ],
)
def test_a_template_that_fails_names_the_parameter_and_the_key(value: Any, reason: str) -> None:
    with pytest.raises(RenderingError, match=reason) as error:
        rendered({"host": value})
    assert str(error.value).startswith('parameter "host": cannot be rendered: ')


def test_a_value_that_nests_too_deep_is_refused() -> None:
    deep: Any = "x"
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(RenderingError, match="nests more than"):
        rendered({"p": deep})


def test_secrets_are_known_by_parameter_and_stay_out_of_errors() -> None:
    taint = Taint()

    def decrypt(ciphertext: Any) -> str:
        taint.open(f"open {ciphertext}")
        return f"open {ciphertext}"

    rendering = Rendering(NAMES, Setting(Jinja(decrypt), 0, taint=taint))
    rows = rendering.parameters("a.b", {"p": "{{ trigger.text | decrypt_kv }}", "q": "{{ trigger.n }}"})
    assert {name: each.secrets for name, each in rows.items()} == {"p": ["open x"], "q": []}
    with pytest.raises(RenderingError, match=r'^parameter "p": cannot be rendered from a secret value$'):
        rendering.parameters("a.b", {"p": "{{ trigger.text | decrypt_kv | from_json_string }}"})


LOOKED_UP: dict[str, Any] = {
    "n": 5, "text": "x", "none": None, "flag": True, "float": 1.5, "list": [1], "items": 9,
    "inner": {"n": 7, "items": 8, "_id": "i"}, "größe": 1, "umlaut": "ä", "huge": 1 << 70, "half": "\ud800",
    "end": "x\n", "hidden": "{{ 7 * 7 }}",
}  # fmt: skip
NAMES_WITHIN = [*LOOKED_UP, "inner.n", "inner.items", "inner._id", "inner.nosuch", "nosuch.x", "n.x", "text.upper"]


@pytest.mark.parametrize("name", NAMES_WITHIN)
@pytest.mark.parametrize("form", ["{{ trigger.%s }}", "{{trigger.%s}}", " {{ trigger.%s }}\n", "{{ trigger.%s }}!"])
@pytest.mark.parametrize("declared", ["string", "object"])
def test_a_plain_name_gives_the_same_as_its_template(name: str, form: str, declared: str) -> None:
    text, names = form % name, {"trigger": LOOKED_UP}
    rendering = Rendering(names, Setting(Jinja(), 0, schemas=lambda _action: {"p": {"type": declared}}))
    try:
        expected = Jinja().render(text, names) if declared == "string" else Jinja().value(text, names)
    except InvalidError as error:
        with pytest.raises(RenderingError) as failure:
            rendering.parameters("a.b", {"p": text})
        assert str(failure.value) == f'parameter "p": cannot be rendered: {error}'
    else:
        value = rendering.parameters("a.b", {"p": text})["p"].value
        assert (type(value), value) == (type(expected), expected)


def test_a_template_gets_only_the_names_that_it_uses() -> None:
    seen: list[set[str]] = []

    class Recording(Jinja):
        def render(self, text: str, names: Any) -> str:
            seen.append(set(names))
            return super().render(text, names)

    Rendering(NAMES, Setting(Recording(), 0)).parameters("a.b", {"p": "{{ trigger.n }}!", "q": "{{ system.k }}"})
    assert seen == [{"trigger"}, {"system"}]


def test_a_failure_that_is_no_fault_of_the_rule_is_raised() -> None:
    class Down(Jinja):
        def render(self, text: str, names: Any) -> str:
            raise UnavailableError("no process")

    with pytest.raises(UnavailableError):
        Rendering(NAMES, Setting(Down(), 0)).parameters("a.b", {"p": "{{ trigger.n }}"})
