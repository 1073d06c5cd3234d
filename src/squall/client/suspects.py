"""The calls about work that is set aside because the server died of it."""

from __future__ import annotations

from squall.client.api import documents_of
from squall.client.http import Client, JsonObject
from squall.client.paths import path_of


def set_aside(client: Client) -> list[JsonObject]:
    """Returns the work that is set aside, the oldest first."""
    return documents_of(client.request("GET", "/queue/aside").body)


def retry(client: Client, subject: str) -> list[JsonObject]:
    """Lets the server try work again that is set aside. Returns it. Raises `NotFoundError`."""
    return documents_of(client.request("POST", path_of("queue", "aside", subject, "retry")).body)
