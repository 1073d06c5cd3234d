"""Whether there are colours."""

from __future__ import annotations

import pytest

from squall.cli.terminal.colour import coloured


@pytest.mark.parametrize(
    ("choice", "environ", "terminal", "expected"),
    [
        (None, {}, True, True),
        (None, {}, False, False),
        ("auto", {"TERM": "xterm"}, True, True),
        ("auto", {"TERM": "dumb"}, True, False),
        ("auto", {"NO_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": ""}, True, True),
        ("never", {}, True, False),
        ("always", {"NO_COLOR": "1", "TERM": "dumb"}, False, True),
    ],
)
def test_the_option_decides_before_the_environment_and_the_terminal(
    choice: str | None, environ: dict[str, str], terminal: bool, expected: bool
) -> None:
    assert coloured(choice, environ, terminal) is expected
