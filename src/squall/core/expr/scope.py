"""The scope of an expression in a workflow: variables, the current task and item, and the workflow's tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from squall.core.expr.bounds.errors import (
    ExpressionEvaluationException,
    VariableInaccessibleError,
    VariableUndefinedError,
)
from squall.core.expr.frozen import FrozenMapping

PRIVATE = ("__vars", "__state", "__current_task", "__current_item")
"""The engine's own names in a context: expressions cannot read them."""

FINAL = frozenset({"succeeded", "failed", "timeout", "abandoned", "canceled"})


class CurrentTask:
    """The task of an expression: its `name`, `route`, `status`, and its `result` (None until it has one)."""

    __slots__ = ("name", "result", "route", "status")

    def __init__(self, name: str, route: int, status: str | None = None, result: Any = None) -> None:
        self.name = name
        self.route = route
        self.status = status
        self.result = result


class Variables:
    """The variables of a context, shared by all scopes over it. The caller must not change `values` afterwards."""

    __slots__ = ("_frozen", "_public", "values")

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values
        self._public: dict[str, Any] | None = None
        self._frozen: FrozenMapping | None = None

    @property
    def public(self) -> dict[str, Any]:
        """All variables whose name does not begin with two underscores."""
        if self._public is None:
            self._public = {key: value for key, value in self.values.items() if not key.startswith("__")}
        return self._public

    @property
    def frozen(self) -> FrozenMapping:
        """`public`, for YAQL."""
        if self._frozen is None:
            self._frozen = FrozenMapping(self.public)
        return self._frozen

    def check(self, name: str) -> None:
        """Raises `VariableUndefinedError` or `VariableInaccessibleError` if `ctx(name)` cannot return the variable."""
        if name in PRIVATE:
            raise VariableInaccessibleError(name)
        if name not in self.values:
            raise VariableUndefinedError(name)
        if name.startswith("__"):
            raise VariableInaccessibleError(name)


def _unknown_status(_name: str, _route: int) -> str | None:
    return None


def _no_task(name: str | None, _route: int | None) -> Any:
    raise ExpressionEvaluationException(f'Unable to find task execution for "{name}".')


def _no_keys(key: str, _decrypt: bool) -> Any:
    raise ExpressionEvaluationException(f'The key "{key}" cannot be read here.')


def _without_scope(key: str) -> str:
    """Returns the name of a key for error messages: `x` for `system.x` and `st2kv.system.x`."""
    name = key.removeprefix("st2kv.")
    first, _, rest = name.partition(".")
    return rest if first in ("system", "user") and rest else name


class Scope:
    """The scope of the expressions at one place of a workflow.

    `status_of(task, route)` returns a task's status, or None; `task_of(task, route)` the task's document for `task()`;
    `key_of(key, decrypt)` the value of a key. `key_of` raises `LookupError` if the key does not exist.
    """

    __slots__ = ("current", "item", "key_of", "status_of", "task_of", "variables")

    def __init__(
        self,
        variables: Variables,
        current: CurrentTask | None = None,
        item: Any = None,
        status_of: Callable[[str, int], str | None] = _unknown_status,
        task_of: Callable[[str | None, int | None], Any] = _no_task,
        key_of: Callable[[str, bool], Any] = _no_keys,
    ) -> None:
        self.variables = variables
        self.current = current
        self.item = item
        self.status_of = status_of
        self.task_of = task_of
        self.key_of = key_of

    def replaced(self, **changes: Any) -> Scope:
        """Returns this scope with other variables, another item, or another current task."""
        fields = {name: changes.get(name, getattr(self, name)) for name in self.__slots__}
        return Scope(**fields)

    def answer(self, question: str, arguments: list[Any]) -> Any:
        """Answers a question of an evaluation in another process: `status`, `task` or `key`."""
        functions: dict[str, Callable[..., Any]] = {
            "status": self.status_of,
            "task": self.task_of,
            "key": self.key_of,
        }
        return functions[question](*arguments)

    # -- the functions of expressions

    def ctx(self, key: str | None = None) -> Any:
        """Returns a variable, or all of them."""
        if not key:
            return self.variables.public
        self.variables.check(key)
        return self.variables.values[key]

    def get_item(self, key: str | None = None) -> Any:
        """Returns the current item, or the value that it has under a key."""
        if not key:
            return self.item
        if not isinstance(self.item, Mapping):
            raise ExpressionEvaluationException("Item is not type of collections.abc.Mapping.")
        if key not in self.item:
            raise ExpressionEvaluationException(f'Item does not have key "{key}".')
        return self.item[key]

    def _task(self) -> CurrentTask:
        if self.current is None:
            raise ExpressionEvaluationException("The current task is not set in the context.")
        return self.current

    def result(self) -> Any:
        """Returns the result of the current task."""
        return self._task().result

    def succeeded(self) -> bool:
        """Checks whether the current task has succeeded."""
        return self._task().status == "succeeded"

    def failed(self) -> bool:
        """Checks whether the current task has failed."""
        return self._task().status == "failed"

    def completed(self) -> bool:
        """Checks whether the current task has ended."""
        return self._task().status in FINAL

    def task_status(self, task_id: str, route: int | None = None) -> str:
        """Returns the status of a task; `null` if it has none."""
        if route is None:
            route = self.current.route if self.current else 0
        return self.status_of(task_id, route) or "null"

    def task(self, task_name: str | None = None, route: int | None = None) -> Any:
        """Returns the document of a task's latest execution: ids, status, times, result."""
        if task_name is None:
            current = self._task()
            task_name, route = current.name, current.route if route is None else route
        return self.task_of(task_name, route)

    def st2kv(self, key: str, decrypt: bool = False, **default: Any) -> Any:
        """Returns the value of a key in the datastore, or `default`. Raises `ExpressionEvaluationException` if there is
        no such key, or if `key` is not a text."""
        if not isinstance(key, str):
            raise ExpressionEvaluationException(
                f"st2kv: {key!r:.60} is not the name of a key; write a text, such as st2kv('system.name')"
            )
        try:
            return self.key_of(key, bool(decrypt))
        except LookupError:
            if "default" in default:
                return default["default"]
            raise ExpressionEvaluationException(
                f'The key "{_without_scope(key)}" does not exist in the StackStorm datastore.'
            ) from None
