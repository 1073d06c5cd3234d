"""The parser of every command's words: it refuses empty names, and tells errors in one line."""

from __future__ import annotations

from argparse import Action, ArgumentError, ArgumentParser
from typing import Any, NoReturn

from squall.cli.terminal import exits
from squall.client.closest import closest

_MAY_BE_EMPTY = frozenset({"value", "words", "query", "grep", "prefix"})
"""Arguments that are texts and not names: an empty one has a meaning."""


class Parser(ArgumentParser):
    """Refuses an empty name: a script whose variable is not set would mean the list of all things instead."""

    def _get_value(self, action: Action, arg_string: str) -> Any:
        if not arg_string.strip() and action.choices is None and action.dest not in _MAY_BE_EMPTY:
            name = action.option_strings[-1] if action.option_strings else f"the {action.metavar or action.dest}"
            raise ArgumentError(None, f"{name} is missing: an empty text was given; is a variable not set?")
        return super()._get_value(action, arg_string)

    def error(self, message: str) -> NoReturn:
        """Says in one line what is wrong, and how to get the help. Raises `SystemExit`."""
        self.exit(exits.ERROR, f"{self.prog}: error: {message}{self._meant(message)} (see {self.prog} --help)\n")

    def _meant(self, message: str) -> str:
        """The option that is most like one that does not exist, as the end of a sentence."""
        what, _, words = message.partition(": ")
        if what != "unrecognized arguments" or not words.startswith("--"):
            return ""
        word = words.split()[0].partition("=")[0]
        meant = closest(word, (option for option in self._option_string_actions if option.startswith("--")))
        return f"; did you mean {meant}?" if meant else ""
