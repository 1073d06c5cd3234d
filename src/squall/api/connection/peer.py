"""The user at the other end of a loopback connection, read from the kernel by netlink."""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path
from typing import Any

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_NLM_F_REQUEST = 1
_HEADER = struct.Struct("=IHHII")
_REQUEST = struct.Struct("=BBBBI")
_UID_AT = _HEADER.size + 4 + 48 + 12


def peer_uid(ours: tuple[Any, ...], theirs: tuple[Any, ...]) -> int | None:
    """Returns the uid of the process that holds the end `theirs` of a TCP connection to `ours` ((host, port, …) each).

    Returns None if the kernel has no uid: the connection comes from another machine, or is closed.
    """
    family = socket.AF_INET6 if ":" in theirs[0] else socket.AF_INET
    try:
        uid = _by_netlink(family, theirs, ours)
    except OSError:
        uid = None
    return uid if uid is not None else _by_proc(family, theirs, ours)


def _by_netlink(family: int, source: tuple[Any, ...], target: tuple[Any, ...]) -> int | None:
    width = 16
    identity = (
        struct.pack("!HH", source[1], target[1])
        + socket.inet_pton(family, source[0]).ljust(width, b"\0")
        + socket.inet_pton(family, target[0]).ljust(width, b"\0")
        + struct.pack("=III", 0, 0xFFFFFFFF, 0xFFFFFFFF)
    )
    body = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0, 0xFFFFFFFF) + identity
    message = _HEADER.pack(_HEADER.size + len(body), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 1, 0) + body
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as diag:
        diag.settimeout(1.0)
        diag.send(message)
        answer = diag.recv(8192)
    _, kind, _, _, _ = _HEADER.unpack_from(answer)
    if kind != _SOCK_DIAG_BY_FAMILY or len(answer) < _UID_AT + 4:
        return None
    uid: int = struct.unpack_from("=I", answer, _UID_AT)[0]
    return uid


def _by_proc(family: int, source: tuple[Any, ...], target: tuple[Any, ...]) -> int | None:
    table = Path("/proc/net/tcp6" if family == socket.AF_INET6 else "/proc/net/tcp")
    addresses = [_hex(family, source), _hex(family, target)]
    try:
        lines = table.read_text().splitlines()[1:]
    except OSError:
        return None
    for line in lines:
        fields = line.split()
        if fields[1:3] == addresses:
            return int(fields[7])
    return None


def _hex(family: int, address: tuple[Any, ...]) -> str:
    packed = socket.inet_pton(family, address[0])
    words = [packed[at : at + 4][::-1].hex() for at in range(0, len(packed), 4)]
    return f"{''.join(words).upper()}:{address[1]:04X}"


def may_connect(ours: tuple[Any, ...], theirs: tuple[Any, ...]) -> bool:
    """Returns True if the peer runs as this server's user or as root."""
    return peer_uid(ours, theirs) in (0, os.geteuid())
