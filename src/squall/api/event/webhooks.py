"""Webhooks over HTTP: `/webhooks`, with StackStorm's documents and answers."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import parse_qs

import msgspec

from squall.api.http.routes import Route, bound
from squall.api.http.wire import Answer, Request
from squall.core.errors import InvalidError, NotFoundError
from squall.core.event.rules.records import TriggerInstance, document
from squall.core.event.webhooks.headers import is_secret
from squall.core.event.webhooks.urls import GENERIC
from squall.services.event.triggers.dispatching import Dispatching, Event
from squall.services.event.triggers.triggers import WEBHOOK, Triggers

_TRACE_TAG = "st2-trace-tag"


class WebhookRoutes:
    """`/webhooks`."""

    def __init__(self, triggers: Triggers, dispatching: Dispatching) -> None:
        self._triggers = triggers
        self._dispatching = dispatching

    def routes(self) -> list[Route]:
        """Returns the rows of the table, bound to this instance."""
        return bound(ROUTES, self)

    async def _list(self, request: Request) -> Answer:
        return Answer([document(each) for each in await self._triggers.find(WEBHOOK)])

    async def _get(self, request: Request) -> Answer:
        trigger = await self._triggers.hook(request.path["url"].strip("/"))
        if trigger is None:
            raise _unknown(request.path["url"])
        return Answer(document(trigger))

    async def _post(self, request: Request) -> Answer:
        url = request.path["url"].strip("/")
        body = _body(request, await request.body())
        if url == GENERIC:
            instance = await self._dispatching.dispatch(_generic(body, request.header(_TRACE_TAG)))
        else:
            trigger = await self._triggers.hook(url)
            if trigger is None:
                raise _unknown(url)
            headers = _headers(request)
            payload = {
                "headers": headers,
                "headers_lower": {name.lower(): value for name, value in headers.items()},
                "body": body,
            }
            tag = request.header(_TRACE_TAG) or ""
            late_tag = "" if tag else f"webhook-{url}-{uuid.uuid4().hex}"
            event = Event(trigger=trigger.ref, payload=payload, trace_tag=tag, late_tag=late_tag)
            instance = await self._dispatching.dispatch(event)
        return Answer(body, 202, _links(instance))


def _links(instance: TriggerInstance) -> dict[str, str]:
    return {
        "Location": f"/v1/triggerinstances/{instance.id}",
        "X-Squall-Trigger-Instance": instance.id,
    }


def _unknown(url: str) -> NotFoundError:
    return NotFoundError(f"Webhook {url} not registered with st2")


def _generic(body: Any, tag: str | None) -> Event:
    """Returns the event that the body of the generic webhook names. Raises `InvalidError`."""
    trigger = body.get("trigger") if isinstance(body, dict) else None
    if not trigger:
        raise InvalidError("Trigger not specified.")
    if not isinstance(trigger, str):
        raise InvalidError(f"trigger: {trigger!r:.60} is not of type 'string'")
    trace = body.get("trace") or body.get("trace_tag") or tag
    if trace is not None and not isinstance(trace, str):
        raise InvalidError(f"trace: {trace!r:.60} is not of type 'string'")
    return Event(trigger=trigger, payload=body.get("payload") or {}, trace_tag=trace or "")


def _headers(request: Request) -> dict[str, str]:
    """Returns the headers for rules, in title case, without credentials: rules and their users need none."""
    return {
        name.decode("latin-1").title(): value.decode("latin-1")
        for name, value in request.scope["headers"]
        if name.decode("latin-1") != _TRACE_TAG and not is_secret(name.decode("latin-1"))
    }


def _body(request: Request, raw: bytes) -> Any:
    """Returns the body of a webhook: JSON, or a form as lists of values. Raises `InvalidError`."""
    kind = (request.header("content-type") or "application/json").partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        return parse_qs(raw.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=10_000)
    if kind == "text/plain":
        raise InvalidError(f"{raw[:60].decode('utf-8', 'replace')!r} is not of type 'object', 'array'")
    if not raw.strip():
        return {}
    try:
        body = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidError(f"Failed to parse request body: {error}") from None
    if not isinstance(body, dict | list):
        raise InvalidError(f"{body!r:.60} is not of type 'object', 'array'")
    return body


ROUTES = (
    Route("GET", "/webhooks", WebhookRoutes._list, "List webhooks", "Trigger", (), listed=True),
    Route("GET", "/webhooks/{url*}", WebhookRoutes._get, "Show one webhook", "Trigger"),
    Route(
        "POST", "/webhooks/{url*}", WebhookRoutes._post, "Send an event to a webhook", "Anything", (), "Anything", 202
    ),
)  # fmt: skip
