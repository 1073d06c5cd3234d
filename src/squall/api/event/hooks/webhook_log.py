"""The settings and the logged deliveries of webhooks: `/webhooks/{url}/settings` and `/webhooks/{url}/deliveries`."""

from __future__ import annotations

from squall.api.http.routes import PAGE, Route, admin, bound
from squall.api.http.wire import Answer, Request
from squall.core.errors import InvalidError
from squall.core.event.webhooks.records import VERDICTS, delivery_document, settings_document
from squall.services.event.webhooks.delivery_log import DeliveryLog
from squall.services.event.webhooks.settings import WebhookSettings

DEFAULT_LIMIT = 50
MOST = 1_000


class WebhookLogRoutes:
    """Settings and deliveries of webhooks."""

    def __init__(self, settings: WebhookSettings, log: DeliveryLog) -> None:
        self._settings = settings
        self._log = log

    def routes(self) -> list[Route]:
        """Returns the rows of the table, bound to this instance."""
        return bound(ROUTES, self)

    async def _get_settings(self, request: Request) -> Answer:
        return Answer(settings_document(await self._settings.get(_url(request))))

    async def _put_settings(self, request: Request) -> Answer:
        settings = await self._settings.put(_url(request), await request.document(), request.identity.user)
        return Answer(settings_document(settings))

    async def _delete_settings(self, request: Request) -> Answer:
        await self._settings.delete(_url(request))
        return Answer(status=204)

    async def _list(self, request: Request) -> Answer:
        verdict = request.query.text("verdict")
        if verdict is not None and verdict not in VERDICTS:
            raise InvalidError(f"verdict: {verdict!r:.60} is none. Use one of: {', '.join(VERDICTS)}.")
        limit, offset = request.query.integer("limit", DEFAULT_LIMIT), request.query.integer("offset", 0) or 0
        if limit is None or not 0 < limit <= MOST or offset < 0:
            raise InvalidError(f"limit: use 1 to {MOST}, and an offset of 0 or more.")
        page, total = await self._log.find(_url(request), verdict, limit, offset)
        headers = {"X-Total-Count": str(total), "X-Limit": str(limit)}
        return Answer([delivery_document(each) for each in page], headers=headers)

    async def _get(self, request: Request) -> Answer:
        delivery = await self._log.get(_url(request), request.path["id"])
        executions = [
            {"id": each.id, "action": each.action, "status": each.status}
            for each in await self._log.executions(delivery)
        ]
        return Answer({**delivery_document(delivery, whole=True), "executions": executions})


def _url(request: Request) -> str:
    return request.path["url"].strip("/")


_CONFIGURING = admin("configuring webhooks")

ROUTES = (
    Route(
        "GET", "/webhooks/{url*}/settings", WebhookLogRoutes._get_settings, "Show the settings of a webhook",
        "WebhookSettings", permission=_CONFIGURING,
    ),
    Route(
        "PUT", "/webhooks/{url*}/settings", WebhookLogRoutes._put_settings, "Store the settings of a webhook",
        "WebhookSettings", (), "WebhookSettingsBody", permission=_CONFIGURING,
    ),
    Route(
        "DELETE", "/webhooks/{url*}/settings", WebhookLogRoutes._delete_settings, "Remove the settings of a webhook",
        status=204, permission=_CONFIGURING,
    ),
    Route(
        "GET", "/webhooks/{url*}/deliveries", WebhookLogRoutes._list, "List the deliveries to a webhook",
        "WebhookDelivery", ("verdict", *PAGE), listed=True,
    ),
    Route(
        "GET", "/webhooks/{url*}/deliveries/{id}", WebhookLogRoutes._get, "Show one delivery to a webhook",
        "WebhookDelivery",
    ),
)  # fmt: skip
