"""What reaches out and who comes in: SSH, HTTP, and the cost of asking everybody who they are."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from tests.scenarios.live.sshd import SSHD, Sshd, sshds

from bench.context import Bench, BrokenError, median, percentile
from bench.measures.executions import finished
from bench.rows import Row
from bench.servers import Squall, floor, squall
from bench.wire import Connection, post_many

_AT_ONCE = 8
_USER, _PASSWORD = "ada", "bench"
_PATIENCE = 120.0


def ssh(bench: Bench) -> Iterator[Row]:
    """Commands on one host; the floor is OpenSSH's own client."""
    if SSHD is None:
        raise BrokenError("there is no sshd on this machine (Debian: openssh-server)")
    count, size = bench.sized(120, 40), bench.sized(256, 64)
    with sshds(bench.folder("sshd") / "hosts", 1) as ((host,), key), squall(bench) as ours:
        parameters = {"hosts": host.host, "private_key": str(key), "cmd": "true"}
        squalls, floors = bench.in_turns(
            partial(finished, ours, "core.remote", count, parameters), partial(_clients, host, key, count)
        )
        yield Row(f"finished core.remote, {_AT_ONCE} connections", "1/s", median(squalls), median(floors), more=True)
        squalls, floors = bench.in_turns(
            partial(_streamed, ours, {**parameters, "cmd": _printing(size)}, size),
            partial(_piped, host, key, size),
        )
        yield Row(f"{size} MiB streamed from a host", "MiB/s", median(squalls), median(floors), more=True)


def _printing(size: int) -> str:
    return f"yes 0123456789012345678901234567890123456789012345678901234567890123456789 | head -c {size << 20}"


def _client(host: Sshd, key: Path, cmd: str) -> list[str]:
    options = ("BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR")
    words = [word for option in options for word in ("-o", option)]
    return ["ssh", *words, "-i", str(key), "-p", str(host.port), "127.0.0.1", cmd]


def _clients(host: Sshd, key: Path, count: int) -> float:
    began = time.monotonic()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(lambda _: subprocess.run(_client(host, key, "true"), check=True), range(count)))
    return count / (time.monotonic() - began)


def _piped(host: Sshd, key: Path, size: int) -> float:
    began = time.monotonic()
    with subprocess.Popen(_client(host, key, _printing(size)), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        got = 0
        while data := process.stdout.read(1 << 20):
            got += len(data)
    if got != size << 20:
        raise BrokenError(f"ssh gave {got} bytes")
    return size / (time.monotonic() - began)


def _streamed(server: Squall, parameters: dict[str, Any], size: int) -> float:
    connection = Connection(server.port)
    began = time.monotonic()
    execution = connection.post("/v1/executions", {"action": "core.remote", "parameters": parameters})["id"]
    connection.close()
    reader = http.client.HTTPConnection("127.0.0.1", server.port, timeout=_PATIENCE)
    reader.request("GET", f"/v1/executions/{execution}/output?format=raw")
    answer, got = reader.getresponse(), 0
    while data := answer.read(1 << 20):
        got += len(data)
    reader.close()
    if got != size << 20:
        raise BrokenError(f"the output of {execution} had {got} bytes")
    return size / (time.monotonic() - began)


def requests(bench: Bench) -> Iterator[Row]:
    """Finished `core.http` of a small page; each is a process of its own."""
    count = bench.sized(150, 50)
    with squall(bench) as ours, floor(bench) as theirs:
        parameters = {"url": f"http://127.0.0.1:{ours.port}/healthz"}
        squalls, floors = bench.in_turns(
            partial(finished, ours, "core.http", count, parameters), partial(_commands, theirs.port, count)
        )
        note = "the floor is a process that does nothing, per request"
        yield Row(
            f"finished core.http, {_AT_ONCE} connections", "1/s", median(squalls), median(floors), more=True, note=note
        )


def _commands(port: int, count: int) -> float:
    return count / post_many(port, "/local", {}, count, _AT_ONCE)


def authentication(bench: Bench) -> Iterator[Row]:
    """A small request with a token, an API key, and to a server that asks nobody (the floor)."""
    count = bench.sized(2000, 500)
    home = bench.folder("asking")
    digest = base64.b64encode(hashlib.sha1(_PASSWORD.encode()).digest()).decode()
    (home / "htpasswd").write_text(f"{_USER}:{{SHA}}{digest}\n")
    (home / "htpasswd").chmod(0o600)
    (home / "squall.toml").write_text("[auth]\nenable = true\n")
    with squall(bench, home) as asking, squall(bench) as open_to_all:
        basic = base64.b64encode(f"{_USER}:{_PASSWORD}".encode()).decode()
        token = _ask(asking, "POST", "/auth/v1/tokens", {"Authorization": f"Basic {basic}"})["token"]
        key = _ask(asking, "POST", "/v1/apikeys", {"X-Auth-Token": token})["key"]
        for name, headers in (("a token", {"X-Auth-Token": token}), ("an API key", {"St2-Api-Key": key})):
            squalls, floors = bench.in_turns(
                partial(_looked, asking, count, headers), partial(_looked, open_to_all, count, {})
            )
            yield Row(f"GET of an action with {name}, p50", "ms", median(squalls), median(floors))


def _ask(server: Squall, method: str, path: str, headers: dict[str, str]) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=_PATIENCE)
    connection.request(method, path, "{}", {"Content-Type": "application/json", **headers})
    answer = connection.getresponse()
    found: dict[str, Any] = json.loads(answer.read())
    connection.close()
    if answer.status >= 300:
        raise BrokenError(f"{method} {path} gave {answer.status}: {found}")
    return found


def _looked(server: Squall, count: int, headers: dict[str, str]) -> float:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=_PATIENCE)
    took = []
    for _ in range(count):
        began = time.perf_counter()
        connection.request("GET", "/v1/actions/core.noop", headers=headers)
        answer = connection.getresponse()
        answer.read()
        took.append(time.perf_counter() - began)
        if answer.status != 200:
            raise BrokenError(f"the request gave {answer.status}")
    connection.close()
    return percentile(took, 0.5) * 1000
