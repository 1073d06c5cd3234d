"""Policies of actions: limits of concurrency, and retries of failures.

Types, parameters and documents are StackStorm's. docs/policies.md has the differences: delayed executions start in the
order of their requests, and have no queue row while they wait.
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
    """One kind of policy, and the JSON schema of each of its parameters."""

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
    """One policy: `policy_type` applied to the action `resource_ref`. Only policies of packs have a `metadata_file`."""

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
        """The maximum number of executions that run at once under a policy of concurrency."""
        return int(self.parameters["threshold"])

    @property
    def limits_concurrency(self) -> bool:
        """True if the policy limits how many executions run at once."""
        return self.policy_type in (CONCURRENCY, CONCURRENCY_ATTR)


POLICY_FIELDS = frozenset(Policy.__struct_fields__)
"""The attributes that a policy's document may have."""


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
    policy_type.ref: policy_type
    for policy_type in (
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


def make_policy(fields: Mapping[str, Any], policy_id: str) -> Policy:
    """Returns the policy that a request body or a file describes, checked with the defaults of its type.

    Raises `InvalidError` in StackStorm's words, which name the field.
    """
    for name in ("resource_ref", "policy_type", "name", "pack"):
        if fields.get(name) is None:
            raise InvalidError(f"{name!r} is a required property")
        if not isinstance(fields[name], str) or not fields[name]:
            raise InvalidError(f"{fields[name]!r} is not of type 'string' ({name})")
    unknown = set(fields) - POLICY_FIELDS
    if unknown:
        names = ", ".join(repr(name) for name in sorted(unknown))
        verb = "was" if len(unknown) == 1 else "were"
        raise InvalidError(f"Additional properties are not allowed ({names} {verb} unexpected)")
    for name in ("resource_ref", "policy_type"):
        if "." not in fields[name]:
            raise InvalidError(f"Invalid reference: {fields[name]}")
    enabled = fields.get("enabled", True)
    if not isinstance(enabled, bool):
        raise InvalidError(f"{enabled!r} is not of type 'boolean' (enabled)")
    description = fields.get("description")
    return Policy(
        uid=f"policy:{fields['pack']}:{fields['name']}",
        metadata_file=str(fields.get("metadata_file") or ""),
        name=fields["name"],
        ref=f"{fields['pack']}.{fields['name']}",
        pack=fields["pack"],
        description=None if description is None else str(description),
        enabled=enabled,
        resource_ref=fields["resource_ref"],
        policy_type=fields["policy_type"],
        parameters=_checked(fields["policy_type"], fields.get("parameters") or {}),
        id=policy_id,
    )


def _checked(policy_type: str, parameters: Any) -> dict[str, Any]:
    """Checks the parameters of a policy, and returns them unchanged. Raises `InvalidError`."""
    from jsonschema import Draft4Validator
    from jsonschema.exceptions import best_match

    kind = POLICY_TYPES.get(policy_type)
    if kind is None:
        raise InvalidError(f'policy_type: "{policy_type}" is none of {", ".join(POLICY_TYPES)}')
    if not isinstance(parameters, dict):
        raise InvalidError(f"{parameters!r} is not of type 'object' (parameters)")
    plain = {
        name: {key: value for key, value in schema.items() if key != "required"}
        for name, schema in kind.parameters.items()
    }
    required = [name for name, schema in kind.parameters.items() if schema.get("required")]
    filled = with_defaults(policy_type, parameters)
    schema = {"type": "object", "properties": plain, "required": required, "additionalProperties": False}
    error = best_match(Draft4Validator(schema).iter_errors(filled))
    if error is not None:
        raise InvalidError(error.message)
    if "threshold" in filled and filled["threshold"] < 1:
        # StackStorm accepts this threshold, and then no execution of the action ever runs.
        raise InvalidError(f"{filled['threshold']} is less than the minimum of 1 (threshold)")
    return dict(parameters)


def with_defaults(policy_type: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the parameters of a policy of this type, with the defaults of the missing ones."""
    schemas = POLICY_TYPES[policy_type].parameters
    return {name: schema["default"] for name, schema in schemas.items() if "default" in schema} | dict(parameters)


def document(record: Policy | PolicyType) -> dict[str, Any]:
    """Returns the record as the API shows it, without the attributes that have no value."""
    return {key: value for key, value in msgspec.to_builtins(record).items() if value is not None}


def delays(policy: Policy) -> bool:
    """Returns True if a policy of concurrency delays executions beyond the threshold, False if it cancels them."""
    return bool(with_defaults(policy.policy_type, policy.parameters)["action"] == DELAY)


def retried(context: Mapping[str, Any]) -> tuple[str | None, int]:
    """Returns the id of the original execution and the number of the retry, from the context of a retry; (None, 0) if
    the context is not one of a retry.

    Clients write contexts, so a context may have values of any type.
    """
    policies = context.get("policies")
    retry = policies.get("retry") if isinstance(policies, dict) else None
    if not isinstance(retry, dict):
        return None, 0
    origin, count = retry.get("retried_liveaction_id"), retry.get("retry_count")
    return (origin if isinstance(origin, str) else None), (count if isinstance(count, int) else 0)


def slot_key(policy: Policy, parameters: Mapping[str, Any]) -> str:
    """Returns the key of the policy's line for an execution with these parameters: executions with the same attributes
    share a line.

    The key holds only a hash of the values, since they may be secret.
    """
    attributes = policy.parameters.get("attributes") or []
    if policy.policy_type != CONCURRENCY_ATTR or not attributes:
        return ""
    values = {name: parameters.get(name) for name in attributes}
    return hashlib.sha256(msgspec.json.encode(values, order="sorted")).hexdigest()[:32]


def retry_after(policy: Policy, status: str, retried: int) -> int | None:
    """Returns the delay (ms) before an execution that ended with `status` is retried; None: it is not retried.

    `retried` is the number of retries so far. An `abandoned` execution counts as failed.
    """
    parameters = with_defaults(policy.policy_type, policy.parameters)
    if policy.policy_type != RETRY or _FAILURES.get(status) != parameters["retry_on"]:
        return None
    if retried >= parameters["max_retry_count"]:
        return None
    return int(parameters.get("delay", 0) * 1000)


def read_policy(data: Any, pack: str, metadata_file: str) -> Policy:
    """Reads the policy in a file of a pack. Raises `MetadataError`."""
    if not isinstance(data, dict):
        raise MetadataError("expected a mapping")
    check_pack_field(data, pack)
    if data.get("resource_type", "action") != "action":
        raise MetadataError(f"{data['resource_type']!r} is not 'action'", "resource_type")
    fields = {key: value for key, value in data.items() if key not in ("resource_type", "pack", "ref", "uid", "id")}
    try:
        return make_policy({**fields, "pack": pack, "metadata_file": metadata_file}, "")
    except InvalidError as error:
        raise MetadataError(str(error)) from error
