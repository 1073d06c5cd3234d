"""Webhooks over HTTP: `/webhooks`, with StackStorm's documents and answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from squall.api.http.routes import ANY_BODY, SIGNED, Route, bound
from squall.api.http.wire import Answer, Query, Request
from squall.core.errors import InvalidError, TooLargeError, UnavailableError
from squall.core.event.rules.records import TriggerInstance, document, kept_back_document
from squall.core.event.webhooks.records import BAD_BODY, DUPLICATE
from squall.core.execution.execution import Execution
from squall.services.event.triggers.triggers import WEBHOOK, Triggers
from squall.services.event.webhooks.bodies import FORM
from squall.services.event.webhooks.delivering import Admitted, Delivered, Delivering, Incoming, unknown_hook
from squall.services.event.webhooks.outcomes import Outcome, Outcomes

LONGEST_WAIT = 60
"""The most seconds of `wait`."""

_SMALL = 64 << 10
_MOST_UNPROVEN = 128 << 20


class UnprovenBodies:
    """The bytes of large bodies that are in memory before their signatures are checked: at most `most`, and a quarter
    of that from one address, so that one stranger does not keep all others out."""

    def __init__(self, most: int = _MOST_UNPROVEN) -> None:
        self._most = most
        self._bytes: Counter[str] = Counter()

    @contextmanager
    def room(self, address: str, size: int) -> Iterator[None]:
        """Counts a body while the context is open. Raises `UnavailableError` if there are too many large ones."""
        size = size if size > _SMALL else 0
        if size and (self._bytes.total() + size > self._most or self._bytes[address] + size > self._most // 4):
            raise UnavailableError("Too many large deliveries wait for the check of their signatures. Send it again.")
        self._bytes[address] += size
        try:
            yield
        finally:
            self._bytes[address] -= size
            if not self._bytes[address]:
                del self._bytes[address]


class WebhookRoutes:
    """`/webhooks`. `url` is the address of the API."""

    def __init__(self, triggers: Triggers, delivering: Delivering, outcomes: Outcomes, url: str) -> None:
        self._triggers = triggers
        self._delivering = delivering
        self._outcomes = outcomes
        self._url = url
        self._unproven = UnprovenBodies()

    def routes(self) -> list[Route]:
        """Returns the rows of the table, bound to this instance."""
        return bound(ROUTES, self)

    async def _list(self, request: Request) -> Answer:
        return Answer([document(each) for each in await self._triggers.find(WEBHOOK)])

    async def _get(self, request: Request) -> Answer:
        trigger = await self._triggers.hook(request.path["url"].strip("/"))
        if trigger is None:
            raise unknown_hook(request.path["url"])
        return Answer(document(trigger))

    async def _post(self, request: Request) -> Answer:
        seconds = wait_of(request.query)
        incoming = incoming_of(request)
        admitted = await self._delivering.admit(incoming)
        with self._unproven.room(incoming.remote, _declared(request) if admitted.is_unproven else 0):
            raw = await self._read(request, admitted)
            delivered = await self._delivering.deliver(admitted, raw)
        if seconds is None:
            kind = (request.header("content-type") or "").lower()
            is_echo = bool(raw.strip()) and not kind.startswith(FORM)
            return Answer(delivered.body, 202, _links(delivered), raw=raw if is_echo else None)
        outcome = await self._outcomes.of(delivered.instance, seconds)
        has_credential = incoming.has_credential or not admitted.is_unproven
        return Answer(self._outcome_document(delivered, outcome, has_credential), 202, _links(delivered))

    async def _replay(self, request: Request) -> Answer:
        body, seconds = await request.document(), wait_of(request.query)
        force = body.get("force", False)
        if not isinstance(force, bool):
            raise InvalidError("force: use true or false.")
        incoming = incoming_of(request)
        delivered = await self._delivering.replay(incoming, request.path["id"], force=force)
        outcome = await self._outcomes.of(delivered.instance, seconds or 0)
        return Answer(self._outcome_document(delivered, outcome, True), 202, _links(delivered))

    async def _read(self, request: Request, admitted: Admitted) -> bytes:
        try:
            return await request.body()
        except TooLargeError as error:
            await self._delivering.refuse(admitted, b"", BAD_BODY, str(error))
            raise

    def _outcome_document(self, delivered: Delivered, outcome: Outcome, has_credential: bool) -> dict[str, Any]:
        """Returns what a delivery has led to. A sender that only signs gets no reasons: they may quote values."""
        enforcements = [document(each) for each in outcome.enforcements]
        kept_back = [kept_back_document(each) for each in outcome.kept_back]
        if not has_credential:
            for each in (*enforcements, *kept_back):
                each.pop("failure_reason", None)
                each.pop("reason", None)
        return {
            "delivery": delivered.delivery.id,
            "verdict": delivered.delivery.verdict,
            "trigger_instance": {"id": delivered.instance.id, "status": outcome.status},
            "is_complete": outcome.is_complete,
            "enforcements": enforcements,
            "kept_back": kept_back,
            "executions": [execution_document(each, self._url) for each in outcome.executions],
        }


def execution_document(execution: Execution, url: str) -> dict[str, Any]:
    """Returns an execution that an event has started: its id, action and status, and the address of its output."""
    return {
        "id": execution.id,
        "action": execution.action,
        "status": execution.status,
        "stream_url": f"{url}/v1/executions/{execution.id}/output",
    }


def incoming_of(request: Request) -> Incoming:
    """Returns a request to a webhook, without its body."""
    client = request.scope.get("client")
    return Incoming(
        url=request.path["url"].strip("/"),
        headers=tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in request.scope["headers"]),
        remote=client[0] if client else "",
        user=request.identity.user,
        has_credential=bool(request.identity.method),
        execution=request.identity.execution,
    )


def wait_of(query: Query) -> int | None:
    """Returns the seconds of `wait`; None if the request does not wait. Raises `InvalidError`."""
    seconds = query.integer("wait")
    if seconds is not None and not 0 <= seconds <= LONGEST_WAIT:
        raise InvalidError(f"wait: {seconds} is not from 0 to {LONGEST_WAIT} seconds.")
    return seconds


def _declared(request: Request) -> int:
    """Returns the declared bytes of a body; all that are allowed for one that declares none."""
    length = request.header("content-length") or ""
    if length.isdigit():
        return int(length)
    return _MOST_UNPROVEN // 8 if request.header("transfer-encoding") else 0


def _links(delivered: Delivered) -> dict[str, str]:
    instance: TriggerInstance = delivered.instance
    duplicate = {"X-Squall-Duplicate": "true"} if delivered.delivery.verdict == DUPLICATE else {}
    return {
        "Location": f"/v1/triggerinstances/{instance.id}",
        "X-Squall-Trigger-Instance": instance.id,
        "X-Squall-Delivery": delivered.delivery.id,
        **duplicate,
    }


ROUTES = (
    Route("GET", "/webhooks", WebhookRoutes._list, "List webhooks", "Trigger", (), listed=True),
    Route("GET", "/webhooks/{url*}", WebhookRoutes._get, "Show one webhook", "Trigger"),
    Route(
        "POST", "/webhooks/{url*}", WebhookRoutes._post, "Send an event to a webhook", "WebhookAnswer", ("wait",),
        ANY_BODY, 202, permission=SIGNED,
    ),
    Route(
        "POST", "/webhooks/{url*}/deliveries/{id}/replay", WebhookRoutes._replay, "Send a logged delivery again",
        "WebhookOutcome", ("wait",), "ReplayBody", 202,
    ),
)  # fmt: skip
