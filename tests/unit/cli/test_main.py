from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from squall.cli.main import COMMANDS


def test_the_help_lists_every_command(run: Callable[..., Any]) -> None:
    got = run("--help")
    assert got.status == 0
    listed = got.out.decode()
    assert all(f"\n  {command.name} " in listed for command in COMMANDS)
    assert {"serve", "config show", "demo"} <= {command.name for command in COMMANDS}


def test_nothing_at_all_shows_the_help_as_an_error(run: Callable[..., Any]) -> None:
    got = run()
    assert got.status == 2 and got.out == b"" and b"execution list" in got.err


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["rum"], b"there is no command 'rum'; did you mean 'run'?"),
        (["execution"], b"squall execution takes one of: list, get, cancel, re-run"),
        (["execution", "frob"], b"squall execution takes one of: list, get, cancel, re-run"),
        (["serve"], b"write `squall serve` first, its options behind it"),
        (["config", "show"], b"write `squall config show` first, its options behind it"),
        (["demo", "-x"], b"write `squall demo` first, its options behind it"),
        (["--frob"], b"unrecognized arguments: --frob"),
        (["run"], b"the following arguments are required: action"),
        (["run", "core.local", "-z"], b"unrecognized arguments: -z"),
        (["tail", "--", "-x"], b"unexpected: -x"),
        (["tail", "a", "b"], b"unrecognized arguments: b"),
        (["--url"], b"--url: expected one argument"),
        (["--url", "nonsense", "action", "list"], b"'nonsense' is no address of a server"),
    ],
)
def test_wrong_usage_exits_with_2_and_says_what_is_wrong(
    run: Callable[..., Any], argv: list[str], message: bytes
) -> None:
    got = run(*argv)
    assert got.status == 2 and got.out == b""
    assert message in got.err


def test_a_group_has_its_help(run: Callable[..., Any]) -> None:
    got = run("execution", "--help")
    assert got.status == 0 and b"execution re-run" in got.out and b"runner list" not in got.out


def test_a_command_has_its_help(run: Callable[..., Any]) -> None:
    got = run("run", "--help")
    assert got.status == 0 and b"--timestamps" in got.out and b"--data-dir" in got.out


@pytest.mark.parametrize("behind", [True, False])
def test_global_options_may_stand_before_or_behind_the_command(
    fake: ModuleType, run: Callable[..., Any], behind: bool
) -> None:
    with fake.FakeSquall([]) as server:
        options = ["--url", server.url, "--debug"]
        got = run("action", "list", *options) if behind else run(*options, "action", "list")
    assert got.status == 0
    assert got.err.startswith(b"squall: GET /v1/actions?limit=100&offset=0 -> 200 in ")


def test_an_unexpected_error_is_one_line_and_a_traceback_on_request(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    import squall.cli.terminal.target

    def broken(self: object) -> str:
        raise LookupError("oops")

    monkeypatch.setattr(squall.cli.terminal.target.Target, "find_url", broken)
    got = run("runner", "list")
    assert got == (2, b"", b"squall: unexpected LookupError: oops (--debug shows where)\n")
    with pytest.raises(LookupError):
        run("runner", "list", "--debug")


def test_only_what_a_command_needs_is_imported() -> None:
    code = (
        "import sys; from squall.cli.main import main; main(['--help']); "
        "slow = {'http.client', 'ssl', 'msgspec', 'asyncio', 'threading', 'squall.cli.execution.run', 'email'}; "
        "heavy = slow & {*sys.modules}; "
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_a_listing_into_a_closed_pipe_ends_quietly(fake: ModuleType, spawn: Callable[..., Any]) -> None:
    with fake.FakeSquall([]) as server:
        session = spawn("--url", server.url, "action", "list")
        session.process.stdout.close()
        assert session.process.wait(20) == 141
        assert session.process.stderr.read() == b""
