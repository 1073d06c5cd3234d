"""Timers over HTTP: `/timers`, with StackStorm's documents and what Squall adds."""

from __future__ import annotations

from typing import Any

from squall.api.http.pages import page
from squall.api.http.routes import PAGE, Route, admin, bound
from squall.api.http.wire import Answer, Request, field
from squall.core.errors import InvalidError
from squall.core.event.schedules.schedule import FIELDS
from squall.core.event.timers.records import document, fire_document, missed_document
from squall.core.timestamp import from_iso
from squall.services.event.timers.timers import Backfilled, Timers

_LISTED = 1_000
_PREVIEWED = 10
_BACKFILLED = 100
_MISSED = 100


class TimerRoutes:
    """`/timers`."""

    def __init__(self, timers: Timers) -> None:
        self._timers = timers

    def routes(self) -> list[Route]:
        """Returns the rows of the table, bound to this instance."""
        return bound(ROUTES, self)

    async def _list(self, request: Request) -> Answer:
        timer_type = request.query.text("timer_type")
        if timer_type is not None and timer_type not in FIELDS:
            raise InvalidError(f"Timer type {timer_type} not in supported types - {', '.join(FIELDS)}.")
        part = page(request.query, _LISTED)
        timers, total = await self._timers.find(timer_type, part.limit, part.offset)
        return Answer([document(each) for each in timers], headers=part.headers(total))

    async def _get(self, request: Request) -> Answer:
        return Answer(document(await self._timers.get(request.path["ref"])))

    async def _preview(self, request: Request) -> Answer:
        count = request.query.integer("count", _PREVIEWED)
        fires, reason = await self._timers.preview(request.path["ref"], _PREVIEWED if count is None else count)
        return Answer({"fires": [fire_document(each) for each in fires], "reason": reason})

    async def _missed(self, request: Request) -> Answer:
        part = page(request.query, _MISSED)
        missed = await self._timers.missed(request.path["ref"], part.limit, part.offset)
        return Answer([missed_document(each) for each in missed])

    async def _pause(self, request: Request) -> Answer:
        body = await _body(request, ("reason", "until"))
        timer = await self._timers.pause(
            request.path["ref"],
            request.identity.user,
            field(body, "reason", str, "string", ""),
            _time(body, "until") if body.get("until") is not None else None,
        )
        return Answer(document(timer))

    async def _resume(self, request: Request) -> Answer:
        await _body(request, ())
        return Answer(document(await self._timers.resume(request.path["ref"])))

    async def _backfill(self, request: Request) -> Answer:
        body = await _body(request, ("from", "to", "limit", "dry_run"))
        dry_run = field(body, "dry_run", bool, "boolean", default=False)
        limit = field(body, "limit", int, "integer", _BACKFILLED)
        begin, end = _time(body, "from"), _time(body, "to")
        fires = await self._timers.backfill(
            request.path["ref"], begin, end, limit, dry_run=dry_run, execution=request.identity.execution
        )
        return Answer({"dry_run": dry_run, "fires": [_backfilled(each, dry_run=dry_run) for each in fires]})


async def _body(request: Request, names: tuple[str, ...]) -> dict[str, Any]:
    """Returns the object in the body of a request. Raises `InvalidError`, also for a field that is not in `names`."""
    body = await request.document()
    for name in body:
        if name not in names:
            allowed = f"Use {', '.join(names)}." if names else "The body is empty."
            raise InvalidError(f"{name:.60}: there is no such field. {allowed}")
    return body


def _time(body: dict[str, Any], name: str) -> int:
    """Returns a time of a body (µs since 1970). Raises `InvalidError`."""
    return from_iso(field(body, name, str, "string", ""), name)


def _backfilled(each: Backfilled, *, dry_run: bool) -> dict[str, Any]:
    result = "happened before" if each.before else "would happen" if dry_run else "happens now"
    instance = {} if each.instance_id is None else {"trigger_instance_id": each.instance_id}
    return {**fire_document(each.fire), "result": result, **instance}


ROUTES = (
    Route("GET", "/timers", TimerRoutes._list, "List timers", "Timer", ("timer_type", *PAGE), listed=True),
    Route("GET", "/timers/{ref}", TimerRoutes._get, "Show one timer", "Timer"),
    Route(
        "GET", "/timers/{ref}/preview", TimerRoutes._preview, "Show the next fires of a timer", "Fires",
        ("count of fires",),
    ),
    Route(
        "GET", "/timers/{ref}/missed", TimerRoutes._missed, "List the fires of a timer that did not happen",
        "MissedFire", PAGE, listed=True,
    ),
    Route(
        "POST", "/timers/{ref}/pause", TimerRoutes._pause, "Pause a timer", "Timer", (), "PauseBody",
        permission=admin("pausing timers"),
    ),
    Route(
        "POST", "/timers/{ref}/resume", TimerRoutes._resume, "Resume a timer", "Timer",
        permission=admin("resuming timers"),
    ),
    Route(
        "POST", "/timers/{ref}/backfill", TimerRoutes._backfill, "Let past fires of a timer happen", "Backfill", (),
        "BackfillBody", permission=admin("backfilling timers"),
    ),
)  # fmt: skip
