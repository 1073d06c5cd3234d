"""Storage over HTTP: show its usage, remove finished executions, verify a journal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from squall.api.http.routes import Route, admin, bound
from squall.api.http.wire import Answer, Request, field
from squall.core.errors import InvalidError
from squall.core.execution.retention import DAY, Selection, check_statuses
from squall.core.timestamp import to_iso
from squall.services.execution.executions import Executions
from squall.services.output.retention import Retention
from squall.services.output.storage import Storage

_SHOWN = 20
_PAGE = 500
_MOST = 5000


class StorageRoutes:
    """`/storage`, `/storage/damage` and `/executions/{id}/output/verify`. `now` returns the time in µs."""

    def __init__(self, storage: Storage, retention: Retention, executions: Executions, now: Callable[[], int]) -> None:
        self._storage = storage
        self._retention = retention
        self._executions = executions
        self._now = now

    def routes(self) -> list[Route]:
        """Returns the rows of the table, bound to this instance."""
        return bound(ROUTES, self)

    async def _usage(self, request: Request) -> Answer:
        limit = request.query.integer("limit", _SHOWN) or _SHOWN
        return Answer(msgspec.to_builtins(await self._storage.usage(max(1, limit))))

    async def _purge(self, request: Request) -> Answer:
        """Purges one page of executions. The client repeats the request with the `cursor` of the answer until that is
        null."""
        document = await request.document()
        limit = field(document, "limit", int, "integer", _PAGE)
        if not 1 <= limit <= _MOST:
            raise InvalidError(f"limit: {limit} is not between 1 and {_MOST}")
        selection = _selection(document, self._now())
        dry_run = field(document, "dry_run", bool, "boolean", False)
        purged = await self._retention.purge(selection, _cursor(document), limit, dry_run)
        return Answer(msgspec.to_builtins(purged) | {"dry_run": dry_run})

    async def _verify(self, request: Request) -> Answer:
        execution = await self._executions.get(await self._executions.resolve(request.path["id"]), False)
        checked = await self._storage.check(execution.tree)
        none = {"tree": execution.tree, "place": "none"}
        document = msgspec.to_builtins(checked.verdict) if checked.verdict is not None else none
        faults = list(checked.faults)
        return Answer({**document, "faults": faults, "recorded_digest": checked.digest, "ok": not faults})

    async def _damages(self, request: Request) -> Answer:
        limit = request.query.integer("limit", _PAGE) or _PAGE
        if not 1 <= limit <= _MOST:
            raise InvalidError(f"limit: {limit} is not between 1 and {_MOST}")
        damages, count, mark = await self._storage.damages(limit)
        return Answer(
            {
                "count": count,
                "damaged": [
                    {"tree": each.tree, "found": to_iso(each.found), "faults": list(each.faults)} for each in damages
                ],
                "round": mark.round,
                "round_began": to_iso(mark.begun) if mark.begun else None,
                "checked_until": to_iso(mark.start) if mark.tree else None,
            }
        )


def _selection(document: dict[str, Any], now: int) -> Selection:
    """Returns the selection of executions to remove from a body. Raises `InvalidError` that names the field."""
    days = document.get("older_than_days")
    if isinstance(days, bool) or not isinstance(days, int | float) or not 0 <= days <= 36_500:
        raise InvalidError(f"older_than_days: {days!r} is not a number of days from 0 to 36500; the field is required")
    larger = field(document, "larger_than_bytes", int, "integer", 0)
    return Selection(
        before=now - int(days * DAY),
        packs=_names(document, "pack"),
        actions=_names(document, "action"),
        statuses=check_statuses(_names(document, "status")),
        larger=max(0, larger),
    )


def _names(document: dict[str, Any], name: str) -> frozenset[str]:
    value = document.get(name)
    items = value if isinstance(value, list) else [] if value is None else [value]
    if not all(isinstance(item, str) and item for item in items):
        raise InvalidError(f"{name}: {value!r} is not a name or a list of names")
    return frozenset(items)


def _cursor(document: dict[str, Any]) -> tuple[int, str] | None:
    value = document.get("cursor")
    if value is None:
        return None
    if not (isinstance(value, list) and [type(item) for item in value] == [int, str]):
        raise InvalidError(f"cursor: {value!r} is not the cursor of an earlier answer")
    return value[0], value[1]


ROUTES = (
    Route("GET", "/storage", StorageRoutes._usage, "Show the usage of storage", "Anything", ("limit",)),
    Route(
        "POST", "/storage/purge", StorageRoutes._purge, "Remove finished executions", "Anything", (), "Purge",
        permission=admin("removing executions"),
    ),
    Route("GET", "/storage/damage", StorageRoutes._damages, "List damaged output", "Anything", ("limit",)),
    Route("GET", "/executions/{id}/output/verify", StorageRoutes._verify, "Verify the output", "Anything"),
)  # fmt: skip
