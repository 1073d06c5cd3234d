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
    """The requested part of a list. A `limit` of None is the whole list."""

    limit: int | None
    offset: int

    def headers(self, total: int, cap: int | None = None) -> dict[str, str]:
        """Returns `X-Total-Count` and `X-Limit`. If the total reached `cap`, a third header says that it was capped."""
        headers = {"X-Total-Count": str(total)}
        if cap is not None and total >= cap:
            headers["X-Total-Count-Capped"] = "true"
        if self.limit is not None:
            headers["X-Limit"] = str(self.limit)
        return headers


def page(query: Query, default: int | None) -> Page:
    """Returns the page that a query requests. Raises `InvalidError`."""
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
    """The attributes of each document that a request includes or excludes."""

    include: Sequence[str] | None
    exclude: Sequence[str] | None

    def selects(self, name: str) -> bool:
        """Returns True if the answer has the attribute or a part of it."""
        if self.exclude:
            return name not in self.exclude
        return not self.include or any(path.partition(".")[0] == name for path in self.include)


def attributes(query: Query, names: frozenset[str], excludable: frozenset[str] | None = None) -> Attributes:
    """Returns `include_attributes` and `exclude_attributes`, checked. Raises `InvalidError`."""
    selection = Attributes(query.listed("include_attributes"), query.listed("exclude_attributes"))
    check_attributes(selection.include, selection.exclude, names, excludable if excludable is not None else names)
    return selection


def sort_keys(query: Query, sortable: Collection[str]) -> list[tuple[str, bool]]:
    """Returns the names in `sort`, each with True if it descends (`-name`). Names that are not `sortable` are skipped.
    The first occurrence of a repeated name counts."""
    keys: dict[str, bool] = {}
    for item in query.listed("sort") or ():
        # A `+` in a query string that is not escaped arrives as a space.
        name = item.lstrip("+- ")
        if name in sortable:
            keys.setdefault(name, item.startswith("-"))
    return list(keys.items())


def ordered(
    items: Sequence[Item], query: Query, sortable: Collection[str], value: Callable[[Item, str], str]
) -> list[Item]:
    """Returns the items sorted by the names in `sort`, or in their own order if the query has none. `value` returns an
    item's text for a name."""
    result = list(items)
    for name, descending in reversed(sort_keys(query, sortable)):
        result.sort(key=lambda item, name=name: value(item, name), reverse=descending)  # type: ignore[misc]
    return result
