"""A Windows host as WinRM shows it: shells, commands and their output over SOAP, with basic or NTLM authentication.

Command lines are run by `sh`. PowerShell is not run: its text, and its standard input, come back as its output; text
with `Write-Error` in it also reports an error and has exit code 1.
"""

from __future__ import annotations

import base64
import contextlib
import http.server
import os
import re
import signal
import ssl
import subprocess
import threading
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import spnego
from spnego.exceptions import SpnegoError

NAMES = {
    "s": "http://www.w3.org/2003/05/soap-envelope",
    "a": "http://schemas.xmlsoap.org/ws/2004/08/addressing",
    "w": "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd",
    "t": "http://schemas.xmlsoap.org/ws/2004/09/transfer",
    "rsp": "http://schemas.microsoft.com/wbem/wsman/1/windows/shell",
}
STATES = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/CommandState"
NOTHING_NEW = 2150858793
CLIXML = (
    '#< CLIXML\r\n<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">'
    '<Obj S="progress" RefId="0"><MS><PR N="Record"><AV>Preparing modules</AV></PR></MS></Obj>'
    '<S S="Error">it &lt;failed&gt;_x000D__x000A_</S><S S="Error">badly _xD83D__xDE00__x000D__x000A_</S></Objs>'
)


class Command:
    """One command on the host: what it has printed and has not yet been fetched."""

    def __init__(self, line: str, env: dict[str, str], cwd: str | None) -> None:
        self.script = ""
        self._changed = threading.Condition()
        self._streams: dict[str, bytes] = {"stdout": b"", "stderr": b""}
        self._open = 2
        encoded = line.removeprefix("powershell -encodedcommand ")
        if encoded != line:
            self.script = base64.b64decode(encoded).decode("utf-16-le")
            reads = "cat; " if "$input" in self.script else ""
            line = f'printf %s "$TEXT"; {reads}'
            env = {**env, "TEXT": self.script}
            if "Write-Error" in self.script:
                line, env = f'{line} printf %s "$CLIXML" >&2; exit 1', {**env, "CLIXML": CLIXML}
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", line], env={**os.environ, **env}, cwd=cwd, start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self._readers = [threading.Thread(target=self._read, args=(name,), daemon=True) for name in self._streams]
        for reader in self._readers:
            reader.start()

    def _read(self, name: str) -> None:
        stream = getattr(self._process, name)
        with stream:
            while data := stream.read1(5000):
                with self._changed:
                    self._streams[name] += data
                    self._changed.notify_all()
        with self._changed:
            self._open -= 1
            self._changed.notify_all()

    def take(self, seconds: float) -> tuple[dict[str, bytes], int | None] | None:
        """What is new, and the exit code at the end; None if nothing was new for so long."""
        with self._changed:
            if not self._changed.wait_for(lambda: any(self._streams.values()) or not self._open, seconds):
                return None
            # Like a real host, it may cut a character in two.
            new = {name: data[:7001] for name, data in self._streams.items()}
            self._streams = {name: data[7001:] for name, data in self._streams.items()}
            through = not self._open and not any(self._streams.values())
        return new, self._process.wait() if through else None

    def put(self, data: bytes, end: bool) -> None:
        """Gives it standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(data)
        if end:
            self._process.stdin.close()

    def terminate(self) -> None:
        """Ends it with all it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for reader in self._readers:
            reader.join()
        assert self._process.stdin is not None
        self._process.stdin.close()


class WindowsHost:
    """What the host was asked to do, in order, and the shells and commands that are there."""

    def __init__(self, user: str, password: str) -> None:
        self.credentials = base64.b64encode(f"{user}:{password}".encode()).decode()
        self.actions: list[str] = []
        self.shells: dict[str, tuple[dict[str, str], str | None]] = {}
        self.commands: dict[str, Command] = {}
        self.operation_timeout = 60.0
        """The longest time (seconds) that a request for output waits, whatever it asks for."""

    def answer(self, body: bytes) -> tuple[int, str]:
        """The HTTP status and the envelope for a request."""
        envelope = ET.fromstring(body)
        action = envelope.findtext("s:Header/a:Action", "", NAMES).rpartition("/")[2]
        message = envelope.findtext("s:Header/a:MessageID", "", NAMES)
        content = envelope.find("s:Body", NAMES)
        assert content is not None
        self.actions.append(action)
        wait = float(re.sub(r"[^0-9.]", "", envelope.findtext("s:Header/w:OperationTimeout", "PT60S", NAMES)))
        shell = envelope.findtext("s:Header/w:SelectorSet/w:Selector", "", NAMES)
        reply = getattr(self, f"_{action.lower()}")(content, shell, min(wait, self.operation_timeout))
        status = 200 if reply is not None else 500
        space = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"
        fault = (
            "<s:Fault><s:Code><s:Value>s:Receiver</s:Value></s:Code><s:Reason><s:Text>late</s:Text></s:Reason>"
            f'<s:Detail><f:WSManFault xmlns:f="{space}" Code="{NOTHING_NEW}"/></s:Detail></s:Fault>'
        )
        spaces = " ".join(f'xmlns:{name}="{space}"' for name, space in NAMES.items())
        return status, (
            f"<s:Envelope {spaces}><s:Header><a:RelatesTo>{message}</a:RelatesTo></s:Header>"
            f"<s:Body>{fault if reply is None else reply}</s:Body></s:Envelope>"
        )

    def _create(self, content: ET.Element, _shell: str, _wait: float) -> str:
        variables = content.findall("rsp:Shell/rsp:Environment/rsp:Variable", NAMES)
        env = {variable.attrib["Name"]: variable.text or "" for variable in variables}
        name = str(uuid.uuid4())
        self.shells[name] = (env, content.findtext("rsp:Shell/rsp:WorkingDirectory", None, NAMES))
        selectors = f'<w:SelectorSet><w:Selector Name="ShellId">{name}</w:Selector></w:SelectorSet>'
        return (
            f"<t:ResourceCreated><a:ReferenceParameters>{selectors}</a:ReferenceParameters></t:ResourceCreated>"
            f"<rsp:Shell><rsp:ShellId>{name}</rsp:ShellId></rsp:Shell>"
        )

    def _command(self, content: ET.Element, shell: str, _wait: float) -> str:
        name = str(uuid.uuid4())
        line = content.findtext("rsp:CommandLine/rsp:Command", "", NAMES)
        self.commands[name] = Command(line, *self.shells[shell])
        return f"<rsp:CommandResponse><rsp:CommandId>{name}</rsp:CommandId></rsp:CommandResponse>"

    def _receive(self, content: ET.Element, _shell: str, wait: float) -> str | None:
        name = content.find("rsp:Receive/rsp:DesiredStream", NAMES).attrib["CommandId"]  # type: ignore[union-attr]
        news = self.commands[name].take(wait)
        if news is None:
            return None
        pieces = "".join(
            f'<rsp:Stream Name="{stream}" CommandId="{name}">{base64.b64encode(data).decode()}</rsp:Stream>'
            for stream, data in news[0].items()
        )
        code = "" if news[1] is None else f"<rsp:ExitCode>{news[1]}</rsp:ExitCode>"
        state = f"{STATES}/{'Running' if news[1] is None else 'Done'}"
        ending = f'<rsp:CommandState CommandId="{name}" State="{state}">{code}</rsp:CommandState>'
        return f"<rsp:ReceiveResponse>{pieces}{ending}</rsp:ReceiveResponse>"

    def _send(self, content: ET.Element, _shell: str, _wait: float) -> str:
        stream = content.find("rsp:Send/rsp:Stream", NAMES)
        assert stream is not None
        data = base64.b64decode(stream.text or "")
        self.commands[stream.attrib["CommandId"]].put(data, stream.attrib.get("End", "").lower() == "true")
        return "<rsp:SendResponse/>"

    def _signal(self, content: ET.Element, _shell: str, _wait: float) -> str:
        self.commands[content.find("rsp:Signal", NAMES).attrib["CommandId"]].terminate()  # type: ignore[union-attr]
        return "<rsp:SignalResponse/>"

    def _delete(self, _content: ET.Element, shell: str, _wait: float) -> str:
        del self.shells[shell]
        return ""


class Basic:
    """One connection whose requests carry a user and a password."""

    def __init__(self, host: WindowsHost) -> None:
        self._host = host

    def answer(self, authorization: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body for a request."""
        if authorization != f"Basic {self._host.credentials}":
            return 401, {"WWW-Authenticate": "Basic"}, b""
        status, text = self._host.answer(body)
        return status, {"Content-Type": "application/soap+xml;charset=UTF-8"}, text.encode()


class Ntlm:
    """One connection that authenticates by NTLM, and encrypts every message after that. Users are in the file that the
    environment variable NTLM_USER_FILE names."""

    PROTOCOL = "application/HTTP-SPNEGO-session-encrypted"

    def __init__(self, host: WindowsHost) -> None:
        self._host = host
        self._context = spnego.server(protocol="ntlm")

    def answer(self, authorization: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body for a request."""
        if authorization:
            scheme, _, token = authorization.partition(" ")
            try:
                reply = self._context.step(base64.b64decode(token)) or b""
            except SpnegoError:
                return 401, {"WWW-Authenticate": scheme}, b""
            if not self._context.complete:
                return 401, {"WWW-Authenticate": f"{scheme} {base64.b64encode(reply).decode()}"}, b""
        if not self._context.complete:
            return 401, {"WWW-Authenticate": "Negotiate"}, b""
        if not body:
            return 200, {}, b""
        sealed = body.partition(b"application/octet-stream\r\n")[2].removesuffix(b"--Encrypted Boundary--\r\n")
        size = int.from_bytes(sealed[:4], "little") + 4
        status, text = self._host.answer(self._context.unwrap_winrm(sealed[4:size], sealed[size:]))
        answer = self._context.wrap_winrm(text.encode())
        kind = f'multipart/encrypted;protocol="{self.PROTOCOL}";boundary="Encrypted Boundary"'
        length = len(text.encode()) + answer.padding_length
        parts = (
            f"--Encrypted Boundary\r\n\tContent-Type: {self.PROTOCOL}\r\n\tOriginalContent: "
            f"type=application/soap+xml;charset=UTF-8;Length={length}\r\n"
            "--Encrypted Boundary\r\n\tContent-Type: application/octet-stream\r\n"
        ).encode()
        sealed = len(answer.header).to_bytes(4, "little") + answer.header + answer.data
        return status, {"Content-Type": kind}, parts + sealed + b"--Encrypted Boundary--\r\n"


@contextmanager
def windows_host(
    user: str, password: str, context: ssl.SSLContext | None = None, speaks: type[Basic] | type[Ntlm] = Basic
) -> Iterator[tuple[WindowsHost, int]]:
    """A host that answers on a port of loopback; with `context` over TLS."""
    host = WindowsHost(user, password)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *words: object) -> None:
            """Says nothing."""

        def setup(self) -> None:
            super().setup()
            self.spoken = speaks(host)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, headers, data = self.spoken.answer(self.headers.get("Authorization") or "", body)
            with contextlib.suppress(OSError):
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(data))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

    server: Any = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield host, server.server_address[1]
    finally:
        for command in host.commands.values():
            command.terminate()
        server.shutdown()
        thread.join()
        server.server_close()
