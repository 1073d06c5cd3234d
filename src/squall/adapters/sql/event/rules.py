"""The tables of rules, of their earlier versions, and of enforcements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from squall.adapters.sql.dialect.session import Session, marks
from squall.core.event.gates.settings import correlation_of
from squall.core.event.rules.parameters import has_templates
from squall.core.event.rules.records import Enforcement, EnforcementFilter, Rule, RuleFilter
from squall.core.ids import is_id

_OF_TRIGGER = "(trigger_ref = ? OR id IN (SELECT rule FROM rule_events WHERE trigger_ref = ?))"


def _text(record: msgspec.Struct) -> str:
    return msgspec.json.encode(record).decode()


def _rule(row: tuple[Any, ...]) -> Rule:
    return msgspec.json.decode(row[0], type=Rule)


class SqlRules:
    """`ports.RuleRows` in SQL."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def put(self, rule: Rule, at: int) -> None:
        """Adds a rule, or replaces the one with its id. Keeps the version."""
        body = _text(rule)
        await self._session.run(
            "INSERT INTO rules (id, ref, pack, name, type, trigger_ref, action, enabled, templated, body) "
            f"VALUES ({marks(10)}) ON CONFLICT (id) DO UPDATE SET ref = excluded.ref, pack = excluded.pack, "
            "name = excluded.name, type = excluded.type, trigger_ref = excluded.trigger_ref, "
            "action = excluded.action, enabled = excluded.enabled, "
            "templated = excluded.templated, body = excluded.body",
            rule.id,
            rule.ref,
            rule.pack,
            rule.name,
            rule.trigger.type,
            rule.trigger.ref,
            rule.action.ref,
            int(rule.enabled),
            int(has_templates(rule)),
            body,
        )
        await self._keep(rule, at, body)
        await self._listen(rule)

    async def _listen(self, rule: Rule) -> None:
        """Writes the triggers of the further events of a rule."""
        await self._session.run("DELETE FROM rule_events WHERE rule = ?", rule.id)
        correlation = correlation_of(rule)
        entries = correlation.entries if correlation is not None else ()
        types = {ref: entry.trigger.type for ref, entry in zip(rule.events, entries, strict=False)}
        for ref, type_ref in types.items():
            await self._session.run(
                "INSERT INTO rule_events (rule, trigger_ref, type) VALUES (?, ?, ?)", rule.id, ref, type_ref
            )

    async def get(self, ref_or_id: str) -> Rule | None:
        """Returns one rule; None if there is none."""
        column = "id" if is_id(ref_or_id) else "ref"
        rows = await self._session.run(f"SELECT body FROM rules WHERE {column} = ?", ref_or_id)
        return _rule(rows[0]) if rows else None

    async def delete(self, rule: Rule, at: int) -> None:
        """Deletes a rule. Its versions stay."""
        await self._session.run("DELETE FROM rules WHERE id = ?", rule.id)
        await self._session.run("DELETE FROM rule_events WHERE rule = ?", rule.id)
        await self._keep(rule, at, "")

    async def _keep(self, rule: Rule, at: int, body: str) -> None:
        rows = await self._session.run(
            "INSERT INTO rule_versions (rule, trigger_ref, at_us, body) VALUES (?, ?, ?, ?) RETURNING number",
            rule.id,
            rule.trigger.ref,
            at,
            body,
        )
        for ref in dict.fromkeys(rule.events if body else ()):
            await self._session.run(
                "INSERT INTO rule_version_events (number, trigger_ref) VALUES (?, ?)", int(rows[0][0]), ref
            )

    async def find(self, where: RuleFilter, limit: int | None = None, offset: int = 0) -> Sequence[Rule]:
        """Returns a page of the rules that match, by pack and name."""
        clause, values = _where_rules(where)
        most = 2**62 if limit is None else int(limit)
        rows = await self._session.run(
            f"SELECT body FROM rules{clause} ORDER BY pack, name LIMIT {most} OFFSET {int(offset)}", *values
        )
        return [_rule(row) for row in rows]

    async def count(self, where: RuleFilter) -> int:
        """Returns the number of rules that match."""
        clause, values = _where_rules(where)
        return int((await self._session.run(f"SELECT count(*) FROM rules{clause}", *values))[0][0])

    async def number(self) -> int:
        """Returns the number of the last change of a rule; 0 if there was none."""
        rows = await self._session.run("SELECT max(number) FROM rule_versions")
        return int(rows[0][0] or 0)

    async def as_of(self, trigger: str, number: int) -> Sequence[Rule]:
        """Returns the rules of a trigger as they were after the change `number`, by pack and name."""
        rows = await self._session.run(
            "SELECT body FROM rule_versions AS version WHERE (trigger_ref = ? OR number IN "
            "(SELECT number FROM rule_version_events WHERE trigger_ref = ?)) AND number <= ? AND body <> '' "
            "AND NOT EXISTS (SELECT 1 FROM rule_versions AS later WHERE later.rule = version.rule "
            "AND later.number > version.number AND later.number <= ?)",
            trigger,
            trigger,
            number,
            number,
        )
        return sorted((_rule(row) for row in rows), key=lambda rule: (rule.pack, rule.name))

    async def enabled_types(self) -> Sequence[str]:
        """Returns the refs of the trigger types that enabled rules have."""
        rows = await self._session.run(
            "SELECT type FROM rules WHERE enabled = 1 UNION SELECT rule_events.type FROM rule_events "
            "JOIN rules ON rules.id = rule_events.rule WHERE enabled = 1"
        )
        return [row[0] for row in rows]

    async def forget(self, before: int, limit: int) -> int:
        """Deletes up to `limit` versions that were replaced or removed before `before`. Returns their number."""
        rows = await self._session.run(
            "DELETE FROM rule_versions WHERE number IN (SELECT number FROM rule_versions AS version WHERE "
            "(body = '' AND at_us < ? AND number < (SELECT max(number) FROM rule_versions)) OR EXISTS ("
            "SELECT 1 FROM rule_versions AS later WHERE later.rule = version.rule AND later.number > version.number "
            f"AND later.at_us < ?) LIMIT {int(limit)}) RETURNING number",
            before,
            before,
        )
        for (number,) in rows:
            await self._session.run("DELETE FROM rule_version_events WHERE number = ?", number)
        return len(rows)


class SqlEnforcements:
    """`ports.EnforcementRows` in SQL."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def add(self, enforcement: Enforcement, explanation: bytes) -> bool:
        """Adds an enforcement; returns False if its rule has one for this instance."""
        rows = await self._session.run(
            "INSERT INTO enforcements (id, instance, rule, rule_ref, execution, at_us, body, explanation) "
            f"VALUES ({marks(8)}) ON CONFLICT (instance, rule) DO NOTHING RETURNING id",
            enforcement.id,
            enforcement.trigger_instance_id,
            enforcement.rule.id,
            enforcement.rule.ref,
            enforcement.execution_id,
            enforcement.enforced_at,
            _text(enforcement),
            explanation.decode(),
        )
        return bool(rows)

    async def known(self, rule_id: str, instance_id: str) -> bool:
        """Returns True if the rule has an enforcement for this instance."""
        rows = await self._session.run(
            "SELECT 1 FROM enforcements WHERE instance = ? AND rule = ?", instance_id, rule_id
        )
        return bool(rows)

    async def get(self, enforcement_id: str) -> Enforcement | None:
        """Returns one enforcement; None if there is none."""
        rows = await self._session.run("SELECT body FROM enforcements WHERE id = ?", enforcement_id)
        return msgspec.json.decode(rows[0][0], type=Enforcement) if rows else None

    async def explanation(self, enforcement_id: str) -> bytes:
        """Returns the explanation of an enforcement; empty if there is none."""
        rows = await self._session.run("SELECT explanation FROM enforcements WHERE id = ?", enforcement_id)
        return rows[0][0].encode() if rows else b""

    async def find(self, where: EnforcementFilter, limit: int | None, offset: int) -> Sequence[Enforcement]:
        """Returns a page of the enforcements that match."""
        clause, values = _where_enforcements(where)
        direction = "DESC" if where.newest_first else "ASC"
        most = 2**62 if limit is None else int(limit)
        rows = await self._session.run(
            f"SELECT body FROM enforcements{clause} ORDER BY at_us {direction}, id {direction} "
            f"LIMIT {most} OFFSET {int(offset)}",
            *values,
        )
        return [msgspec.json.decode(row[0], type=Enforcement) for row in rows]

    async def count(self, where: EnforcementFilter, cap: int) -> int:
        """Returns the number of enforcements that match, at most `cap`."""
        clause, values = _where_enforcements(where)
        rows = await self._session.run(
            f"SELECT count(*) FROM (SELECT 1 FROM enforcements{clause} LIMIT {int(cap)}) AS matching", *values
        )
        return int(rows[0][0])

    async def keep_origin(self, key: str, documents: bytes) -> None:
        """Keeps the documents of an execution's rule, trigger and trigger type, if no other has this key."""
        await self._session.run(
            "INSERT INTO origins (key, body) VALUES (?, ?) ON CONFLICT (key) DO NOTHING", key, documents.decode()
        )

    async def origin(self, key: str) -> bytes:
        """Returns documents by their key; empty if there are none."""
        rows = await self._session.run("SELECT body FROM origins WHERE key = ?", key)
        return rows[0][0].encode() if rows else b""

    async def expire(self, before: int, limit: int) -> int:
        """Deletes up to `limit` enforcements from before `before`. Returns their number."""
        rows = await self._session.run(
            "DELETE FROM enforcements WHERE id IN (SELECT id FROM enforcements WHERE at_us < ? "
            f"ORDER BY at_us LIMIT {int(limit)}) RETURNING id",
            before,
        )
        return len(rows)


def _where_rules(where: RuleFilter) -> tuple[str, list[Any]]:
    comparisons = (
        ("name = ?", where.name),
        ("pack = ?", where.pack),
        ("action = ?", where.action),
        ("type = ?", where.type),
        ("enabled = ?", None if where.enabled is None else int(where.enabled)),
        ("templated = ?", None if where.templated is None else int(where.templated)),
    )
    clause, values = _clause(comparisons, (("id", where.ids),))
    if where.trigger is None:
        return clause, values
    return f"{clause} AND {_OF_TRIGGER}" if clause else f" WHERE {_OF_TRIGGER}", [*values, where.trigger, where.trigger]


def _where_enforcements(where: EnforcementFilter) -> tuple[str, list[Any]]:
    comparisons = (
        ("rule_ref = ?", where.rule),
        ("rule = ?", where.rule_id),
        ("execution = ?", where.execution),
        ("at_us > ?", where.after),
        ("at_us < ?", where.before),
    )
    return _clause(comparisons, (("id", where.ids), ("instance", where.instances)))


def _clause(
    comparisons: Sequence[tuple[str, Any]], lists: Sequence[tuple[str, Sequence[str] | None]]
) -> tuple[str, list[Any]]:
    terms: list[str] = []
    values: list[Any] = []
    for column, names in lists:
        if names is not None:
            terms.append(f"{column} IN ({marks(len(names))})" if names else "1 = 0")
            values += names
    for term, value in comparisons:
        if value is not None:
            terms.append(term)
            values.append(value)
    return (" WHERE " + " AND ".join(terms) if terms else ""), values
