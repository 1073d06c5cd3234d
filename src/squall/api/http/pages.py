"""Lists: limits, offsets, attributes and totals, in StackStorm's spelling and with its errors."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple, TypeVar

from squall.api.http.wire import Query
from squall.core.errors import InvalidError
from squall.core.execution.document import check_attributes

_MAX_OFFSET = 2**31 - 1
Item = TypeVar("Item")


class Page(NamedTuple):
    """Which part of a list is asked for; `limit` None is all of it."""

    limit: int | None
    offset: int

    def headers(self, total: int, cap: int | None = None) -> dict[str, str]:
        """`X-Total-Count` and `X-Limit`; a total that reached `cap` is marked as at least that many."""
        found = {"X-Total-Count": str(total)}
        if cap is not None and total >= cap:
            found["X-Total-Count-Capped"] = "true"
        if self.limit is not None:
            found["X-Limit"] = str(self.limit)
        return found


def page(query: Query, default: int | None) -> Page:
    """The page a query asks for. Raises `InvalidError`."""
    limit = query.integer("limit", default)
    offset = query.integer("offset", 0) or 0
    if limit is not None and limit < -1:
        raise InvalidError(f'Limit, "{limit}" specified, must be a positive number.')
    if limit == 0:
        raise InvalidError('Limit, "0" specified, must be a positive number or -1 for full result set.')
    if offset < 0:
        raise InvalidError(f'Offset, "{offset}" specified, must be 0 or a positive number.')
    if offset > _MAX_OFFSET:
        raise InvalidError(f'Offset "{offset}" specified is more than 32-bit int')
    return Page(None if limit == -1 else limit, offset)


class Attributes(NamedTuple):
    """What of each document is asked for."""

    include: Sequence[str] | None
    exclude: Sequence[str] | None

    def wants(self, name: str) -> bool:
        """Whether the attribute is part of the answer, or a part of it is."""
        if self.exclude:
            return name not in self.exclude
        return not self.include or any(path.partition(".")[0] == name for path in self.include)


def attributes(query: Query, known: frozenset[str], excludable: frozenset[str] | None = None) -> Attributes:
    """`include_attributes` and `exclude_attributes`, checked. Raises `InvalidError`."""
    asked = Attributes(query.listed("include_attributes"), query.listed("exclude_attributes"))
    check_attributes(asked.include, asked.exclude, known, excludable if excludable is not None else known)
    return asked


def sort_keys(query: Query, known: Collection[str]) -> list[tuple[str, bool]]:
    """The names in `sort`, each with whether it descends (`-name`); names that are not `known` are skipped, and of one
    that comes twice the first counts."""
    keys: dict[str, bool] = {}
    for item in query.listed("sort") or ():
        # A `+` in a query string that is not escaped arrives as a space.
        name = item.lstrip("+- ")
        if name in known:
            keys.setdefault(name, item.startswith("-"))
    return list(keys.items())


def ordered(
    items: Sequence[Item], query: Query, known: Collection[str], value: Callable[[Item, str], str]
) -> list[Item]:
    """The items by the names in `sort`; `value` gives an item's text for a name. They keep their order without any."""
    chosen = list(items)
    for name, descending in reversed(sort_keys(query, known)):
        chosen.sort(key=lambda item, name=name: value(item, name), reverse=descending)  # type: ignore[misc]
    return chosen
