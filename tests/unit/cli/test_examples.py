from __future__ import annotations

import shlex
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest

from squall.cli.catalog import COMMANDS, command_of, first_words, group_of
from squall.cli.examples import OF_GROUPS, OVERVIEW
from squall.cli.terminal.parser import Parser

GROUPS = sorted(word for word in first_words() if group_of(word) and word not in {each.name for each in COMMANDS})
EXAMPLES = [*OVERVIEW, *(line for lines in OF_GROUPS.values() for line in lines)]


def test_every_group_has_examples_and_nothing_else_has() -> None:
    assert sorted(OF_GROUPS) == GROUPS


@pytest.mark.parametrize("group", GROUPS)
def test_the_help_of_a_group_shows_examples_of_its_own_commands_only(run: Callable[..., Any], group: str) -> None:
    for words in ([group, "--help"], ["help", group]):
        _, heading, text = run(*words).out.decode().partition("\nexamples:\n")
        assert heading
        names = {command.name for command in group_of(group)}
        for line in text.splitlines():
            command = command_of(shlex.split(line)[1:])
            assert command is not None
            assert command[0].name in names


def test_the_help_of_squall_shows_its_own_examples(run: Callable[..., Any]) -> None:
    shown = run("--help").out.decode().partition("\nexamples:\n")[2]
    assert shown.split("\n") == [*(f"  {line}" for line in OVERVIEW), ""]


@pytest.mark.parametrize("line", EXAMPLES)
def test_every_example_is_a_command_that_is_understood(line: str) -> None:
    program, *words = shlex.split(line)
    match = command_of(words)
    assert program == "squall"
    assert match is not None
    command, rest = match
    if command.module is None or "--" in rest or "--help" in rest:
        return
    parser = Parser(prog="squall", allow_abbrev=False)
    import_module(f"squall.cli.{command.module}").VERBS[command.name].configure(parser)
    parser.parse_intermixed_args(rest)
