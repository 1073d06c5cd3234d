from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

from squall.cli.main import main

# A shell that starts the tests in the background ignores Ctrl-C for them and for every process they start.
PROGRAM = [
    sys.executable,
    "-c",
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "from squall.cli.main import main; sys.exit(main())",
]


class Ran(NamedTuple):
    """What a command has left: its exit status and its bytes."""

    status: int
    out: bytes
    err: bytes


def load_fake() -> ModuleType:
    """The fake server's module: test folders are no packages, so it is loaded by its path, once."""
    name = "squall_tests_fake_squall"
    if name not in sys.modules:
        spec = spec_from_file_location(name, Path(__file__).parent.parent / "client" / "fake_squall.py")
        assert spec is not None and spec.loader is not None
        sys.modules[name] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.fixture(scope="session")
def fake() -> ModuleType:
    return load_fake()


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the person's own server or settings."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("SQUALL_URL", "SQUALL_DATA_DIR", "ST2_API_URL", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def run(capfdbinary: pytest.CaptureFixture[bytes]) -> Callable[..., Ran]:
    """Run a command in this process."""

    def run_here(*argv: str) -> Ran:
        status = main(argv)
        return Ran(status, *capfdbinary.readouterr())

    return run_here


class Session:
    """A command in a process of its own, on pipes or on a terminal."""

    def __init__(self, *argv: str, terminal: bool = False) -> None:
        opened: tuple[int | None, int | None] = pty.openpty() if terminal else (None, None)
        self._terminal, ends = opened
        self.process = subprocess.Popen(
            [*PROGRAM, *argv],
            stdin=ends if terminal else subprocess.DEVNULL,
            stdout=ends if terminal else subprocess.PIPE,
            stderr=ends if terminal else subprocess.PIPE,
        )
        if ends is not None:
            os.close(ends)
        self.shown = b""

    def press_ctrl_c(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def write(self, text: str) -> None:
        assert self._terminal is not None
        os.write(self._terminal, text.encode())

    def until(self, text: str) -> None:
        """Wait until the terminal, or stdout, has shown this since the last wait."""
        descriptor = self._terminal
        if descriptor is None:
            assert self.process.stdout is not None
            descriptor = self.process.stdout.fileno()
        seen = b""
        while text.encode() not in seen:
            part = self._read(descriptor)
            assert part, f"{text!r} never came, only {self.shown!r}"
            seen += part
            self.shown += part

    def end(self) -> Ran:
        """Wait for the end of the process."""
        if self._terminal is not None:
            while part := self._read(self._terminal):
                self.shown += part
            status = self.process.wait(60)
            os.close(self._terminal)
            return Ran(status, self.shown.replace(b"\r\n", b"\n"), b"")
        out, err = self.process.communicate(timeout=60)
        return Ran(self.process.returncode, self.shown + out, err)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    def _read(self, descriptor: int) -> bytes:
        try:
            return os.read(descriptor, 65536)
        except OSError:
            # A terminal whose other end is closed reads as an error.
            return b""


@pytest.fixture
def spawn() -> Iterator[Callable[..., Session]]:
    sessions: list[Session] = []

    def start(*argv: str, terminal: bool = False) -> Session:
        sessions.append(Session(*argv, terminal=terminal))
        return sessions[-1]

    yield start
    for session in sessions:
        session.kill()
