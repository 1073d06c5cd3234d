"""The schema as numbered steps. Never edit a released step: add a new step for each change.

`{identity}` is the dialect's counting primary key. Times are µs since 1970; documents are JSON text.
"""

from __future__ import annotations

from squall.adapters.sql.dialect.session import Session

_FIRST = (
    """CREATE TABLE executions (
        id TEXT PRIMARY KEY, tree TEXT NOT NULL, parent TEXT, action TEXT NOT NULL, runner TEXT NOT NULL,
        status TEXT NOT NULL, username TEXT NOT NULL, snapshot TEXT NOT NULL, start_us BIGINT NOT NULL, end_us BIGINT,
        delay_ms BIGINT, attempt INTEGER NOT NULL, result_size BIGINT NOT NULL,
        parameters TEXT NOT NULL, context TEXT NOT NULL, runner_info TEXT NOT NULL, log TEXT NOT NULL)""",
    "CREATE INDEX executions_start ON executions (start_us, id)",
    "CREATE INDEX executions_roots ON executions (start_us, id) WHERE parent IS NULL",
    "CREATE INDEX executions_action ON executions (action, start_us, id)",
    "CREATE INDEX executions_status ON executions (status, start_us, id)",
    "CREATE INDEX executions_user ON executions (username, start_us, id)",
    "CREATE INDEX executions_runner ON executions (runner, start_us, id)",
    "CREATE INDEX executions_parent ON executions (parent, start_us, id) WHERE parent IS NOT NULL",
    "CREATE INDEX executions_tree ON executions (tree) WHERE parent IS NOT NULL",
    "CREATE TABLE results (execution TEXT PRIMARY KEY, body TEXT NOT NULL)",
    """CREATE TABLE queue (
        id {identity}, lane TEXT NOT NULL, key TEXT NOT NULL, payload TEXT NOT NULL, available_us BIGINT NOT NULL,
        owner TEXT, token BIGINT NOT NULL, attempts INTEGER NOT NULL)""",
    "CREATE INDEX queue_due ON queue (lane, available_us, id)",
    "CREATE INDEX queue_key ON queue (key, lane)",
    """CREATE TABLE events (
        id {identity}, name TEXT NOT NULL, execution TEXT NOT NULL, tree TEXT NOT NULL, status TEXT NOT NULL,
        at_us BIGINT NOT NULL)""",
    "CREATE INDEX events_execution ON events (execution, id)",
    "CREATE TABLE packs (ref TEXT PRIMARY KEY, id TEXT NOT NULL UNIQUE, body TEXT NOT NULL)",
    """CREATE TABLE actions (
        ref TEXT PRIMARY KEY, id TEXT NOT NULL UNIQUE, pack TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL)""",
    "CREATE INDEX actions_pack ON actions (pack, name)",
    "CREATE TABLE runner_types (name TEXT PRIMARY KEY, id TEXT NOT NULL UNIQUE, body TEXT NOT NULL)",
    "CREATE TABLE snapshots (key TEXT PRIMARY KEY, action TEXT NOT NULL, runner TEXT NOT NULL)",
)

_SEALED = (
    """CREATE TABLE journals (
        tree TEXT PRIMARY KEY, place TEXT NOT NULL, size BIGINT NOT NULL, stored BIGINT NOT NULL, digest TEXT NOT NULL,
        sealed_us BIGINT NOT NULL)""",
    "CREATE INDEX journals_place ON journals (place, sealed_us)",
)

_KEYS = (
    """CREATE TABLE keys (
        id TEXT PRIMARY KEY, scope TEXT NOT NULL, username TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL,
        secret INTEGER NOT NULL, expires_us BIGINT, UNIQUE (scope, username, name))""",
    "CREATE INDEX keys_expires ON keys (expires_us) WHERE expires_us IS NOT NULL",
)

_ACCESS = (
    """CREATE TABLE tokens (
        hash TEXT PRIMARY KEY, id TEXT NOT NULL, username TEXT NOT NULL, expires_us BIGINT NOT NULL,
        service INTEGER NOT NULL, execution TEXT NOT NULL)""",
    "CREATE INDEX tokens_expires ON tokens (expires_us)",
    "CREATE INDEX tokens_execution ON tokens (execution) WHERE execution <> ''",
    """CREATE TABLE api_keys (
        id TEXT PRIMARY KEY, hash TEXT NOT NULL UNIQUE, username TEXT NOT NULL, created_us BIGINT NOT NULL,
        enabled INTEGER NOT NULL, metadata TEXT NOT NULL)""",
)

_WORKFLOWS = (
    """CREATE TABLE workflows (
        execution TEXT PRIMARY KEY, workflow TEXT NOT NULL, definition TEXT NOT NULL, seq BIGINT NOT NULL,
        snapshot BYTEA, snapshot_seq BIGINT NOT NULL, since BIGINT NOT NULL)""",
    """CREATE TABLE workflow_facts (
        execution TEXT NOT NULL, seq BIGINT NOT NULL, body BYTEA NOT NULL, PRIMARY KEY (execution, seq))""",
    "CREATE TABLE workflow_definitions (key TEXT PRIMARY KEY, body TEXT NOT NULL)",
    """CREATE TABLE workflow_children (
        task_execution TEXT NOT NULL, item INTEGER NOT NULL, execution TEXT NOT NULL,
        PRIMARY KEY (task_execution, item))""",
)

_POLICIES = (
    """CREATE TABLE policies (
        id TEXT PRIMARY KEY, ref TEXT NOT NULL UNIQUE, pack TEXT NOT NULL, resource TEXT NOT NULL, type TEXT NOT NULL,
        body TEXT NOT NULL)""",
    "CREATE INDEX policies_resource ON policies (resource)",
    """CREATE TABLE slots (
        id {identity}, policy TEXT NOT NULL, key TEXT NOT NULL, execution TEXT NOT NULL, holding INTEGER NOT NULL,
        child INTEGER NOT NULL, workflow INTEGER NOT NULL)""",
    "CREATE INDEX slots_line ON slots (policy, key, holding, id)",
    "CREATE INDEX slots_execution ON slots (execution)",
    "CREATE TABLE traces (id TEXT PRIMARY KEY, tag TEXT NOT NULL, start_us BIGINT NOT NULL)",
    "CREATE INDEX traces_start ON traces (start_us, id)",
    "CREATE INDEX traces_tag ON traces (tag, start_us, id)",
    """CREATE TABLE trace_parts (
        trace TEXT NOT NULL, kind TEXT NOT NULL, object TEXT NOT NULL, ref TEXT NOT NULL, cause_kind TEXT NOT NULL,
        cause TEXT NOT NULL, at_us BIGINT NOT NULL, PRIMARY KEY (trace, kind, object))""",
    "CREATE INDEX trace_parts_object ON trace_parts (object, kind)",
)

_WORKFLOW_CHILDREN = ("CREATE INDEX workflow_children_execution ON workflow_children (execution)",)

_DEFINITIONS = ("CREATE INDEX workflows_definition ON workflows (definition)",)

_NOTIFY = ("ALTER TABLE executions ADD COLUMN notify TEXT",)

# Every batch updates the workflow's row, so a snapshot in that row would be written again with each batch. The index
# serves the check, at each end of an execution, whether its tree has ended.
_LARGE_WORKFLOWS = (
    "CREATE TABLE workflow_snapshots (execution TEXT PRIMARY KEY, body BYTEA NOT NULL)",
    "INSERT INTO workflow_snapshots (execution, body) SELECT execution, snapshot FROM workflows "
    "WHERE snapshot IS NOT NULL",
    "ALTER TABLE workflows DROP COLUMN snapshot",
    "CREATE INDEX executions_open ON executions (tree) WHERE end_us IS NULL",
)

# Earlier events were about executions only, and the payload of an announcement was in the result of its execution. If a
# result nests deeper than SQLite reads JSON, its announcement gets no document.
_RESOURCE_EVENTS = (
    "ALTER TABLE events RENAME COLUMN execution TO resource",
    "ALTER TABLE events ADD COLUMN kind TEXT NOT NULL DEFAULT 'execution'",
    "ALTER TABLE events ADD COLUMN document TEXT",
    "DROP INDEX events_execution",
    "CREATE INDEX events_resource ON events (resource, id)",
    "UPDATE events SET kind = 'announcement', status = '', document = ("
    "SELECT json_object('payload', json(results.body -> '$.output'), 'trace_context', "
    "json(executions.context -> '$.trace_context')) "
    "FROM results JOIN executions ON executions.id = results.execution WHERE results.execution = events.resource "
    "AND json_valid(results.body) AND json_valid(executions.context)) "
    "WHERE name LIKE 'st2.announcement__%'",
)

_KEY_CHECKS = ("CREATE TABLE key_checks (name TEXT PRIMARY KEY, value TEXT NOT NULL)",)

# What is known of the output of an execution whose process has ended; null if nothing is. `scrubs` has one row: how far
# the check of stored output has come. `faults` has what it found, JSON texts.
_OUTPUT_ACCOUNTS = (
    "ALTER TABLE executions ADD COLUMN stdout_bytes BIGINT",
    "ALTER TABLE executions ADD COLUMN stderr_bytes BIGINT",
    "ALTER TABLE executions ADD COLUMN last_record BIGINT",
    """CREATE TABLE scrubs (
        start_us BIGINT NOT NULL, tree TEXT NOT NULL, round BIGINT NOT NULL, begun_us BIGINT NOT NULL)""",
    "CREATE TABLE faults (tree TEXT PRIMARY KEY, found_us BIGINT NOT NULL, texts TEXT NOT NULL)",
)

# What the server worked on when it died, by lane of the queue, and how often it did.
_SUSPECTS = (
    """CREATE TABLE suspects (
        lane TEXT NOT NULL, subject TEXT NOT NULL, deaths INTEGER NOT NULL, since_us BIGINT NOT NULL,
        PRIMARY KEY (lane, subject))""",
)

# The order of instances is that of their numbers. `rule_versions` has each rule after each of its changes, with an
# empty body after its removal. So an event can be explained with the rules as they were when it was evaluated.
# `rule_version_events` has the triggers of the further events of each version that correlates several events.
_RULES = (
    """CREATE TABLE trigger_types (
        id TEXT PRIMARY KEY, ref TEXT NOT NULL UNIQUE, pack TEXT NOT NULL, body TEXT NOT NULL)""",
    """CREATE TABLE triggers (
        id TEXT PRIMARY KEY, ref TEXT NOT NULL UNIQUE, type TEXT NOT NULL, digest TEXT NOT NULL, body TEXT NOT NULL)""",
    "CREATE INDEX triggers_type ON triggers (type, digest, id)",
    """CREATE TABLE trigger_instances (
        number {identity}, id TEXT NOT NULL UNIQUE, trigger_ref TEXT NOT NULL, type TEXT NOT NULL,
        occurred_us BIGINT NOT NULL, status TEXT NOT NULL, source TEXT UNIQUE, trace TEXT NOT NULL,
        trace_tag TEXT NOT NULL, depth INTEGER NOT NULL, evaluated_us BIGINT NOT NULL, rules_number BIGINT NOT NULL,
        reason TEXT NOT NULL, size BIGINT NOT NULL, payload TEXT NOT NULL)""",
    "CREATE INDEX trigger_instances_trigger ON trigger_instances (trigger_ref, occurred_us)",
    "CREATE INDEX trigger_instances_type ON trigger_instances (type, occurred_us)",
    "CREATE INDEX trigger_instances_time ON trigger_instances (occurred_us)",
    """CREATE TABLE rules (
        id TEXT PRIMARY KEY, ref TEXT NOT NULL UNIQUE, pack TEXT NOT NULL, name TEXT NOT NULL, type TEXT NOT NULL,
        trigger_ref TEXT NOT NULL, action TEXT NOT NULL, enabled INTEGER NOT NULL, templated INTEGER NOT NULL,
        body TEXT NOT NULL)""",
    "CREATE INDEX rules_trigger ON rules (trigger_ref)",
    "CREATE INDEX rules_templated ON rules (id) WHERE templated = 1",
    """CREATE TABLE rule_versions (
        number {identity}, rule TEXT NOT NULL, trigger_ref TEXT NOT NULL, at_us BIGINT NOT NULL, body TEXT NOT NULL)""",
    "CREATE INDEX rule_versions_rule ON rule_versions (rule, number)",
    "CREATE INDEX rule_versions_trigger ON rule_versions (trigger_ref, number)",
    """CREATE TABLE rule_version_events (
        number BIGINT NOT NULL, trigger_ref TEXT NOT NULL, PRIMARY KEY (trigger_ref, number))""",
    "CREATE INDEX rule_version_events_number ON rule_version_events (number)",
    """CREATE TABLE enforcements (
        id TEXT PRIMARY KEY, instance TEXT NOT NULL, rule TEXT NOT NULL, rule_ref TEXT NOT NULL, execution TEXT,
        at_us BIGINT NOT NULL, body TEXT NOT NULL, explanation TEXT NOT NULL, UNIQUE (instance, rule))""",
    "CREATE INDEX enforcements_rule ON enforcements (rule_ref, at_us)",
    "CREATE INDEX enforcements_time ON enforcements (at_us)",
    "CREATE INDEX enforcements_execution ON enforcements (execution)",
)

# Filters by rule and trigger find the executions of rules by these indexes, which have no entries of other executions.
# `origins` has the documents of rule, trigger and trigger type as they were when an execution was requested, by hash.
_ORIGINS = (
    "ALTER TABLE executions ADD COLUMN rule_name TEXT",
    "ALTER TABLE executions ADD COLUMN trigger_name TEXT",
    "ALTER TABLE executions ADD COLUMN trigger_type TEXT",
    "ALTER TABLE executions ADD COLUMN trigger_instance TEXT",
    "ALTER TABLE executions ADD COLUMN origin TEXT",
    "CREATE INDEX executions_rule ON executions (rule_name, start_us, id) WHERE rule_name IS NOT NULL",
    "CREATE INDEX executions_trigger ON executions (trigger_name, start_us, id) WHERE trigger_name IS NOT NULL",
    "CREATE INDEX executions_trigger_type ON executions (trigger_type, start_us, id) WHERE trigger_type IS NOT NULL",
    """CREATE INDEX executions_trigger_instance ON executions (trigger_instance, start_us, id)
        WHERE trigger_instance IS NOT NULL""",
    "CREATE INDEX executions_origin ON executions (origin) WHERE origin IS NOT NULL",
    "CREATE TABLE origins (key TEXT PRIMARY KEY, body TEXT NOT NULL)",
    "CREATE INDEX trigger_instances_order ON trigger_instances (trigger_ref, number)",
)

# Events of the kinds `squall.core.event.events.FREQUENT` are counted apart. A reader learns from `removed_events` which
# rows it can no longer get.
_FREQUENT_EVENTS = (
    "CREATE INDEX events_frequent ON events (id) WHERE kind IN ('trigger_instance', 'rule_enforcement')",
    "CREATE TABLE removed_events (frequent INTEGER PRIMARY KEY, row BIGINT NOT NULL)",
    "INSERT INTO removed_events (frequent, row) SELECT 0, COALESCE(min(id), 1) - 1 FROM events",
)

_RULES_OVER_TIME = (
    """CREATE TABLE rule_events (
        rule TEXT NOT NULL, trigger_ref TEXT NOT NULL, type TEXT NOT NULL, PRIMARY KEY (rule, trigger_ref))""",
    "CREATE INDEX rule_events_trigger ON rule_events (trigger_ref)",
    """CREATE TABLE rule_states (
        id TEXT PRIMARY KEY, rule TEXT NOT NULL, gate TEXT NOT NULL, group_key TEXT NOT NULL, until_us BIGINT NOT NULL,
        touched_us BIGINT NOT NULL, body TEXT NOT NULL, UNIQUE (rule, gate, group_key))""",
    "CREATE INDEX rule_states_age ON rule_states (rule, gate, touched_us)",
    "CREATE INDEX rule_states_until ON rule_states (until_us) WHERE until_us > 0",
    """CREATE TABLE held_matches (
        id TEXT PRIMARY KEY, rule TEXT NOT NULL, instance TEXT NOT NULL, at_us BIGINT NOT NULL, body TEXT NOT NULL,
        UNIQUE (rule, instance))""",
    """CREATE TABLE silences (
        id TEXT PRIMARY KEY, scope TEXT NOT NULL, target TEXT NOT NULL, until_us BIGINT NOT NULL,
        count BIGINT NOT NULL, last_us BIGINT NOT NULL, body TEXT NOT NULL)""",
    "CREATE INDEX silences_target ON silences (scope, target)",
    """CREATE TABLE kept_matches (
        instance TEXT NOT NULL, rule TEXT NOT NULL, rule_ref TEXT NOT NULL, at_us BIGINT NOT NULL, reason TEXT NOT NULL,
        PRIMARY KEY (instance, rule))""",
)

# `webhook_ids` has the ids by which senders name deliveries, to know one that comes again.
_WEBHOOKS = (
    "CREATE TABLE webhook_settings (url TEXT PRIMARY KEY, body TEXT NOT NULL)",
    """CREATE TABLE webhook_ids (
        url TEXT NOT NULL, delivery TEXT NOT NULL, instance TEXT NOT NULL, at_us BIGINT NOT NULL,
        PRIMARY KEY (url, delivery))""",
    "CREATE INDEX webhook_ids_time ON webhook_ids (at_us)",
    """CREATE TABLE webhook_deliveries (
        number {identity}, id TEXT NOT NULL UNIQUE, url TEXT NOT NULL, at_us BIGINT NOT NULL, verdict TEXT NOT NULL,
        reason TEXT NOT NULL, delivery TEXT, instance TEXT, username TEXT NOT NULL, remote TEXT NOT NULL,
        size BIGINT NOT NULL, replay_of TEXT, headers TEXT NOT NULL, body BYTEA NOT NULL)""",
    "CREATE INDEX webhook_deliveries_url ON webhook_deliveries (url, number)",
    "CREATE INDEX webhook_deliveries_verdict ON webhook_deliveries (url, verdict, number)",
    "CREATE INDEX webhook_deliveries_time ON webhook_deliveries (at_us)",
)

# `fires` is the number of fires that a record stands for; null if nobody has counted them.
# `instance` is null while a fire waits for earlier ones of its timer; it is the fire's instance while that fire runs.
# `timer_executions` has the executions of fires that run.
_TIMERS = (
    """CREATE TABLE timers (
        trigger_id TEXT PRIMARY KEY, type TEXT NOT NULL, start_us BIGINT NOT NULL, last_us BIGINT NOT NULL,
        next_us BIGINT, fired_us BIGINT, zone TEXT NOT NULL, pause TEXT)""",
    """CREATE TABLE missed_fires (
        id {identity}, trigger_id TEXT NOT NULL, at_us BIGINT NOT NULL, last_us BIGINT NOT NULL, fires BIGINT,
        reason TEXT NOT NULL, recorded_us BIGINT NOT NULL)""",
    "CREATE INDEX missed_fires_trigger ON missed_fires (trigger_id, at_us)",
    "CREATE INDEX missed_fires_recorded ON missed_fires (recorded_us)",
    """CREATE TABLE timer_fires (
        trigger_id TEXT NOT NULL, nominal_us BIGINT NOT NULL, local TEXT NOT NULL, note TEXT NOT NULL, instance TEXT,
        PRIMARY KEY (trigger_id, nominal_us))""",
    "CREATE INDEX timer_fires_instance ON timer_fires (instance)",
    """CREATE TABLE timer_executions (
        execution TEXT PRIMARY KEY, instance TEXT NOT NULL, trigger_id TEXT NOT NULL)""",
    "CREATE INDEX timer_executions_instance ON timer_executions (instance)",
    "CREATE INDEX timer_executions_trigger ON timer_executions (trigger_id)",
)

_PAYLOADS = ("CREATE TABLE trigger_payloads (instance TEXT PRIMARY KEY, payload TEXT NOT NULL)",)

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    _FIRST,
    _SEALED,
    _KEYS,
    _ACCESS,
    _WORKFLOWS,
    _POLICIES,
    _WORKFLOW_CHILDREN,
    _DEFINITIONS,
    _NOTIFY,
    _LARGE_WORKFLOWS,
    _RESOURCE_EVENTS,
    _KEY_CHECKS,
    _OUTPUT_ACCOUNTS,
    _SUSPECTS,
    _RULES,
    _ORIGINS,
    _FREQUENT_EVENTS,
    _RULES_OVER_TIME,
    _WEBHOOKS,
    _TIMERS,
    _PAYLOADS,
)
"""Step n brings a store of version n to version n + 1."""

VERSION = len(MIGRATIONS)
"""The schema version this Squall reads and writes."""


async def stored_version(session: Session) -> int:
    """Returns the schema version of an existing store; 0 for an empty one."""
    await session.run("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)")
    rows = await session.run("SELECT version FROM schema_version")
    return int(rows[0][0]) if rows else 0


async def migrate(session: Session) -> None:
    """Brings an older store to `VERSION`; does not change a current one. The caller's transaction makes it atomic."""
    version = await stored_version(session)
    for step in MIGRATIONS[version:]:
        for statement in step:
            await session.run(statement.replace("{identity}", session.dialect.identity))
    await session.run("DELETE FROM schema_version")
    await session.run("INSERT INTO schema_version (version) VALUES (?)", VERSION)
