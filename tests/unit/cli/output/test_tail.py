from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

RECORDS = [("stdout", b"one\n"), ("stderr", b"two\n"), ("stdout", b"three\n")]
ID = "65a0c0ffee00000000000001"


@pytest.mark.parametrize("words", [[], ["last"], [ID]])
def test_everything_is_replayed_and_the_exit_status_is_0(
    fake: ModuleType, run: Callable[..., Any], words: list[str]
) -> None:
    with fake.FakeSquall(RECORDS, status="failed") as server:
        assert run("--url", server.url, "tail", *words) == (0, b"one\nthree\n", b"two\n")
        # What is last now may not be last after a reconnect.
        assert server.requests[-1].path == f"/v1/executions/{ID}/output"


@pytest.mark.parametrize(
    ("options", "out", "err"),
    [
        (["--type", "stderr"], b"", b"two\n"),
        (["--after", "f-2"], b"three\n", b""),
        (["--timestamps", "--type=stdout"], b"T one\nT three\n", b""),
        (["--include-metadata"], b"[T][stdout] one\n[T][stdout] three\n", b"[T][stderr] two\n"),
    ],
)
def test_options_choose_what_is_shown(
    fake: ModuleType, run: Callable[..., Any], options: list[str], out: bytes, err: bytes
) -> None:
    with fake.FakeSquall(RECORDS) as server:
        got = run("--url", server.url, "tail", *options)
    time = fake.TIME.encode()
    assert got == (0, out.replace(b"T", time), err.replace(b"T", time))


def test_without_following_it_ends_although_the_action_runs(fake: ModuleType, run: Callable[..., Any]) -> None:
    with fake.FakeSquall(RECORDS, held=True) as server:
        assert run("--url", server.url, "tail", "--no-follow") == (0, b"one\nthree\n", b"two\n")


def test_a_terminal_is_told_how_to_go_on(fake: ModuleType, spawn: Callable[..., Any]) -> None:
    with fake.FakeSquall(RECORDS, held=True) as server:
        got = spawn("--url", server.url, "tail", "--no-follow", terminal=True).end()
    assert f"continue with: squall tail {ID} --after f-3".encode() in got.out


def test_ctrl_c_ends_only_the_watching(fake: ModuleType, spawn: Callable[..., Any]) -> None:
    with fake.FakeSquall(RECORDS, held=True) as server:
        session = spawn("--url", server.url, "tail")
        session.until("three")
        session.press_ctrl_c()
        assert session.end() == (130, b"one\nthree\n", b"two\n")
        assert not server.canceled.is_set()


def test_an_unknown_execution_is_an_error(fake: ModuleType, run: Callable[..., Any]) -> None:
    with fake.FakeSquall(RECORDS) as server:
        assert run("--url", server.url, "tail", "nope") == (
            2,
            b"",
            b"squall: execution 'nope' does not exist; squall execution list shows all\n",
        )


def test_without_a_server_it_does_not_wait_for_one(run: Callable[..., Any]) -> None:
    assert run("--url", "http://127.0.0.1:1", "tail").status == 2
