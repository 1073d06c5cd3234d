"""Shapes of schemas that mark a part of a value secret, each with a value and with the value as it is shown."""

from __future__ import annotations

from typing import Any, NamedTuple

HIDDEN = "hidden-part"
MASK = "********"
_SECRET = {"type": "string", "secret": True}
_TEXT = {"type": "string"}
_LOGIN = {"type": "object", "properties": {"word": _SECRET}}
_TREE = {"type": "object", "properties": {"word": _SECRET, "below": {"$ref": "#/definitions/tree"}}}


class Shape(NamedTuple):
    """A schema, a value of it in which secret parts are `HIDDEN`, and the value as it is shown."""

    schema: dict[str, Any]
    value: Any
    masked: Any


def _object(**keywords: Any) -> dict[str, Any]:
    return {"type": "object", **keywords}


def _array(**keywords: Any) -> dict[str, Any]:
    return {"type": "array", **keywords}


_PAIR = (["open", HIDDEN, HIDDEN], ["open", MASK, MASK])
_WORD = ({"word": HIDDEN, "user": "open"}, {"word": MASK, "user": "open"})
_ALL = ({"word": HIDDEN}, MASK)

SHAPES: dict[str, Shape] = {
    "itself": Shape(_SECRET, HIDDEN, MASK),
    "properties": Shape(_object(properties={"word": _SECRET}), *_WORD),
    "additional properties": Shape(_object(properties={"user": _TEXT}, additionalProperties=_SECRET), *_WORD),
    "pattern properties": Shape(_object(patternProperties={"^wo": _SECRET}), *_WORD),
    "a pattern beside a property": Shape(
        _object(properties={"word": _TEXT}, patternProperties={"^wo": _SECRET}), *_WORD
    ),
    "the second pattern that matches": Shape(_object(patternProperties={"^w": _TEXT, "d$": _SECRET}), *_WORD),
    "what no pattern matches": Shape(
        _object(patternProperties={"^user$": _TEXT}, additionalProperties=_SECRET), *_WORD
    ),
    "a pattern beyond RE2": Shape(_object(patternProperties={"^(?=w)": _SECRET}), {"word": HIDDEN}, {"word": MASK}),
    "what a pattern beyond RE2 leaves": Shape(
        _object(patternProperties={"^(?=u)": _TEXT}, additionalProperties=_SECRET), {"word": HIDDEN}, {"word": MASK}
    ),
    "a class of letters": Shape(_object(patternProperties={r"^\w+$": _SECRET}), {"слово": HIDDEN}, {"слово": MASK}),
    "items": Shape(_array(items=_SECRET), [HIDDEN, HIDDEN], [MASK, MASK]),
    "items one by one": Shape(_array(items=[_TEXT, _SECRET, _SECRET]), *_PAIR),
    "additional items": Shape(_array(items=[_TEXT], additionalItems=_SECRET), *_PAIR),
    "additional items alone": Shape(_array(additionalItems=_SECRET), [HIDDEN], [MASK]),
    "prefix items": Shape(_array(prefixItems=[_TEXT, _SECRET, _SECRET]), *_PAIR),
    "items behind prefix items": Shape(_array(prefixItems=[_TEXT], items=_SECRET), *_PAIR),
    "items in items": Shape(_array(items=_array(items=[_TEXT, _SECRET])), [["open", HIDDEN]], [["open", MASK]]),
    "all of": Shape(_object(allOf=[_object(properties={"user": _TEXT}), _LOGIN]), *_WORD),
    "all of in all of": Shape(_object(allOf=[{"allOf": [_LOGIN]}]), *_WORD),
    "a reference": Shape(
        _object(properties={"login": {"$ref": "#/definitions/login"}}, definitions={"login": _LOGIN}),
        {"login": _WORD[0]},
        {"login": _WORD[1]},
    ),
    "a reference to $defs": Shape(
        _object(properties={"a/b": {"$ref": "#/$defs/a~1b"}}, **{"$defs": {"a/b": _SECRET}}),
        {"a/b": HIDDEN},
        {"a/b": MASK},
    ),
    "a reference to a property": Shape(
        _object(properties={"a": _LOGIN, "b": {"$ref": "#/properties/a"}}), {"b": _WORD[0]}, {"b": _WORD[1]}
    ),
    "a mark beside a reference": Shape(
        _object(properties={"login": {"$ref": "#/definitions/login", "secret": True}}, definitions={"login": _TEXT}),
        {"login": HIDDEN},
        {"login": MASK},
    ),
    "a schema that refers to itself": Shape(
        {**_TREE, "definitions": {"tree": _TREE}},
        {"word": HIDDEN, "below": {"word": HIDDEN, "name": "open"}},
        {"word": MASK, "below": {"word": MASK, "name": "open"}},
    ),
    "any of": Shape(_object(anyOf=[_LOGIN, {"type": "object"}]), *_ALL),
    "any of, below": Shape(
        _object(properties={"login": {"anyOf": [_LOGIN]}, "name": _TEXT}),
        {"login": {"word": HIDDEN}, "name": "open"},
        {"login": MASK, "name": "open"},
    ),
    "a reference in any of": Shape(
        _object(anyOf=[{"$ref": "#/definitions/login"}], definitions={"login": _LOGIN}), *_ALL
    ),
    "one of": Shape({"oneOf": [_TEXT, _LOGIN]}, *_ALL),
    "not": Shape(_object(**{"not": {"required": ["x"], "properties": {"y": _SECRET}}}), *_ALL),
    "dependencies": Shape(_object(dependencies={"user": _LOGIN}), *_ALL),
}
"""What schemas of draft 4 can say, as far as Squall checks values with it."""

NEWER: dict[str, Shape] = {
    "then": Shape(_object(**{"if": {"required": ["word"]}, "then": _LOGIN}), *_ALL),
    "else": Shape(_object(**{"if": {"required": ["user"]}, "else": _LOGIN}), *_ALL),
    "contains": Shape(_array(contains=_SECRET), ["open", HIDDEN], MASK),
    "dependent schemas": Shape(_object(dependentSchemas={"user": _LOGIN}), *_ALL),
    "unevaluated properties": Shape(_object(unevaluatedProperties=_SECRET), *_ALL),
    "a reference to nowhere": Shape({"$ref": "#/definitions/missing"}, *_ALL),
    "a reference to elsewhere": Shape({"$ref": "http://localhost/schema.json"}, *_ALL),
    "a dynamic reference": Shape({"$dynamicRef": "#login"}, *_ALL),
    "an unknown keyword": Shape(_object(fields={"word": _SECRET}), *_ALL),
    "properties in a list": Shape(_object(properties=[_LOGIN]), *_ALL),
}
"""What no check of values knows, or what is refused there; it may stand in schemas all the same."""
