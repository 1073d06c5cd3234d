"""Takes deliveries of webhooks: checks signatures, drops duplicates, stores each delivery with its event."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable
from typing import Any

import msgspec

from squall.core.errors import ConflictError, InvalidError, NotFoundError, SquallError, UnauthorizedError
from squall.core.event.rules.records import TriggerInstance
from squall.core.event.webhooks import records
from squall.core.event.webhooks.headers import delivery_id, is_secret, redact, values
from squall.core.event.webhooks.records import Delivery
from squall.core.event.webhooks.signatures import Verdict, is_signed, signature_headers, verify
from squall.core.event.webhooks.urls import GENERIC
from squall.ports import Clock, Store, Tx
from squall.services.event.triggers.dispatching import Dispatching, Event
from squall.services.event.triggers.triggers import Triggers
from squall.services.event.webhooks.bodies import FORM, read_body
from squall.services.event.webhooks.delivery_log import IDS_KEPT, DeliveryLog, kept_body
from squall.services.event.webhooks.settings import Hook, WebhookSettings

TRACE_TAG = "st2-trace-tag"
"""The header with the tag of a delivery's trace."""

_LARGE = 256 << 10
"""The bytes from which work on a body goes to a thread."""


class Incoming(msgspec.Struct, frozen=True, kw_only=True):
    """A request to the hook `url`, without its body. `user` is the user of its credential, or the server's own user if
    the server needs none; empty without one. `execution` is the id of the execution that sends it with its own
    credential."""

    url: str
    headers: tuple[tuple[str, str], ...]
    remote: str = ""
    user: str = ""
    has_credential: bool = False
    execution: str = ""


class Admitted(msgspec.Struct, frozen=True, kw_only=True):
    """A request whose body may be read. Its signature is still to be checked if `is_unproven`."""

    incoming: Incoming
    hook: Hook | None
    is_unproven: bool


class Delivered(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery, its trigger instance (the first one, of a duplicate), and its body as rules see it."""

    delivery: Delivery
    instance: TriggerInstance
    body: Any


class _RepeatedError(Exception):
    """The sender's id of a delivery is known; the argument is the first instance's id."""


class Delivering:
    """The use cases of deliveries."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        triggers: Triggers,
        dispatching: Dispatching,
        settings: WebhookSettings,
        log: DeliveryLog,
    ) -> None:
        self._store = store
        self._clock = clock
        self._triggers = triggers
        self._dispatching = dispatching
        self._settings = settings
        self._log = log

    async def admit(self, incoming: Incoming) -> Admitted:
        """Admits a request before its body is read. Raises `UnauthorizedError` if the hook needs a signature, and the
        request has neither one nor a credential, `NotFoundError`."""
        hook = await self._settings.hook(incoming.url)
        has_secrets = hook is not None and bool(hook.secrets)
        if hook is not None and has_secrets:
            preset = hook.settings.preset or ""
            if is_signed(preset, incoming.headers):
                return Admitted(incoming=incoming, hook=hook, is_unproven=True)
            if not incoming.has_credential:
                reason = f"It has no signature: the header {' or '.join(signature_headers(preset))} is missing."
                stranger = Admitted(incoming=incoming, hook=hook, is_unproven=True)
                await self.refuse(stranger, b"", records.BAD_SIGNATURE, reason)
                raise UnauthorizedError(
                    f"Unauthorized - The webhook needs a signature or a credential. {reason} Set the hook's secret at "
                    "the sender, too."
                )
        admitted = Admitted(incoming=incoming, hook=hook, is_unproven=False)
        if incoming.url != GENERIC and await self._triggers.hook(incoming.url) is None:
            await self.refuse(admitted, b"", records.UNKNOWN, "No rule has this webhook.")
            raise unknown_hook(incoming.url)
        return admitted

    async def refuse(self, admitted: Admitted, raw: bytes, verdict: str, reason: str) -> None:
        """Logs a delivery that is no event, if the hook exists or has settings."""
        url = admitted.incoming.url
        if admitted.hook is not None or url == GENERIC or await self._triggers.hook(url) is not None:
            await self._log.note(self._made(admitted, raw, verdict, reason))

    async def deliver(self, admitted: Admitted, raw: bytes) -> Delivered:
        """Stores the event of a delivery, with its entry of the log, in one transaction.

        Raises `UnauthorizedError` for a wrong signature, `InvalidError` for a body that is no event, `NotFoundError` if
        no rule has the hook, `TooLargeError`.
        """
        incoming, hook = admitted.incoming, admitted.hook
        if admitted.is_unproven and hook is not None:
            verdict = await _verified(hook, incoming, raw, self._clock.now())
            if not verdict.valid:
                await self.refuse(admitted, raw, records.BAD_SIGNATURE, verdict.reason)
                raise UnauthorizedError(f"Unauthorized - {verdict.reason}")
        trigger = await self._triggers.hook(incoming.url) if incoming.url != GENERIC else None
        if trigger is None and incoming.url != GENERIC:
            await self.refuse(admitted, raw, records.UNKNOWN, "No rule has this webhook.")
            raise unknown_hook(incoming.url)
        try:
            body = await _read(incoming.headers, raw)
            event = _event(incoming, trigger.ref if trigger is not None else None, body)
            delivery = self._made(admitted, raw, records.ACCEPTED, "")
            return await self._stored(admitted, event, delivery, body)
        except SquallError as error:
            if error.code in ("invalid", "too_large"):
                verdict_name = await self._verdict_of(incoming.url, raw)
                await self.refuse(admitted, raw, verdict_name, str(error))
            raise

    async def replay(self, request: Incoming, delivery_id_: str, *, force: bool) -> Delivered:
        """Dispatches the event of a logged delivery of the hook of a `request` once more, in the name of its user. With
        `force`, also that of a delivery that was refused.

        Raises `NotFoundError`, and `ConflictError` if the log has no event of the delivery.
        """
        url = request.url
        old = await self._log.get(url, delivery_id_)
        if old.is_refused and not force:
            raise ConflictError(
                f'The delivery was refused as "{old.verdict}": {old.reason} Only force sends it again, whoever sent it.'
            )
        trigger = await self._triggers.hook(url) if url != GENERIC else None
        if trigger is None and url != GENERIC:
            raise unknown_hook(url)
        instance_id = old.instance
        instance = None
        if instance_id is not None:
            instance = await self._store.read(lambda tx: tx.instances.get(instance_id))
        incoming = msgspec.structs.replace(request, headers=old.headers)
        if instance is not None:
            ref = trigger.ref if trigger is not None else instance.trigger
            tag = "" if incoming.execution else _tag(url)
            event = Event(
                trigger=ref,
                payload=instance.payload,
                trace_tag=tag,
                execution=incoming.execution,
            )
            body = instance.payload.get("body") if isinstance(instance.payload, dict) else instance.payload
        elif len(old.body) == old.size:
            body = await _read(old.headers, old.body)
            event = _event(incoming, trigger.ref if trigger is not None else None, body)
        else:
            raise ConflictError(
                f"The log has only the beginning of this delivery ({len(old.body)} of {old.size} bytes), and its "
                "trigger instance is gone. Let the sender send it again."
            )
        new = msgspec.structs.replace(
            old,
            id=self._clock.new_id(),
            at=self._clock.now(),
            verdict=records.ACCEPTED,
            reason="",
            user=request.user,
            remote=request.remote,
            replay_of=old.id,
        )
        return await self._stored(Admitted(incoming=incoming, hook=None, is_unproven=False), event, new, body)

    async def _stored(self, admitted: Admitted, event: Event, delivery: Delivery, body: Any) -> Delivered:
        settings = admitted.hook.settings if admitted.hook is not None else None
        drops = settings is not None and settings.drop_duplicates
        kept: list[Delivery] = []

        async def also(tx: Tx, instance: TriggerInstance) -> None:
            if drops and delivery.delivery_id is not None:
                since = delivery.at - IDS_KEPT
                first = await tx.webhooks.claim(delivery.url, delivery.delivery_id, instance.id, delivery.at, since)
                if first is not None:
                    raise _RepeatedError(first)
            kept[:] = [msgspec.structs.replace(delivery, instance=instance.id)]
            await self._log.write(tx, kept[0])

        try:
            instance = await self._dispatching.dispatch(event, also)
        except _RepeatedError as repeated:
            first = str(repeated.args[0])
            earlier = await self._store.read(lambda tx: tx.instances.get(first))
            reason = "A delivery with this id came in the last 24 hours."
            dropped = msgspec.structs.replace(
                delivery, verdict=records.DUPLICATE, reason=reason, instance=first, body=b""
            )
            await self._log.note(dropped)
            gone = TriggerInstance(id=first, trigger=event.trigger, occurred_at=delivery.at, payload=None)
            return Delivered(delivery=dropped, instance=earlier or gone, body=body)
        return Delivered(delivery=kept[0], instance=instance, body=body)

    def _made(self, admitted: Admitted, raw: bytes, verdict: str, reason: str) -> Delivery:
        incoming, hook = admitted.incoming, admitted.hook
        preset = hook.settings.preset if hook is not None else None
        return Delivery(
            id=self._clock.new_id(),
            url=incoming.url,
            at=self._clock.now(),
            verdict=verdict,
            reason=reason,
            headers=tuple(redact(incoming.headers, hook.secrets if hook is not None else ())),
            body=kept_body(raw),
            size=len(raw),
            delivery_id=delivery_id(preset, incoming.headers),
            user="" if admitted.is_unproven else incoming.user,
            remote=incoming.remote,
        )

    async def _verdict_of(self, url: str, raw: bytes) -> str:
        """Returns the verdict about a body that is no event: `unknown` if it names a trigger that does not exist."""
        if url != GENERIC:
            return records.BAD_BODY
        try:
            body = msgspec.json.decode(raw)
            name = body.get("trigger") if isinstance(body, dict) else None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return records.BAD_BODY
        if not isinstance(name, str) or await self._store.read(lambda tx: tx.triggers.get(name)) is not None:
            return records.BAD_BODY
        return records.UNKNOWN


async def _verified(hook: Hook, incoming: Incoming, raw: bytes, now: int) -> Verdict:
    preset = hook.settings.preset or ""
    if len(raw) > _LARGE:
        return await asyncio.to_thread(verify, preset, hook.secrets, incoming.headers, raw, now)
    return verify(preset, hook.secrets, incoming.headers, raw, now)


async def _read(headers: Iterable[tuple[str, str]], raw: bytes) -> Any:
    kind = next(iter(values(headers, "content-type")), "")
    if len(raw) > _LARGE and kind.lower().startswith(FORM):
        return await asyncio.to_thread(read_body, kind, raw)
    return read_body(kind, raw)


def _event(incoming: Incoming, trigger: str | None, body: Any) -> Event:
    """Returns the event of a delivery: of the hook's trigger, or without one, that which the body of the generic
    webhook names. Raises `InvalidError`."""
    tag = next(iter(values(incoming.headers, TRACE_TAG)), "")
    if trigger is None:
        return _generic(body, tag, incoming.execution)
    headers = {
        name.title(): value for name, value in incoming.headers if name.lower() != TRACE_TAG and not is_secret(name)
    }
    payload = {
        "headers": headers,
        "headers_lower": {name.lower(): value for name, value in headers.items()},
        "body": body,
    }
    # An event that an action sends joins the trace of the action, unless the action names one.
    late_tag = "" if tag or incoming.execution else _tag(incoming.url)
    # A payload that is made here fits the schema of webhooks.
    return Event(
        trigger=trigger,
        payload=payload,
        trace_tag=tag,
        late_tag=late_tag,
        execution=incoming.execution,
        is_checked=True,
    )


def _generic(body: Any, tag: str, execution: str) -> Event:
    trigger = body.get("trigger") if isinstance(body, dict) else None
    if not trigger:
        raise InvalidError("Trigger not specified.")
    if not isinstance(trigger, str):
        raise InvalidError(f"trigger: {trigger!r:.60} is not of type 'string'")
    trace = body.get("trace") or body.get("trace_tag") or tag
    if trace is not None and not isinstance(trace, str):
        raise InvalidError(f"trace: {trace!r:.60} is not of type 'string'")
    payload = body.get("payload")
    payload = {} if payload is None else payload
    return Event(trigger=trigger, payload=payload, trace_tag=trace or "", execution=execution)


def _tag(url: str) -> str:
    return f"webhook-{url}-{uuid.uuid4().hex}"


def unknown_hook(url: str) -> NotFoundError:
    """Returns the error for a webhook that does not exist, in StackStorm's words."""
    return NotFoundError(f"Webhook {url:.600} not registered with st2")
