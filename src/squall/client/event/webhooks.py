"""The calls about webhooks: their triggers, settings and deliveries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from squall.client.api import document_of, documents_of
from squall.client.http import Client, JsonObject
from squall.client.paths import path_of
from squall.core.errors import NotFoundError

ANSWER_SECONDS = 30.0
"""The seconds that an answer may take in addition to the seconds that a request waits."""


class Sent(NamedTuple):
    """The answer to a delivery: its id, the id of its trigger instance, and `duplicate`: true if it was dropped.
    `outcome` is what the event has led to, if the request waited."""

    delivery: str
    instance: str
    duplicate: bool
    outcome: JsonObject | None


def webhooks(client: Client) -> list[JsonObject]:
    """Returns the triggers of all webhooks."""
    return documents_of(client.request("GET", "/webhooks").body)


def webhook(client: Client, url: str) -> JsonObject:
    """Returns the trigger of a webhook. Raises `NotFoundError`."""
    return document_of(client.request("GET", path_of("webhooks", url)).body)


def send(client: Client, url: str, content: bytes, headers: Mapping[str, str], wait: int | None) -> Sent:
    """Sends a delivery. Waits for its rules up to `wait` seconds, if any. Raises `NotFoundError`, `InvalidError`."""
    client.timeout = ANSWER_SECONDS + (wait or 0)
    answer = client.request(
        "POST", path_of("webhooks", url), query={"wait": wait}, content=content, headers=dict(headers)
    )
    return Sent(
        delivery=answer.headers.get("x-squall-delivery", ""),
        instance=answer.headers.get("x-squall-trigger-instance", ""),
        duplicate=answer.headers.get("x-squall-duplicate") == "true",
        outcome=document_of(answer.body) if wait is not None else None,
    )


def settings(client: Client, url: str) -> JsonObject | None:
    """Returns the settings of a webhook, with `********` for each secret; None if it has none."""
    try:
        return document_of(client.request("GET", path_of("webhooks", url, "settings")).body)
    except NotFoundError:
        return None


def configure(client: Client, url: str, body: JsonObject) -> JsonObject:
    """Stores the settings of a webhook. Returns them. Raises `InvalidError`."""
    return document_of(client.request("PUT", path_of("webhooks", url, "settings"), body=body).body)


def remove_settings(client: Client, url: str) -> None:
    """Removes the settings of a webhook. Raises `NotFoundError`."""
    client.request("DELETE", path_of("webhooks", url, "settings"))


def deliveries(client: Client, url: str, verdict: str | None, limit: int) -> list[JsonObject]:
    """Returns the newest deliveries of a webhook, of all verdicts or of one."""
    query = {"verdict": verdict, "limit": limit}
    return documents_of(client.request("GET", path_of("webhooks", url, "deliveries"), query=query).body)


def delivery(client: Client, url: str, delivery_id: str) -> JsonObject:
    """Returns one delivery with its headers, its body and its executions. Raises `NotFoundError`."""
    return document_of(client.request("GET", path_of("webhooks", url, "deliveries", _part(delivery_id))).body)


def replay(client: Client, url: str, delivery_id: str, *, force: bool, wait: int) -> JsonObject:
    """Sends a logged delivery again. Returns what it has led to after at most `wait` seconds. Raises `NotFoundError`,
    and `ConflictError` if the log has no event of it."""
    client.timeout = ANSWER_SECONDS + wait
    path = path_of("webhooks", url, "deliveries", _part(delivery_id), "replay")
    return document_of(client.request("POST", path, query={"wait": wait}, body={"force": force}).body)


def _part(text: str) -> str:
    """Returns an id as a part of a path. Raises `InvalidError`."""
    return path_of("deliveries", text).rpartition("/")[2]
