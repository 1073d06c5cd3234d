"""The calls about held matches and silences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from squall.client.api import Api, document_of, documents_of
from squall.client.http import Client, JsonObject
from squall.client.paths import path_of


def held_matches(api: Api, rule: str, ids: Sequence[str] | None = None) -> list[JsonObject]:
    """Returns the held matches of a rule, the oldest first; with `ids`, only these. Raises `NotFoundError`."""
    path = path_of("rules", rule, "held")
    documents = documents_of(api.client.request("GET", path, query={"limit": -1}).body)
    return [each for each in documents if ids is None or each["id"] in ids]


def run_held(client: Client, rule: str, ids: Sequence[str] | None) -> list[JsonObject]:
    """Runs held matches of a rule: all, or those with these ids. Returns the enforcements. Raises `NotFoundError`."""
    return _post(client, path_of("rules", rule, "held", "run"), ids)


def discard_held(client: Client, rule: str, ids: Sequence[str] | None) -> list[JsonObject]:
    """Removes held matches of a rule: all, or those with these ids. Returns them. Raises `NotFoundError`."""
    return _post(client, path_of("rules", rule, "held", "discard"), ids)


def _post(client: Client, path: str, ids: Sequence[str] | None) -> list[JsonObject]:
    body = {} if ids is None else {"ids": list(ids)}
    return documents_of(client.request("POST", path, body=body).body)


def silences(api: Api) -> Iterator[JsonObject]:
    """Yields the silences that are in force, the oldest first."""
    yield from documents_of(api.client.request("GET", "/silences", query={"limit": -1}).body)


def add_silence(client: Client, body: dict[str, Any]) -> JsonObject:
    """Adds a silence. Returns it. Raises `InvalidError`."""
    return document_of(client.request("POST", "/silences", body=body).body)


def remove_silence(client: Client, silence_id: str) -> None:
    """Removes a silence. Raises `NotFoundError`."""
    client.request("DELETE", path_of("silences", silence_id))
