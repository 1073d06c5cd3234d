"""The parser of every command's words: it refuses empty names, and prints errors on one line."""

from __future__ import annotations

from argparse import Action, ArgumentError, ArgumentParser
from typing import Any, NoReturn

from squall.cli.terminal import exits
from squall.client.closest import closest

_MAY_BE_EMPTY = frozenset({"value", "words", "query", "grep", "prefix"})
"""The arguments that are texts, not names: an empty text is valid for them."""


class Parser(ArgumentParser):
    """A parser that refuses empty names. In a script with an unset variable, an empty name would select the whole list
    instead."""

    def _get_value(self, action: Action, arg_string: str) -> Any:
        if not arg_string.strip() and action.choices is None and action.dest not in _MAY_BE_EMPTY:
            name = action.option_strings[-1] if action.option_strings else f"the {action.metavar or action.dest}"
            raise ArgumentError(None, f"{name} is missing: an empty text was given. Is a variable not set?")
        return super()._get_value(action, arg_string)

    def error(self, message: str) -> NoReturn:
        """Prints the error on one line, with the command for the help. Raises `SystemExit`."""
        self.exit(exits.ERROR, f"{self.prog}: error: {message}{self._suggestion(message)} (see {self.prog} --help)\n")

    def _suggestion(self, message: str) -> str:
        """Returns the option that is closest to an unknown one, as the end of a sentence."""
        fault, _, words = message.partition(": ")
        if fault != "unrecognized arguments" or not words.startswith("--"):
            return ""
        word = words.split()[0].partition("=")[0]
        meant = closest(word, (option for option in self._option_string_actions if option.startswith("--")))
        return f"; did you mean {meant}?" if meant else ""
