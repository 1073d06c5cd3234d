"""Rules over HTTP: `/rules` and `/ruletypes`, with StackStorm's documents."""

from __future__ import annotations

from squall.api.http.pages import attributes, page
from squall.api.http.routes import PAGE, SELECT, Route, admin, bound
from squall.api.http.wire import Answer, Query, Request
from squall.core.access.access import reveals
from squall.core.errors import NotFoundError
from squall.core.event.rules.records import RULE_TYPES, Rule, RuleFilter, document
from squall.core.execution.document import ALWAYS_IN_PACKS, select
from squall.services.event.rules.rules import Rules
from squall.services.event.rules.views import RuleViews

_DEFAULT_LIMIT = 100
_FIELDS = frozenset(Rule.__struct_fields__) - {"enabled_in_file", "events"}


class RuleRoutes:
    """`/rules` and `/ruletypes`."""

    def __init__(self, rules: Rules, views: RuleViews) -> None:
        self._rules = rules
        self._views = views

    def routes(self) -> list[Route]:
        """Returns the rows of the table, bound to this instance."""
        return bound(ROUTES, self)

    async def _list_types(self, request: Request) -> Answer:
        return Answer([document(each) for each in RULE_TYPES.values()])

    async def _get_type(self, request: Request) -> Answer:
        type_id = request.path["id"]
        for each in RULE_TYPES.values():
            if each.id == type_id:
                return Answer(document(each))
        raise NotFoundError(f'Database lookup for id="{type_id}" resulted in exception. There is no such rule type.')

    async def _list(self, request: Request) -> Answer:
        query = request.query
        selection = attributes(query, _FIELDS)
        part = page(query, _DEFAULT_LIMIT)
        rules, total = await self._rules.find(_filter(query), part.limit, part.offset)
        show_secrets = _shows_secrets(request)
        documents = [
            select(
                await self._views.rule(rule, show_secrets=show_secrets),
                selection.include,
                selection.exclude,
                ALWAYS_IN_PACKS,
            )
            for rule in rules
        ]
        return Answer(documents, headers=part.headers(total))

    async def _get(self, request: Request) -> Answer:
        rule = await self._rules.get(request.path["ref"])
        return Answer(await self._views.rule(rule, show_secrets=_shows_secrets(request)))

    async def _list_views(self, request: Request) -> Answer:
        query = request.query
        selection = attributes(query, _FIELDS)
        part = page(query, _DEFAULT_LIMIT)
        rules, total = await self._rules.find(_filter(query), part.limit, part.offset)
        documents = [
            select(await self._views.view(rule), selection.include, selection.exclude, ALWAYS_IN_PACKS)
            for rule in rules
        ]
        return Answer(documents, headers=part.headers(total))

    async def _view(self, request: Request) -> Answer:
        return Answer(await self._views.view(await self._rules.get(request.path["ref"])))

    async def _create(self, request: Request) -> Answer:
        rule = await self._rules.create(await request.document(), request.identity.user)
        return Answer(await self._views.rule(rule), 201)

    async def _update(self, request: Request) -> Answer:
        body = await request.document()
        rule = await self._rules.get(request.path["ref"])
        body = await self._views.with_stored_secrets(body, rule)
        return Answer(await self._views.rule(await self._rules.update(rule.id, body)))

    async def _delete(self, request: Request) -> Answer:
        await self._rules.delete(request.path["ref"])
        return Answer(status=204)


def _shows_secrets(request: Request) -> bool:
    return reveals(request.identity, request.query.boolean("show_secrets", False))


def _filter(query: Query) -> RuleFilter:
    ids = query.listed("id")
    return RuleFilter(
        ids=tuple(ids) if ids is not None else None,
        name=query.text("name"),
        pack=query.text("pack"),
        action=query.text("action"),
        trigger=query.text("trigger"),
        enabled=query.boolean("enabled", True) if query.text("enabled") else None,
    )


_FILTERS = ("id", "name", "pack", "action", "trigger", "enabled")

ROUTES = (
    Route("GET", "/ruletypes", RuleRoutes._list_types, "List types of rules", "RuleType", (), listed=True),
    Route("GET", "/ruletypes/{id}", RuleRoutes._get_type, "Show one type of rules", "RuleType"),
    Route(
        "GET", "/rules", RuleRoutes._list, "List rules", "Rule", (*_FILTERS, "show_secrets", *SELECT, *PAGE),
        listed=True,
    ),
    Route("GET", "/rules/{ref}", RuleRoutes._get, "Show one rule", "Rule", ("show_secrets",)),
    Route(
        "GET", "/rules/views", RuleRoutes._list_views, "List rules with descriptions of trigger and action", "Rule",
        (*_FILTERS, *SELECT, *PAGE), listed=True,
    ),
    Route("GET", "/rules/views/{ref}", RuleRoutes._view, "Show one rule with descriptions", "Rule"),
    Route(
        "POST", "/rules", RuleRoutes._create, "Make a rule", "Rule", (), "RuleBody", 201,
        permission=admin("making rules"),
    ),
    Route(
        "PUT", "/rules/{ref}", RuleRoutes._update, "Change a rule", "Rule", (), "RuleBody",
        permission=admin("changing rules"),
    ),
    Route(
        "DELETE", "/rules/{ref}", RuleRoutes._delete, "Remove a rule", status=204, permission=admin("removing rules")
    ),
)  # fmt: skip
