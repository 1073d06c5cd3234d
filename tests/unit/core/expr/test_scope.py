"""Scopes: what an expression sees."""

from __future__ import annotations

from typing import Any

import pytest

from squall.core.expr.bounds.errors import (
    ExpressionEvaluationException,
    VariableInaccessibleError,
    VariableUndefinedError,
)
from squall.core.expr.scope import CurrentTask, Scope, Variables


def test_variables_of_the_engine_are_hidden() -> None:
    scope = Scope(Variables({"a": 1, "__b": 2}))
    assert scope.ctx() == {"a": 1}
    assert scope.ctx("a") == 1
    with pytest.raises(VariableInaccessibleError):
        scope.ctx("__b")
    with pytest.raises(VariableInaccessibleError):
        scope.ctx("__state")
    with pytest.raises(VariableUndefinedError):
        scope.ctx("c")


def test_without_a_task_there_is_no_result() -> None:
    with pytest.raises(ExpressionEvaluationException, match="The current task is not set in the context"):
        Scope(Variables({})).result()


def test_a_replaced_scope_keeps_the_rest() -> None:
    scope = Scope(Variables({"a": 1}), CurrentTask("t", 2, "failed", 5)).replaced(item=3)
    assert scope.get_item() == 3
    assert scope.failed()
    assert scope.result() == 5
    with pytest.raises(ExpressionEvaluationException, match="Item is not type of"):
        scope.get_item("x")


def test_a_missing_key_has_its_default_even_if_that_is_nothing() -> None:
    def key_of(key: str, decrypt: bool) -> str:
        raise LookupError(key)

    scope = Scope(Variables({}), key_of=key_of)
    assert scope.st2kv("a", default=None) is None
    with pytest.raises(ExpressionEvaluationException, match='The key "a" does not exist'):
        scope.st2kv("a")


def test_a_task_status_is_asked_for_on_the_current_route() -> None:
    scope = Scope(Variables({}), CurrentTask("t", 3), status_of=lambda name, route: f"{name}{route}")
    assert scope.task_status("a") == "a3"
    assert scope.task_status("a", 1) == "a1"


@pytest.mark.parametrize("key", [1, None, ["a"], {}])
def test_a_key_that_is_not_a_text_is_refused_in_words(key: Any) -> None:
    with pytest.raises(ExpressionEvaluationException, match="is not the name of a key; write a text"):
        Scope(Variables({})).st2kv(key, default=1)


@pytest.mark.parametrize("key", ["a.b", "system.a.b", "st2kv.system.a.b", "user.a.b", "st2kv.user.a.b"])
def test_the_error_of_a_missing_key_names_it_without_its_scope(key: str) -> None:
    def none(name: str, decrypt: bool) -> str:
        raise LookupError(name)

    with pytest.raises(ExpressionEvaluationException, match=r'The key "a\.b" does not exist'):
        Scope(Variables({}), key_of=none).st2kv(key)
