"""The datastore of tests: keys in memory. Standard library only, Python 3.8."""

from __future__ import annotations

from squall_service import DatastoreService, KeyValuePair

__all__ = ["MockDatastoreService"]


class MockDatastoreService(DatastoreService):
    """Keys in memory; times to live are not kept to, and nothing is encrypted."""

    def __init__(self, logger=None, pack_name="tests", class_name="tests", api_username=None):
        DatastoreService.__init__(self, pack_name, class_name)
        self._logger = logger
        self._kept = {}

    def list_values(self, local=True, prefix=None, limit=None, offset=0):
        """All keys, or those whose name starts with `prefix`."""
        start = self._full(prefix or "", local) if local or prefix else ""
        found = [KeyValuePair(name=name, value=value) for name, value in self._kept.items() if name.startswith(start)]
        end = None if limit is None else (offset or 0) + limit
        return found[offset or 0 : end]

    def get_value(self, name, local=True, scope="system", decrypt=False):
        """The value, or None."""
        self._check(scope)
        return self._kept.get(self._full(name, local))

    def set_value(self, name, value, ttl=None, local=True, scope="system", encrypt=False):
        """Keeps it. Gives True."""
        self._check(scope)
        self._kept[self._full(name, local)] = value
        return True

    def delete_value(self, name, local=True, scope="system"):
        """Forgets it; False if it was not there."""
        self._check(scope)
        return self._kept.pop(self._full(name, local), None) is not None

    def get_user_info(self):
        """Nobody in particular."""
        return {"username": "admin", "rbac": {"enabled": False}, "authentication": {"method": "authentication token"}}
