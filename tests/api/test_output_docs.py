"""The commands of docs/output.md do what they say, on a real server."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from tests.scenarios.live.server import SQUALL, Server

PAGE = Path(__file__).parents[2] / "docs" / "output.md"
COMMANDS = [
    line.partition("  #")[0].strip()
    for block in re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)
    for line in block.splitlines()
]


@pytest.fixture(scope="module")
def execution(plain_server: Server) -> str:
    found = plain_server.shell("echo line one; echo line two; echo line three; sleep 0.05; echo error >&2")
    plain_server.ended(found)
    return found


def test_the_page_has_commands() -> None:
    assert len(COMMANDS) > 15


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_page_works(plain_server: Server, execution: str, tmp_path: Path, command: str) -> None:
    words = " ".join(SQUALL)
    script = f'set -e; squall() {{ {words} "$@"; }}\n' + command.replace("curl ", "curl -sSf ", 1)
    env = {**plain_server.command_env(), "ID": execution, "API": plain_server.url}
    ran = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=env, capture_output=True, timeout=60, check=False)
    assert (ran.returncode, ran.stderr in (b"", b"error\n")) == (0, True), ran
    files = list(tmp_path.iterdir())
    shown = files[0].read_bytes() if files else ran.stdout
    if "--raw" in command:
        assert shown.startswith(b"line one\nline two\nline three\n")
    elif "/rows" in command:
        assert b'"total":' in shown
    elif "from" in command:
        assert shown == b"line two\nline three\n"
    elif "Range" in command:
        assert shown == b"line one\nl"
    elif "verify" not in command:
        assert b"line" in shown or b'"count"' in shown
