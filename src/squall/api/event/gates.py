"""Rules over time over HTTP: held matches at `/rules/{ref}/held`, and `/silences`."""

from __future__ import annotations

from collections.abc import Sequence

from squall.api.http.pages import page
from squall.api.http.routes import PAGE, Route, admin, bound
from squall.api.http.wire import Answer, Request, texts
from squall.core.errors import InvalidError
from squall.core.event.gates.records import MOST_HELD, held_document
from squall.core.event.gates.silences import document as silence_document
from squall.core.event.rules.records import document
from squall.services.event.gates.held import Held
from squall.services.event.gates.silences import Silences

_DEFAULT_LIMIT = 100


class HeldRoutes:
    """`/rules/{ref}/held`, and below it `run` and `discard`."""

    def __init__(self, held: Held) -> None:
        self._held = held

    def routes(self) -> list[Route]:
        """Returns the rows of the table, bound to this instance."""
        return bound(HELD_ROUTES, self)

    async def _list(self, request: Request) -> Answer:
        part = page(request.query, _DEFAULT_LIMIT)
        held, total = await self._held.find(request.path["ref"], part.limit, part.offset)
        return Answer([held_document(each) for each in held], headers=part.headers(total))

    async def _run(self, request: Request) -> Answer:
        enforcements = await self._held.run(request.path["ref"], await _ids(request), request.identity.execution)
        return Answer([document(each) for each in enforcements])

    async def _discard(self, request: Request) -> Answer:
        held = await self._held.discard(request.path["ref"], await _ids(request))
        return Answer([held_document(each) for each in held])


class SilenceRoutes:
    """`/silences`."""

    def __init__(self, silences: Silences) -> None:
        self._silences = silences

    def routes(self) -> list[Route]:
        """Returns the rows of the table, bound to this instance."""
        return bound(SILENCE_ROUTES, self)

    async def _list(self, request: Request) -> Answer:
        part = page(request.query, _DEFAULT_LIMIT)
        silences = await self._silences.find()
        end = None if part.limit is None else part.offset + part.limit
        return Answer(
            [silence_document(each) for each in silences[part.offset : end]], headers=part.headers(len(silences))
        )

    async def _get(self, request: Request) -> Answer:
        return Answer(silence_document(await self._silences.get(request.path["id"])))

    async def _create(self, request: Request) -> Answer:
        silence = await self._silences.create(await request.document(), request.identity.user)
        return Answer(silence_document(silence), 201)

    async def _delete(self, request: Request) -> Answer:
        await self._silences.delete(request.path["id"])
        return Answer(status=204)


async def _ids(request: Request) -> Sequence[str] | None:
    """Returns the ids in the body of a request; None, which means all, if there are none in it. Raises
    `InvalidError`."""
    body = await request.document()
    for name in body:
        if name != "ids":
            raise InvalidError(f'{name}: the body has only "ids", a list of ids of held matches')
    if body.get("ids") is None:
        return None
    ids = texts(body, "ids")
    if len(ids) > MOST_HELD:
        raise InvalidError(f"ids: at most {MOST_HELD}, not {len(ids)}")
    return ids


HELD_ROUTES = (
    Route(
        "GET", "/rules/{ref}/held", HeldRoutes._list, "List the held matches of a rule", "HeldMatch", PAGE,
        listed=True,
    ),
    Route(
        "POST", "/rules/{ref}/held/run", HeldRoutes._run, "Run held matches of a rule", "RuleEnforcement", (),
        "HeldBody", listed=True, permission=admin("running held matches"),
    ),
    Route(
        "POST", "/rules/{ref}/held/discard", HeldRoutes._discard, "Discard held matches of a rule", "HeldMatch", (),
        "HeldBody", listed=True, permission=admin("discarding held matches"),
    ),
)  # fmt: skip

SILENCE_ROUTES = (
    Route("GET", "/silences", SilenceRoutes._list, "List the silences that are in force", "Silence", PAGE, listed=True),
    Route("GET", "/silences/{id}", SilenceRoutes._get, "Show one silence", "Silence"),
    Route(
        "POST", "/silences", SilenceRoutes._create, "Silence a rule, a pack or a trigger", "Silence", (), "SilenceBody",
        201, permission=admin("silencing rules"),
    ),
    Route(
        "DELETE", "/silences/{id}", SilenceRoutes._delete, "Remove a silence", status=204,
        permission=admin("removing silences"),
    ),
)  # fmt: skip

ROUTES = (*HELD_ROUTES, *SILENCE_ROUTES)
