"""The table of StackStorm's functions, by name, which expressions may use besides those of their language."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from itertools import zip_longest
from typing import Any

from squall.core.expr.filters import data, durations, regexes, versions


def basename(path: str) -> str:
    """Returns the last part of a path."""
    return posixpath.basename(path)


def dirname(path: str) -> str:
    """Returns a path without its last part."""
    return posixpath.dirname(path)


def zip_lists(*args: Any, pad: Any = None) -> Any:
    """Zips lists, as Orquesta's `zip()` does: fills the shorter ones up with `pad`; a single list stays as it is."""
    lists = [[] if arg is None else arg for arg in args]
    if len(lists) == 1:
        return lists[0]
    return [list(row) for row in zip_longest(*lists, fillvalue=pad)]


def filters() -> dict[str, Callable[..., Any]]:
    """Returns the pure functions: Jinja has them as filters everywhere, both languages as functions in workflows."""
    jsonpaths = data.JsonPaths()

    def jsonpath_query(value: Any, query: str) -> list[Any] | None:
        return jsonpaths.query(value, query)

    functions = (
        data.from_json_string,
        data.from_yaml_string,
        data.to_json_string,
        data.to_yaml_string,
        data.json_escape,
        data.to_complex,
        data.use_none,
        jsonpath_query,
        regexes.regex_match,
        regexes.regex_search,
        regexes.regex_replace,
        regexes.regex_substring,
        durations.to_human_time_from_seconds,
        versions.version_compare,
        versions.version_more_than,
        versions.version_less_than,
        versions.version_equal,
        versions.version_match,
        versions.version_bump_major,
        versions.version_bump_minor,
        versions.version_bump_patch,
        versions.version_strip_patch,
        basename,
        dirname,
    )
    by_name: dict[str, Callable[..., Any]] = {each.__name__: each for each in functions}
    by_name["json_parse"] = data.from_json_string
    by_name["json_dump"] = data.to_json_string
    by_name["yaml_parse"] = data.from_yaml_string
    by_name["yaml_dump"] = data.to_yaml_string
    return by_name


def workflow_functions() -> dict[str, Callable[..., Any]]:
    """Returns `filters`, and the functions that Orquesta adds in workflows."""
    return filters() | {"json": data.json_value, "zip": zip_lists}
