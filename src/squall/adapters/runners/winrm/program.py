"""The program of a WinRM action: `python -m squall.adapters.runners.winrm.program`, with the job as JSON on stdin.

It writes the command's output to stdout and stderr while it arrives, and the result at the end. The keeper runs it, so
it survives an end of the server. On TERM, it ends the command on the host.
"""

from __future__ import annotations

import codecs
import contextlib
import json
import logging
import os
import signal
import sys
import traceback
import warnings
from types import FrameType
from typing import Any

import requests
from pypsrp.exceptions import WinRMError
from pypsrp.shell import CommandState, Process, SignalCode, WinRS
from pypsrp.wsman import WSMan

from squall.adapters.runners.winrm.powershell import Errors
from squall.core.output.tagged import RESULT_FD

_POLL_SECONDS = 20
"""The seconds after which a host answers a poll even without new output."""

_UTF_8 = 65001
_INPUT_MOST = 64 << 10
_LOST = 255


class Interruption(BaseException):
    """The command's time is over (`late`), or the action must stop. As a `BaseException`, it passes the error handling
    of libraries."""

    def __init__(self, late: bool) -> None:
        super().__init__()
        self.late = late


class Interruptions:
    """A signal handler that raises `Interruption` in the running code: on TERM, and `seconds` after
    `count_from_now`."""

    def __init__(self) -> None:
        self._first: Interruption | None = None
        signal.signal(signal.SIGTERM, self._arrive)
        signal.signal(signal.SIGALRM, self._arrive)

    def count_from_now(self, seconds: float | None) -> None:
        """Starts the timeout of the command; None means no timeout."""
        signal.setitimer(signal.ITIMER_REAL, seconds or 0)

    def check(self) -> None:
        """Raises the interruption again, in case a library caught it."""
        if self._first is not None:
            raise self._first

    def over(self) -> None:
        """Turns off all interruptions."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number in (signal.SIGTERM, signal.SIGALRM):
            signal.signal(number, signal.SIG_IGN)

    def _arrive(self, number: int, _frame: FrameType | None) -> None:
        if self._first is None:
            self._first = Interruption(number == signal.SIGALRM)
            raise self._first


class Printing:
    """A writer of one stream of the command, as UTF-8. With `errors`, it writes only PowerShell's messages."""

    def __init__(self, descriptor: int, errors: Errors | None) -> None:
        self._descriptor = descriptor
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._errors = errors

    def write(self, data: bytes, final: bool = False) -> None:
        """Writes a piece of output; with `final`, also the rest. Blocks while the keeper does not read, so that the
        program receives no more."""
        text = self._decoder.decode(data, final)
        if self._errors is not None:
            text = self._errors.feed(text) + (self._errors.finish() if final else "")
        rest = memoryview(text.encode())
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]


class Command:
    """One command on one host."""

    def __init__(self, job: dict[str, Any]) -> None:
        self._job = job
        self._shell = WinRS(
            self._connection(), codepage=_UTF_8, environment=job["env"] or None, working_directory=job["cwd"]
        )
        self._process: Process | None = None
        self._streams = (Printing(1, None), Printing(2, Errors() if job["powershell"] else None))

    @property
    def started(self) -> bool:
        """True if the host has accepted the command."""
        return self._process is not None and self._process.id is not None

    def run(self, interruptions: Interruptions) -> int:
        """Runs the command. Returns its exit code. Raises `Interruption`, `WinRMError`, `requests.RequestException`."""
        self._shell.open()
        process = self._process = Process(self._shell, self._job["command"])
        interruptions.count_from_now(self._job["timeout"])
        process.begin_invoke()
        data = self._job["stdin"].encode()
        for at in range(0, len(data), _INPUT_MOST):
            process.send(data[at : at + _INPUT_MOST], end=at + _INPUT_MOST >= len(data))
        while process.state != CommandState.DONE:
            interruptions.check()
            process.poll_invoke(timeout=_POLL_SECONDS)
            # This empties the library's buffers, so that memory does not grow with the output.
            pieces, process.stdout, process.stderr = (process.stdout, process.stderr), b"", b""
            for stream, piece in zip(self._streams, pieces, strict=True):
                stream.write(piece)
        return process.rc or 0

    def end(self) -> None:
        """Writes the rest of the output, and ends the command on the host if the host answers soon."""
        for stream in self._streams:
            stream.write(b"", final=True)
        if not self._shell.opened:
            return
        # A new connection, because a response may still be due on the other one.
        self._shell.wsman = self._connection(within=1)
        with contextlib.suppress(WinRMError, requests.RequestException, OSError, ValueError, AttributeError):
            if self._process is not None and self.started:
                self._process.signal(SignalCode.TERMINATE)
        with contextlib.suppress(WinRMError, requests.RequestException, OSError, ValueError, AttributeError):
            self._shell.close()

    def _connection(self, within: int | None = None) -> WSMan:
        job = self._job
        seconds = within or int(job["connect_timeout"])
        return WSMan(
            job["host"],
            port=job["port"],
            username=job["username"],
            password=job["password"],
            ssl=job["tls"],
            auth=job["auth"],
            cert_validation=job["verify"],
            # Without TLS, only the Windows authentication protocols can encrypt.
            encryption="auto" if job["tls"] or job["auth"] != "basic" else "never",
            connection_timeout=seconds,
            operation_timeout=within or _POLL_SECONDS,
            read_timeout=within or _POLL_SECONDS + 10,
        )


def report(job: dict[str, Any]) -> dict[str, Any]:
    """Runs the job. Returns its result: `return_code` if the command was started, `late`, `error` and `traceback`."""
    interruptions = Interruptions()
    command: Command | None = None
    try:
        command = Command(job)
        result: dict[str, Any] = {"return_code": command.run(interruptions)}
    except Interruption as interruption:
        result = {"return_code": _LOST, "late": interruption.late}
        if not interruption.late:
            result["error"] = "The action was canceled"
    # Every exception of a library is a failure of this action.
    except Exception as error:
        place = f"{'https' if job['tls'] else 'http'}://{job['host']}:{job['port']}"
        began = command is not None and command.started
        result = {"return_code": _LOST} if began else {}
        template = "The connection to {} was lost: {}" if began else "Failed connecting to {}: {}"
        result |= {"error": template.format(place, reason(error)), "traceback": traceback.format_exc(limit=-3)}
    interruptions.over()
    if command is not None:
        command.end()
    return result


def reason(error: BaseException) -> str:
    """Returns the error's message: for a failed connection, that of its deepest cause."""
    if not isinstance(error, requests.RequestException):
        return str(error) or type(error).__name__
    deepest: BaseException = error
    while (below := deepest.__cause__ or deepest.__context__) is not None:
        deepest = below
    return str(deepest) or type(deepest).__name__


def main(data: bytes) -> int:
    """Runs the job in `data`. Returns 0 when its result has been written, even if the host failed."""
    # Messages of libraries do not belong to the command's output.
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    result = report(json.loads(data))
    with os.fdopen(int(os.environ[RESULT_FD]), "wb") as stream:
        stream.write(json.dumps(result).encode())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.stdin.buffer.read()))
