from __future__ import annotations

from argparse import ArgumentParser
from importlib import import_module

import pytest

from squall.cli.catalog import COMMANDS, Command
from squall.cli.terminal.verb import Verb

OURS = [command for command in COMMANDS if command.module]


@pytest.mark.parametrize("command", OURS, ids=[command.name for command in OURS])
def test_every_listed_command_has_its_verb_and_its_help(command: Command) -> None:
    verb = import_module(f"squall.cli.{command.module}").VERBS[command.name]
    assert isinstance(verb, Verb)
    parser = ArgumentParser(prog=command.name)
    verb.configure(parser)
    assert command.name in parser.format_help()


def test_no_verb_is_left_out_of_the_list() -> None:
    modules = {command.module for command in OURS}
    verbs = {name for module in modules for name in import_module(f"squall.cli.{module}").VERBS}
    assert verbs == {command.name for command in OURS}
