"""The classes that sensors derive from; tests and libraries of packs import them. Standard library only, Python 3.8."""

from __future__ import annotations

import abc
import time

__all__ = ["PollingSensor", "Sensor"]


class Sensor(abc.ABC):
    """Watches something, and dispatches triggers through `sensor_service`."""

    def __init__(self, sensor_service, config=None):
        self._sensor_service = self.sensor_service = sensor_service
        self._config = self.config = config or {}

    @abc.abstractmethod
    def setup(self):
        """Prepares, once."""

    @abc.abstractmethod
    def run(self):
        """Watches, until the process ends."""

    @abc.abstractmethod
    def cleanup(self):
        """Undoes what `setup` did."""

    @abc.abstractmethod
    def add_trigger(self, trigger):
        """A trigger of this sensor's types is there."""

    @abc.abstractmethod
    def update_trigger(self, trigger):
        """A trigger has changed."""

    @abc.abstractmethod
    def remove_trigger(self, trigger):
        """A trigger is gone."""


class PollingSensor(Sensor):
    """A sensor that looks every `poll_interval` seconds."""

    def __init__(self, sensor_service, config=None, poll_interval=5):
        Sensor.__init__(self, sensor_service=sensor_service, config=config)
        self._poll_interval = poll_interval

    @abc.abstractmethod
    def poll(self):
        """Looks once."""

    def run(self):
        """Looks again and again."""
        while True:
            self.poll()
            time.sleep(self._poll_interval)

    def get_poll_interval(self):
        """Seconds between two looks."""
        return self._poll_interval

    def set_poll_interval(self, poll_interval):
        """Changes them."""
        self._poll_interval = poll_interval
