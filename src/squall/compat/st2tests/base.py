"""What tests of packs derive from. Standard library only, Python 3.8."""

from __future__ import annotations

import inspect
import os
import unittest

from squall_service import ActionService, KeyValuePair
from st2common.runners.utils import PackConfigDict, get_action_class_instance

__all__ = ["BaseActionTestCase", "BasePackResourceTestCase", "MockActionService"]


class MockDatastoreService:
    """Keys in memory."""

    def __init__(self):
        self._kept = {}

    def list_values(self, local=True, prefix=None, limit=None, offset=0):
        """All keys, or those whose name starts with `prefix`."""
        return [KeyValuePair(name=k, value=v) for k, v in self._kept.items() if k.startswith(prefix or "")]

    def get_value(self, name, local=True, scope="system", decrypt=False):
        """The value, or None."""
        return self._kept.get(name)

    def set_value(self, name, value, ttl=None, local=True, scope="system", encrypt=False):
        """Keeps it; times to live are not kept to."""
        self._kept[name] = value
        return True

    def delete_value(self, name, local=True, scope="system"):
        """Forgets it; False if it was not there."""
        return self._kept.pop(name, None) is not None

    def get_user_info(self):
        """Nobody in particular."""
        return {"username": "admin", "rbac": {"enabled": False}, "authentication": {"method": "authentication token"}}


class MockActionService(ActionService):
    """An action service whose keys are in memory."""

    def __init__(self, action_wrapper):
        ActionService.__init__(self, action_wrapper)
        self._datastore_service = MockDatastoreService()


class _Wrapper:
    _pack = "tests"
    _log_level = "debug"
    _user = "admin"
    _class_name = ""


class BasePackResourceTestCase(unittest.TestCase):
    """Tests of something in a pack's `tests` folder."""

    def get_fixture_content(self, fixture_path):
        """The text of a file in `tests/fixtures`."""
        folder = os.path.dirname(os.path.abspath(inspect.getfile(type(self))))
        with open(os.path.join(folder, "fixtures", fixture_path), encoding="utf-8") as file:
            return file.read()


class BaseActionTestCase(BasePackResourceTestCase):
    """Tests of the action `action_cls`."""

    action_cls = None

    def setUp(self):
        """Makes the service that instances are given."""
        super().setUp()
        wrapper = _Wrapper()
        wrapper._class_name = getattr(self.action_cls, "__name__", "")
        self.action_service = MockActionService(wrapper)

    def get_action_instance(self, config=None):
        """An instance with this config."""
        return get_action_class_instance(
            action_cls=self.action_cls,
            config=PackConfigDict("tests", config) if config else None,
            action_service=self.action_service,
        )
