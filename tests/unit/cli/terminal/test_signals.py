from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from squall.cli.terminal.signals import GivenUp, Signals

RECORDS = [("stdout", b"first\n")]
ID = "65a0c0ffee00000000000001"
QUESTION = "[d]etach or [c]ancel?"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_without_a_terminal_a_signal_cancels_and_the_output_goes_on_to_its_end(
    fake: ModuleType, spawn: Callable[..., Any], number: int
) -> None:
    class Late(fake.FakeSquall):  # type: ignore[misc, name-defined]
        """Prints one more line after the cancellation."""

        def _output(self, request: Any, peer: Any) -> bool:
            peer.begin_stream()
            peer.chunk(fake.sse(1, "stdout", b"first\n"))
            self.released.wait(20)
            peer.chunk(fake.sse(2, "stdout", b"cleaned up\n") + fake.EOF)
            return False

    with Late([], held=True) as server:
        session = spawn("--url", server.url, "run", "core.local", "x")
        session.until("first")
        session.process.send_signal(number)
        got = session.end()
        assert server.canceled.is_set()
    assert got == (130, b"first\ncleaned up\n", f"canceled in 2.5 s · {ID}\n".encode())


def test_on_a_terminal_ctrl_c_asks_and_detaching_leaves_it_running(fake: ModuleType, spawn: Callable[..., Any]) -> None:
    with fake.FakeSquall(RECORDS, held=True) as server:
        session = spawn("--url", server.url, "run", "core.local", "x", terminal=True)
        session.until("first")
        session.press_ctrl_c()
        session.until(QUESTION)
        session.write("d\n")
        got = session.end()
        assert not server.canceled.is_set()
    assert got.status == 0
    assert got.out.endswith(f"Watch it again with: squall tail {ID}\n".encode())


def test_on_a_terminal_the_answer_c_cancels(fake: ModuleType, spawn: Callable[..., Any]) -> None:
    with fake.FakeSquall(RECORDS, held=True) as server:
        session = spawn("--url", server.url, "run", "core.local", "x", terminal=True)
        session.until("first")
        session.press_ctrl_c()
        session.until(QUESTION)
        session.write("c\n")
        got = session.end()
        assert server.canceled.is_set()
    assert got.status == 130 and b"canceled in 2.5 s" in got.out


def test_on_a_terminal_a_second_ctrl_c_cancels(fake: ModuleType, spawn: Callable[..., Any]) -> None:
    with fake.FakeSquall(RECORDS, held=True) as server:
        session = spawn("--url", server.url, "run", "core.local", "x", terminal=True)
        session.until("first")
        session.press_ctrl_c()
        session.until(QUESTION)
        session.press_ctrl_c()
        got = session.end()
        assert server.canceled.is_set()
    assert got.status == 130


def test_any_other_answer_goes_on_watching(fake: ModuleType, spawn: Callable[..., Any]) -> None:
    class Slow(fake.FakeSquall):  # type: ignore[misc, name-defined]
        def _output(self, request: Any, peer: Any) -> bool:
            peer.begin_stream()
            peer.chunk(fake.sse(1, "stdout", b"first\n"))
            self.released.wait(20)
            peer.chunk(fake.sse(2, "stdout", b"second\n") + fake.EOF)
            return False

    with Slow([], held=True) as server:
        session = spawn("--url", server.url, "run", "core.local", "x", terminal=True)
        session.until("first")
        session.press_ctrl_c()
        session.until(QUESTION)
        session.write("\n")
        server.released.set()
        session.until("second")
        assert session.end().status == 0
        assert not server.canceled.is_set()


def test_sigterm_on_a_terminal_cancels_without_a_question(fake: ModuleType, spawn: Callable[..., Any]) -> None:
    with fake.FakeSquall(RECORDS, held=True) as server:
        session = spawn("--url", server.url, "run", "core.local", "x", terminal=True)
        session.until("first")
        session.process.send_signal(signal.SIGTERM)
        got = session.end()
    assert got.status == 130 and QUESTION.encode() not in got.out


def test_ctrl_c_cancels_also_when_the_reader_of_the_output_dies_of_it(
    fake: ModuleType, spawn: Callable[..., Any]
) -> None:
    with fake.FakeSquall([("stdout", b"line\n" * 100_000)] * 3, held=True) as server:
        session = spawn("--url", server.url, "run", "core.local", "x")
        session.until("line")
        session.press_ctrl_c()
        assert server.canceled.wait(10)
        session.process.stdout.close()
        assert session.process.wait(20) == 130


def test_a_canceled_run_exits_with_130_also_when_the_action_was_faster(
    fake: ModuleType, spawn: Callable[..., Any]
) -> None:
    class Fast(fake.FakeSquall):  # type: ignore[misc, name-defined]
        def respond(self, request: Any, peer: Any) -> bool:
            if request.method == "DELETE":
                peer.answer(200, {"faultstring": "it has ended"})
                self.released.set()
                return True
            return bool(super().respond(request, peer))

    with Fast(RECORDS, held=True) as server:
        session = spawn("--url", server.url, "run", "core.local", "x")
        session.until("first")
        session.press_ctrl_c()
        assert session.end() == (130, b"first\n", b"")


def test_a_signal_before_the_execution_has_an_id_cancels_it_once_it_has_one() -> None:
    canceled: list[str] = []
    with Signals(canceled.append, ask=False) as signals:
        os.kill(os.getpid(), signal.SIGTERM)
        assert signals.canceled and canceled == []
        signals.watch("x1")
    assert canceled == ["x1"]


def test_it_is_canceled_once_and_a_later_signal_gives_up() -> None:
    canceled: list[str] = []
    now = [100.0]
    with pytest.raises(GivenUp), Signals(canceled.append, ask=False, clock=lambda: now[0]) as signals:
        signals.watch("x1")
        os.kill(os.getpid(), signal.SIGINT)
        now[0] += 0.5
        os.kill(os.getpid(), signal.SIGINT)
        now[0] += 0.6
        os.kill(os.getpid(), signal.SIGINT)
    assert canceled == ["x1"]


def test_leaving_waits_until_the_server_has_been_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    leaving, asked = threading.Event(), threading.Event()

    def cancel(execution_id: str) -> None:
        leaving.wait()
        asked.set()

    class Leaving(threading.Thread):
        def join(self, timeout: float | None = None) -> None:
            leaving.set()
            super().join(timeout)

    monkeypatch.setattr("squall.cli.terminal.signals.threading.Thread", Leaving)
    with Signals(cancel, ask=False) as signals:
        signals.watch("x1")
        os.kill(os.getpid(), signal.SIGINT)
    assert asked.is_set()


def test_the_handlers_are_given_back() -> None:
    before = [signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)]
    with Signals(lambda _: None, ask=False):
        assert signal.getsignal(signal.SIGINT) not in before
    assert [signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)] == before
