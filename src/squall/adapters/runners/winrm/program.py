"""The program of a WinRM action: `python -m squall.adapters.runners.winrm.program`, with the job as JSON on stdin.

What the command prints goes to stdout and stderr as it comes, the result is written at the end. It runs under the
keeper, so it lives on when the server does not; TERM makes it end the command on the host.
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

_LOOK_EVERY = 20
"""Seconds after which a host answers that there is nothing new."""

_UTF_8 = 65001
_INPUT_MOST = 64 << 10
_LOST = 255


class Interruption(BaseException):
    """The time of the command is over (`late`), or the action is to end. No library may take it for an error."""

    def __init__(self, late: bool) -> None:
        super().__init__()
        self.late = late


class Interruptions:
    """Raises `Interruption` in the middle of whatever waits: at TERM, and `seconds` after `count_from_now`."""

    def __init__(self) -> None:
        self._first: Interruption | None = None
        signal.signal(signal.SIGTERM, self._arrive)
        signal.signal(signal.SIGALRM, self._arrive)

    def count_from_now(self, seconds: float | None) -> None:
        """Starts the time of the command; None: it has no end."""
        signal.setitimer(signal.ITIMER_REAL, seconds or 0)

    def check(self) -> None:
        """Raises again what a library may have caught."""
        if self._first is not None:
            raise self._first

    def over(self) -> None:
        """From now on nothing is interrupted."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number in (signal.SIGTERM, signal.SIGALRM):
            signal.signal(number, signal.SIG_IGN)

    def _arrive(self, number: int, _frame: FrameType | None) -> None:
        if self._first is None:
            self._first = Interruption(number == signal.SIGALRM)
            raise self._first


class Printing:
    """Writes one stream of the command as UTF-8; with `errors`, the messages in what PowerShell reports."""

    def __init__(self, descriptor: int, errors: Errors | None) -> None:
        self._descriptor = descriptor
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._errors = errors

    def write(self, data: bytes, final: bool = False) -> None:
        """Blocks while the keeper takes no more, so that no more is received. With `final`, writes what is left."""
        text = self._decoder.decode(data, final)
        if self._errors is not None:
            text = self._errors.feed(text) + (self._errors.finish() if final else "")
        left = memoryview(text.encode())
        while left:
            left = left[os.write(self._descriptor, left) :]


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
        """The host has taken the command."""
        return self._process is not None and self._process.id is not None

    def run(self, interruptions: Interruptions) -> int:
        """Runs it to its end; its exit code. Raises `Interruption`, `WinRMError`, `requests.RequestException`."""
        self._shell.open()
        process = self._process = Process(self._shell, self._job["command"])
        interruptions.count_from_now(self._job["timeout"])
        process.begin_invoke()
        data = self._job["stdin"].encode()
        for at in range(0, len(data), _INPUT_MOST):
            process.send(data[at : at + _INPUT_MOST], end=at + _INPUT_MOST >= len(data))
        while process.state != CommandState.DONE:
            interruptions.check()
            process.poll_invoke(timeout=_LOOK_EVERY)
            # Taken over, so that memory does not grow with output.
            pieces, process.stdout, process.stderr = (process.stdout, process.stderr), b"", b""
            for stream, piece in zip(self._streams, pieces, strict=True):
                stream.write(piece)
        return process.rc or 0

    def end(self) -> None:
        """Ends what runs on the host, if it answers within a moment, and writes what is left of the output."""
        for stream in self._streams:
            stream.write(b"", final=True)
        if not self._shell.opened:
            return
        # A connection of its own: an answer may still be due on the other.
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
            # Without TLS, only the protocols of Windows can encrypt.
            encryption="auto" if job["tls"] or job["auth"] != "basic" else "never",
            connection_timeout=seconds,
            operation_timeout=within or _LOOK_EVERY,
            read_timeout=within or _LOOK_EVERY + 10,
        )


def report(job: dict[str, Any]) -> dict[str, Any]:
    """Runs the job; its result: `return_code` if the command was started, `late`, `error` and `traceback`."""
    interruptions = Interruptions()
    command: Command | None = None
    try:
        command = Command(job)
        result: dict[str, Any] = {"return_code": command.run(interruptions)}
    except Interruption as interruption:
        result = {"return_code": _LOST, "late": interruption.late}
        if not interruption.late:
            result["error"] = "The action was canceled"
    # Whatever a library raises is a failure of this action.
    except Exception as error:
        place = f"{'https' if job['tls'] else 'http'}://{job['host']}:{job['port']}"
        began = command is not None and command.started
        result = {"return_code": _LOST} if began else {}
        words = "The connection to {} was lost: {}" if began else "Failed connecting to {}: {}"
        result |= {"error": words.format(place, why(error)), "traceback": traceback.format_exc(limit=-3)}
    interruptions.over()
    if command is not None:
        command.end()
    return result


def why(error: BaseException) -> str:
    """What went wrong: the deepest cause of a failed connection, the words of the host otherwise."""
    if not isinstance(error, requests.RequestException):
        return str(error) or type(error).__name__
    deepest: BaseException = error
    while (below := deepest.__cause__ or deepest.__context__) is not None:
        deepest = below
    return str(deepest) or type(deepest).__name__


def main(data: bytes) -> int:
    """Runs the job in `data`; 0 when its result has been written, whatever the host did."""
    # What libraries say is no output of the command.
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    result = report(json.loads(data))
    with os.fdopen(int(os.environ[RESULT_FD]), "wb") as stream:
        stream.write(json.dumps(result).encode())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.stdin.buffer.read()))
