"""The service registry over HTTP: the StackStorm services that this one process replaces."""

from __future__ import annotations

import os
import socket
from typing import Any
from urllib.parse import urlsplit

from squall.api.http.routes import Route, admin, bound
from squall.api.http.wire import Answer, Request
from squall.core.errors import NotFoundError

_LISTENING = ("api", "auth", "stream")
_GROUPS = (*_LISTENING, "actionrunner", "scheduler", "workflow_engine", "garbagecollector")


class RegistryRoutes:
    """`/service_registry/groups`. `url` is the address of this server."""

    def __init__(self, url: str) -> None:
        self._address = urlsplit(url)

    def routes(self) -> list[Route]:
        """Returns the rows of the table, bound to this instance."""
        return bound(ROUTES, self)

    async def _groups(self, request: Request) -> Answer:
        return Answer({"groups": list(_GROUPS)})

    async def _members(self, request: Request) -> Answer:
        group = request.path["group"]
        if group not in _GROUPS:
            raise NotFoundError(f'Group with ID "{group}" not found.')
        here, pid = socket.gethostname(), os.getpid()
        capabilities: dict[str, Any] = {"name": group.replace("_", ""), "type": "passive", "hostname": here, "pid": pid}
        if group in _LISTENING:
            listening = {"listen_host": self._address.hostname, "listen_port": self._address.port}
            capabilities |= {**listening, "type": "active"}
        if group == "auth":
            # Only StackStorm's auth service has this field. Squall leaves TLS to a proxy.
            capabilities["listen_ssl"] = False
        return Answer({"members": [{"group_id": group, "member_id": f"{here}_{pid}", "capabilities": capabilities}]})


_LOOKING = admin("looking at the service registry")

ROUTES = (
    Route(
        "GET", "/service_registry/groups", RegistryRoutes._groups, "Groups of services", "Groups", permission=_LOOKING
    ),
    Route(
        "GET", "/service_registry/groups/{group}/members", RegistryRoutes._members, "The services of a group",
        "Members", permission=_LOOKING,
    ),
)  # fmt: skip
