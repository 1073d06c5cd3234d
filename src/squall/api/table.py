"""The table of the API: every route, in the order in which the OpenAPI document lists them.

A test compares it with the routes that a server really serves.
"""

from __future__ import annotations

from typing import Any

from squall.api import registry, root
from squall.api.access import auth
from squall.api.content import actions, installing, keys, packs, schema_files
from squall.api.event import (
    enforcements,
    events,
    explaining,
    gates,
    instances,
    rules,
    timers,
    triggers,
    watch,
)
from squall.api.event.hooks import webhook_log, webhooks
from squall.api.execution import executions, inquiries, policies, suspects, traces
from squall.api.http import openapi
from squall.api.http.routes import Route
from squall.api.output import output, output_views, storage
from squall.api.workflow import workflows

TABLE: tuple[Route, ...] = (
    *executions.ROUTES,
    *output.ROUTES,
    *output_views.ROUTES,
    *storage.ROUTES,
    *workflows.ROUTES,
    *events.ROUTES,
    *watch.ROUTES,
    *actions.ROUTES,
    *packs.ROUTES,
    *installing.ROUTES,
    *inquiries.ROUTES,
    *policies.ROUTES,
    *traces.ROUTES,
    *suspects.ROUTES,
    *triggers.ROUTES,
    *timers.ROUTES,
    *instances.ROUTES,
    *rules.ROUTES,
    *explaining.ROUTES,
    *gates.ROUTES,
    *enforcements.ROUTES,
    *webhooks.ROUTES,
    *webhook_log.ROUTES,
    *keys.ROUTES,
    *auth.ROUTES,
    *root.ROUTES,
    *registry.ROUTES,
    *schema_files.ROUTES,
    *openapi.ROUTES,
)
"""All rows. Their handlers are not bound to instances; `wiring.routes` has the bound rows of a server."""


def api_document(version: str) -> dict[str, Any]:
    """Returns the OpenAPI document of the whole API. `version` is Squall's."""
    return openapi.openapi_document(version, TABLE)
