"""Rules on the webhooks of a live server."""

from __future__ import annotations

from typing import Any

from tests.scenarios.live.server import Server


def hooked(server: Server, url: str, action: str = "core.noop", criteria: Any = None, **more: Any) -> dict[str, Any]:
    """Makes an enabled rule that runs an action for each event of a webhook; `more` are the action's parameters."""
    headers = more.pop("headers", None)
    body = {
        "name": url.replace("/", "-"),
        "pack": "default",
        "enabled": True,
        "trigger": {"type": "core.st2.webhook", "parameters": {"url": url}},
        "criteria": criteria or {},
        "action": {"ref": action, "parameters": more},
    }
    reply = server.call("POST", "/v1/rules", body, headers=headers)
    assert reply.status == 201, reply
    rule: dict[str, Any] = reply.json
    return rule
