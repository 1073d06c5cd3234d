from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path
from urllib.request import urlopen

import msgspec
import pytest

from squall.app import App, build, serve
from squall.config import Settings, load
from squall.core.errors import ConfigError

pytestmark = pytest.mark.anyio


def settings(path: Path, **server: object) -> Settings:
    """Settings of a server that leaves nothing behind."""
    found = load({"server.data_dir": str(path), "server.port": "0"}, {"HOME": str(path)}).settings
    return msgspec.structs.replace(found, server=msgspec.structs.replace(found.server, stop_actions=True, **server))


def ask(url: str) -> object:
    """The JSON at an address."""
    with urlopen(url, timeout=10) as reply:
        return json.load(reply)


async def test_a_server_answers_when_it_is_ready_and_ends_when_it_is_told(tmp_path: Path) -> None:
    ready: asyncio.Future[App] = asyncio.get_running_loop().create_future()
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        served = group.create_task(serve(settings(tmp_path), ready.set_result))
        app = await ready
        about = app.about()
        assert await asyncio.to_thread(ask, f"{about['url']}/readyz")
        assert json.loads((tmp_path / "server.json").read_text())["url"] == about["url"]
        assert about["api_url"] == f"{about['url']}/api/v1"
        app.stop()
        app.stop()
        await served
    assert not (tmp_path / "server.json").exists()


async def test_a_stop_before_the_start_is_not_lost(tmp_path: Path) -> None:
    def stop(app: App) -> None:
        app.stop()

    async with asyncio.timeout(60):
        await serve(settings(tmp_path), stop)
        # Nothing is left that would keep another from taking its place in the same process.
        await serve(settings(tmp_path), stop)


async def test_two_servers_share_no_data_directory(tmp_path: Path) -> None:
    ready: asyncio.Future[App] = asyncio.get_running_loop().create_future()
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        served = group.create_task(serve(settings(tmp_path), ready.set_result))
        app = await ready
        with pytest.raises(ConfigError, match="held by a running server"):
            await serve(settings(tmp_path), lambda _: None)
        app.stop()
        await served


async def test_a_port_in_use_is_refused_and_the_directory_given_back(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"Port {port}"):
            await serve(settings(tmp_path, port=port), lambda _: None)
    async with asyncio.timeout(60):
        await serve(settings(tmp_path), lambda app: app.stop())


async def test_an_address_of_ipv6_is_written_in_brackets(tmp_path: Path) -> None:
    (tmp_path / "journals").mkdir()
    try:
        made = build(settings(tmp_path, host="::1"))
    except ConfigError as error:
        pytest.skip(f"this machine has no ::1: {error}")
    assert made.url.startswith("http://[::1]:")
    for server in made.parts.servers:
        server._socket.close()
    await made.parts.outside.close()
