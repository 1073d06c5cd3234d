"""The service of actions in tests. Standard library only, Python 3.8."""

from __future__ import annotations

from squall_service import ActionService

from st2tests.mocks.datastore import MockDatastoreService

__all__ = ["MockActionService", "MockActionWrapper"]


class MockActionWrapper:
    """What runs an action, as far as its service knows it."""

    def __init__(self, pack, class_name):
        self._pack = pack
        self._class_name = class_name
        self._log_level = "debug"
        self._user = "admin"


class MockActionService(ActionService):
    """An action service whose keys are in memory."""

    def __init__(self, action_wrapper):
        ActionService.__init__(self, action_wrapper)
        pack, class_name = action_wrapper._pack, action_wrapper._class_name
        self._datastore_service = MockDatastoreService(pack_name=pack, class_name=class_name)
