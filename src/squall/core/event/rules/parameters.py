"""Renders the parameters for the action of a rule, from the event and the datastore."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeVar

from squall.core.content.pack_config import is_template
from squall.core.errors import InvalidError
from squall.core.event.rules.operators import Expression
from squall.core.event.rules.records import Rule
from squall.core.expr.filters.data import NONE_MARKER
from squall.core.schema.taint import Taint
from squall.core.schema.walk import texts_in

_HIDDEN = "cannot be rendered from a secret value"
_DEEPEST = 200
_SMALL = 1 << 63
_PLAIN_NAMES = re.compile(r"\s*\{\{\s*([a-zA-Z_]\w*(?:\.[a-zA-Z_]\w*)+)\s*\}\}\s*", re.ASCII)
_UNKNOWN = object()
_FLAGS = {re.IGNORECASE: "i", re.DOTALL: "s"}
_MATCHES = "{{ text | regex_match(pattern) }}"
_FINDS = "{{ text | regex_search(pattern) }}"

MOST_SECONDS = 60
"""The seconds that the templates of a rule may take together for one event. No further one begins after that."""

T = TypeVar("T")


class Templates(Protocol):
    """Renders templates. `squall.core.expr.jinja.Jinja` is one."""

    def names(self, text: str) -> frozenset[str]:
        """Returns the free names of a template."""
        ...

    def render(self, text: str, names: Mapping[str, Any]) -> str:
        """Renders a template to text. Raises `InvalidError`."""
        ...

    def value(self, text: str, names: Mapping[str, Any]) -> Any:
        """Renders a template; one that is a single expression gives its value. Raises `InvalidError`."""
        ...


def has_templates(rule: Rule) -> bool:
    """Checks whether a parameter of the rule's trigger is a template."""
    return any(is_template(text) for text in texts_in(rule.trigger.parameters))


def _no_schemas(_action: str) -> Mapping[str, Any]:
    return {}


class Setting(NamedTuple):
    """What evaluations use besides rule and event. `now` is the present time (µs since 1970).

    `names` are further names for templates, such as `action_context`. `schemas` returns the JSON schemas of an action's
    parameters by name; empty for an unknown action. `taint` learns which secrets a template decrypts.

    If it `is_brief`, the evaluation of a rule takes only some milliseconds; one that takes longer raises
    `NeedsProcess`. `seconds` is a clock (monotonic); with it, the templates of a rule take at most `MOST_SECONDS`.
    """

    templates: Templates
    now: int
    names: Mapping[str, Any] = {}
    schemas: Callable[[str], Mapping[str, Any]] = _no_schemas
    taint: Taint | None = None
    is_brief: bool = False
    seconds: Callable[[], float] | None = None


class _Timed:
    """The templates of a setting, for one rule. Raises `InvalidError` if they have taken too long together."""

    def __init__(self, setting: Setting) -> None:
        self._templates = setting.templates
        self._clock = setting.seconds
        self._spent = 0.0

    def names(self, text: str) -> frozenset[str]:
        return self._timed(lambda: self._templates.names(text))

    def render(self, text: str, names: Mapping[str, Any]) -> str:
        return self._timed(lambda: self._templates.render(text, names))

    def value(self, text: str, names: Mapping[str, Any]) -> Any:
        return self._timed(lambda: self._templates.value(text, names))

    def _timed(self, call: Callable[[], T]) -> T:
        if self._clock is None:
            return call()
        if self._spent > MOST_SECONDS:
            raise InvalidError(f"the templates of the rule take more than {MOST_SECONDS} seconds for this event")
        began = self._clock()
        try:
            return call()
        finally:
            self._spent += self._clock() - began


class Rendered(NamedTuple):
    """A rendered value, and the secrets that were used to render it."""

    value: Any
    secrets: list[Any]


class RenderingError(ValueError):
    """A template of a rule cannot be rendered. The message does not quote secrets."""


class Rendering:
    """Renders the templates of one rule with `names`. Each template gets only the names that it uses."""

    def __init__(self, names: Mapping[str, Any], setting: Setting) -> None:
        self._names = names
        self._setting = setting
        self._templates: Templates = _Timed(setting)

    def pattern(self, text: str, names: Mapping[str, Any]) -> Rendered:
        """Renders the pattern of a criterion with these names besides the rule's. A single expression keeps its type.

        Raises `RenderingError`.
        """
        return self._recorded(lambda: self._value(text, names))

    def finds(self, expression: Expression, text: str) -> bool:
        """Checks whether a regular expression matches a text, where it can be stopped. Raises `RenderingError`."""
        letters = "".join(letter for flag, letter in _FLAGS.items() if expression.flags & flag)
        pattern = f"(?{letters}){expression.pattern}" if letters else expression.pattern
        template = _MATCHES if expression.at_start else _FINDS
        return bool(self._recorded(lambda: self._templates.value(template, {"text": text, "pattern": pattern})).value)

    def parameters(self, action: str, parameters: Mapping[str, Any]) -> dict[str, Rendered]:
        """Renders the parameters of an action.

        As in StackStorm, a template becomes text, which is cast to the type of its parameter later. But if the type is
        known and is not `string`, a template that is a single expression keeps its type, as it does within lists and
        objects. Raises `RenderingError`, which names the parameter.
        """
        schemas = self._setting.schemas(action)
        rendered: dict[str, Rendered] = {}
        for name, value in parameters.items():
            render = partial(self._parameter, value, _keeps_type(schemas.get(name)), 0)
            try:
                rendered[name] = self._recorded(render)
            except RenderingError as error:
                raise RenderingError(f'parameter "{name}": {error}') from None
        return rendered

    def _parameter(self, value: Any, keeps_type: bool, depth: int) -> Any:
        if isinstance(value, str):
            if not is_template(value):
                return value
            rendered = self._value(value, {}) if keeps_type else self._text(value)
            return None if isinstance(rendered, str) and rendered == NONE_MARKER else rendered
        if not isinstance(value, dict | list):
            return value
        if depth >= _DEEPEST:
            raise InvalidError(f"the value nests more than {_DEEPEST} times")
        if isinstance(value, list):
            return [self._parameter(item, True, depth + 1) for item in value]
        return {
            self._text(key) if is_template(key) else key: self._parameter(item, True, depth + 1)
            for key, item in value.items()
        }

    def _text(self, text: str) -> str:
        known = self._looked_up(text, {}) if text.startswith("{{") and text.endswith("}}") else _UNKNOWN
        return known if isinstance(known, str) else self._templates.render(text, self._needed(text, {}))

    def _value(self, text: str, names: Mapping[str, Any]) -> Any:
        known = self._looked_up(text, names)
        return known if known is not _UNKNOWN else self._templates.value(text, self._needed(text, names))

    def _looked_up(self, text: str, names: Mapping[str, Any]) -> Any:
        """Returns what a template such as `{{ trigger.body.name }}` gives, or `_UNKNOWN`. Raises `InvalidError`.

        To compile a template takes a millisecond, and thousands of rules may wait for one event. So this finds plain
        values behind plain names, where a template would find the same.
        """
        match = _PLAIN_NAMES.fullmatch(text)
        if match is None:
            return _UNKNOWN
        first, *others = match[1].split(".")
        value = names.get(first, self._names.get(first, _UNKNOWN))
        for name in others:
            # Jinja prefers the methods of an object to its keys.
            if type(value) is not dict or hasattr(dict, name):
                return _UNKNOWN
            if name not in value:
                raise InvalidError(f"'dict object' has no attribute {name!r}")
            value = value[name]
        kind = type(value)
        is_plain = (kind is str and value.isascii()) or kind is bool or value is None
        return value if is_plain or (kind is int and -_SMALL < value < _SMALL) else _UNKNOWN

    def _needed(self, text: str, names: Mapping[str, Any]) -> dict[str, Any]:
        needed: dict[str, Any] = {}
        for name in self._templates.names(text):
            if name in names:
                needed[name] = names[name]
            elif name in self._names:
                needed[name] = self._names[name]
        return needed

    def _recorded(self, render: Callable[[], Any]) -> Rendered:
        taint = self._setting.taint
        mark = taint.mark() if taint is not None else 0
        try:
            value = render()
        except InvalidError as error:
            # The engine's text may quote the value.
            is_secret = taint is not None and taint.mark() > mark
            raise RenderingError(_HIDDEN if is_secret else f"cannot be rendered: {error}") from None
        return Rendered(value, taint.opened_since(mark) if taint is not None else [])


def _keeps_type(schema: Any) -> bool:
    declared = schema.get("type", "string") if isinstance(schema, dict) else "string"
    return bool(declared != "string")
