"""StackStorm's filters of templates. Standard library only, Python 3.8; those of YAML need PyYAML, and `jsonpath_query`
a library of JSONPath, in the pack's virtualenv."""

from __future__ import annotations

import functools
import importlib
import json
import os
import re

__all__ = ["FILTERS", "NONE_MARKER"]

NONE_MARKER = "%*****__%NONE%__*****%"
_UNITS = ((365 * 86400, "y"), (86400, "d"), (3600, "h"), (60, "m"), (1, "s"))
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+([0-9A-Za-z.-]+))?")
_CONDITION = re.compile(r"(>=|<=|==|!=|>|<)?\s*(.+)")


def from_json_string(value):
    """The value written as JSON in a text."""
    return json.loads(str(value))


def from_yaml_string(value):
    """The value written as YAML in a text."""
    import yaml

    return yaml.safe_load(str(value))


def to_json_string(value, indent=None, sort_keys=False, separators=(",", ": ")):
    """The value as JSON text."""
    options = {"indent": indent, "sort_keys": sort_keys}
    if separators is not None:
        options["separators"] = tuple(separators)
    return json.dumps(value, **options)


def to_yaml_string(value, indent=None, allow_unicode=True):
    """The value as YAML text, in blocks."""
    import yaml

    options = {"default_flow_style": False, "allow_unicode": allow_unicode}
    if indent is not None:
        options["indent"] = indent
    return yaml.safe_dump(value, **options)


def json_escape(value):
    """A text as it stands inside of a JSON string."""
    return json.dumps(value).strip('"')


def to_complex(value):
    """The value as JSON, which is how a value keeps its type through a text."""
    return json.dumps(value)


def use_none(value):
    """`NONE_MARKER` for nothing, else the value."""
    return NONE_MARKER if value is None else value


def jsonpath_query(value, query):
    """What a JSONPath query finds in a value; None when that is nothing."""
    try:
        library = importlib.import_module("jsonpath_rw")
    except ImportError:
        library = importlib.import_module("jsonpath_ng")
    return [match.value for match in library.parse(query).find(value)] or None


def decrypt_kv(value):
    """Only the server has the key of the datastore. Raises `ValueError`."""
    raise ValueError("decrypt_kv: only templates that the server renders can decrypt a key")


def _regex(pattern, ignorecase):
    return re.compile(pattern, re.IGNORECASE if ignorecase else 0)


def regex_match(value, pattern, ignorecase=False):
    """Whether the text begins with what the pattern matches."""
    return bool(_regex(pattern, ignorecase).match(value))


def regex_search(value, pattern, ignorecase=False):
    """Whether the pattern matches anywhere in the text."""
    return bool(_regex(pattern, ignorecase).search(value))


def regex_replace(value="", pattern="", replacement_str="", ignorecase=False):
    """The text with every match replaced."""
    return _regex(pattern, ignorecase).sub(replacement_str, value)


def regex_substring(value, pattern, result_index=0, ignorecase=False):
    """The match of that number. Raises `IndexError` if there are fewer."""
    return _regex(pattern, ignorecase).findall(value)[result_index]


def to_human_time_from_seconds(seconds):
    """`0s`, `56s`, `1m2s`, `1h3m5s`, `1d0h0m1s`, `2y…`: the first unit that is not zero and all below it. Less than a
    second is told as it is given, with `μs` behind it. Raises `TypeError`, `ValueError` below zero."""
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise TypeError("%r is not a number of seconds" % (seconds,))
    if seconds < 0:
        raise ValueError("%r seconds are less than none" % (seconds,))
    if 0 < seconds < 1:
        return "%sμs" % seconds
    rest = round(seconds)
    text = ""
    for size, unit in _UNITS:
        amount, rest = divmod(rest, size)
        if amount or text:
            text += "%d%s" % (amount, unit)
    return text or "0s"


def _parsed(version):
    """(major, minor, patch), pre-release. Raises `ValueError` for what is no version."""
    found = _VERSION.fullmatch(str(version))
    if found is None:
        raise ValueError("%s is not valid SemVer string" % version)
    return tuple(int(part) for part in found.groups()[:3]), found.group(4)


def _compare_parts(one, other):
    """How two pre-releases stand to each other: numbers before texts, none after all."""
    if one == other:
        return 0
    if one is None or other is None:
        return 1 if one is None else -1
    keys = [
        [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in text.split(".")] for text in (one, other)
    ]
    return (keys[0] > keys[1]) - (keys[0] < keys[1])


def version_compare(value, pattern):
    """-1, 0 or 1: how the first version stands to the second."""
    (one, one_pre), (other, other_pre) = _parsed(value), _parsed(pattern)
    return (one > other) - (one < other) or _compare_parts(one_pre, other_pre)


def version_more_than(value, pattern):
    """Whether the first version is later."""
    return version_compare(value, pattern) == 1


def version_less_than(value, pattern):
    """Whether the first version is earlier."""
    return version_compare(value, pattern) == -1


def version_equal(value, pattern):
    """Whether both are the same version."""
    return version_compare(value, pattern) == 0


def version_match(value, pattern):
    """Whether the version fulfils a condition such as `>=1.2.0`."""
    sign, version = _CONDITION.fullmatch(pattern.strip()).groups()
    order = version_compare(value, version)
    return {">=": order >= 0, "<=": order <= 0, "!=": order != 0, ">": order > 0, "<": order < 0}.get(sign, order == 0)


def _bumped(part, value):
    numbers = list(_parsed(value)[0])
    numbers[part:] = [numbers[part] + 1] + [0] * (2 - part)
    return ".".join(str(number) for number in numbers)


def version_strip_patch(value):
    """`1.2` of `1.2.3`."""
    return "%d.%d" % _parsed(value)[0][:2]


FILTERS = {
    "basename": os.path.basename,
    "decrypt_kv": decrypt_kv,
    "dirname": os.path.dirname,
    "from_json_string": from_json_string,
    "from_yaml_string": from_yaml_string,
    "json_dump": to_json_string,
    "json_escape": json_escape,
    "json_parse": from_json_string,
    "jsonpath_query": jsonpath_query,
    "regex_match": regex_match,
    "regex_replace": regex_replace,
    "regex_search": regex_search,
    "regex_substring": regex_substring,
    "to_complex": to_complex,
    "to_human_time_from_seconds": to_human_time_from_seconds,
    "to_json_string": to_json_string,
    "to_yaml_string": to_yaml_string,
    "use_none": use_none,
    "version_bump_major": functools.partial(_bumped, 0),
    "version_bump_minor": functools.partial(_bumped, 1),
    "version_bump_patch": functools.partial(_bumped, 2),
    "version_compare": version_compare,
    "version_equal": version_equal,
    "version_less_than": version_less_than,
    "version_match": version_match,
    "version_more_than": version_more_than,
    "version_strip_patch": version_strip_patch,
    "yaml_dump": to_yaml_string,
    "yaml_parse": from_yaml_string,
}
"""Every filter by its name in templates."""
