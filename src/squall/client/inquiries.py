"""The calls about inquiries: questions of workflows that wait for a person's answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from squall.client.api import PAGE, document_of, documents_of
from squall.client.http import Client, JsonObject
from squall.client.paths import path_of


def waiting_inquiries(client: Client) -> list[JsonObject]:
    """Returns every inquiry that waits for an answer, oldest first. Raises the errors of `Client.request`."""
    inquiries: list[JsonObject] = []
    while True:
        query = {"limit": PAGE, "offset": len(inquiries)}
        page = documents_of(client.request("GET", "/inquiries", query=query).body)
        inquiries += page
        if len(page) < PAGE:
            return inquiries


def inquiry(client: Client, inquiry_id: str) -> JsonObject:
    """Returns one inquiry with its schema. Raises `NotFoundError`, and `InvalidError` if it no longer waits."""
    return document_of(client.request("GET", path_of("inquiries", inquiry_id)).body)


def respond(client: Client, inquiry_id: str, response: Mapping[str, Any]) -> JsonObject:
    """Responds to an inquiry. Returns the response as the server stored it, with secrets masked.

    Raises `ForbiddenError`, and `InvalidError` for a response that does not fit the schema.
    """
    body = {"id": inquiry_id, "response": dict(response)}
    return document_of(client.request("PUT", path_of("inquiries", inquiry_id), body=body).body)
