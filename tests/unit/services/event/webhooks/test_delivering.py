"""Deliveries of webhooks: who may send them, what is stored of them, and what a replay does."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.doubles.hooks import Hooks
from tests.doubles.senders import SECRETS, signed

from squall.core.errors import ConflictError, InvalidError, NotFoundError, TooLargeError, UnauthorizedError
from squall.core.event.rules.records import InstanceFilter
from squall.services.event.webhooks.delivering import Incoming

pytestmark = pytest.mark.anyio
URL = "team/deploy"
BODY = b'{ "n": 1 }'


def headers(hooks: Hooks, preset: str, which: int = 0, body: bytes = BODY, name: str = "m1") -> dict[str, str]:
    now = hooks.squall.clock.now() // 1_000_000
    return {"Content_Type": "application/json", **signed(preset, SECRETS[preset][which], body, now, name)}


async def configured(hooks: Hooks, preset: str = "github", *, drops: bool = False) -> None:
    await hooks.settings.put(URL, {"preset": preset, "secrets": list(SECRETS[preset]), "drop_duplicates": drops}, "ada")


async def test_a_delivery_is_one_event_with_one_row_of_the_queue_and_one_of_the_log(hooks: Hooks) -> None:
    delivered = await hooks.send(URL, BODY, X_Auth_Token="hush", X_Level="3", St2_Trace_Tag="tag-1")
    [instance] = await hooks.instances()
    assert instance.payload == {"headers": {"X-Level": "3"}, "headers_lower": {"x-level": "3"}, "body": {"n": 1}}
    assert (instance.trace_tag, delivered.instance.id) == ("tag-1", instance.id)
    assert await hooks.store.read(lambda tx: tx.queue.holds("rules", instance.id))
    logged = await hooks.log.get(URL, delivered.delivery.id)
    assert dict(logged.headers) == {"X-Auth-Token": "********", "X-Level": "3", "St2-Trace-Tag": "tag-1"}
    assert (logged.body, logged.user, logged.remote, logged.instance) == (BODY, "ada", "192.0.2.1", instance.id)


@pytest.mark.parametrize("preset", sorted(SECRETS))
async def test_each_of_two_secrets_replaces_the_credential_and_a_wrong_one_never_does(
    hooks: Hooks, preset: str
) -> None:
    await configured(hooks, preset)
    for which in (0, 1):
        delivered = await hooks.send(URL, BODY, user="", **headers(hooks, preset, which, name=f"m{which}"))
        assert delivered.delivery.user == ""
        logged = await hooks.log.get(URL, delivered.delivery.id)
        assert not any(secret in str(logged) for secret in SECRETS[preset])
    with pytest.raises(UnauthorizedError):
        await hooks.send(URL, BODY, user="", **signed(preset, SECRETS["standard"][0] + "AAAA", BODY, 5))
    if preset != "gitlab":
        with pytest.raises(UnauthorizedError, match="No signature fits"):
            await hooks.send(URL, BODY + b" ", user="", **headers(hooks, preset))
    assert len(await hooks.instances()) == 2


async def test_a_wrong_signature_is_refused_although_the_sender_has_a_credential(hooks: Hooks) -> None:
    await configured(hooks)
    with pytest.raises(UnauthorizedError, match="No signature fits the body and the secrets of the hook"):
        await hooks.send(URL, BODY, **headers(hooks, "github", body=b"{}"))
    assert await hooks.logged(URL) == ["bad_signature"]
    await hooks.send(URL, BODY)
    assert await hooks.logged(URL) == ["bad_signature", "accepted"]


async def test_without_signature_and_credential_a_body_is_not_even_read(hooks: Hooks) -> None:
    await configured(hooks)
    with pytest.raises(UnauthorizedError, match="the header X-Hub-Signature-256 is missing"):
        await hooks.delivering.admit(Incoming(url=URL, headers=(), user="local"))
    page, _ = await hooks.log.find(URL, None, None, 0)
    assert [(each.verdict, each.size, each.user) for each in page] == [("bad_signature", 0, "")]


async def test_an_old_signature_is_refused(hooks: Hooks) -> None:
    await configured(hooks, "slack")
    old = headers(hooks, "slack")
    hooks.squall.clock.advance(301)
    with pytest.raises(UnauthorizedError, match="The signed time is 301 s old"):
        await hooks.send(URL, BODY, user="", **old)


async def test_a_large_body_is_verified_too(hooks: Hooks) -> None:
    await configured(hooks)
    large = b'{"a":"' + b"x" * 400_000 + b'"}'
    await hooks.send(URL, large, user="", **headers(hooks, "github", body=large))
    with pytest.raises(UnauthorizedError):
        await hooks.send(URL, large + b" ", user="", **headers(hooks, "github", body=large))


async def test_a_repeated_id_is_dropped_for_a_day_if_the_settings_say_so(hooks: Hooks) -> None:
    await configured(hooks, drops=True)
    first = await hooks.send(URL, BODY, user="", **headers(hooks, "github"))
    hooks.squall.clock.advance(86_399)
    again = await hooks.send(URL, BODY, user="", **headers(hooks, "github"))
    assert (again.instance.id, again.delivery.verdict) == (first.instance.id, "duplicate")
    other = await hooks.send(URL, BODY, user="", **headers(hooks, "github", name="m2"))
    assert other.instance.id != first.instance.id
    hooks.squall.clock.advance(2)
    await hooks.log.expire()
    later = await hooks.send(URL, BODY, user="", **headers(hooks, "github"))
    assert later.delivery.verdict == "accepted"
    assert len(await hooks.instances()) == 3
    assert await hooks.logged(URL) == ["accepted", "duplicate", "accepted", "accepted"]
    depths = await hooks.store.read(lambda tx: tx.queue.depths())
    assert depths["rules"] == 3


async def test_repeated_ids_are_events_by_default_and_ids_belong_to_one_hook(hooks: Hooks) -> None:
    for _ in range(2):
        await hooks.send(URL, BODY, X_GitHub_Delivery="m1")
    for url in (URL, "other"):
        await hooks.settings.put(url, {"drop_duplicates": True}, "ada")
        assert (await hooks.send(url, BODY, X_GitHub_Delivery="m1")).delivery.verdict == "accepted"
    assert len(await hooks.instances()) == 4


async def test_an_unknown_hook_is_logged_only_if_it_has_settings(hooks: Hooks) -> None:
    for url in ("nobody", "soon"):
        if url == "soon":
            await hooks.settings.put(url, {"drop_duplicates": True}, "ada")
        with pytest.raises(NotFoundError, match=f"Webhook {url} not registered with st2"):
            await hooks.send(url)
    assert (await hooks.logged("nobody"), await hooks.logged("soon")) == ([], ["unknown"])


async def test_a_signed_hook_without_rules_says_so_only_to_those_that_sign(hooks: Hooks) -> None:
    await hooks.settings.put("soon", {"preset": "github", "secrets": ["s"]}, "ada")
    with pytest.raises(UnauthorizedError):
        await hooks.send("soon", user="")
    with pytest.raises(UnauthorizedError):
        await hooks.send("soon", user="", X_Hub_Signature_256="sha256=00")
    with pytest.raises(NotFoundError):
        await hooks.send("soon", BODY, user="", **signed("github", "s", BODY, 0))
    assert await hooks.logged("soon") == ["bad_signature", "bad_signature", "unknown"]


@pytest.mark.parametrize(
    ("url", "raw", "verdict"),
    [
        (URL, b"{bad", "bad_body"),
        (URL, b'"text"', "bad_body"),
        ("st2", b"{}", "bad_body"),
        ("st2", b"[]", "bad_body"),
        ("st2", b'{"trigger": 5}', "bad_body"),
        ("st2", b'{"trigger": "no.such"}', "unknown"),
    ],
)
async def test_a_body_that_is_no_event_is_refused_and_logged(hooks: Hooks, url: str, raw: bytes, verdict: str) -> None:
    with pytest.raises(InvalidError):
        await hooks.send(url, raw)
    assert (await hooks.logged(url), await hooks.instances()) == ([verdict], [])


async def test_a_payload_over_the_limit_is_refused_and_logged(hooks: Hooks) -> None:
    with pytest.raises(TooLargeError):
        await hooks.send(URL, b'{"a":"' + b"x" * (10 << 20) + b'"}')
    page, _ = await hooks.log.find(URL, None, None, 0)
    assert [(each.verdict, each.size > 10 << 20) for each in page] == [("bad_body", True)]


def replaying(url: str = URL, execution: str = "") -> Incoming:
    """The request of bob, or of an execution of his, to replay a delivery of a hook."""
    return Incoming(url=url, headers=(), user="bob", remote="192.0.2.9", has_credential=True, execution=execution)


async def test_a_replay_by_an_execution_is_one_rule_deeper_in_its_trace(hooks: Hooks) -> None:
    old = await hooks.send(URL, BODY)
    execution = await hooks.squall.request(context={"trace_context": {"depth": 3}})
    new = await hooks.delivering.replay(replaying(execution=execution.id), old.delivery.id, force=False)
    assert (old.instance.depth, new.instance.depth) == (0, 3)
    assert new.instance.trace == await hooks.store.read(lambda tx: tx.traces.of_execution(execution.id))


async def test_a_replay_is_a_new_event_with_the_same_payload(hooks: Hooks) -> None:
    large = b'{"a":"' + b"x" * 100_000 + b'"}'
    for raw in (BODY, large):
        old = await hooks.send(URL, raw, X_Level="3", X_Auth_Token="hush")
        new = await hooks.delivering.replay(replaying(), old.delivery.id, force=False)
        assert new.instance.id != old.instance.id
        assert new.instance.payload == old.instance.payload
        logged = await hooks.log.get(URL, new.delivery.id)
        assert (logged.replay_of, logged.user, logged.verdict) == (old.delivery.id, "bob", "accepted")


async def remove_instances(hooks: Hooks) -> None:
    hooks.squall.clock.advance(1)

    async def work(tx: Any) -> None:
        for instance in await tx.instances.find(InstanceFilter(), None, 0):
            await tx.instances.settle(msgspec.structs.replace(instance, status="processed"))
        await tx.instances.expire(hooks.squall.clock.now(), 100)

    await hooks.store.tx(work)


async def test_a_replay_needs_the_event_or_the_whole_body(hooks: Hooks) -> None:
    small = await hooks.send(URL, BODY, X_Level="3", X_Auth_Token="hush")
    large = await hooks.send(URL, b'{"a":"' + b"x" * 100_000 + b'"}')
    await remove_instances(hooks)
    new = await hooks.delivering.replay(replaying(), small.delivery.id, force=False)
    assert new.instance.payload == small.instance.payload
    with pytest.raises(ConflictError, match="only the beginning of this delivery"):
        await hooks.delivering.replay(replaying(), large.delivery.id, force=False)


async def test_a_refused_delivery_is_replayed_only_by_force(hooks: Hooks) -> None:
    await configured(hooks)
    with pytest.raises(UnauthorizedError):
        await hooks.send(URL, BODY, user="", **headers(hooks, "github", body=b"{}"))
    [refused] = (await hooks.log.find(URL, None, None, 0))[0]
    with pytest.raises(ConflictError, match='The delivery was refused as "bad_signature"'):
        await hooks.delivering.replay(replaying(), refused.id, force=False)
    forced = await hooks.delivering.replay(replaying(), refused.id, force=True)
    assert forced.instance.payload["body"] == {"n": 1}
    assert "X-Hub-Signature-256" not in forced.instance.payload["headers"]


async def test_a_replay_of_the_generic_hook_dispatches_the_same_trigger(hooks: Hooks) -> None:
    trigger, _ = await hooks.triggers.find()
    body = f'{{"trigger": "{trigger.ref}", "payload": {{"body": {{"n": 2}}}}}}'.encode()
    old = await hooks.send("st2", body)
    new = await hooks.delivering.replay(replaying("st2"), old.delivery.id, force=False)
    assert (new.instance.trigger, new.instance.payload) == (trigger.ref, {"body": {"n": 2}})
    with pytest.raises(NotFoundError):
        await hooks.delivering.replay(replaying("st2"), "0" * 24, force=False)
