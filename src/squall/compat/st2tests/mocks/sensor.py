"""The service of sensors in tests: what is dispatched is kept. Standard library only, Python 3.8."""

from __future__ import annotations

import logging

from squall_service import ActionService

from st2tests.mocks.datastore import MockDatastoreService

__all__ = ["MockSensorService", "MockSensorWrapper"]


class MockSensorWrapper:
    """What runs a sensor, as far as its service knows it."""

    def __init__(self, pack, class_name):
        self._pack = pack
        self._class_name = class_name
        self._log_level = "debug"


class MockSensorService(ActionService):
    """A sensor service whose keys are in memory, and which keeps what is dispatched in `dispatched_triggers`."""

    def __init__(self, sensor_wrapper):
        ActionService.__init__(self, sensor_wrapper)
        self._sensor_wrapper = sensor_wrapper
        pack, class_name = sensor_wrapper._pack, sensor_wrapper._class_name
        self._datastore_service = MockDatastoreService(pack_name=pack, class_name=class_name)
        self.dispatched_triggers = []

    def get_logger(self, name):
        """A logger of this sensor."""
        return logging.getLogger("%s.%s" % (self._sensor_wrapper._class_name, name))

    def dispatch(self, trigger, payload=None, trace_tag=None):
        """Keeps it; `trace_tag` becomes the `trace_context`."""
        self.dispatch_with_context(trigger, payload, {"trace_tag": trace_tag} if trace_tag else None)

    def dispatch_with_context(self, trigger, payload=None, trace_context=None):
        """Keeps it."""
        self.dispatched_triggers.append({"trigger": trigger, "payload": payload, "trace_context": trace_context})
