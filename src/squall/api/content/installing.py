"""Installing and removing packs over HTTP, and the index of packs. Both are executions, whose output streams."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from squall.api.http.routes import Route, admin, bound
from squall.api.http.wire import Answer, Request, field, texts
from squall.core.content.action import SYSTEM_PACKS
from squall.core.content.pack_index import PackIndex, health, search
from squall.core.errors import InvalidError
from squall.core.names import pack_name
from squall.services.content.content import Content
from squall.services.execution.executions import Executions
from squall.services.execution.executions import Request as RunRequest


class InstallRoutes:
    """`/packs/install`, `/packs/uninstall`, `/packs/index`. `forget` unregisters a pack, `index` fetches the lists of
    packs."""

    def __init__(
        self,
        content: Content,
        executions: Executions,
        forget: Callable[[str], Awaitable[None]],
        fetch_index: Callable[[], PackIndex],
    ) -> None:
        self._content = content
        self._executions = executions
        self._forget = forget
        self._fetch_index = fetch_index

    def routes(self) -> list[Route]:
        """Returns the rows of the table, bound to this instance."""
        return bound(ROUTES, self)

    async def _install(self, request: Request) -> Answer:
        body = await request.document()
        parameters: dict[str, Any] = {
            "packs": _packs(body),
            "force": field(body, "force", bool, "boolean", False),
            "skip_dependencies": field(body, "skip_dependencies", bool, "boolean", False),
        }
        python = field(body, "python", str, "string")
        if python is not None:
            parameters["python"] = python
        return await self._run(request, "packs.install", parameters)

    async def _uninstall(self, request: Request) -> Answer:
        packs = [pack_name(pack) for pack in _packs(await request.document())]
        return await self._run(request, "packs.uninstall", {"packs": packs})

    async def _run(self, request: Request, action: str, parameters: dict[str, Any]) -> Answer:
        run_request = RunRequest(action=action, parameters=parameters, user=request.identity.user)
        return Answer({"execution_id": (await self._executions.request(run_request)).id}, 202)

    async def _delete(self, request: Request) -> Answer:
        """Unregisters a pack; its files stay. The action `packs.unload` sends this request. StackStorm has no such
        route."""
        pack = await self._content.pack(request.path["ref"])
        if pack.ref in SYSTEM_PACKS:
            raise InvalidError("Resources belonging to system level packs can't be manipulated")
        await self._forget(pack.ref)
        return Answer(status=204)

    async def _index(self, request: Request) -> Answer:
        index = await asyncio.to_thread(self._fetch_index)
        return Answer({"status": index.status, "index": index.required()})

    async def _health(self, request: Request) -> Answer:
        return Answer(health(await asyncio.to_thread(self._fetch_index)))

    async def _search(self, request: Request) -> Answer:
        """Searches the index. The answer to `query` is a list; the answer to `pack` is one entry or null."""
        body = await request.document()
        query, pack = field(body, "query", str, "string"), field(body, "pack", str, "string")
        if (query is None) == (pack is None):
            raise InvalidError("Either query or pack is required: a text to search for, or the name of a pack")
        packs = (await asyncio.to_thread(self._fetch_index)).required()
        return Answer(packs.get(pack) if pack is not None else search(packs, query or ""))


def _packs(body: dict[str, Any]) -> list[str]:
    if body.get("packs") is None:
        raise InvalidError("'packs' is a required property")
    packs = texts(body, "packs")
    if not packs or not all(item.strip() for item in packs):
        raise InvalidError("packs: expected at least one pack, and none without a name")
    return packs


_INSTALLING = admin("installing packs")

ROUTES = (
    Route(
        "DELETE", "/packs/{ref}", InstallRoutes._delete, "Unregister a pack; its files stay", status=204,
        permission=admin("removing packs"),
    ),
    Route(
        "POST", "/packs/install", InstallRoutes._install, "Install packs", "Started", (), "InstallBody", 202,
        permission=_INSTALLING,
    ),
    Route(
        "POST", "/packs/uninstall", InstallRoutes._uninstall, "Remove packs", "Started", (), "UninstallBody", 202,
        permission=_INSTALLING,
    ),
    Route("GET", "/packs/index", InstallRoutes._index, "List the packs of the index", "Anything"),
    Route("GET", "/packs/index/health", InstallRoutes._health, "Show the state of each list of packs", "Anything"),
    Route(
        "POST", "/packs/index/search", InstallRoutes._search, "Search the index of packs", "Anything", (),
        "SearchBody",
    ),
)  # fmt: skip
