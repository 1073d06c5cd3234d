from __future__ import annotations

import fcntl
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

# Test folders are no packages; `pytest` started by its own name does not look in the directory it is started in.
sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.scenarios.live.server import Ran, Server, environment

CLIENT = "st2client==3.9.0"
HOME = (
    Path(__file__).parents[2] / ".build" / f"{CLIENT.replace('==', '-')}-py{sys.version_info[0]}.{sys.version_info[1]}"
)

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
    # Any value of ST2_COLORIZE turns colours off.
    plain = {"COLUMNS": "300", "ST2_COLORIZE": "no", "LC_ALL": "C.UTF-8", "ST2_CLI_SKIP_CONFIG": "1"}
    return environment(server.home, {**plain, **exports, **(extra or {})})


@pytest.fixture(scope="session")
def st2(st2_program: str) -> St2:
    """Runs `st2` against a server, to its end."""

    def run(server: Server, *words: str) -> Ran:
        done = subprocess.run(
            [st2_program, *words], capture_output=True, env=st2_env(server), timeout=50, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return Ran(done.returncode, done.stdout, done.stderr)

    return run


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
