"""Work that is set aside over HTTP: list it, and let the server try it again."""

from __future__ import annotations

from typing import Any

from squall.api.http.routes import Route, admin, bound
from squall.api.http.wire import Answer, Request
from squall.core.timestamp import to_iso
from squall.services.suspects import Suspects


class SuspectRoutes:
    """`/queue/aside` and `/queue/aside/{id}/retry`."""

    def __init__(self, suspects: Suspects) -> None:
        self._suspects = suspects

    def routes(self) -> list[Route]:
        """Returns the rows of the table, bound to this instance."""
        return bound(ROUTES, self)

    async def _list(self, request: Request) -> Answer:
        return Answer([_document(each.subject, each.lane, each.deaths, each.since) for each in self._suspects.aside()])

    async def _retry(self, request: Request) -> Answer:
        retried = await self._suspects.retry(request.path["id"])
        return Answer([_document(each.subject, each.lane, each.deaths, each.since) for each in retried])


def _document(subject: str, lane: str, deaths: int, since: int) -> dict[str, Any]:
    """Returns a suspect for a client: the id that a retry takes, its lane, the deaths, and the time of the first."""
    return {"id": subject, "lane": lane, "deaths": deaths, "since": to_iso(since)}


ROUTES = (
    Route("GET", "/queue/aside", SuspectRoutes._list, "List work that is set aside", "SetAside", listed=True),
    Route(
        "POST", "/queue/aside/{id}/retry", SuspectRoutes._retry, "Try work that is set aside again", "SetAside",
        listed=True, permission=admin("trying work that killed the server again"),
    ),
)  # fmt: skip
