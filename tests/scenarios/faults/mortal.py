"""A server that is killed and started again, and everything it leaves behind: keepers, actions, files."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import sqlite3
import subprocess
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from tests.scenarios.live.server import Server, read_line
from tests.scenarios.live.wire import PATIENCE

MARK = "FAULT_TEST"
LIVELY = {"SQUALL_STREAM_HEARTBEAT_SECONDS": "0.5"}


def parent(pid: int) -> int:
    """The pid of a process's parent; 0 if it has gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[1])
    except OSError:
        return 0


class Pid:
    """A process that is no child of ours."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._descriptor = os.pidfd_open(number)

    def signal(self, number: int) -> None:
        """Signals it."""
        signal.pidfd_send_signal(self._descriptor, number)

    def gone(self, within: float = PATIENCE) -> bool:
        """Whether it ends within so many seconds."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        return bool(poll.poll(within * 1000))

    def kill(self) -> None:
        """Kills it and waits until it is gone."""
        with suppress(ProcessLookupError):
            self.signal(signal.SIGKILL)
        assert self.gone()


def processes(matches: Callable[[Path], bool]) -> list[int]:
    """The living processes whose folder in /proc matches."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            # A zombie has no memory, so it has no environment and no arguments either.
            if matches(path):
                found.append(int(path.name))
        except OSError:
            continue
    return found


def with_argument(token: str) -> list[int]:
    """The living processes that have `token` in their arguments, tests aside."""
    return [
        pid for pid in processes(lambda path: token.encode() in (path / "cmdline").read_bytes()) if pid != os.getpid()
    ]


class Mortal(Server):
    """A server of a test that kills it."""

    def __init__(self, home: Path, packs: Path, *flags: str, env: Mapping[str, str] | None = None) -> None:
        self.mark = uuid.uuid4().hex
        super().__init__(home, "--packs-dir", str(packs), *flags, env={**LIVELY, **self._marked(), **(env or {})})
        self.kills = 0
        self._folders = 0

    def _marked(self) -> dict[str, str]:
        """The variables by which all processes that it starts are found."""
        return {MARK: self.mark, "SQUALL_ACTIONRUNNER_ENVIRONMENT": MARK}

    def folder(self) -> Path:
        """A folder for an action's own files."""
        self._folders += 1
        made = self.home / f"action-{self._folders}"
        made.mkdir()
        return made

    # -- life and death

    def begin(self) -> None:
        """Starts it again on its port, and does not wait until it is ready."""
        arguments = [*self.program, "serve", "--port", str(self.port), "--data-dir", str(self.data_dir), *self.flags]
        with (self.home / "server.err").open("ab") as errors:
            self._process = subprocess.Popen(
                arguments, stdout=subprocess.PIPE, stderr=errors, env=self.env, cwd=self.home, bufsize=0
            )

    def ready(self) -> None:
        """Waits until what `begin` started is ready."""
        assert self.process.stdout is not None
        line = read_line(self.process.stdout).decode()
        assert " is ready at " in line, (self.home / "server.err").read_text()[-2000:]

    def lives(self, seconds: float) -> None:
        """Watches it for some time, in which it must not end by itself."""
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return
        raise AssertionError(f"the server ended with {status}: {(self.home / 'server.err').read_text()[-2000:]}")

    def kill(self) -> None:
        """kill -9."""
        self.signal(signal.SIGKILL)
        assert self.wait() == -signal.SIGKILL
        self.kills += 1

    def again(self) -> None:
        """Starts it once more after its death."""
        self.begin()
        self.ready()

    # -- what it has left

    def keepers(self) -> list[Pid]:
        """Its keepers: the processes that were started with its folder of keepers."""
        homes = bytes(self.data_dir / "keepers")
        found = processes(lambda path: any(w.startswith(homes) for w in (path / "cmdline").read_bytes().split(b"\0")))
        # A process that a keeper has just made is its image until it becomes the action's.
        alive = []
        for pid in found:
            if parent(pid) not in found:
                # One that has nothing to do may go while it is looked for.
                with suppress(ProcessLookupError):
                    alive.append(Pid(pid))
        return alive

    def keeper(self) -> Pid:
        """Its only keeper."""
        [keeper] = self.keepers()
        return keeper

    def of_action(self, execution: str) -> list[int]:
        """The processes that carry an action's marker."""
        token = b"SQUALL_ACTION=" + execution.encode()
        return processes(
            lambda path: any(word.startswith(token) for word in (path / "environ").read_bytes().split(b"\0"))
        )

    def run_logs(self) -> list[Path]:
        """The keepers' logs."""
        return list((self.data_dir / "keepers").glob("*/run.log"))

    def logged(self, execution: str, kind: str) -> bool:
        """Whether a keeper's log says this of an execution."""
        for path in self.run_logs():
            try:
                lines = path.read_bytes().split(b"\n")[:-1]
            except OSError:
                continue
            for line in lines:
                if execution.encode() in line and json.loads(line)["log"] == kind:
                    return True
        return False

    def status(self, execution: str) -> str:
        """An execution's status in the database."""
        with closing(sqlite3.connect(f"file:{self.data_dir}/squall.db?mode=ro", uri=True)) as connection:
            [status] = connection.execute("SELECT status FROM executions WHERE id = ?", (execution,)).fetchone()
        return str(status)

    def journal(self, execution: str) -> bytes:
        """The file of a root execution's journal; nothing if there is none."""
        try:
            [path] = (self.data_dir / "journals").glob(f"*/{execution}.journal")
        except ValueError:
            return b""
        return path.read_bytes()

    # -- the end

    def leave_nothing(self) -> None:
        """Ends the server, its keepers, and all that they have started."""
        if self._process is not None and self._process.returncode is None:
            self.process.kill()
            self.wait()
        token = f"{MARK}={self.mark}".encode()
        for _ in range(50):
            left = {pid.number: pid for pid in self.keepers()}
            for pid in processes(lambda path: token in (path / "environ").read_bytes().split(b"\0")):
                left.setdefault(pid, Pid(pid))
            if not left:
                return
            for process in left.values():
                process.signal(signal.SIGKILL)
            for process in left.values():
                assert process.gone()
        raise AssertionError("processes are left")


@contextmanager
def mortal_server(home: Path, packs: Path, *flags: str, **env: str) -> Iterator[Mortal]:
    """A server for one test; nothing of it is left afterwards."""
    server = Mortal(home, packs, *flags, env=env)
    try:
        server.start()
        yield server
    finally:
        server.leave_nothing()


def positions(text: bytes) -> list[int]:
    """The numbers of the records in a writer's output."""
    return [int(number) for number in re.findall(rb"\n@(\d+) \d+ [0-9a-f]{8}\n", text)]
