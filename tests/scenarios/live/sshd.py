"""Real SSH servers on loopback: one process each, with keys and a configuration of their own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from squall.testing.waiting import until

SSHD = shutil.which("sshd") or ("/usr/sbin/sshd" if Path("/usr/sbin/sshd").exists() else None)


def make_key(path: Path) -> Path:
    """A new key pair."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path


class Sshd:
    """One server. `host` is how actions name it."""

    def __init__(self, home: Path, authorized: Path, host_key: Path | None = None) -> None:
        self.home = home
        home.mkdir(parents=True)
        self.key = host_key or make_key(home / "host_key")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.host = f"127.0.0.1:{self.port}"
        (home / "sshd_config").write_text(
            f"ListenAddress 127.0.0.1\nPort {self.port}\nHostKey {self.key}\nAuthorizedKeysFile {authorized}\n"
            "StrictModes no\nUsePAM no\nPidFile none\nPermitRootLogin yes\nMaxStartups 200\nMaxSessions 50\n"
            "PasswordAuthentication no\nLogLevel VERBOSE\n"
            # What a person's .bashrc does has no place here; bash leaves it out below other shells.
            "SetEnv SHLVL=5\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Sshd:
        """Starts it, and waits until it answers."""
        assert SSHD is not None
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        with (self.home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [SSHD, "-D", "-e", "-f", str(self.home / "sshd_config")],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        return self

    def ready(self) -> None:
        """Waits until it answers."""

        def answers() -> bool:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1) as found:
                    return found.recv(4).startswith(b"SSH")
            except OSError:
                return False

        until(answers, f"sshd answers; see {self.home / 'log'}", pause=0.02)

    def kill(self) -> None:
        """Ends it with all its connections, at once."""
        if self._process is not None and self._process.returncode is None:
            for pid in (self._process.pid, *_connections(self._process.pid)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._process.wait()


def _connections(pid: int) -> list[int]:
    """The servers of single connections below a listening one; what they run is not theirs to end."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    found = [int(word) for word in children.read_text().split()] if children.exists() else []
    return [child for child in found if b"sshd" in Path(f"/proc/{child}/cmdline").read_bytes()]


@contextmanager
def sshds(home: Path, count: int) -> Iterator[tuple[list[Sshd], Path]]:
    """So many servers, and the private key that opens them."""
    home.mkdir(parents=True, exist_ok=True)
    key = make_key(home / "user_key")
    with ExitStack() as stack:
        found = []
        for number in range(count):
            server = Sshd(home / str(number), key.with_suffix(".pub"))
            stack.callback(server.kill)
            found.append(server.start())
        for server in found:
            server.ready()
        yield found, key
