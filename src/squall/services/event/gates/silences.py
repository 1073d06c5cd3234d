"""Keeps silences: added by people, removed by them or when their time is over."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from squall.core.errors import InvalidError, NotFoundError
from squall.core.event.events import Change
from squall.core.event.gates.silences import Silence, document, make_silence
from squall.core.event.rules.changes import CREATE, DELETE
from squall.core.event.rules.records import RuleFilter
from squall.ports import Clock, Store, Tx

MOST_SILENCES: Final = 1_000
"""The most silences."""

_EXPIRED = 1_000


class Silences:
    """The use cases of silences."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def find(self) -> list[Silence]:
        """Returns the silences that are in force, the oldest first."""
        now = self._clock.now()
        return [each for each in await self._store.read(lambda tx: tx.silences.all()) if each.until > now]

    async def get(self, silence_id: str) -> Silence:
        """Returns one silence. Raises `NotFoundError`."""
        silence = await self._store.read(lambda tx: tx.silences.get(silence_id))
        if silence is None:
            raise _missing(silence_id)
        return silence

    async def create(self, body: Any, author: str) -> Silence:
        """Adds the silence that the body of a request describes. Raises `InvalidError`, also if there is no such rule,
        pack or trigger."""
        now = self._clock.now()
        silence = make_silence(body, self._clock.new_id(), author, now)

        async def work(tx: Tx) -> Silence:
            if len(await tx.silences.all()) >= MOST_SILENCES:
                raise InvalidError(f"There are {MOST_SILENCES} silences already. Remove one: squall silence remove ID")
            placed = msgspec.structs.replace(silence, target=await _target(tx, silence))
            await tx.silences.put(placed)
            await tx.events.add(*_change(placed, CREATE, now))
            return placed

        return await self._store.tx(work)

    async def delete(self, silence_id: str) -> None:
        """Removes a silence. Raises `NotFoundError`."""

        async def work(tx: Tx) -> None:
            silence = await tx.silences.get(silence_id)
            if silence is None:
                raise _missing(silence_id)
            await tx.silences.delete(silence_id)
            await tx.events.add(*_change(silence, DELETE, self._clock.now()))

        await self._store.tx(work)

    async def expire(self) -> int:
        """Removes silences and states of rules whose time is over. Returns their number."""
        now = self._clock.now()

        async def work(tx: Tx) -> int:
            over = [each for each in await tx.silences.all() if each.until <= now]
            for silence in over:
                await tx.silences.delete(silence.id)
                await tx.events.add(*_change(silence, DELETE, now))
            return len(over) + await tx.gates.expire(now, _EXPIRED)

        return await self._store.tx(work)


def _missing(silence_id: str) -> NotFoundError:
    return NotFoundError(f'There is no silence "{silence_id}". List them: squall silence list')


async def _target(tx: Tx, silence: Silence) -> str:
    """Returns the ref of what a silence is for. Raises `InvalidError` if it does not exist."""
    target = silence.target
    if silence.scope == "rule":
        rule = await tx.rules.get(target)
        if rule is not None:
            return rule.ref
    elif silence.scope == "pack":
        if await tx.rules.count(RuleFilter(pack=target)):
            return target
        raise InvalidError(f'pack: no rule belongs to a pack "{target}". List rules: squall rule list')
    else:
        trigger = await tx.triggers.get(target) or await tx.trigger_types.get(target)
        if trigger is not None:
            return trigger.ref
    raise InvalidError(f'{silence.scope}: there is no {silence.scope} "{target}".')


def _change(silence: Silence, what: str, at: int) -> tuple[Change, bytes]:
    change = Change(kind="silence", name=f"st2.silence__{what}", resource=silence.id, at=at)
    return change, msgspec.json.encode(document(silence))
