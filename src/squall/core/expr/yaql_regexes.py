"""YAQL's functions with regular expressions, on an engine whose time is proportional to the text.

Names, parameters and results are those of yaql's own library, which uses Python's engine and cannot be stopped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from yaql.language import specs, yaqltypes  # type: ignore[import-untyped]

from squall.core.expr.bounds.limits import check_length
from squall.core.regex import Regex, compiled

_TYPES: dict[str, Callable[[], Any]] = {
    "context": yaqltypes.Context,
    "regexp": lambda: yaqltypes.PythonType(Regex, False),
    "pattern": yaqltypes.String,
    "string": yaqltypes.String,
    "repl": yaqltypes.String,
    "selector": lambda: yaqltypes.Lambda(with_context=True),
    "value": lambda: yaqltypes.PythonType(object, True),
    "count": yaqltypes.Integer,
    "max_split": yaqltypes.Integer,
    **dict.fromkeys(("ignore_case", "multi_line", "dot_all"), lambda: yaqltypes.PythonType(object, True)),
}


def register_regexes(context: Any) -> None:
    """Adds the functions to a yaql context."""
    functions: dict[str, Callable[..., Any]] = {
        "regex": _regex,
        "escapeRegex": _escape_regex,
        "isRegex": _is_regex,
    }
    for name, function in functions.items():
        _register(context, name, function, is_method=False)
    for negated in (False, True):
        for compare in (_compared(negated), _compared_text(negated)):
            _register(context, "#operator_!~" if negated else "#operator_=~", compare, is_method=False)
    methods: dict[str, tuple[Callable[..., Any], ...]] = {
        "matches": (_matches, _matches_text),
        "search": (_search,),
        "searchAll": (_search_all,),
        "split": (_split, _split_text),
        "replace": (_replace, _replace_text),
    }
    for name, forms in methods.items():
        for form in forms:
            _register(context, name, form)
    for form in (_replace_by, _replace_by_text):
        _register(context, "replaceBy", form, repl=_TYPES["selector"])


def _register(
    context: Any, name: str, function: Callable[..., Any], is_method: bool = True, **types: Callable[[], Any]
) -> None:
    def parameter_type(parameter: str) -> Any:
        return {**_TYPES, **types}[parameter]()

    context.register_function(
        specs.get_function_definition(
            function,
            name=name,
            function=not is_method,
            method=is_method,
            convention=context.convention,
            parameter_type_func=parameter_type,
        )
    )


def _regex(pattern: str, ignore_case: bool = False, multi_line: bool = False, dot_all: bool = False) -> Regex:
    flags = {re.IGNORECASE: ignore_case, re.MULTILINE: multi_line, re.DOTALL: dot_all}
    return compiled(pattern, sum(flag for flag, is_set in flags.items() if is_set))


def _escape_regex(string: str) -> str:
    return re.escape(string)


def _is_regex(value: Any) -> bool:
    return isinstance(value, Regex)


def _compared(negated: bool) -> Callable[[str, Regex], bool]:
    def compare(string: str, regexp: Regex) -> bool:
        return (regexp.search(string) is None) is negated

    return compare


def _compared_text(negated: bool) -> Callable[[str, str], bool]:
    def compare(string: str, pattern: str) -> bool:
        return (compiled(pattern).search(string) is None) is negated

    return compare


def _matches(regexp: Regex, string: str) -> bool:
    return regexp.search(string) is not None


def _matches_text(string: str, pattern: str) -> bool:
    return compiled(pattern).search(string) is not None


def _search(context: Any, regexp: Regex, string: str, selector: Any = None) -> Any:
    match = regexp.search(string)
    return None if match is None else _selected(context, match, selector)


def _search_all(context: Any, regexp: Regex, string: str, selector: Any = None) -> Iterator[Any]:
    return (_selected(context, match, selector) for match in regexp.finditer(string))


def _selected(context: Any, match: Any, selector: Any) -> Any:
    return match.group() if selector is None else selector(_with_groups(context, match))


def _with_groups(context: Any, match: Any) -> Any:
    """Returns a context in which `$` is the match, `$2` and so on are its groups, and named groups have their names."""
    inner = context.create_child_context()
    names = {f"${number + 1}": number for number in range(len(match.groups()) + 1)}
    names |= {f"${name}": number for name, number in match.re.groupindex.items()}
    for name, group in names.items():
        inner[name] = {"value": match.group(group), "start": match.start(group), "end": match.end(group)}
    return inner


def _split(regexp: Regex, string: str, max_split: int = 0) -> list[str | None]:
    return regexp.split(string, max_split)


def _split_text(string: str, regexp: Regex, max_split: int = 0) -> list[str | None]:
    return regexp.split(string, max_split)


def _replace(regexp: Regex, string: str, repl: str, count: int = 0) -> str:
    # Each match can add a copy of the replacement, which can contain the text of the match.
    matches = sum(1 for _ in regexp.finditer(string))
    check_length(len(string) + matches * len(repl) + len(string) * repl.count("\\"))
    return regexp.sub(repl, string, count)


def _replace_text(string: str, regexp: Regex, repl: str, count: int = 0) -> str:
    return _replace(regexp, string, repl, count)


def _replace_by(context: Any, regexp: Regex, string: str, repl: Any, count: int = 0) -> str:
    return regexp.sub(lambda match: repl(_with_groups(context, match)), string, count)


def _replace_by_text(context: Any, string: str, regexp: Regex, repl: Any, count: int = 0) -> str:
    return _replace_by(context, regexp, string, repl, count)
