"""The options that may stand anywhere in a line."""

from __future__ import annotations

import pytest

from squall.cli.terminal.globals import Globals, split_globals
from squall.core.errors import InvalidError


@pytest.mark.parametrize(
    "line",
    [
        "--url U --data-dir D --debug execution list -n 5",
        "execution --url=U list --data-dir D -n 5 --debug",
        "execution list --debug -n 5 --data-dir=D --url U",
    ],
)
def test_global_options_are_taken_out_of_any_place(line: str) -> None:
    assert split_globals(line.split()) == (Globals("U", "D", None, True), ["execution", "list", "-n", "5"])


def test_words_behind_two_dashes_belong_to_the_action() -> None:
    options, words = split_globals(["run", "core.local", "--url", "U", "--", "x", "--url", "V", "--", "--debug"])
    assert options == Globals("U")
    assert words == ["run", "core.local", "--", "x", "--url", "V", "--", "--debug"]


@pytest.mark.parametrize("line", [["--url"], ["--url", "--", "x"], ["--data-dir", ""], ["--url="], ["--color", "red"]])
def test_an_option_without_a_sound_value_is_refused(line: list[str]) -> None:
    with pytest.raises(InvalidError, match="argument --"):
        split_globals(line)
