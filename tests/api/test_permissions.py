"""A user who is no administrator, on every route: what changes, purges or reveals configuration is refused unless it is
listed here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.api.test_auth import SHA_RIGHT, login
from tests.scenarios.live.fixtures import QUICK
from tests.scenarios.live.server import Server, serving
from tests.scenarios.live.wire import Reply

from squall.adapters.htpasswd import write
from squall.api.http.routes import Route
from squall.api.table import TABLE
from squall.assembly.arguments import BUNDLED
from squall.core.access.access import Identity, check_run
from squall.core.errors import ForbiddenError

USERS_MAY = {
    # Running actions and handling their executions is what users are there for.
    "POST /v1/executions", "POST /v1/executions/cancel", "POST /v1/executions/re_run", "PUT /v1/executions/{id}",
    "DELETE /v1/executions/{id}", "POST /v1/executions/{id}/re_run", "POST /v1/actionexecutions",
    "POST /v1/actionexecutions/cancel", "POST /v1/actionexecutions/re_run", "PUT /v1/actionexecutions/{id}",
    "DELETE /v1/actionexecutions/{id}", "POST /v1/actionexecutions/{id}/re_run",
    # An inquiry names those who may answer it.
    "PUT /v1/inquiries/{id}",
    # Keys of their own, and those of the system scope, as in StackStorm.
    "PUT /v1/keys/{name}", "DELETE /v1/keys/{name}",
    # Credentials of their own.
    "POST /auth/v1/tokens", "DELETE /auth/v1/tokens", "POST /auth/v1/tokens/validate", "POST /v1/apikeys",
    "PUT /v1/apikeys/{key}", "DELETE /v1/apikeys/{key}",
    # Events: a webhook takes a credential, and stored events may be evaluated again.
    "POST /v1/webhooks/{url}", "POST /v1/triggerinstances/{id}/re_emit", "POST /v1/triggerinstances/{id}/retry",
    "POST /v1/webhooks/{url}/deliveries/{id}/replay",
    # These change nothing.
    "POST /v1/workflows/inspect", "POST /v1/packs/index/search", "POST /v1/rules/explain",
}  # fmt: skip
"""What users may do with other methods than GET."""

USERS_READ = {
    "/v1/executions", "/v1/executions/{id}", "/v1/executions/{id}/attribute/{name}", "/v1/executions/{id}/children",
    "/v1/executions/{id}/graph", "/v1/executions/{id}/output", "/v1/executions/{id}/output/rows",
    "/v1/executions/{id}/output/search", "/v1/executions/{id}/output/stats", "/v1/executions/{id}/output/verify",
    "/v1/executions/{id}/result", "/v1/executions/views/filters", "/v1/actionexecutions",
    "/v1/actionexecutions/{id}", "/v1/actionexecutions/{id}/attribute/{name}", "/v1/actionexecutions/{id}/children",
    "/v1/actionexecutions/{id}/output", "/v1/actionexecutions/{id}/result", "/v1/actionexecutions/views/filters",
    "/stream/v1/executions/{id}/output", "/stream/v1/stream", "/stream/v1/watch", "/v1/storage", "/v1/storage/damage",
    "/v1/actions", "/v1/actions/{ref}", "/v1/actions/views/overview", "/v1/actions/views/overview/{ref}",
    "/v1/actions/views/parameters/{ref}", "/v1/actions/views/entry_point/{ref}", "/v1/runnertypes",
    "/v1/runnertypes/{name}", "/v1/packs", "/v1/packs/{ref}", "/v1/packs/views/files/{ref}",
    "/v1/packs/views/file/{ref}/{path}", "/v1/packs/index", "/v1/packs/index/health", "/v1/config_schemas",
    # Their secret values are masked, and shown to nobody who is no administrator.
    "/v1/config_schemas/{pack}", "/v1/configs", "/v1/configs/{pack}",
    "/v1/inquiries", "/v1/inquiries/{id}", "/v1/policytypes", "/v1/policytypes/{ref}", "/v1/policies",
    "/v1/policies/{ref}", "/v1/traces", "/v1/traces/{id}", "/v1/keys", "/v1/keys/{name}", "/v1/user", "/v1/apikeys",
    "/v1/apikeys/{key}", "/v1", "/metrics", "/v1/schemas", "/v1/schemas/{name}",
    "/v1/queue/aside",
    "/v1/triggertypes", "/v1/triggertypes/{ref}", "/v1/triggers", "/v1/triggers/{id}", "/v1/triggerinstances",
    "/v1/triggerinstances/{id}", "/v1/ruletypes", "/v1/ruletypes/{id}", "/v1/rules", "/v1/rules/{ref}",
    "/v1/ruleenforcements", "/v1/ruleenforcements/{id}", "/v1/webhooks", "/v1/webhooks/{url}",
    # Credentials in their headers are masked.
    "/v1/webhooks/{url}/deliveries", "/v1/webhooks/{url}/deliveries/{id}",
    "/v1/timers", "/v1/timers/{ref}", "/v1/timers/{ref}/preview", "/v1/timers/{ref}/missed",
    "/v1/rules/{ref}/held", "/v1/silences", "/v1/silences/{id}",
    "/v1/rules/views", "/v1/rules/views/{ref}", "/v1/rules/{ref}/decisions", "/v1/ruleenforcements/views",
    "/v1/ruleenforcements/views/{id}", "/v1/triggerinstances/{id}/explain",
    # These ask nobody.
    "/auth/v1/sso", "/auth/v1/sso/request", "/healthz", "/readyz", "/openapi.json",
}  # fmt: skip
"""What users may read."""

USERS_RUN = {
    "packs.get", "packs.get_pack_dependencies", "packs.get_pack_warnings", "packs.search", "packs.show",
    "packs.virtualenv_prerun",
}  # fmt: skip
"""The actions of the pack `packs` that users may run: they change nothing, and show no configuration."""


def _is_allowed(route: Route) -> bool:
    if route.method == "GET":
        return route.full_path in USERS_READ
    return f"{route.method} {route.full_path}" in USERS_MAY


def _path(route: Route) -> str:
    names = {"id": "0" * 24, "ref": "core.noop", "pack": "core", "name": "noop", "key": "k", "path": "pack.yaml",
             "url": "team/deploy", "group": "api"}  # fmt: skip
    return route.full_path.format(**names)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, packs: Path) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("guarded")
    write(home / "data" / "htpasswd", {"ada": SHA_RIGHT, "bob": SHA_RIGHT})
    with serving(home, packs, "--auth", env={**QUICK, "SQUALL_AUTH_ADMINS": "ada"}) as server:
        yield server


@pytest.fixture(scope="module")
def bob(guarded: Server) -> dict[str, str]:
    return {"X-Auth-Token": str(login(guarded, "bob").json["token"])}


def test_only_administrators_have_rules_explained_that_are_not_stored(guarded: Server, bob: dict[str, str]) -> None:
    """The templates of a rule can read keys."""
    rule = {"name": "r", "trigger": {"type": "core.st2.webhook"}, "action": {"ref": "core.noop"}}
    refused = guarded.call("POST", "/v1/rules/explain", {"rule": rule, "payload": {}}, headers=bob)
    assert (refused.status, "is not an administrator" in refused.json["faultstring"]) == (403, True)


def _ask(server: Server, route: Route, headers: dict[str, str] | None = None) -> Reply:
    return server.call(route.method, _path(route), {} if route.body else None, headers=headers)


@pytest.mark.parametrize("route", TABLE, ids=lambda route: f"{route.method} {route.full_path}")
def test_every_route_is_for_administrators_unless_it_is_listed(
    guarded: Server, bob: dict[str, str], route: Route
) -> None:
    assert (route.permission.level != "admin") == _is_allowed(route), "decide who may use it, then list it here"
    if not _is_allowed(route):
        reply = _ask(guarded, route, bob)
        assert (reply.status, "is not an administrator" in reply.raw.decode()) == (403, True)
    if route.permission.level != "open":
        assert _ask(guarded, route).status == 401


def test_no_list_names_a_route_that_does_not_exist() -> None:
    reads = {route.full_path for route in TABLE if route.method == "GET"}
    changes = {f"{route.method} {route.full_path}" for route in TABLE if route.method != "GET"}
    assert reads >= USERS_READ
    assert changes >= USERS_MAY


def test_a_purge_and_a_policy_of_a_user_change_nothing(guarded: Server, bob: dict[str, str]) -> None:
    ada = {"X-Auth-Token": str(login(guarded, "ada").json["token"])}
    made = guarded.call("POST", "/v1/executions", {"action": "core.noop"}, headers=ada).json
    assert guarded.call("POST", "/v1/storage/purge", {"older_than_days": 0}, headers=bob).status == 403
    assert guarded.call("GET", f"/v1/executions/{made['id']}", headers=bob).status == 200
    policy = {"name": "p", "pack": "core", "resource_ref": "core.local", "policy_type": "action.concurrency"}
    assert guarded.call("POST", "/v1/policies", policy, headers=bob).status == 403
    assert guarded.call("GET", "/v1/policies", headers=bob).json == []


@pytest.mark.parametrize("path", sorted((BUNDLED / "packs" / "actions").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_action_that_manages_packs_is_for_administrators_unless_it_is_listed(path: Path) -> None:
    ref = f"packs.{path.stem}"
    user = Identity(user="bob", admin=False)
    if ref in USERS_RUN:
        check_run(user, ref)
    else:
        with pytest.raises(ForbiddenError):
            check_run(user, ref)


def test_a_user_does_not_repeat_what_an_administrator_ran(guarded: Server, bob: dict[str, str]) -> None:
    ada = {"X-Auth-Token": str(login(guarded, "ada").json["token"])}
    body = {"action": "packs.get_config", "parameters": {}}
    made = guarded.call("POST", "/v1/executions", body, headers=ada).json
    for path in (f"/v1/executions/{made['id']}/re_run", f"/v1/actionexecutions/{made['id']}/re_run"):
        assert guarded.call("POST", path, {}, headers=bob).status == 403
    several = guarded.call("POST", "/v1/executions/re_run", {"ids": [made["id"]]}, headers=bob)
    assert several.status == 403 or "is not an administrator" in several.raw.decode()
