"""The faults of rules that only their context shows: a trigger or an action that does not exist, a parameter that the
action does not take, a criterion that no event of the trigger type can meet."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from squall.core.content.pack_config import is_template
from squall.core.errors import InvalidError
from squall.core.event.rules.reading import check_parameters
from squall.core.event.rules.records import Rule, TriggerType
from squall.core.schema.walk import texts_in

_PATH = re.compile(r"trigger((?:\.[a-zA-Z_]\w*)+)(?:#.*)?", re.ASCII)
_EQUAL = frozenset({"eq", "equals"})
_ORDER = frozenset({"lt", "lessthan", "gt", "greaterthan"})
_ABSENT = frozenset({"nexists", "neq", "nequals", "nin", "ninside"})
_TYPES: Mapping[type, tuple[str, ...]] = {
    str: ("string",), bool: ("boolean",), int: ("integer", "number"), float: ("number",), list: ("array",),
    dict: ("object",), type(None): ("null",),
}  # fmt: skip


class Context:
    """What is known about the packs that a rule refers to: their trigger types, and the parameters of their actions.

    `packs` are the refs of packs that are known whole. About others nothing is said.
    """

    def __init__(
        self,
        packs: frozenset[str],
        types: Mapping[str, TriggerType],
        actions: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self.packs = packs
        self.types = types
        self.actions = actions

    def lacks(self, ref: str, known: Mapping[str, Any]) -> bool:
        """Checks whether a ref names nothing, though all content of its pack is known."""
        return ref not in known and ref.partition(".")[0] in self.packs


def rule_faults(rule: Rule, context: Context) -> Iterator[str]:
    """Yields the faults of a rule, each with its field."""
    trigger_type = context.types.get(rule.trigger.type)
    if context.lacks(rule.trigger.type, context.types):
        yield f'trigger.type: there is no trigger type "{rule.trigger.type}"'
    elif trigger_type is not None:
        yield from _trigger_faults(rule, trigger_type)
    if context.lacks(rule.action.ref, context.actions):
        yield f'action.ref: there is no action "{rule.action.ref}"'
    schemas = context.actions.get(rule.action.ref)
    if schemas is not None:
        for name in rule.action.parameters:
            if name not in schemas:
                known = ", ".join(sorted(schemas)) or "none"
                yield f"action.parameters.{name}: {rule.action.ref} has no such parameter; it has {known}"


def _trigger_faults(rule: Rule, trigger_type: TriggerType) -> Iterator[str]:
    if not any(is_template(text) for text in texts_in(rule.trigger.parameters)):
        try:
            check_parameters(trigger_type, rule.trigger.parameters)
        except InvalidError as error:
            yield str(error)
    for key, criterion in rule.criteria.items():
        if isinstance(criterion, dict):
            reason = _why_never(key, criterion, trigger_type.payload_schema)
            if reason:
                yield f"criteria.{key}: it can never be true: {reason}"


def _why_never(key: str, criterion: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """Returns why no payload of this schema meets a criterion; empty if one may."""
    match = _PATH.fullmatch(key)
    if match is None:
        return ""
    operator, pattern = criterion.get("type"), criterion.get("pattern")
    place: Any = schema
    for name in match[1].split(".")[1:]:
        properties = place.get("properties") if isinstance(place, dict) else None
        if not isinstance(properties, dict):
            return ""
        if name not in properties:
            is_closed = place.get("additionalProperties") is False and "patternProperties" not in place
            names = ", ".join(properties) or "no properties"
            return f'no event has "{name}"; it has {names}' if is_closed and operator not in _ABSENT else ""
        place = properties[name]
    if not isinstance(place, dict) or (isinstance(pattern, str) and is_template(pattern)):
        return ""
    return _why_never_equal(operator, pattern, place)


def _why_never_equal(operator: Any, pattern: Any, place: Mapping[str, Any]) -> str:
    declared = place.get("type")
    types = [declared] if isinstance(declared, str) else declared if isinstance(declared, list) else []
    own = _TYPES.get(type(pattern), ())
    if operator in _EQUAL and types and own and not set(own) & set(types):
        return f"the event has {' or '.join(types)} there, the pattern is {own[0]}"
    values = place.get("enum")
    if operator in _EQUAL and isinstance(values, list) and pattern not in values:
        return f"the event has one of {', '.join(map(str, values[:10]))} there"
    if operator in _ORDER and types and own:
        is_text, has_text = own == ("string",), "string" in types
        if is_text != has_text and not {"array", "object"} & set(types):
            return f"the event has {' or '.join(types)} there, which cannot be compared with {own[0]}"
    return ""
