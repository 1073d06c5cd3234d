"""`self.action_service`: what an action asks its platform, over the HTTP API. Standard library only, Python 3.8."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import urllib.parse

_SCOPE = "system"
_TIMEOUT = 60
_SEPARATOR = ":"


class ApiError(Exception):
    """The API refused. `status` is the HTTP status."""

    def __init__(self, status, text):
        Exception.__init__(self, "%s (HTTP %s)" % (text, status))
        self.status = status


class KeyValuePair:
    """One key of the datastore, with the API's attributes."""

    def __init__(self, **attributes):
        self.id = attributes.get("name")
        self.name = attributes.get("name")
        self.value = attributes.get("value")
        self.scope = attributes.get("scope", _SCOPE)
        self.secret = attributes.get("secret", False)
        self.encrypted = attributes.get("encrypted", False)
        self.expire_timestamp = attributes.get("expire_timestamp")

    def __repr__(self):
        return "<KeyValuePair name=%s,value=%s>" % (self.name, self.value)


class DatastoreService:
    """Keys of the datastore. With `local`, a name belongs to this action only: `<pack>.<class>:<name>`."""

    def __init__(self, pack_name, class_name):
        self._pack_name = pack_name
        self._class_name = class_name

    def get_user_info(self):
        """Who runs this action: the answer of `/v1/user`."""
        return call("GET", "/user")

    def list_values(self, local=True, prefix=None, limit=None, offset=0):
        """The keys whose name starts with `prefix`, as `KeyValuePair`s."""
        query = {"prefix": self._full(prefix or "", local), "scope": _SCOPE, "offset": offset or 0}
        if limit is not None:
            query["limit"] = limit
        found = call("GET", "/keys", query) or []
        return [KeyValuePair(**entry) for entry in found]

    def get_value(self, name, local=True, scope=_SCOPE, decrypt=False):
        """The value, text; None when there is no such key, or it cannot be had."""
        self._check(scope)
        query = {"scope": scope, "decrypt": "true" if decrypt else "false"}
        try:
            found = call("GET", "/keys/" + self._path(name, local), query)
        except (ApiError, OSError, http.client.HTTPException):
            return None
        return found.get("value") if found else None

    def set_value(self, name, value, ttl=None, local=True, scope=_SCOPE, encrypt=False):
        """Sets the key to `str(value)`, for `ttl` seconds if given. Gives True."""
        self._check(scope)
        full = self._full(name, local)
        body = {"name": full, "value": str(value), "scope": scope, "secret": bool(encrypt)}
        if ttl:
            body["ttl"] = ttl
        call("PUT", "/keys/" + self._path(name, local), {"scope": scope}, body)
        return True

    def delete_value(self, name, local=True, scope=_SCOPE):
        """Removes the key. False when there is none, or it cannot be removed."""
        self._check(scope)
        try:
            call("DELETE", "/keys/" + self._path(name, local), {"scope": scope})
        except (ApiError, OSError, http.client.HTTPException):
            return False
        return True

    def _check(self, scope):
        if scope != _SCOPE:
            raise ValueError("Scope %s is unsupported." % scope)

    def _full(self, name, local):
        if not local:
            return name
        return "%s.%s%s%s" % (self._pack_name, self._class_name, _SEPARATOR, name)

    def _path(self, name, local):
        return urllib.parse.quote(self._full(name, local), safe="")


def call(method, path, query=None, body=None, timeout=_TIMEOUT):
    """One request of the API as this action; the decoded answer, None if it is empty. Raises `ApiError`, `OSError`."""
    url = urllib.parse.urlsplit(os.environ["ST2_ACTION_API_URL"])
    target = url.path.rstrip("/") + path
    if query:
        target += "?" + urllib.parse.urlencode(query)
    headers = {"Accept": "application/json", "Content-Type": "application/json"}
    token = os.environ.get("ST2_ACTION_AUTH_TOKEN")
    if token:
        headers["X-Auth-Token"] = token
    if url.scheme == "https":
        connection = http.client.HTTPSConnection(
            url.hostname, url.port, timeout=timeout, context=ssl.create_default_context()
        )
    else:
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=timeout)
    try:
        connection.request(method, target, json.dumps(body) if body is not None else None, headers)
        response = connection.getresponse()
        data = response.read()
    finally:
        connection.close()
    if response.status >= 400:
        raise ApiError(response.status, _reason(data) or response.reason)
    return json.loads(data.decode("utf-8")) if data else None


def _reason(data):
    try:
        return json.loads(data.decode("utf-8")).get("faultstring")
    except (ValueError, AttributeError):
        return None


class ActionService:
    """What an action may ask: keys of the datastore, and who runs it."""

    def __init__(self, action_wrapper):
        self._action_wrapper = action_wrapper
        self._datastore_service = None

    @property
    def datastore_service(self):
        """The keys; made when they are first asked for."""
        if self._datastore_service is None:
            wrapper = self._action_wrapper
            self._datastore_service = DatastoreService(wrapper._pack, wrapper._class_name)
        return self._datastore_service

    def get_user_info(self):
        """See `DatastoreService.get_user_info`."""
        return self.datastore_service.get_user_info()

    def list_values(self, local=True, prefix=None, limit=None, offset=0):
        """See `DatastoreService.list_values`."""
        return self.datastore_service.list_values(local=local, prefix=prefix, limit=limit, offset=offset)

    def get_value(self, name, local=True, scope=_SCOPE, decrypt=False):
        """See `DatastoreService.get_value`."""
        return self.datastore_service.get_value(name=name, local=local, scope=scope, decrypt=decrypt)

    def set_value(self, name, value, ttl=None, local=True, scope=_SCOPE, encrypt=False):
        """See `DatastoreService.set_value`."""
        return self.datastore_service.set_value(
            name=name, value=value, ttl=ttl, local=local, scope=scope, encrypt=encrypt
        )

    def delete_value(self, name, local=True, scope=_SCOPE):
        """See `DatastoreService.delete_value`."""
        return self.datastore_service.delete_value(name=name, local=local, scope=scope)
