"""The parser of aliases: the parameters that a line of a chat gives, by a format. Standard library only, Python 3.8.

A format is a regular expression in which `{{ name }}` stands for a parameter, and `{{ name = default }}` for one that
may be left out with the space before it. Pairs `name=value` at the end of a line are further parameters.
"""

from __future__ import annotations

import re

try:
    from re import _constants as _codes
    from re import _parser
except ImportError:  # before Python 3.11
    import sre_constants as _codes
    import sre_parse as _parser

__all__ = ["extract", "extract_all"]

_DEFAULT = r"\"\"|''|\"(?P<double>.+?)\"|'(?P<single>.+?)'|(?P<braces>{.+?})|(?P<words>.+?)"
_PARAMETER = re.compile(r"(?P<space>\s*){{\s*(?P<name>\S+?)\s*(?P<optional>=\s*(?:%s)\s*)?}}" % _DEFAULT, re.DOTALL)
_VALUE = r"\"\"|''|\".+?\"|'.+?'|{.+?}|\S+"
_ENDING = re.compile(r"(?:(?:^|\s+)\s*\S+?\s*=(?:%s)\s*)+$" % _VALUE, re.DOTALL)
_PAIR = re.compile(r"(?:^|\s+)\s*(?P<name>\S+?)\s*=(?P<value>%s)" % _VALUE, re.DOTALL)


def extract(format_string, command):
    """The parameters in a command as texts by their names, or None if the format does not fit it.

    Raises `re.error` for a format that is no regular expression.
    """
    found = extract_all(format_string, command, once=True)
    return found[0] if found else None


def extract_all(format_string, command, once=False):
    """The parameters of each match of the format in a command, as for aliases with `match_multiple`, or `once`."""
    line, more = _without_pairs(command)
    pattern, defaults = _pattern(format_string)
    regex = re.compile(pattern, re.DOTALL)
    first = regex.match(line)
    matches = ([first] if first else []) if once else regex.finditer(line)
    results = []
    for match in matches:
        values = {name: value or defaults.get(name) for name, value in match.groupdict().items()}
        results.append(dict(values, **more))
    return results


def _without_pairs(command):
    """The command without the pairs at its end, with a space on both sides, and those pairs."""
    ending = _ENDING.search(command)
    if ending is None:
        return " %s " % command, {}
    pairs = {pair.group("name"): _unquoted(pair.group("value")) for pair in _PAIR.finditer(ending.group())}
    return " %s " % command[: ending.start()], pairs


def _unquoted(text):
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def _pattern(format_string):
    """A format as a regular expression, and the defaults of the parameters that have one."""
    defaults = {}
    parts = []
    at = 0
    for found in _PARAMETER.finditer(format_string):
        parts.append(format_string[at : found.start()])
        at = found.end()
        name = found.group("name")
        # What is in quotes, in braces, or up to what the format says next.
        inner = r"(?<=').+?(?=')|(?<=\").+?(?=\")|{.+?}|.+?"
        value = r"%s[\"']?(?P<%s>%s)[\"']?" % (found.group("space") and r"\s+", name, inner)
        if found.group("optional") is None:
            parts.append(value)
            continue
        given = [found.group(kind) for kind in ("double", "single", "braces", "words")]
        defaults[name] = next((text for text in given if text), "")
        parts.append("(?:%s)?" % value)
    pattern = "".join([*parts, format_string[at:]])
    tokens = _parser.parse(pattern, re.DOTALL)
    start = "" if _anchored(tokens, (_codes.AT_BEGINNING, _codes.AT_BEGINNING_STRING), 0) else r"^\s*"
    end = "" if _anchored(tokens, (_codes.AT_END, _codes.AT_END_STRING), -1) else r"\s*$"
    return start + pattern + end, defaults


def _anchored(tokens, anchors, at):
    """Whether a parsed expression begins (`at` 0) or ends (-1) with an anchor, itself or in one of its branches."""
    if not len(tokens):
        return False
    code, about = tokens[at]
    if code is _codes.AT:
        return about in anchors
    if code is _codes.SUBPATTERN:
        return _anchored(about[-1], anchors, at)
    if code is _codes.BRANCH:
        return any(_anchored(branch, anchors, at) for branch in about[1])
    return False
