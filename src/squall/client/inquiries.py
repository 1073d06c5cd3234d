"""The calls about inquiries: questions of workflows that wait for the answer of a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from squall.client.api import PAGE, document_of, documents_of
from squall.client.http import Client, JsonObject
from squall.client.paths import path_of


def waiting_inquiries(client: Client) -> list[JsonObject]:
    """Every inquiry that waits for an answer, oldest first. Raises what `Client.request` raises."""
    inquiries: list[JsonObject] = []
    while True:
        query = {"limit": PAGE, "offset": len(inquiries)}
        page = documents_of(client.request("GET", "/inquiries", query=query).body)
        inquiries += page
        if len(page) < PAGE:
            return inquiries


def inquiry(client: Client, inquiry_id: str) -> JsonObject:
    """One inquiry with its schema. Raises `NotFoundError`, and `InvalidError` if it no longer waits."""
    return document_of(client.request("GET", path_of("inquiries", inquiry_id)).body)


def respond(client: Client, inquiry_id: str, response: Mapping[str, Any]) -> JsonObject:
    """Answers an inquiry; the response as the server took it, with secrets masked.

    Raises `ForbiddenError`, and `InvalidError` for a response that does not fit the schema.
    """
    body = {"id": inquiry_id, "response": dict(response)}
    return document_of(client.request("PUT", path_of("inquiries", inquiry_id), body=body).body)
