"""The calls about timers."""

from __future__ import annotations

from typing import Any

from squall.client.api import PAGE, document_of, documents_of
from squall.client.http import Client, JsonObject
from squall.client.paths import path_of


def timers(client: Client, timer_type: str | None = None) -> list[JsonObject]:
    """Returns the timers of all types or of one, ordered by ref. Raises the errors of `Client.request`."""
    result: list[JsonObject] = []
    while True:
        query: dict[str, Any] = {"limit": PAGE, "offset": len(result)}
        if timer_type is not None:
            query["timer_type"] = timer_type
        page = documents_of(client.request("GET", "/timers", query=query).body)
        result += page
        if len(page) < PAGE:
            return result


def timer(client: Client, ref_or_id: str) -> JsonObject:
    """Returns one timer. Raises `NotFoundError`."""
    return document_of(client.request("GET", path_of("timers", ref_or_id)).body)


def preview(client: Client, ref_or_id: str, count: int) -> JsonObject:
    """Returns the next `count` fires of a timer, and why there is none. Raises `NotFoundError`, `InvalidError`."""
    return document_of(client.request("GET", path_of("timers", ref_or_id, "preview"), query={"count": count}).body)


def missed(client: Client, ref_or_id: str, count: int) -> list[JsonObject]:
    """Returns the newest `count` records of fires of a timer that did not happen. Raises `NotFoundError`."""
    return documents_of(client.request("GET", path_of("timers", ref_or_id, "missed"), query={"limit": count}).body)


def pause(client: Client, ref_or_id: str, reason: str, until: str | None) -> JsonObject:
    """Pauses a timer until a time (ISO 8601), or until it is resumed. Returns it. Raises `NotFoundError`,
    `InvalidError`."""
    body = {"reason": reason} if until is None else {"reason": reason, "until": until}
    return document_of(client.request("POST", path_of("timers", ref_or_id, "pause"), body=body).body)


def resume(client: Client, ref_or_id: str) -> JsonObject:
    """Resumes a timer. Returns it. Raises `NotFoundError`, `ConflictError`."""
    return document_of(client.request("POST", path_of("timers", ref_or_id, "resume"), body={}).body)


def backfill(
    client: Client, ref_or_id: str, begin: str, end: str, limit: int | None, *, dry_run: bool
) -> list[JsonObject]:
    """Lets past fires of a timer happen, from `begin` to `end` (ISO 8601). Returns them with their results. Raises
    `NotFoundError`, `InvalidError`."""
    body: dict[str, Any] = {"from": begin, "to": end, "dry_run": dry_run}
    if limit is not None:
        body["limit"] = limit
    answer = document_of(client.request("POST", path_of("timers", ref_or_id, "backfill"), body=body).body)
    return documents_of(answer["fires"])
