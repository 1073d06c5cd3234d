"""The small doubles of a simulated server: clock, bus, and the ports that have nothing to do in a simulation."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Collection, Coroutine, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeVar

from tests.simulation.loop import VirtualLoop

from squall.core.errors import UnavailableError
from squall.core.ids import make_id
from squall.core.output.accounts import Account
from squall.ports import Seal, Verdict
from squall.testing.samples import NOON

T = TypeVar("T")


class JumpingClock:
    """`ports.Clock` of one machine: the loop's time, and how far somebody has set the wall clock away from it."""

    def __init__(self, loop: VirtualLoop, rng: random.Random) -> None:
        self._loop = loop
        self._rng = rng
        self.offset = 0.0

    def now(self) -> int:
        """Returns the time of the wall clock in µs."""
        return NOON + int((self._loop.time() + self.offset) * 1_000_000)

    def new_id(self) -> str:
        """Returns a new id."""
        return make_id(self.now(), self._rng.randbytes(6))


class _Subscription:
    """`ports.BusSubscription`, in the order of arrival."""

    def __init__(self) -> None:
        self._keys: dict[str, None] = {}
        self._arrived = asyncio.Event()

    def hear(self, key: str) -> None:
        self._keys[key] = None
        self._arrived.set()

    async def wait(self, timeout: float) -> set[str]:
        """Waits up to `timeout` seconds for a hint."""
        if not self._keys:
            try:
                async with asyncio.timeout(timeout):
                    await self._arrived.wait()
            except TimeoutError:
                pass
        keys, self._keys = self._keys, {}
        self._arrived.clear()
        return set(keys)


class UnreliableBus:
    """`ports.Bus` of one server that loses, delays and doubles hints. `peers` are the buses of the other servers, which
    get each hint too."""

    def __init__(self, loop: VirtualLoop, rng: random.Random, peers: list[UnreliableBus], *, lost: float) -> None:
        self._loop = loop
        self._rng = rng
        self._lost = lost
        self._subscriptions: dict[str, list[_Subscription]] = {}
        self._peers = peers
        peers.append(self)

    def publish(self, topic: str, key: str) -> None:
        """Sends a hint to every server, which may never get it."""
        for peer in self._peers:
            while True:
                draw = self._rng.random()
                if draw < self._lost:
                    break
                self._loop.call_later(0.0 if draw < 0.7 else draw - 0.7, peer.deliver, topic, key)
                if self._rng.random() > 0.1:
                    break

    def deliver(self, topic: str, key: str) -> None:
        """Hands a hint to the subscriptions of this server."""
        for subscription in list(self._subscriptions.get(topic, ())):
            subscription.hear(key)

    @contextmanager
    def subscribe(self, topic: str) -> Iterator[_Subscription]:
        """Yields a subscription, which ends with the block."""
        subscription = _Subscription()
        self._subscriptions.setdefault(topic, []).append(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions[topic].remove(subscription)


class NoArchive:
    """`ports.Archive` that seals nothing."""

    async def open(self, tree: str) -> None:
        """Every tree is open."""

    def release(self, tree: str) -> None:
        """Every tree stays open."""

    def held(self) -> Sequence[str]:
        """Returns no trees."""
        return ()

    async def candidates(self, idle: float) -> Sequence[str]:
        """Returns no trees."""
        return ()

    async def seal(self, trees: Sequence[str]) -> Mapping[str, Seal]:
        """Seals nothing."""
        return {}

    async def settle(self, trees: Sequence[str]) -> Sequence[str]:
        """Removes nothing."""
        return ()

    async def move(self, trees: Sequence[str]) -> Mapping[str, Seal]:
        """Moves nothing."""
        return {}

    async def remove(self, trees: Sequence[str]) -> Sequence[str]:
        """Removes nothing."""
        return ()

    async def verify(self, tree: str, accounts: Sequence[Account] = (), rate: float | None = None) -> Verdict | None:
        """Returns that there is no journal."""
        return None

    async def usage(self) -> Mapping[str, tuple[int, int]]:
        """Returns nothing."""
        return {}


class NoLines:
    """`ports.Lines` that counts nothing: it is always too busy."""

    async def _busy(self) -> Any:
        raise UnavailableError("nobody counts lines here")

    async def sums(self, tree: str, executions: Collection[str] | None) -> Any:
        """Raises `UnavailableError`."""
        return await self._busy()

    def __getattr__(self, name: str) -> Any:
        return lambda *_args, **_more: self._busy()


class NoEvaluations:
    """The `Evaluator` of a simulation: raises, because workflows of a simulation have cheap expressions only."""

    def template(self, method: str, text: str, *_rest: Any) -> Any:
        """Raises `AssertionError`."""
        raise AssertionError(f"not a cheap template: {text}")

    def workflow(self, text: str, *_rest: Any) -> Any:
        """Raises `AssertionError`."""
        raise AssertionError(f"not a cheap expression: {text}")


class NoMarks:
    """`ports.Marks` of servers that never die of their work."""

    def left(self) -> Sequence[str]:
        """Returns nothing."""
        return ()

    def forget(self) -> None:
        """Has nothing to forget."""

    async def watched(self, name: str, work: Coroutine[Any, Any, T]) -> T:
        """Runs `work`."""
        return await work

    def on_thread(self, name: str) -> AbstractContextManager[None]:
        """Marks nothing."""
        return nullcontext()

    def carried(self) -> AbstractContextManager[None]:
        """Marks nothing."""
        return nullcontext()
