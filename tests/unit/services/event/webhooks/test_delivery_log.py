"""The log of deliveries: bounded for strangers, and kept for some days."""

from __future__ import annotations

import pytest
from tests.doubles.assembly import Assembly
from tests.doubles.hooks import Hooks

from squall.core.errors import InvalidError, NotFoundError
from squall.core.event.webhooks.records import BAD_SIGNATURE, Delivery
from squall.services.event.webhooks.delivery_log import KEPT_REFUSED, MOST_REFUSED

pytestmark = pytest.mark.anyio
URL = "team/deploy"
DAY = 86_400_000_000


def refused(hooks: Hooks, url: str = URL, body: bytes = b"") -> Delivery:
    return Delivery(
        id=hooks.squall.clock.new_id(),
        url=url,
        at=hooks.squall.clock.now(),
        verdict=BAD_SIGNATURE,
        headers=tuple((f"X-{number}", "x" * 1000) for number in range(60)),
        body=body,
        size=len(body),
    )


async def test_strangers_fill_a_log_only_so_far_in_a_minute(hooks: Hooks) -> None:
    for _ in range(MOST_REFUSED * 3):
        await hooks.log.note(refused(hooks))
    assert len(await hooks.logged(URL)) == MOST_REFUSED
    await hooks.log.note(refused(hooks, "other"))
    assert await hooks.logged("other") == [BAD_SIGNATURE]
    hooks.squall.clock.advance(60)
    await hooks.log.note(refused(hooks))
    assert len(await hooks.logged(URL)) == MOST_REFUSED + 1


async def test_a_refused_delivery_is_logged_with_little_of_its_body_and_headers(hooks: Hooks) -> None:
    delivery = refused(hooks, body=b"x" * 65_536)
    await hooks.log.note(delivery)
    stored = await hooks.log.get(URL, delivery.id)
    assert (len(stored.body), stored.size, len(stored.headers)) == (4096, 65_536, 8)


async def test_only_the_newest_refused_deliveries_stay_and_no_accepted_one_goes(hooks: Hooks) -> None:
    await hooks.send(URL)
    for minute in range(KEPT_REFUSED // MOST_REFUSED + 2):
        hooks.squall.clock.advance(60)
        for _ in range(MOST_REFUSED if minute else 1):
            await hooks.log.note(refused(hooks))
    assert len(await hooks.logged(URL, verdict=BAD_SIGNATURE)) == KEPT_REFUSED
    assert await hooks.logged(URL, verdict="accepted") == ["accepted"]


async def test_deliveries_go_after_some_days(squall: Assembly) -> None:
    hooks = await Hooks(squall, days=14).begin(URL)
    await hooks.send(URL)
    squall.clock.advance(14 * 86_400 - 1)
    await hooks.send(URL)
    assert await hooks.log.expire() == 0
    squall.clock.advance(2)
    assert await hooks.log.expire() == 1
    assert await hooks.logged(URL) == ["accepted"]


async def test_zero_days_keep_deliveries_for_ever(squall: Assembly) -> None:
    hooks = await Hooks(squall, days=0).begin(URL)
    await hooks.send(URL)
    squall.clock.advance(10_000 * 86_400)
    assert await hooks.log.expire() == 0


async def test_a_delivery_belongs_to_its_hook(hooks: Hooks) -> None:
    delivered = await hooks.send(URL)
    assert (await hooks.log.get(URL, delivered.delivery.id)).instance == delivered.instance.id
    with pytest.raises(NotFoundError, match='The webhook "other" has no delivery'):
        await hooks.log.get("other", delivered.delivery.id)
    assert await hooks.log.executions(delivered.delivery) == []


async def test_an_accepted_large_body_is_kept_in_part(hooks: Hooks) -> None:
    whole = await hooks.send(URL, b'{"a":"' + b"x" * 60_000 + b'"}')
    part = await hooks.send(URL, b'{"a":"' + b"x" * 70_000 + b'"}')
    assert [len(each.delivery.body) == each.delivery.size for each in (whole, part)] == [True, False]
    stored = await hooks.log.get(URL, part.delivery.id)
    assert (len(stored.body), stored.size) == (4096, 70_008)


async def test_each_logged_delivery_is_told(hooks: Hooks) -> None:
    await hooks.send(URL)
    with pytest.raises(InvalidError):
        await hooks.send(URL, b"{bad")
    assert await hooks.events("webhook_delivery") == ["st2.webhook_delivery__create"] * 2
