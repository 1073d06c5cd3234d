"""The buses, under their contract."""

from __future__ import annotations

import pytest

from squall.adapters.bus.inproc import DeafBus, InProcessBus
from squall.ports import Bus
from squall.testing.bus import BusContract, HearingBusContract


class TestInProcessBus(HearingBusContract):
    @pytest.fixture
    def bus(self) -> Bus:
        return InProcessBus()


@pytest.mark.anyio
class TestDeafBus(BusContract):
    @pytest.fixture
    def bus(self) -> Bus:
        return DeafBus()

    async def test_every_hint_is_dropped(self, bus: Bus) -> None:
        with bus.subscribe("run") as subscription:
            bus.publish("run", "a")
            assert await subscription.wait(0.01) == set()
