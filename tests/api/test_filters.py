"""Every filter of every list, and how lists are ordered, cut and narrowed: one table, asked of a real server."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.api.test_inquiries import ask
from tests.scenarios.live.fixtures import QUICK
from tests.scenarios.live.server import Server, serving

from squall.api.table import TABLE

NOWHERE = "0123456789abcdef01234567"
ALL = "child top fails noop"
"""The executions there are, the newest first."""


class Listed:
    """A server that nobody else uses, what is in its lists, and the ids of that by short names."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.ids: dict[str, str] = {"nowhere": NOWHERE}
        self.names: dict[str, str] = {}
        self._executions()
        self._others()

    def _executions(self) -> None:
        server = self.server
        noop = server.call("POST", "/v1/executions", {"action": "core.noop", "context": TAGGED}).json["id"]
        server.ended(noop)
        fails = server.shell("exit 3")
        server.ended(fails)
        with server.puppet() as (top, _):
            child = server.request("core.noop", parent=top)
            server.ended(child)
        for name, execution in (("noop", noop), ("fails", fails), ("top", top), ("child", child)):
            self.keep(name, execution)
            self.ids[f"{name}.start"] = server.get(f"/v1/executions/{execution}")["start_timestamp"]

    def _others(self) -> None:
        server = self.server
        for name, action in (("p1", "core.noop"), ("p2", "core.local")):
            body = {**POLICY, "name": name, "pack": f"pack{name}", "resource_ref": action}
            self.keep(name, server.call("POST", "/v1/policies", body).json["id"])
        for name in ("k1", "k2", "x1"):
            body = {"name": name, "value": "v"}
            self.keep(name, server.call("PUT", f"/v1/keys/{name}", body).json["id"])
        self.keep("own", server.call("PUT", "/v1/keys/own", {"name": "own", "value": "v", "scope": "user"}).json["id"])
        for number in (1, 2):
            self.keep(f"key{number}", server.call("POST", "/v1/apikeys", {"user": f"bot{number}"}).json["id"])
        for trace in server.get("/v1/traces"):
            # The name of a trace is that of its first execution.
            self.keep(f"{self.names[trace['action_executions'][0]['object_id']]}'s", trace["id"])
            self.ids[f"{self.names[trace['id']]}.tag"] = trace["trace_tag"]
        for path in ("actions", "packs", "runnertypes", "policytypes", "policies"):
            for item in server.get(f"/v1/{path}", limit=-1):
                if item["id"] not in self.names:
                    self.keep(item.get("ref") or item["name"], item["id"])
                self.ids[f"{path} {item['name']}"] = item["id"]
        self.ids["user"] = server.get("/v1/user")["username"]
        for pack, values in (("alpha", {"region": "a"}), ("beta", {"region": "b"})):
            assert server.call("PUT", f"/v1/configs/{pack}", values).status == 200

    def keep(self, name: str, item_id: str) -> None:
        self.ids.setdefault(name, item_id)
        self.names[item_id] = name

    def call(self, path: str, query: Mapping[str, str]) -> Any:
        given = {name: re.sub("<(.+?)>", lambda mark: self.ids[mark[1]], value) for name, value in query.items()}
        return self.server.call("GET", f"/v1/{path}?{urlencode(given)}")


TAGGED = {"trace_context": {"trace_tag": "tagged"}, "who": {"asks": "a bot", "number": 7}}
POLICY = {"policy_type": "action.retry", "parameters": {"retry_on": "timeout", "max_retry_count": 1}}


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory, packs: Path) -> Iterator[Listed]:
    more = tmp_path_factory.mktemp("more")
    for pack in ("alpha", "beta"):
        (more / pack).mkdir()
        text = f"ref: {pack}\nname: {pack}\ndescription: d\nversion: 1.0.0\nauthor: a\nemail: a@example.com\n"
        (more / pack / "pack.yaml").write_text(text)
        (more / pack / "config.schema.yaml").write_text("region: {type: string}\n")
    with serving(tmp_path_factory.mktemp("filtered"), packs, "--packs-dir", str(more), env=QUICK) as server:
        yield Listed(server)


def case(path: str, expected: str, **query: str) -> Any:
    return pytest.param(path, query, expected, id=f"{path}?{'&'.join(f'{k}={v}' for k, v in query.items())}")


OF_RULES = ("rule", "trigger", "trigger_type", "trigger_instance")
EXECUTIONS = [
    case("executions", ALL),
    case("executions", "child noop", action="core.noop"),
    case("executions", "", action="core.nosuch"),
    case("executions", "fails", status="failed"),
    case("executions", "", status="bogus"),
    case("executions", "fails", runner="local-shell-cmd"),
    case("executions", "", runner="nosuch"),
    case("executions", "", user="nobody-here"),
    case("executions", ALL, user="<user>"),
    case("executions", "child", parent="<top>"),
    case("executions", "top fails noop", parent="null"),
    case("executions", "top fails noop", parent="NULL"),
    case("executions", "", parent="<nowhere>"),
    case("executions", "fails", liveaction="<fails>"),
    case("executions", "", liveaction="<nowhere>"),
    case("executions", "", liveaction="<fails>", id="<noop>"),
    case("executions", "fails", liveaction="<fails>", id="<noop>,<fails>"),
    case("executions", "fails noop", id="<noop>,<fails>,<nowhere>"),
    case("executions", "child top", timestamp_gt="<fails.start>"),
    case("executions", "noop", timestamp_lt="<fails.start>"),
    case("executions", "top fails", timestamp="<fails.start>..<top.start>"),
    *[case("executions", "", **{name: value}) for name in OF_RULES for value in ("x", "core.x", "<noop>")],
    *[case("executions", ALL, **{name: value}) for name in OF_RULES for value in ("null", "Null", "")],
    case("executions", "", rule="x", action="core.noop"),
    case("executions", ALL, pack="core", bogus="x", name="core.nosuch", tags="x", trace_tag="x", ref="x", rules="x"),
    case("executions", "noop fails top child", sort_asc="true"),
    case("executions", ALL, sort_desc="true"),
    case("executions", "noop fails top child", sort="timestamp"),
    case("executions", "noop fails top child", sort="+timestamp"),
    case("executions", ALL, sort="-timestamp"),
    case("executions", "fails child noop top", sort="action"),
    case("executions", "top child noop fails", sort="-action"),
    case("executions", "fails noop child top", sort="action,timestamp"),
    case("executions", "fails child top noop", sort="status"),
    case("executions", "noop fails top child", sort="id"),
    case("executions", "noop fails top child", sort="liveaction"),
    case("executions", ALL, sort="start_timestamp"),
    case("executions", ALL, sort="bogus,result"),
    case("executions", "top fails", limit="2", offset="1"),
]
ADVANCED = [
    case("executions", "fails", filter="status:failed"),
    case("executions", "child noop", filter="action.ref:core.noop"),
    case("executions", "child", filter="action.ref:core.noop parent:<top>"),
    case("executions", "top fails noop", filter="parent:null"),
    case("executions", "fails", filter="runner.name:local-shell-cmd liveaction.action:core.local"),
    case("executions", "noop", filter="id:<noop>"),
    case("executions", "noop", filter="liveaction.id:<noop>"),
    case("executions", "", filter="context.user:nobody-here"),
    case("executions", ALL, filter="log.status:running"),
    case("executions", "fails", filter="log.status:failed"),
    case("executions", "", filter="context.who.number:7"),
    case("executions", "noop", filter="context.trace_context.trace_tag:tagged"),
    case("executions", "child top fails", filter="context.who:null"),
    case("executions", "", filter="parameters.nosuch:x"),
    case("executions", "fails", filter="action.name:local action.pack:core"),
    case("executions", "fails", filter="runner.uid:runner_type:local-shell-cmd"),
    case("executions", "top fails", filter="start_timestamp:<fails.start>..<top.start>"),
    case("executions", "fails", filter="start_timestamp:<fails.start>"),
    case("executions", ALL, filter="delay:null"),
    case("executions", "", filter="delay:5"),
    case("executions", ALL, filter="rule.name:null trigger.name:null"),
    case("executions", "", filter="rule.name:x"),
    case("executions", "", filter="result.stdout:x"),
    case("executions", ALL, filter="workflow_execution:null task_execution:null"),
    case("executions", "fails", filter="status:failed", status="succeeded"),
    case("executions", "", filter="status:failed", action="core.noop"),
    case("executions", ALL, filter=""),
    case("executions", ALL, filter=" "),
]
OTHERS = [
    case("actions", "core.noop", name="noop", pack="core"),
    case("actions", "", name="nosuch"),
    case("actions", "", pack="nosuch"),
    case("actions", "", tags="nosuch"),
    case("actions", "core.noop", id="<core.noop>"),
    case("actions", "core.local core.noop", id="<core.noop>,<core.local>"),
    case("actions", "core.noop core.local", id="<core.noop>,<core.local>", sort="-name"),
    case("actions", "core.noop", id="<core.noop>,<core.local>", limit="1", offset="1"),
    case("packs", "core", name="core"),
    case("packs", "core", ref="core"),
    case("packs", "", ref="nosuch"),
    case("packs", "core", id="<core>"),
    case("packs", "alpha beta", id="<alpha>,<beta>"),
    case("packs", "beta alpha", id="<alpha>,<beta>", sort="-name"),
    case("packs", "beta alpha", id="<alpha>,<beta>", sort="-ref"),
    case("packs", "beta", id="<alpha>,<beta>", sort="ref", limit="1", offset="1"),
    case("configs", "alpha beta"),
    case("configs", "alpha", name="alpha"),
    case("configs", "alpha beta", name="beta,alpha"),
    case("configs", "", name="nosuch"),
    case("configs", "beta", id="<beta>"),
    case("configs", "beta alpha", sort="-name"),
    case("configs", "alpha", sort="-name", limit="1", offset="1"),
    case("config_schemas", "alpha", name="alpha"),
    case("config_schemas", "", name="nosuch"),
    case("config_schemas", "alpha beta", id="<beta>,<alpha>"),
    case("config_schemas", "beta alpha", id="<beta>,<alpha>", sort="-name"),
    case("runnertypes", "noop", name="noop"),
    case("runnertypes", "local-shell-cmd noop", name="noop,local-shell-cmd"),
    case("runnertypes", "noop local-shell-cmd", name="noop,local-shell-cmd", sort="-name"),
    case("runnertypes", "", name="nosuch"),
    case("runnertypes", "", id="<nowhere>"),
    case("runnertypes", "noop", id="<nowhere>,<runnertypes noop>"),
    case("policytypes", "action.concurrency action.concurrency.attr action.retry", resource_type="action"),
    case("policytypes", "", resource_type="rule"),
    case("policytypes", "action.retry", name="retry"),
    case("policytypes", "action.concurrency action.retry", name="retry,concurrency"),
    case("policytypes", "action.retry", id="<action.retry>"),
    case("policytypes", "action.retry action.concurrency.attr action.concurrency", sort="-name"),
    case("policytypes", "action.concurrency.attr", limit="1", offset="1"),
    case("policies", "p1 p2"),
    case("policies", "p1", name="p1"),
    case("policies", "", name="p1,p2"),
    case("policies", "p2", pack="packp2"),
    case("policies", "", pack="packp2", name="p1"),
    case("policies", "p2", resource_ref="core.local"),
    case("policies", "p1", id="<p1>,<nowhere>"),
    case("policies", "p2", policy_type="action.retry", pack="packp2"),
    case("policies", "", policy_type="action.concurrency", pack="packp2"),
    case("policies", "p2", limit="1", offset="1"),
    case("keys", "k1 k2 x1"),
    case("keys", "k1 k2", prefix="k"),
    case("keys", "", prefix="nosuch"),
    case("keys", "k2", name="k2"),
    case("keys", "x1", id="<x1>"),
    case("keys", "own", scope="user"),
    case("keys", "own", user="<user>"),
    case("keys", "own", scope="st2kv.user"),
    case("keys", "k1 k2 x1 own", scope="all"),
    case("keys", "x1 k2 k1", sort="-name"),
    case("keys", "x1 k2 k1", sort="-scope,-name"),
    case("keys", "k1 k2 x1", sort="bogus"),
    case("keys", "x1 k2 k1", sort="-id"),
    case("keys", "k2", limit="1", offset="1"),
    case("traces", "top's fails's noop's"),
    case("traces", "noop's", trace_tag="tagged"),
    case("traces", "", trace_tag="nosuch"),
    case("traces", "noop's", name="tagged"),
    case("traces", "fails's noop's", name="tagged,<fails's.tag>"),
    case("traces", "fails's", id="<fails's>"),
    case("traces", "top's fails's", id="<fails's>,<top's>"),
    case("traces", "", id="<nowhere>"),
    case("traces", "top's", execution="<child>"),
    case("traces", "", execution="<nowhere>"),
    case("traces", "", execution="null"),
    case("traces", "", rule="x"),
    case("traces", "", trigger_instance="<noop>"),
    case("traces", "top's fails's noop's", rule="null", trigger_instance="null"),
    case("traces", "noop's fails's top's", sort_asc="true"),
    case("traces", "top's fails's noop's", sort_desc="true"),
    case("traces", "noop's top's fails's", sort="-trace_tag"),
    case("traces", "noop's fails's top's", sort="id"),
    case("traces", "fails's", limit="1", offset="1"),
    case("apikeys", "key1 key2"),
    case("apikeys", "key2", user="bot2"),
    case("apikeys", "key2", limit="1", offset="1"),
]


@pytest.mark.parametrize(("path", "query", "expected"), [*EXECUTIONS, *ADVANCED, *OTHERS])
def test_a_list_has_what_its_filters_leave_in_the_order_that_was_asked_for(
    listed: Listed, path: str, query: dict[str, str], expected: str
) -> None:
    reply = listed.call(path, query)
    assert reply.status == 200, reply
    shown = [listed.names.get(item["id"], "?") for item in reply.json]
    assert shown == expected.split()
    if path != "keys" and not {"limit", "offset"} & query.keys():
        assert reply.headers["x-total-count"] == str(len(shown))


def test_no_parameter_that_a_list_offers_is_missing_in_the_table() -> None:
    tried = {(each.values[0], name) for each in [*EXECUTIONS, *ADVANCED, *OTHERS] for name in each.values[1]}
    offered = {
        (route.path[1:], name)
        for route in TABLE
        if route.method == "GET" and route.listed and route.path[1:] in {path for path, _ in tried}
        for name in route.query
        if name not in ("include_attributes", "exclude_attributes", "show_secrets", "decrypt", "limit", "offset")
    }
    assert offered - tried == set()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("status", 'invalid format for filter "status": expected path:value, such as status:failed'),
        (":failed", "invalid format"),
        ("bogus:x", 'Cannot resolve field "bogus"'),
        ("status.x:y", 'Cannot resolve field "status.x"'),
        ("parameters..x:y", "Cannot resolve field"),
        ('parameters."x:y', "Cannot resolve field"),
        ("delay:soon", "delay:soon is not a number"),
        ("start_timestamp:yesterday", "Datetime value does not match expected format."),
    ],
)
def test_an_advanced_filter_that_cannot_be_read_is_refused(listed: Listed, value: str, text: str) -> None:
    reply = listed.server.call("GET", "/v1/executions?" + urlencode({"filter": value}))
    assert (reply.status, text in reply.fault) == (400, True), reply


@pytest.mark.parametrize(
    ("path", "attribute"),
    [
        ("executions", "status"),
        ("actions", "name"),
        ("packs", "version"),
        ("runnertypes", "name"),
        ("policytypes", "name"),
        ("policies", "enabled"),
        ("traces", "trace_tag"),
        ("inquiries", "route"),
    ],
)
def test_attributes_of_every_list_that_has_them_are_chosen(listed: Listed, path: str, attribute: str) -> None:
    if path == "inquiries":
        ask(listed.server, route="dev")
    whole = listed.call(path, {"limit": "2"}).json
    assert whole
    narrow = listed.call(path, {"limit": "2", "include_attributes": f"id,{attribute}"}).json
    always = ("id", "ref") if path in ("actions", "policies") else ("id",)
    assert narrow == [{name: item[name] for name in (attribute, *always)} for item in whole]
    without = listed.call(path, {"limit": "2", "exclude_attributes": attribute}).json
    assert all(attribute not in item for item in without)
    for name in ("include_attributes", "exclude_attributes"):
        wrong = listed.call(path, {name: "bogus"})
        assert (wrong.status, "bogus" in wrong.fault) == (400, True)
    both = listed.call(path, {"include_attributes": attribute, "exclude_attributes": attribute})
    assert (both.status, "mutually exclusive" in both.fault) == (400, True)


def test_children_are_sorted_by_their_start_if_that_is_asked_for(listed: Listed) -> None:
    server = listed.server
    root = server.request("examples.flow_nested")
    server.ended(root)
    found = server.get(f"/v1/executions/{root}/children", result_fmt="sorted")
    starts = [each["start_timestamp"] for each in found]
    assert len(starts) > 1
    assert starts == sorted(starts)
    plain = server.get(f"/v1/executions/{root}/children")
    assert {each["id"] for each in plain} == {each["id"] for each in found}
