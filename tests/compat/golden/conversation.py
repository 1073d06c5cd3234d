"""Conversations that were recorded with StackStorm, held again: every answer has the recorded status code, keys, types
and values, except for what fields.toml leaves out, each with its reason."""

from __future__ import annotations

import base64
import json
import re
import tomllib
from typing import Any

from tests.compat.golden.comparing import HERE, kind
from tests.scenarios.live.server import FINAL, Server

from squall.testing.waiting import until

_MARK = re.compile(r"<id\d+>")
_USER = "<user>"
_KIND = "<kind> "


class Conversation:
    """One recording, played against a server. `differences` tells in words what is not as it was."""

    def __init__(self, server: Server, user: str, password: str = "") -> None:
        self._server = server
        self._user = user
        self._password = password
        self._ids: dict[str, str] = {}
        rules = tomllib.loads((HERE.parent / "fields.toml").read_text())["conversations"]
        self._left_out = set(rules["left_out"])
        self._token = ""
        self._reworded: dict[str, str] = rules["reworded"]

    def differences(self, step: dict[str, Any]) -> list[str]:
        """Asks again what was asked, and compares."""
        reply = self._ask(step)
        if "wait" in step:
            # A recording shows what has become of it; that may take a moment.
            reply = until(lambda: self._settled(step), f"{step['path']} is as recorded")
        name = f"{step['method']} {step['path']}"
        found = (
            [] if reply.status == step["status"] else [f"{name}: {reply.status}, was {step['status']}: {reply.raw!r}"]
        )
        return found + [f"{name}: {text}" for text in self._compare(step["answer"], self._body(reply), "")]

    def _settled(self, step: dict[str, Any]) -> Any:
        reply, was = self._ask(step), step["answer"]
        if isinstance(was, list):
            now = reply.json
            there = len(now) >= len(was) and all(each.get("status") in (None, "processed", *FINAL) for each in now)
            return reply if there else None
        wanted = was.get("status")
        there = reply.status == step["status"] and (wanted is None or reply.json["status"] in (wanted, *FINAL))
        return reply if there else None

    @staticmethod
    def _body(reply: Any) -> Any:
        try:
            return json.loads(reply.raw)
        except ValueError:
            return reply.raw.decode("utf-8", "replace")

    def _ask(self, step: dict[str, Any]) -> Any:
        body = step.get("body")
        asked = json.loads(self._filled(json.dumps(body))) if body is not None else None
        path = self._filled(step["path"])
        headers = {name: self._filled(value) for name, value in step.get("headers", {}).items()}
        if "login" in step:
            user, right = step["login"]
            headers |= _basic(self._filled(user), self._password if right else "wrong")
        if step.get("token"):
            headers["X-Auth-Token"] = self._logged_in()
        raw = step["raw"].encode() if "raw" in step else None
        if raw is not None:
            headers.setdefault("Content-Type", "application/json")
        return self._server.call(step["method"], path, asked, raw=raw, headers=headers)

    def _logged_in(self) -> str:
        """The token of one log-in for the whole conversation: a log-in takes long on purpose."""
        if not self._token:
            made = self._server.call("POST", "/auth/v1/tokens", {}, headers=_basic(self._user, self._password))
            self._token = made.json["token"]
        return self._token

    def _filled(self, text: str) -> str:
        return _MARK.sub(lambda mark: self._ids.get(mark[0], "0" * 24), text).replace(_USER, self._user)

    def _compare(self, was: Any, now: Any, path: str) -> list[str]:
        if path in self._left_out:
            return []
        if isinstance(was, str) and was.startswith(_KIND):
            return [] if kind(now) in was.removeprefix(_KIND).split("|") else [f"{path} is a {kind(now)}, was {was}"]
        if isinstance(was, dict) and isinstance(now, dict):
            return self._compare_objects(was, now, path)
        if isinstance(was, list) and isinstance(now, list):
            if len(was) != len(now):
                return [f"{path} has {len(now)} items, had {len(was)}"]
            pairs = zip(was, now, strict=True)
            return [text for one, other in pairs for text in self._compare(one, other, path)]
        if isinstance(was, str) and isinstance(now, str):
            if _MARK.fullmatch(was):
                self._ids.setdefault(was, now)
            was, now = _nameless(self._filled(was)), _nameless(now)
            if path == "faultstring":
                was = self._reworded.get(was, was)
            if path == "faultstring" and (was in now or was.startswith(now)):
                # Ours say in addition which parameter is meant, and leave schemas out.
                return []
        return [] if was == now and kind(was) == kind(now) else [f"{path} is {now!r}, was {was!r}"]

    def _compare_objects(self, was: dict[str, Any], now: dict[str, Any], path: str) -> list[str]:
        found = []
        for key in sorted(was.keys() | now.keys()):
            below = f"{path}.{key}" if path else key
            if below in self._left_out:
                continue
            if key not in now:
                found.append(f"lacks {below}")
            elif key not in was:
                found.append(f"has {below}")
            else:
                found += self._compare(was[key], now[key], below)
        return found


def _basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def _nameless(text: str) -> str:
    """A text without the ids in it, unless it is one."""
    return text if len(text) == 24 else re.sub(r"[0-9a-f]{24}", "<id>", text)


def steps(name: str) -> list[dict[str, Any]]:
    """What was asked and answered in one recording."""
    found: list[dict[str, Any]] = json.loads((HERE / f"{name}.json").read_text())
    return found
