"""The options that every command takes, anywhere in its line: the server, colours, debugging."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser
from collections.abc import Sequence
from typing import NamedTuple

from squall.cli.terminal.colour import CHOICES
from squall.core.errors import InvalidError

_WITH_VALUE = {"--url": "url", "--data-dir": "data_dir", "--color": "color"}


class Globals(NamedTuple):
    """The values of the options that every command takes; None or False if an option was not given."""

    url: str | None = None
    data_dir: str | None = None
    color: str | None = None
    debug: bool = False

    def words(self) -> list[str]:
        """Returns the options, as words of a line, that commands outside the client (such as `squall serve`) parse
        themselves."""
        options = (("--url", self.url), ("--data-dir", self.data_dir))
        return [word for name, value in options if value is not None for word in (name, value)]


def split_globals(words: Sequence[str]) -> tuple[Globals, list[str]]:
    """Removes the global options from a command line. Returns them and the other words in their order.

    Words after a lone `--` belong to an action. Raises `InvalidError` for an option without a value or with an invalid
    value.
    """
    values: dict[str, str] = {}
    debug = False
    others: list[str] = []
    remaining = list(reversed(words))
    while remaining:
        word = remaining.pop()
        if word == "--":
            others += ["--", *reversed(remaining)]
            break
        name, equals, value = word.partition("=")
        if word == "--debug":
            debug = True
        elif name in _WITH_VALUE:
            if not equals and (not remaining or remaining[-1] == "--"):
                raise InvalidError(f"argument {name}: expected one argument")
            values[_WITH_VALUE[name]] = _checked(name, value if equals else remaining.pop())
        else:
            others.append(word)
    return Globals(values.get("url"), values.get("data_dir"), values.get("color"), debug), others


def _checked(name: str, value: str) -> str:
    if not value.strip():
        raise InvalidError(f"argument {name}: an empty value was given. Is a variable not set?")
    if name == "--color" and value not in CHOICES:
        raise InvalidError(f"argument --color: {value!r} is not one of {', '.join(CHOICES)}")
    return value


def describe_globals(parser: ArgumentParser) -> None:
    """Lists the global options in the help of a parser. `split_globals` reads them before the parser runs."""
    group = parser.add_argument_group("options of every command, anywhere in the line")
    group.add_argument("--url", default=SUPPRESS, help="the server's address (default: from the data directory)")
    group.add_argument("--data-dir", default=SUPPRESS, metavar="DIR", help="data directory (default: ~/.squall)")
    group.add_argument("--color", default=SUPPRESS, choices=CHOICES, help="colours (default: auto, at a terminal)")
    group.add_argument("--debug", action="store_true", default=SUPPRESS, help="show requests and tracebacks")
