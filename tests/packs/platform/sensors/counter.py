"""Counts how often it has looked, in the datastore."""

from st2reactor.sensor.base import PollingSensor


class Counter(PollingSensor):
    def setup(self):
        self._logger = self.sensor_service.get_logger(__name__)

    def poll(self):
        count = int(self._sensor_service.get_value("count") or 0) + 1
        self.sensor_service.set_value("count", str(count))
        self._sensor_service.dispatch(trigger="platform.counted", payload={"count": count}, trace_tag="t")

    def cleanup(self):
        pass

    def add_trigger(self, trigger):
        pass

    def update_trigger(self, trigger):
        pass

    def remove_trigger(self, trigger):
        pass
