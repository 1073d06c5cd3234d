"""The commands of docs/timers.md do what they say, on a real server."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.scenarios.live.server import SQUALL, Server

from squall.testing.waiting import until

PAGE = Path(__file__).parents[2] / "docs" / "timers.md"
COMMANDS = [
    line.partition("  #")[0].strip()
    for block in re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)
    for line in block.splitlines()
]
ANSWERS = {
    "curl rules": b'"default.hello"',
    "timer list": b"default.hello",
    "timer preview": b"LOCAL TIME",
    "execution list": b"core.local",
    "timer missed": b"REASON",
    "curl missed": b"[",
    "timer pause": b"default.hello is paused until ",
    "timer get": b"the disk is being replaced",
    "timer resume": b"default.hello is resumed; its next fire: ",
    "timer backfill": b"",
}
"""What the output of each command has."""


@pytest.fixture(scope="module")
def hello(plain_server: Server) -> Iterator[None]:
    """The rule of the page's first command, when it has started something."""
    first = run(plain_server, COMMANDS[0])
    assert first.returncode == 0, first
    until(
        lambda: plain_server.get("/v1/ruleenforcements", rule_ref="default.hello"),
        "the rule of the page starts something",
    )
    yield
    assert plain_server.call("DELETE", "/v1/rules/default.hello").status == 204


def run(server: Server, command: str) -> subprocess.CompletedProcess[bytes]:
    words = " ".join(SQUALL)
    script = f'set -e; squall() {{ {words} "$@"; }}\n' + command.replace("curl ", "curl -sSf ", 1)
    env = {**server.command_env(), "API": server.url}
    return subprocess.run(["bash", "-c", script], env=env, capture_output=True, timeout=60, check=False)


def test_the_page_has_commands() -> None:
    assert len(COMMANDS) > 10
    assert all(any(command.startswith(_words(name)) for name in ANSWERS) for command in COMMANDS)


@pytest.mark.usefixtures("hello")
def test_the_commands_of_the_page_work_one_after_the_other(plain_server: Server) -> None:
    for command in COMMANDS[1:]:
        ran = run(plain_server, command)
        assert (ran.returncode, ran.stderr) == (0, b""), ran
        (answer,) = {
            answer
            for name, answer in ANSWERS.items()
            if command.startswith(_words(name)) and name.split()[1] in command
        }
        assert answer in ran.stdout


def _words(name: str) -> str:
    return "curl" if name.startswith("curl") else f"squall {name}"
