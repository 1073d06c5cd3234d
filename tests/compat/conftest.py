from __future__ import annotations

import fcntl
import json
import socket
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

# Test folders are no packages; `pytest` started by its own name does not look in the directory it is started in.
sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.scenarios.live.server import Ran, Server, environment
from tests.scenarios.live.wire import PATIENCE

CLIENT = "st2client==3.9.0"
HOME = (
    Path(__file__).parents[2] / ".build" / f"{CLIENT.replace('==', '-')}-py{sys.version_info[0]}.{sys.version_info[1]}"
)

# Any value of ST2_COLORIZE turns colours off.
PLAIN = {"COLUMNS": "300", "ST2_COLORIZE": "no", "LC_ALL": "C.UTF-8", "ST2_CLI_SKIP_CONFIG": "1"}

St2 = Callable[..., Ran]
SpawnSt2 = Callable[..., AbstractContextManager["subprocess.Popen[bytes]"]]


def install(home: Path) -> None:
    """Puts the official client into a virtual environment of its own: with uv if it is beside us, else with pip."""
    uv = Path(sys.executable).parent / "uv"
    python = str(home / "bin" / "python")
    if uv.exists():
        commands = [[str(uv), "venv", "-q", "--clear", "--python", sys.executable, str(home)],
                    [str(uv), "pip", "install", "-q", "--compile-bytecode", "--python", python, CLIENT]]  # fmt: skip
    else:
        venv.create(home, clear=True, with_pip=True)
        commands = [[python, "-m", "pip", "install", "-q", CLIENT]]
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
        assert done.returncode == 0, f"{CLIENT} could not be installed: {done.stderr}"
    (home / "ready").touch()


@pytest.fixture(scope="session")
def st2_program() -> str:
    """The path of the official `st2`; it is installed once and kept in `.build`."""
    HOME.parent.mkdir(exist_ok=True)
    # Tests run in several processes: one installs, the others wait for it.
    with open(HOME.with_name(f"{HOME.name}.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ((HOME / "ready").exists() and (HOME / "bin" / "st2").exists()):
            install(HOME)
    return str(HOME / "bin" / "st2")


def st2_env(server: Server, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment that a person has after `eval "$(squall env)"`, with a wide screen."""
    exports = dict(line.removeprefix("export ").split("=", 1) for line in server.banner[1:])
    return environment(server.home, {**PLAIN, **exports, **(extra or {})})


class St2Forks:
    """The official client, imported once: each command runs in a fork of it (`st2_forks.py`)."""

    def __init__(self, program: str) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(PATIENCE)
        with theirs:
            self._process = subprocess.Popen(
                [str(Path(program).with_name("python")), str(Path(__file__).with_name("st2_forks.py")),
                 str(theirs.fileno())],
                pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, env={**environment(Path.home()), **PLAIN},
            )  # fmt: skip

    def run(self, words: Sequence[str], env: Mapping[str, str]) -> Ran:
        """Runs a command to its end."""
        request = json.dumps({"words": words, "environment": dict(env)}).encode()
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            socket.send_fds(self._socket, [request], [out.fileno(), err.fileno()])
            status = int(self._socket.recv(100))
            out.seek(0)
            err.seek(0)
            return Ran(status, out.read(), err.read())

    def close(self) -> None:
        """Ends the process."""
        self._socket.close()
        self._process.wait(PATIENCE)


@pytest.fixture(scope="session")
def st2(st2_program: str) -> Iterator[St2]:
    """Runs `st2` against a server, to its end."""
    forks = St2Forks(st2_program)
    yield lambda server, *words: forks.run(words, st2_env(server))
    forks.close()


@pytest.fixture(scope="session")
def spawn_st2(st2_program: str) -> SpawnSt2:
    """Starts `st2` to look at it while it runs; stdout is an unbuffered pipe."""

    @contextmanager
    def spawn(server: Server, *words: str) -> Iterator[subprocess.Popen[bytes]]:
        process = subprocess.Popen(
            [st2_program, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            bufsize=0, env=st2_env(server),
        )  # fmt: skip
        with process:
            try:
                yield process
            finally:
                process.kill()

    return spawn
