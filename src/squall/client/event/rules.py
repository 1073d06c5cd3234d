"""The calls about triggers, events, rules and enforcements."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from squall.client.api import PAGE, document_of, documents_of
from squall.client.http import Client, JsonObject, NoServerError, Query
from squall.client.paths import path_of
from squall.client.sse import Parser
from squall.core.errors import UnavailableError

LOST = (NoServerError, UnavailableError)
"""The errors after which a stream may go on behind its last position."""


def pages(client: Client, path: str, query: Query, limit: int | None = None) -> Iterator[JsonObject]:
    """Yields the documents of a list in the server's order, fetched in pages; at most `limit`, if given."""
    offset = 0
    while limit is None or offset < limit:
        count = PAGE if limit is None else min(PAGE, limit - offset)
        answer = client.request("GET", path, query={**query, "limit": count, "offset": offset})
        documents = documents_of(answer.body)
        yield from documents
        offset += len(documents)
        if len(documents) < count:
            return


def rule(client: Client, ref: str) -> JsonObject:
    """Returns the rule with this ref or id. Raises `NotFoundError`."""
    return document_of(client.request("GET", path_of("rules", ref)).body)


def create_rule(client: Client, body: Mapping[str, Any]) -> JsonObject:
    """Creates a rule. Raises `InvalidError`, `ConflictError`."""
    return document_of(client.request("POST", "/rules", body=dict(body)).body)


def update_rule(client: Client, ref: str, body: Mapping[str, Any]) -> JsonObject:
    """Replaces the rule with this ref or id. Raises `InvalidError`, `NotFoundError`."""
    return document_of(client.request("PUT", path_of("rules", ref), body=dict(body)).body)


def switch_rule(client: Client, ref: str, enabled: bool) -> JsonObject:
    """Enables or disables a rule. Raises `NotFoundError`."""
    return update_rule(client, ref, {**rule(client, ref), "enabled": enabled})


def delete_rule(client: Client, ref: str) -> None:
    """Removes a rule. Raises `NotFoundError`."""
    client.request("DELETE", path_of("rules", ref))


def emit(client: Client, trigger: str, payload: Mapping[str, Any], tag: str | None = None) -> str:
    """Dispatches an event of a trigger. Returns the id of its instance. Raises `InvalidError`."""
    body: JsonObject = {"trigger": trigger, "payload": dict(payload)}
    if tag:
        body["trace"] = tag
    answer = client.request("POST", "/webhooks/st2", body=body)
    return answer.headers.get("x-squall-trigger-instance", "")


def re_emit(client: Client, instance: str) -> str:
    """Dispatches the event of a stored instance once more. Returns the id of the new instance."""
    answer = client.request("POST", path_of("triggerinstances", instance, "re_emit"), body={})
    return str(document_of(answer.body).get("id", ""))


def retry_instance(client: Client, instance: str) -> JsonObject:
    """Evaluates an instance whose processing failed once more. Raises `ConflictError` if it has not failed."""
    return document_of(client.request("POST", path_of("triggerinstances", instance, "retry"), body={}).body)


def explain(client: Client, body: Mapping[str, Any]) -> JsonObject:
    """Returns what a rule decides about an event. `body` has `rule`, and `instance` or `payload`."""
    return document_of(client.request("POST", "/rules/explain", body=dict(body)).body)


def backtest(client: Client, body: Mapping[str, Any]) -> JsonObject:
    """Returns what a rule decides about stored events. `body` has `rule`, and may have `from`, `to` and `limit`."""
    return document_of(client.request("POST", "/rules/backtest", body=dict(body)).body)


def explain_instance(client: Client, instance: str) -> JsonObject:
    """Returns the decisions of all rules about a stored event. Raises `NotFoundError`."""
    return document_of(client.request("GET", path_of("triggerinstances", instance, "explain")).body)


def decisions(client: Client, ref: str, after: str | None) -> Iterator[tuple[str, JsonObject | None]]:
    """Yields the decisions of a rule, each with its position, from the position `after` on, or from now on. The first
    one is only the position. Ends when the server ends the stream. Raises `NotFoundError`, and one of `LOST`."""
    parser = Parser()
    position = after or ""
    with client.stream(path_of("rules", ref, "decisions"), query={"after": after}) as stream:
        while chunk := stream.read():
            for event in parser.feed(chunk):
                yield event.id, json.loads(event.data) if event.name == "decision" else None
            if parser.last_id != position:
                position = parser.last_id
                yield position, None


def triggers_of(document: JsonObject) -> Iterator[JsonObject]:
    """Yields the triggers of a rule's document, with `type` and `parameters`: its own, and those of `correlate`."""
    yield document["trigger"]
    correlate = document.get("correlate") or {}
    for entries in (correlate.get(word) or () for word in ("all", "any", "sequence")):
        yield from ({"type": each} if isinstance(each, str) else each["trigger"] for each in entries)


def instances(client: Client, ids: Sequence[str]) -> dict[str, JsonObject]:
    """Returns the stored trigger instances with these ids, by id."""
    documents: dict[str, JsonObject] = {}
    for at in range(0, len(ids), PAGE):
        query: Query = {"id": ",".join(ids[at : at + PAGE]), "limit": PAGE}
        documents |= {
            each["id"]: each for each in documents_of(client.request("GET", "/triggerinstances", query=query).body)
        }
    return documents
