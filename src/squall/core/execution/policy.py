"""Policies of actions: how many may run at once, and which failures are tried again.

Types, parameters and documents are StackStorm's. What differs is in docs/policies.md: who waits stands in a line, first
come, first served, and costs nothing until there is room.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from squall.core.content.metadata import check_pack_field
from squall.core.content.metadata_words import MetadataError
from squall.core.errors import InvalidError
from squall.core.execution.execution import ABANDONED, FAILED, TIMEOUT

CONCURRENCY = "action.concurrency"
CONCURRENCY_ATTR = "action.concurrency.attr"
RETRY = "action.retry"
DELAY = "delay"
CANCEL = "cancel"
_FAILURES = {FAILED: "failure", ABANDONED: "failure", TIMEOUT: "timeout"}


class PolicyType(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of policy, and the JSON schema of each parameter it takes."""

    name: str
    description: str
    uid: str
    ref: str
    resource_type: str = "action"
    enabled: bool = True
    module: str = "squall.core.policy"
    parameters: dict[str, Any]
    id: str


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """One policy: `policy_type` applied to the action `resource_ref`. Only what a pack brings has a `metadata_file`."""

    uid: str
    metadata_file: str = ""
    name: str
    ref: str
    pack: str
    description: str | None = None
    enabled: bool = True
    resource_ref: str
    policy_type: str
    parameters: dict[str, Any] = {}
    id: str

    @property
    def threshold(self) -> int:
        """How many executions may run at once, by a policy of concurrency."""
        return int(self.parameters["threshold"])

    @property
    def limits_concurrency(self) -> bool:
        """Whether it limits how many run at once."""
        return self.policy_type in (CONCURRENCY, CONCURRENCY_ATTR)


POLICY_FIELDS = frozenset(Policy.__struct_fields__)
"""Every attribute a policy's document may have."""


def _type(name: str, description: str, parameters: dict[str, Any]) -> PolicyType:
    ref = f"action.{name}"
    uid = f"policy_type:action:{name}"
    return PolicyType(
        name=name,
        description=description,
        uid=uid,
        ref=ref,
        parameters=parameters,
        id=hashlib.sha256(uid.encode()).hexdigest()[:24],
    )


_THRESHOLD = {"description": "Concurrency threshold.", "type": "integer", "required": True}
_ACTION = {
    "description": "Which action to perform on the execution once the concurrency threshold has been reached.",
    "type": "string",
    "default": DELAY,
    "enum": [DELAY, CANCEL],
}

POLICY_TYPES: Mapping[str, PolicyType] = {
    found.ref: found
    for found in (
        _type(
            "concurrency",
            "Limits the concurrent executions for the action.",
            {"threshold": _THRESHOLD, "action": _ACTION},
        ),
        _type(
            "concurrency.attr",
            "Limits the concurrent executions for the action by attribute(s).",
            {
                "threshold": _THRESHOLD,
                "action": _ACTION,
                "attributes": {
                    "description": "List of attributes by which to limit the concurrency.",
                    "type": "array",
                    "uniqueItems": True,
                    "items": {"type": "string", "minLength": 1},
                },
            },
        ),
        _type(
            "retry",
            "Retry (re-run) failed or timed out action.",
            {
                "retry_on": {
                    "type": "string",
                    "description": "Condition to retry on.",
                    "required": True,
                    "enum": ["failure", "timeout"],
                },
                "max_retry_count": {
                    "type": "integer",
                    "description": "Maximum number of times to retry before giving up.",
                    "required": True,
                    "minimum": 1,
                    "maximum": 5,
                    "default": 2,
                },
                "delay": {
                    "type": "number",
                    "description": "Number of seconds to wait before retrying the execution.",
                    "required": False,
                    "minimum": 0,
                    "maximum": 120,
                },
            },
        ),
    )
}
"""All kinds of policies, by ref."""


def make_policy(given: Mapping[str, Any], policy_id: str) -> Policy:
    """The policy that a body or a file describes, checked, with the defaults of its type.

    Raises `InvalidError` in StackStorm's words, which name the field.
    """
    for name in ("resource_ref", "policy_type", "name", "pack"):
        if given.get(name) is None:
            raise InvalidError(f"{name!r} is a required property")
        if not isinstance(given[name], str) or not given[name]:
            raise InvalidError(f"{given[name]!r} is not of type 'string' ({name})")
    unknown = set(given) - POLICY_FIELDS
    if unknown:
        listed = ", ".join(repr(name) for name in sorted(unknown))
        verb = "was" if len(unknown) == 1 else "were"
        raise InvalidError(f"Additional properties are not allowed ({listed} {verb} unexpected)")
    for name in ("resource_ref", "policy_type"):
        if "." not in given[name]:
            raise InvalidError(f"Invalid reference: {given[name]}")
    enabled = given.get("enabled", True)
    if not isinstance(enabled, bool):
        raise InvalidError(f"{enabled!r} is not of type 'boolean' (enabled)")
    description = given.get("description")
    return Policy(
        uid=f"policy:{given['pack']}:{given['name']}",
        metadata_file=str(given.get("metadata_file") or ""),
        name=given["name"],
        ref=f"{given['pack']}.{given['name']}",
        pack=given["pack"],
        description=None if description is None else str(description),
        enabled=enabled,
        resource_ref=given["resource_ref"],
        policy_type=given["policy_type"],
        parameters=_checked(given["policy_type"], given.get("parameters") or {}),
        id=policy_id,
    )


def _checked(policy_type: str, given: Any) -> dict[str, Any]:
    """Parameters of a policy, as they were given. Raises `InvalidError`."""
    from jsonschema import Draft4Validator
    from jsonschema.exceptions import best_match

    kind = POLICY_TYPES.get(policy_type)
    if kind is None:
        raise InvalidError(f'policy_type: "{policy_type}" is none of {", ".join(POLICY_TYPES)}')
    if not isinstance(given, dict):
        raise InvalidError(f"{given!r} is not of type 'object' (parameters)")
    plain = {
        name: {key: value for key, value in schema.items() if key != "required"}
        for name, schema in kind.parameters.items()
    }
    required = [name for name, schema in kind.parameters.items() if schema.get("required")]
    filled = with_defaults(policy_type, given)
    schema = {"type": "object", "properties": plain, "required": required, "additionalProperties": False}
    error = best_match(Draft4Validator(schema).iter_errors(filled))
    if error is not None:
        raise InvalidError(error.message)
    if "threshold" in filled and filled["threshold"] < 1:
        # StackStorm takes it, and then no execution of the action ever runs.
        raise InvalidError(f"{filled['threshold']} is less than the minimum of 1 (threshold)")
    return dict(given)


def with_defaults(policy_type: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of a policy of this type, with the defaults of those that are not given."""
    schemas = POLICY_TYPES[policy_type].parameters
    return {name: schema["default"] for name, schema in schemas.items() if "default" in schema} | dict(given)


def document(record: Policy | PolicyType) -> dict[str, Any]:
    """The record as the API shows it: attributes without a value are left out."""
    return {key: value for key, value in msgspec.to_builtins(record).items() if value is not None}


def delays(policy: Policy) -> bool:
    """Whether a policy of concurrency lets executions wait, instead of canceling them."""
    return bool(with_defaults(policy.policy_type, policy.parameters)["action"] == DELAY)


def retried(context: Mapping[str, Any]) -> tuple[str | None, int]:
    """What an execution with this context is a retry of, and the how many-th; (None, 0) if it is none.

    A context is a client's to give, so it may hold anything.
    """
    found: Any = context.get("policies")
    found = found.get("retry") if isinstance(found, dict) else None
    if not isinstance(found, dict):
        return None, 0
    origin, count = found.get("retried_liveaction_id"), found.get("retry_count")
    return (origin if isinstance(origin, str) else None), (count if isinstance(count, int) else 0)


def slot_key(policy: Policy, parameters: Mapping[str, Any]) -> str:
    """Which of a policy's lines an execution with these parameters belongs to: all of the same attributes share one.

    Of values only a hash is kept, since they may be secret.
    """
    attributes = policy.parameters.get("attributes") or []
    if policy.policy_type != CONCURRENCY_ATTR or not attributes:
        return ""
    values = {name: parameters.get(name) for name in attributes}
    return hashlib.sha256(msgspec.json.encode(values, order="sorted")).hexdigest()[:32]


def retry_after(policy: Policy, status: str, retried: int) -> int | None:
    """How long to wait (ms) before an execution that ended with `status` is tried again; None: it is not.

    `retried` is how often that has been done. What became of nobody knows (`abandoned`) counts as a failure.
    """
    parameters = with_defaults(policy.policy_type, policy.parameters)
    if policy.policy_type != RETRY or _FAILURES.get(status) != parameters["retry_on"]:
        return None
    if retried >= parameters["max_retry_count"]:
        return None
    return int(parameters.get("delay", 0) * 1000)


def read_policy(data: Any, pack: str, metadata_file: str) -> Policy:
    """The policy in a file of a pack. Raises `MetadataError`."""
    if not isinstance(data, dict):
        raise MetadataError("expected a mapping")
    check_pack_field(data, pack)
    if data.get("resource_type", "action") != "action":
        raise MetadataError(f"{data['resource_type']!r} is not 'action'", "resource_type")
    given = {key: value for key, value in data.items() if key not in ("resource_type", "pack", "ref", "uid", "id")}
    try:
        return make_policy({**given, "pack": pack, "metadata_file": metadata_file}, "")
    except InvalidError as error:
        raise MetadataError(str(error)) from error
