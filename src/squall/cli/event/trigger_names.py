"""Names triggers by what a person knows of them: their type and parameters, not their generated ref."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from squall.cli.terminal.table import cell
from squall.client.event import rules
from squall.client.http import Client


def trigger_text(type_ref: Any, parameters: Mapping[str, Any] | None) -> str:
    """Returns a trigger as a text, such as `core.st2.webhook url=alerts`."""
    return " ".join([cell(type_ref), *(f"{name}={cell(value)}" for name, value in (parameters or {}).items())])


def payload_shown(payload: Any) -> Any:
    """Returns what a list shows of a payload: of a webhook's, only the body, because the headers come before it."""
    is_webhook = isinstance(payload, dict) and payload.keys() == {"headers", "headers_lower", "body"}
    return {"body": payload["body"]} if is_webhook else payload


def trigger_texts(client: Client, refs: Iterable[str]) -> dict[str, str]:
    """Returns the texts of triggers by their refs. A trigger that does not exist any more is named by its ref."""
    wanted = set(refs)
    texts = {ref: ref for ref in wanted}
    # A trigger without parameters has the ref of its type. Generated refs end with a UUID of five parts.
    if any(ref.count("-") == 4 for ref in wanted):
        for trigger in rules.pages(client, "/triggers", {}):
            if trigger["ref"] in wanted:
                texts[trigger["ref"]] = trigger_text(trigger["type"], trigger.get("parameters"))
    return texts
