"""Reads rules and trigger types: from the files of packs, and from the bodies of requests.

Every fault is a `MetadataError`, which is an `InvalidError`: it names the field, and what is allowed there.

Squall's own keys of a rule are checked here and stored as they were written: `throttle: {within, by, mode, count}`
fires once within a time, `correlate: {all | any | sequence, within, by}` waits for several events, `absent: {within}`
fires if an event does not come, and `hold: true` keeps each match until somebody runs it (`docs/rules-over-time.md`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from squall.core.content.metadata import check_pack_field, check_references
from squall.core.content.metadata_words import MetadataError, Types, check_type, check_words, similar_word
from squall.core.content.pack_config import is_template
from squall.core.errors import InvalidError
from squall.core.event.rules.criteria import check_criteria
from squall.core.event.rules.paths import PathError, parse_path
from squall.core.event.rules.records import (
    BACKSTOP,
    DEFAULT_PACK,
    RULE_TYPES,
    Rule,
    RuleAction,
    RuleKind,
    RuleTrigger,
    TriggerType,
)
from squall.core.expr.bounds.errors import LimitExceededError
from squall.core.expr.json_value import NotJsonError, json_value
from squall.core.names import is_pack_name
from squall.core.schema.json_schema import SchemaError, draft4, parameter_validator, wording
from squall.core.schema.walk import place_of, without_nulls
from squall.core.timespan import moment

LONGEST_NAME = 255
"""The most characters of the name of a rule or trigger type."""

THROTTLE_MODES = ("first", "last", "count")
"""The values of `throttle.mode`: the event that fires, of those within the time, or the number of them that does."""

MOST_COUNT = 1_000
"""The largest `throttle.count`."""

MOST_GROUP_PATHS = 10
"""The most paths in `by`."""

MOST_ENTRIES = 10
"""The most entries of `correlate`."""

_TEXT, _MAP, _LIST, _FLAG = (str,), (dict,), (list,), (bool,)
_COMMON: Types = {"id": _TEXT, "ref": _TEXT, "uid": _TEXT, "pack": _TEXT, "metadata_file": _TEXT, "description": _TEXT}
_RULE: Types = {
    **_COMMON, "name": _TEXT, "enabled": _FLAG, "trigger": _MAP, "criteria": _MAP, "action": _MAP, "type": _MAP,
    "tags": _LIST, "context": _MAP, "throttle": _MAP, "correlate": _MAP, "absent": _MAP, "hold": _FLAG,
    "trigger_error": _TEXT,
}  # fmt: skip
_TRIGGER_TYPE: Types = {
    **_COMMON, "name": _TEXT, "payload_schema": _MAP, "parameters_schema": _MAP, "tags": _LIST,
}  # fmt: skip
_REF_AND_PARAMETERS: Types = {"ref": _TEXT, "parameters": _MAP, "description": _TEXT}
_TAG: Types = {"name": _TEXT, "value": _TEXT}
_SPAN = (str, int, float)
_BY = (str, list)
_OWN: Mapping[str, Types] = {
    "throttle": {"within": _SPAN, "by": _BY, "mode": _TEXT, "count": (int,)},
    "correlate": {"all": _LIST, "any": _LIST, "sequence": _LIST, "within": _SPAN, "by": _BY},
    "absent": {"within": _SPAN},
}
_CORRELATIONS = ("all", "any", "sequence")
_ENTRY: Types = {"trigger": _MAP, "criteria": _MAP, "by": _BY}
_ENTRY_TRIGGER: Types = {"type": _TEXT, "parameters": _MAP}


def make_rule(body: Any, rule_id: str = "") -> Rule:
    """Returns the rule that the body of a request describes. Attributes that the server sets are ignored: `id`, `ref`,
    `uid`, `trigger_error`, and the ref of the trigger. Raises `MetadataError`."""
    data = _plain(body, "name, trigger and action")
    check_words(data, _RULE)
    for key, required in (("trigger", "type"), ("name", ""), ("action", "ref")):
        _check_required(data, key)
        if required:
            _check_required(data[key], required, key)
    pack, name = _pack_of(data), _name(data)
    trigger, action = data["trigger"], data["action"]
    check_words(action, _REF_AND_PARAMETERS, "action")
    criteria = data.get("criteria") or {}
    check_criteria(criteria, "criteria")
    _check_own_keys(data)
    parameters = _parameters(trigger, "trigger")
    type_ref = _type_ref(trigger["type"])
    return Rule(
        tags=_tags(data),
        uid=f"rule:{pack}:{name}",
        name=name,
        ref=f"{pack}.{name}",
        description=data.get("description"),
        pack=pack,
        type=_kind(data.get("type")),
        trigger=RuleTrigger(type=type_ref, parameters=parameters, ref="" if parameters else type_ref),
        criteria=criteria,
        action=RuleAction(ref=action["ref"], parameters=_parameters(action, "action")),
        context=data.get("context") or {},
        enabled=bool(data.get("enabled")),
        throttle=data.get("throttle"),
        correlate=data.get("correlate"),
        absent=data.get("absent"),
        hold=data.get("hold"),
        id=rule_id,
    )


def read_rule(data: Any, pack: str, metadata_file: str) -> Rule:
    """Returns the rule in a file of a pack. Unknown words within `action`, `type` and `tags` are ignored: lint warns
    of them. Raises `MetadataError`."""
    plain = _plain(data, "name, trigger and action")
    check_pack_field(plain, pack)
    for key, words in (("action", _REF_AND_PARAMETERS), ("type", _REF_AND_PARAMETERS)):
        if isinstance(plain.get(key), dict):
            plain[key] = {word: value for word, value in plain[key].items() if word in words}
    if isinstance(plain.get("tags"), list):
        tags = [tag for tag in plain["tags"] if isinstance(tag, dict)]
        plain["tags"] = [{word: value for word, value in tag.items() if word in _TAG} for tag in tags]
    rule = make_rule({**plain, "pack": pack})
    return msgspec.structs.replace(rule, metadata_file=metadata_file)


def make_trigger_type(body: Any, type_id: str = "") -> TriggerType:
    """Returns the trigger type that the body of a request describes. Raises `MetadataError`."""
    data = _plain(body, "name and pack")
    check_words(data, _TRIGGER_TYPE)
    for key in ("name", "pack"):
        _check_required(data, key)
    pack, name = _pack_of(data), _name(data)
    schemas = {key: data.get(key) or {} for key in ("payload_schema", "parameters_schema")}
    for key, schema in schemas.items():
        check_references(schema, key)
        try:
            parameter_validator(schema)
        except SchemaError as error:
            raise MetadataError(f"the schema is wrong: {error}", key) from None
    return TriggerType(
        description=data.get("description"),
        tags=_tags(data),
        uid=f"trigger_type:{pack}:{name}",
        ref=f"{pack}.{name}",
        name=name,
        pack=pack,
        payload_schema=schemas["payload_schema"],
        parameters_schema=schemas["parameters_schema"],
        id=type_id,
    )


def read_trigger_type(data: Any, pack: str, metadata_file: str | None = None) -> TriggerType:
    """Returns the trigger type in a file of a pack, or in the list `trigger_types` of a sensor, which has no file of
    its own. Unknown words are ignored: lint warns of them. Raises `MetadataError`."""
    plain = _plain(data, "name")
    check_pack_field(plain, pack)
    known = {word: value for word, value in plain.items() if word in _TRIGGER_TYPE}
    return msgspec.structs.replace(make_trigger_type({**known, "pack": pack}), metadata_file=metadata_file)


def check_parameters(trigger_type: TriggerType, parameters: Mapping[str, Any]) -> None:
    """Raises `MetadataError` if the parameters of a trigger do not fit its type."""
    _check_fit(trigger_type.parameters_schema, dict(parameters), "trigger", "parameters")


def check_payload(trigger_type: TriggerType, payload: Any) -> None:
    """Raises `MetadataError` if the payload of an event does not fit its type. Optional parts may be null."""
    _check_fit(trigger_type.payload_schema, payload, "payload")


def _check_fit(schema: Mapping[str, Any], value: Any, *keys: str) -> None:
    if not schema:
        return
    try:
        validator = parameter_validator(schema)
        if validator.is_valid(value):
            return
        value = without_nulls(value, place_of(schema))
        if validator.is_valid(value):
            return
    except SchemaError as error:
        raise MetadataError(f"the schema of the trigger type is wrong: {error}", *keys) from None
    except ValueError as error:
        raise MetadataError(f"the value is not JSON: {error}", *keys) from None
    raise MetadataError(wording(draft4(schema), value), *keys)


def _plain(data: Any, required: str) -> dict[str, Any]:
    """Returns a document as JSON holds it, in a new object."""
    if not isinstance(data, dict):
        raise MetadataError(f"expected a mapping with {required}")
    plain: dict[str, Any] = {}
    for key, value in data.items():
        try:
            plain[str(key)] = json_value(value)
        except (NotJsonError, LimitExceededError, RecursionError) as error:
            raise MetadataError(f"the value is not possible in JSON: {error}", str(key)) from None
    return plain


def _check_required(data: Mapping[str, Any], key: str, *keys: str) -> None:
    if data.get(key) in (None, ""):
        raise MetadataError(f"'{key}' is a required property", *keys)
    if key in ("type", "ref", "name", "pack"):
        check_type(data[key], _TEXT, *keys, key)


def _name(data: Mapping[str, Any]) -> str:
    name = str(data["name"])
    if len(name) > LONGEST_NAME or not name.isprintable():
        raise MetadataError(f"a name has at most {LONGEST_NAME} characters, and no control characters", "name")
    return name


def _pack_of(data: Mapping[str, Any]) -> str:
    pack = data.get("pack") or DEFAULT_PACK
    if not is_pack_name(pack):
        raise MetadataError(f'{pack!r:.80} may only hold lower case letters, digits and "_"', "pack")
    return str(pack)


def _type_ref(text: str, *keys: str) -> str:
    pack, _, name = text.partition(".")
    if not is_pack_name(pack) or not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise MetadataError(
            f"{text!r:.80} is no reference to a trigger type; write pack.name, such as core.st2.webhook",
            *(keys or ("trigger", "type")),
        )
    return text


def _parameters(data: Mapping[str, Any], key: str) -> dict[str, Any]:
    parameters = data.get("parameters")
    if parameters is None:
        return {}
    check_type(parameters, _MAP, key, "parameters")
    return dict(parameters)


def _tags(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    tags = data.get("tags") or []
    for at, tag in enumerate(tags):
        check_type(tag, _MAP, "tags", str(at))
        check_words(tag, _TAG, "tags", str(at))
    return list(tags)


def _kind(kind: Mapping[str, Any] | None) -> RuleKind:
    if kind is None:
        return RuleKind()
    check_words(kind, _REF_AND_PARAMETERS, "type")
    _check_required(kind, "ref", "type")
    if kind["ref"] not in RULE_TYPES:
        similar = similar_word(kind["ref"], RULE_TYPES)
        advice = f'; did you mean "{similar}"?' if similar else ""
        raise MetadataError(f"{kind['ref']!r:.60} is none of {', '.join(RULE_TYPES)}{advice}", "type", "ref")
    return RuleKind(ref=kind["ref"], parameters=_parameters(kind, "type"))


def _check_own_keys(data: Mapping[str, Any]) -> None:
    """Checks `throttle`, `correlate`, `absent`, and which of them a rule may have together."""
    for key in _OWN:
        if data.get(key) is not None:
            _check_own(key, data[key])
    for key in ("throttle", "correlate"):
        if data.get("absent") is not None and data.get(key) is not None:
            raise MetadataError(f'a rule with "absent" fires when no event comes, so it cannot have "{key}"', key)
    is_backstop = (data.get("type") or {}).get("ref") == BACKSTOP
    for key in ("correlate", "absent"):
        if is_backstop and data.get(key) is not None:
            raise MetadataError(f'a backstop rule cannot have "{key}"', key)


def _check_own(key: str, value: Mapping[str, Any]) -> None:
    check_words(value, _OWN[key], key)
    _check_required(value, "within", key)
    _check_span(value["within"], key, "within")
    paths = _check_by(value, key)
    if key == "throttle":
        _check_mode(value)
    if key == "correlate":
        lists = [word for word in _CORRELATIONS if value.get(word) is not None]
        if len(lists) != 1 or not value[lists[0]]:
            raise MetadataError(f"needs exactly one of {', '.join(_CORRELATIONS)}: a list of events", key)
        entries = value[lists[0]]
        if len(entries) > MOST_ENTRIES:
            raise MetadataError(f"at most {MOST_ENTRIES} further events, not {len(entries)}", key, lists[0])
        for at, entry in enumerate(entries):
            _check_entry(entry, paths, key, lists[0], str(at))


def _check_by(value: Mapping[str, Any], *keys: str) -> int:
    """Checks the paths in `by`. Returns their number."""
    by = value.get("by")
    paths = by if isinstance(by, list) else [] if by is None else [by]
    if len(paths) > MOST_GROUP_PATHS:
        raise MetadataError(f"at most {MOST_GROUP_PATHS} paths, not {len(paths)}", *keys, "by")
    for path in paths:
        check_type(path, _TEXT, *keys, "by")
        try:
            parse_path(path)
        except PathError as error:
            raise MetadataError(f"the path {path!r:.60} is wrong: {error}", *keys, "by") from None
    return len(paths)


def _check_mode(throttle: Mapping[str, Any]) -> None:
    mode, count = throttle.get("mode") or "first", throttle.get("count")
    if mode not in THROTTLE_MODES:
        raise MetadataError(f"{mode!r:.60} is none of {', '.join(THROTTLE_MODES)}", "throttle", "mode")
    if mode != "count" and count is not None:
        raise MetadataError('only the mode "count" has a count', "throttle", "count")
    if mode == "count" and (count is None or not 2 <= count <= MOST_COUNT):
        raise MetadataError(
            f"the number of events that fires the rule must be from 2 to {MOST_COUNT}, not {count}", "throttle", "count"
        )


def _check_entry(entry: Any, paths: int, *keys: str) -> None:
    """Checks a further event of a correlation, whose rule has so many `paths` in `by`. A text is a trigger type."""
    check_type(entry, (str, dict), *keys)
    if isinstance(entry, str):
        _type_ref(entry, *keys)
        return
    check_words(entry, _ENTRY, *keys)
    _check_required(entry, "trigger", *keys)
    trigger = entry["trigger"]
    check_words(trigger, _ENTRY_TRIGGER, *keys, "trigger")
    _check_required(trigger, "type", *keys, "trigger")
    _type_ref(trigger["type"], *keys, "trigger", "type")
    if any(is_template(text) for text in _texts(trigger.get("parameters") or {})):
        raise MetadataError("the parameters of a further event cannot be templates", *keys, "trigger", "parameters")
    check_criteria(entry.get("criteria") or {}, *keys, "criteria")
    own = _check_by(entry, *keys)
    if own and own != paths:
        raise MetadataError(f"needs as many paths as the correlation: {paths}, not {own}", *keys, "by")


def _texts(value: Any) -> list[str]:
    """Returns the texts within a document that JSON can hold."""
    texts, waiting = [], [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, dict):
            waiting += [*part, *part.values()]
        elif isinstance(part, list):
            waiting += part
    return texts


def _check_span(value: Any, *keys: str) -> None:
    """Checks a span of time: a number of seconds, or a text such as `5m`."""
    if isinstance(value, str):
        try:
            is_span = moment(value, ".".join(keys), 0) < 0
        except InvalidError:
            is_span = False
    else:
        is_span = 0 < value <= 100 * 366 * 86_400
    if not is_span:
        raise MetadataError(f"{value!r:.60} is no span of time; write seconds, or a text such as 5m or 1h30m", *keys)
