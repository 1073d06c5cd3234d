"""The options that every command takes, anywhere in its line: which server is meant, colours, debugging."""

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
        """The options that `squall serve` and others outside the client read themselves, as words of a line."""
        given = (("--url", self.url), ("--data-dir", self.data_dir))
        return [word for name, value in given if value is not None for word in (name, value)]


def split_globals(words: Sequence[str]) -> tuple[Globals, list[str]]:
    """Takes the global options out of a command line. Returns them and the other words in their order.

    Words behind a lone `--` belong to an action. Raises `InvalidError` for an option without a value or with a value
    that it does not take.
    """
    values: dict[str, str] = {}
    debug = False
    rest: list[str] = []
    waiting = list(reversed(words))
    while waiting:
        word = waiting.pop()
        if word == "--":
            rest += ["--", *reversed(waiting)]
            break
        name, equals, value = word.partition("=")
        if word == "--debug":
            debug = True
        elif name in _WITH_VALUE:
            if not equals and (not waiting or waiting[-1] == "--"):
                raise InvalidError(f"argument {name}: expected one argument")
            values[_WITH_VALUE[name]] = _checked(name, value if equals else waiting.pop())
        else:
            rest.append(word)
    return Globals(values.get("url"), values.get("data_dir"), values.get("color"), debug), rest


def _checked(name: str, value: str) -> str:
    if not value.strip():
        raise InvalidError(f"argument {name}: an empty value was given; is a variable not set?")
    if name == "--color" and value not in CHOICES:
        raise InvalidError(f"argument --color: {value!r} is not one of {', '.join(CHOICES)}")
    return value


def describe_globals(parser: ArgumentParser) -> None:
    """Lists the global options in the help of a parser. `split_globals` has read them before it parses."""
    group = parser.add_argument_group("options of every command, anywhere in the line")
    group.add_argument("--url", default=SUPPRESS, help="the server's address (default: found by the data directory)")
    group.add_argument("--data-dir", default=SUPPRESS, metavar="DIR", help="the server's data (default: ~/.squall)")
    group.add_argument("--color", default=SUPPRESS, choices=CHOICES, help="colours (default: auto, at a terminal)")
    group.add_argument("--debug", action="store_true", default=SUPPRESS, help="show requests and tracebacks")
