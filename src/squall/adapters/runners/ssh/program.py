"""The program of a remote action: `python -m squall.adapters.runners.ssh.program`, with the job as JSON on stdin.

It connects to all hosts at once, writes their output as tagged records, and at the end writes the results of all hosts.
The keeper runs it, so it survives an end of the server. On TERM, it kills the commands on the hosts.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import json
import os
import secrets
import shlex
import signal
import sys
import tarfile
import traceback
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import asyncssh

from squall.adapters import reading
from squall.adapters.runners.ssh.hosts import Remote
from squall.adapters.runners.ssh.keys import IGNORE, Client, HostKeys
from squall.core.output.tagged import RECORDS_FD, RESULT_FD, pack

_ALIVE_EVERY, _ALIVE_TRIES = 5, 3
_LOST = 255
_TIMED_OUT = -9
_KEPT_MOST = 1 << 20
_KEPT_LEAST = 32 << 10


class Records:
    """Writes records to a descriptor. Writers wait while the keeper does not read."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = asyncio.Lock()
        self._unwritten = memoryview(b"")
        os.set_blocking(descriptor, False)

    async def write(self, stream: int, tag: str, data: bytes) -> None:
        """Writes one piece of a host's output as a whole, after those of earlier callers. If a caller is cancelled in
        the middle of a piece, the next caller first writes the rest of it."""
        async with self._lock:
            await self._flush()
            self._unwritten = memoryview(pack(stream, tag, data))
            await self._flush()

    async def finish(self) -> None:
        """Writes the rest of a piece whose writer was cancelled."""
        async with self._lock:
            await self._flush()

    async def _flush(self) -> None:
        while self._unwritten:
            try:
                self._unwritten = self._unwritten[os.write(self._descriptor, self._unwritten) :]
            except BlockingIOError:
                await self._writable()

    async def _writable(self) -> None:
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        loop.add_writer(self._descriptor, ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_writer(self._descriptor)


class Program:
    """One remote action on all of its hosts."""

    def __init__(self, job: dict[str, Any], records: Records) -> None:
        self._job = job
        self._records = records
        self._keys = HostKeys(job["host_keys"], job["known_hosts"])
        self._room = asyncio.Semaphore(job["parallel"])
        self._stop = asyncio.Event()
        self._lock = asyncio.Lock()
        hosts = job["hosts"]
        self._keep = max(_KEPT_LEAST, min(_KEPT_MOST, job["keep"] // max(1, len(hosts))))
        self._bastion: asyncssh.SSHClientConnection | None = None

    def stop(self) -> None:
        """Stops the commands on the hosts."""
        self._stop.set()

    async def run(self) -> dict[str, Any]:
        """Runs the action on all hosts. Returns the results by host."""
        hosts = self._job["hosts"]
        async with asyncio.TaskGroup() as group:
            tasks = {host["name"]: group.create_task(self._host(host)) for host in hosts}
        await self._records.finish()
        return {name: task.result() for name, task in tasks.items()}

    async def _host(self, host: dict[str, Any]) -> dict[str, Any]:
        name = host["name"]

        async def write(stream: int, data: bytes) -> None:
            await self._records.write(stream, name, data)

        remote = Remote(self._job, "q" + secrets.token_hex(8) + ":", write, self._keep)
        client = Client(self._keys)
        try:
            async with self._room:
                if self._stop.is_set():
                    return _result(remote, _LOST, "Not started: the action was canceled", timeout=False)
                return await self._run_on_host(host, client, remote)
        except (asyncssh.Error, OSError, TimeoutError, ValueError, asyncssh.KeyImportError) as error:
            reason = client.refused or str(error) or type(error).__name__
            began = remote.pid is not None
            message = f"The connection to host {name} was lost: {reason}" if began else _unreached(name, reason)
            await write(3, f"{message}\n".encode())
            return {**_result(remote, _LOST, message, timeout=False), "traceback": traceback.format_exc(limit=-3)}

    async def _run_on_host(self, host: dict[str, Any], client: Client, remote: Remote) -> dict[str, Any]:
        connection = await self._connect(host, client, await self._tunnel())
        async with connection:
            command, folder = self._job["command"], self._folder(host["name"])
            if self._job["script"]:
                command = await self._upload(connection, folder)
            try:
                result = await self._run_command(connection, remote, command)
            finally:
                if self._job["script"]:
                    with contextlib.suppress(asyncssh.Error, OSError):
                        await connection.run(f"rm -rf -- {shlex.quote(folder)}")
        return result

    async def _run_command(
        self, connection: asyncssh.SSHClientConnection, remote: Remote, command: str
    ) -> dict[str, Any]:
        """Runs the command, and kills it if its time is over or the action must stop. Returns the host's result."""
        seconds = self._job["timeout"]
        async with asyncio.TaskGroup() as group:
            running = group.create_task(_result_or_error(remote.run(connection, command)))
            stopping = group.create_task(self._stop.wait())
            started = group.create_task(remote.started.wait())
            # The timeout starts with the command, because nothing can kill the command before its start.
            limit = self._job["connect_timeout"]
            await asyncio.wait({running, started}, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            exited = group.create_task(remote.exited.wait())
            await asyncio.wait({running, stopping, exited}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if remote.exited.is_set():
                # The command has ended by itself, so processes that it left behind go on.
                await asyncio.wait({running})
            ended = running.done()
            if not ended:
                await remote.kill(connection)
                # The output up to the kill belongs to the result.
                await asyncio.wait({running}, timeout=0.5)
                running.cancel()
            for task in (stopping, started, exited):
                task.cancel()
        if ended:
            code = running.result()
            if isinstance(code, Exception):
                raise code
            problem = "The sudo password was not accepted" if code and remote.wrong_password else None
            return _result(remote, code, problem, timeout=None)
        if self._stop.is_set():
            return _result(remote, _LOST, "The action was canceled", timeout=False)
        return _result(remote, _TIMED_OUT, f"Action failed to complete in {seconds:g} seconds", timeout=True)

    # -- connecting

    async def _tunnel(self) -> asyncssh.SSHClientConnection | None:
        """Returns the connection to the bastion, which all hosts share; None without a bastion. Raises `OSError`."""
        bastion = self._job["bastion"]
        if not bastion:
            return None
        async with self._lock:
            if self._bastion is None or self._bastion.is_closed():
                client = Client(self._keys)
                try:
                    self._bastion = await self._connect(bastion, client, None)
                except (asyncssh.Error, OSError, TimeoutError) as error:
                    reason = client.refused or str(error) or type(error).__name__
                    raise OSError(f"bastion {bastion['name']}: {reason}") from error
            return self._bastion

    async def _connect(
        self, host: dict[str, Any], client: Client, tunnel: asyncssh.SSHClientConnection | None
    ) -> asyncssh.SSHClientConnection:
        job = self._job
        seconds = job["connect_timeout"]
        options: dict[str, Any] = {
            "username": host.get("user") or job["username"],
            "known_hosts": None if job["host_keys"] == IGNORE else self._keys.match,
            "config": [job["config_file"]] if job["config_file"] else None,
            "keepalive_interval": _ALIVE_EVERY,
            "keepalive_count_max": _ALIVE_TRIES,
            **self._credentials(),
        }
        if tunnel is not None:
            options["tunnel"] = tunnel
        if host["port"]:
            options["port"] = host["port"]
        try:
            async with asyncio.timeout(seconds):
                return await asyncssh.connect(host["address"], client_factory=lambda: client, **options)
        except TimeoutError:
            raise TimeoutError(f"no connection within {seconds:g} seconds") from None

    def _credentials(self) -> dict[str, Any]:
        """Returns the login options in StackStorm's order: the password, else the private key, else the default keys
        and the agent."""
        job = self._job
        if job.get("password"):
            return {
                "password": job["password"],
                "client_keys": [],
                "agent_path": None,
                "preferred_auth": "password,keyboard-interactive",
            }
        key, phrase = job.get("private_key"), job.get("passphrase")
        if key:
            text = key if "private key-----" in key.lower() else reading.read_text(Path(key).expanduser())
            return {"client_keys": [asyncssh.import_private_key(text, phrase)], "agent_path": None}
        return {"client_keys": [job["key_file"]], "passphrase": phrase} if job["key_file"] else {}

    # -- scripts

    def _folder(self, host: str) -> str:
        """Returns a folder of the host's own: two hosts may share a disk, or be one machine under two names."""
        suffix = hashlib.sha256(host.encode()).hexdigest()[:8]
        return f"{self._job['dir'].rstrip('/')}/{self._job['execution']}.{suffix}"

    async def _upload(self, connection: asyncssh.SSHClientConnection, place: str) -> str:
        """Uploads the script and its `lib` folder to `place`. Returns the command that runs it. Raises `OSError`."""
        script = Path(self._job["script"])
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            archive.add(script, script.name, filter=_runnable)
            if (script.parent / "lib").is_dir():
                archive.add(script.parent / "lib", "lib")
        folder = shlex.quote(place)
        # The sudo user must be able to read the folder, whose name nobody can guess.
        put = f"umask 022; mkdir -p -- {folder} && cd -- {folder} && tar -xf - 2>&1"
        completed = await connection.run(put, input=packed.getvalue(), encoding=None)
        if completed.exit_status != 0:
            reason = completed.stdout.decode("utf-8", "replace") if isinstance(completed.stdout, bytes) else ""
            raise OSError(f"the script could not be uploaded to {place}: {reason.strip() or 'no reason given'}")
        words = [f"{place}/{script.name}", *self._job["arguments"]]
        return " ".join(shlex.quote(word) for word in words)


async def _result_or_error(work: Coroutine[Any, Any, int]) -> int | Exception:
    """Returns the result of `work`, or its exception as a value, so that the task group cancels no other task."""
    try:
        return await work
    except Exception as error:
        return error


def _runnable(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.mode = 0o755
    return entry


def _unreached(name: str, reason: str) -> str:
    return f"Failed connecting to host {name}. {reason}"


def _result(remote: Remote, code: int, error: str | None, *, timeout: bool | None) -> dict[str, Any]:
    """Returns one host's result in StackStorm's shape."""
    succeeded = code == 0 and error is None
    result: dict[str, Any] = {
        "stdout": remote.stdout.text(),
        "stderr": remote.stderr.text(),
        "return_code": code,
        "succeeded": succeeded,
        "failed": not succeeded,
    }
    if timeout is not None:
        result["timeout"] = timeout
    if error is not None:
        result["error"] = error
    omitted = {"stdout_omitted": remote.stdout.omitted, "stderr_omitted": remote.stderr.omitted}
    return {**result, **{name: count for name, count in omitted.items() if count}}


async def _main(job: dict[str, Any]) -> dict[str, Any]:
    program = Program(job, Records(int(os.environ[RECORDS_FD])))
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, program.stop)
    return await program.run()


def main(data: bytes) -> int:
    """Runs the job in `data`. Returns 0 when its result has been written, even if hosts failed."""
    job = json.loads(data)
    result = asyncio.run(_main(job))
    with os.fdopen(int(os.environ[RESULT_FD]), "wb") as stream:
        stream.write(json.dumps(result).encode())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.stdin.buffer.read()))
