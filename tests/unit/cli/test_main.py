from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from squall.cli.catalog import COMMANDS


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
        (["rum"], b"command 'rum' does not exist; did you mean 'run'?"),
        (["execution"], b"squall execution needs one of these commands: list, get, cancel, re-run"),
        (["execution", "frob"], b"squall execution needs one of these commands: list, get, cancel, re-run"),
        (["serve"], b"write `squall serve` first and its options after it"),
        (["config", "show"], b"write `squall config show` first and its options after it"),
        (["demo", "-x"], b"write `squall demo` first and its options after it"),
        (["--frob"], b"unrecognized arguments: --frob"),
        (["run"], b"the following arguments are required: action"),
        (["run", "core.local", "-z"], b"unrecognized arguments: -z"),
        (["tail", "--", "-x"], b"unexpected words after --: -x"),
        (["tail", "a", "b"], b"unrecognized arguments: b"),
        (["--url"], b"--url: expected one argument"),
        (["--url", "nonsense", "action", "list"], b"'nonsense' is not a server's address"),
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
    assert got == (2, b"", b"squall: unexpected error: oops (run it with --debug to see the traceback)\n")
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


@pytest.mark.parametrize("line", ["run core.local x", "tail", "execution list"])
def test_watching_imports_nothing_that_it_does_not_need(fake: ModuleType, line: str) -> None:
    code = (
        "import sys; from squall.cli.main import main; status = main(sys.argv[1:]); "
        "slow = {'rich', 'msgspec', 'asyncio', 'difflib', 'webbrowser', 'getpass', 'jsonschema', 'yaml', 'httpx2'}; "
        "heavy = slow & {*sys.modules}; "
        "sys.exit(f'imported {heavy}' if heavy else status)"
    )
    with fake.FakeSquall([]) as server:
        argv = [sys.executable, "-c", code, "--url", server.url, *line.split()]
        ended = subprocess.run(argv, capture_output=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_a_listing_into_a_closed_pipe_ends_quietly(fake: ModuleType, spawn: Callable[..., Any]) -> None:
    with fake.FakeSquall([]) as server:
        session = spawn("--url", server.url, "action", "list")
        session.process.stdout.close()
        assert session.process.wait(20) == 141
        assert session.process.stderr.read() == b""


@pytest.mark.parametrize(
    "line",
    [
        "run", "tail", "open", "output", "output stats", "output verify", "execution get", "execution cancel",
        "execution pause", "execution resume", "execution re-run", "inquiry get", "inquiry respond", "action get",
        "action doctor", "action delete", "pack get", "pack show", "pack remove", "pack install", "pack register",
        "key get", "key delete", "key set", "login", "action list --pack", "execution list --action",
        "execution cancel --action core.local --user", "storage purge --older-than 1d --pack", "tail last --task",
    ],
)  # fmt: skip
@pytest.mark.parametrize("empty", ["", " "])
def test_an_empty_name_is_refused_before_anything_is_asked(
    fake: ModuleType, run: Callable[..., Any], line: str, empty: str
) -> None:
    with fake.FakeSquall([]) as server:
        got = run("--url", server.url, *line.split(), empty)
        assert server.requests == []
    assert got.status == 2 and got.out == b""
    assert b"is missing: an empty text was given" in got.err and got.err.count(b"\n") == 1


@pytest.mark.parametrize(
    "line",
    ["tail last/result", "execution get ..", "output a/../b", "action get a/b", "pack get x/y", "key get a/../b"],
)
def test_a_name_with_a_slash_is_refused(fake: ModuleType, run: Callable[..., Any], line: str) -> None:
    with fake.FakeSquall([]) as server:
        got = run("--url", server.url, *line.split())
        assert server.requests == []
    assert got.status == 2 and b"cannot be the " in got.err


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (b"<html>hello</html>", "action list"),
        (b"null", "execution get last"),
        (b"[]", "execution get last"),
        (b"[]", "tail"),
        (b"{}", "tail"),
        (b"{}", "open last"),
        (b"{}", "key get k"),
        (b"{}", "key list"),
        (b"{}", "whoami"),
        (b"{}", "output stats last"),
        (b"[3]", "execution list"),
        (b'"text"', "execution list"),
        (b"{}", "run core.noop"),
        (b"{}", "storage"),
    ],
)
def test_an_answer_of_something_else_is_told_in_a_sentence(
    fake: ModuleType, run: Callable[..., Any], body: bytes, line: str
) -> None:
    def respond(request: Any, peer: Any) -> bool:
        peer.answer(200, body)
        return True

    with fake.ScriptedServer(respond) as server:
        got = run("--url", server.url, *line.split())
    assert got.status == 2 and got.out == b""
    assert got.err.startswith(b"squall: the answer ") and b"is there a Squall server" in got.err


@pytest.mark.parametrize(
    ("line", "meant"),
    [("exection list", "execution"), ("Execution list", "execution"), ("execution lst", "list"), ("key gte k", "get")],
)
def test_a_mistyped_command_is_refused_with_the_one_that_was_meant(
    run: Callable[..., Any], line: str, meant: str
) -> None:
    got = run(*line.split())
    assert got.status == 2 and f"did you mean '{meant}'?".encode() in got.err


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("execution list --jsn", "--json"),
        ("run core.noop --timestamp=1", "--timestamps"),
        ("tail --no-folow", "--no-follow"),
    ],
)
def test_a_mistyped_option_is_refused_with_the_one_that_was_meant(
    run: Callable[..., Any], line: str, meant: str
) -> None:
    got = run(*line.split())
    assert got.status == 2 and f"; did you mean {meant}? (see squall ".encode() in got.err


def test_help_tells_of_a_command_and_of_a_group(run: Callable[..., Any]) -> None:
    assert run("help", "tail").out == run("tail", "--help").out
    assert run("help", "execution").out == run("execution", "--help").out
    assert run("help").out == run("--help").out
    assert run("help", "tial").status == 2
