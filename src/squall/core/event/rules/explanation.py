"""The explanation of a decision: what each criterion of a rule compared, and the parameters for the action."""

from __future__ import annotations

from typing import Any

import msgspec

from squall.core.access.secret import MASK

LARGEST_SHOWN = 4 << 10
"""The most bytes of JSON of one value in a document."""


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """One criterion, and the result for one event.

    `key` is as in the rule, `operator` its type. If `exists` is false, the event has nothing at the path, and `value`
    is None. `pattern` is the rendered one. `verdict` is None if the criterion was not evaluated, because one before it
    had no match. With an `error`, the verdict is False. If `is_secret`, the pattern was rendered from a secret.
    """

    key: str
    operator: str
    exists: bool = False
    value: Any = None
    pattern: Any = None
    verdict: bool | None = None
    error: str = ""
    is_secret: bool = False


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """The decision of one rule about one event.

    `parameters` are those of the rule's action, rendered; None if the rule does not match, or if `error` says why they
    cannot be rendered. `secrets` has, by parameter, the secrets that were used to render it: such a value must be
    sealed before it is stored.
    """

    rule_id: str
    rule_ref: str
    matches: bool
    comparisons: tuple[Comparison, ...] = ()
    parameters: dict[str, Any] | None = None
    error: str = ""
    secrets: dict[str, list[Any]] = {}

    @property
    def failure(self) -> str:
        """The reason for a failed enforcement; empty if there is none to record.

        A rule fails if its first criterion without a match could not be evaluated, or if it matches but has no
        parameters.
        """
        if self.matches:
            return self.error
        unmet = next((each for each in self.comparisons if not each.verdict), None)
        return f"criterion {unmet.key}: {unmet.error}" if unmet is not None and unmet.error else ""


def document(explanation: Explanation) -> dict[str, Any]:
    """Returns an explanation as the API shows it: without secrets, and with long values cut."""
    shown: dict[str, Any] = {
        "rule": {"id": explanation.rule_id, "ref": explanation.rule_ref},
        "matches": explanation.matches,
        "criteria": [_comparison_document(each) for each in explanation.comparisons],
    }
    if explanation.parameters is not None:
        shown["parameters"] = {
            name: MASK if name in explanation.secrets else _shown(value)
            for name, value in explanation.parameters.items()
        }
    if explanation.error or explanation.failure:
        shown["failure_reason"] = explanation.failure or explanation.error
    return shown


def _comparison_document(comparison: Comparison) -> dict[str, Any]:
    shown: dict[str, Any] = {"key": comparison.key, "type": comparison.operator, "verdict": comparison.verdict}
    if comparison.verdict is not None:
        shown["exists"] = comparison.exists
        shown["value"] = _shown(comparison.value)
        shown["pattern"] = MASK if comparison.is_secret else _shown(comparison.pattern)
    if comparison.error:
        shown["error"] = comparison.error
    return shown


def _shown(value: Any) -> Any:
    """Returns a value, or the beginning of its JSON if it is large."""
    if isinstance(value, str) and len(value) > LARGEST_SHOWN:
        return f"{value[:LARGEST_SHOWN]}… ({len(value)} characters)"
    if not isinstance(value, dict | list):
        return value
    try:
        encoded = msgspec.json.encode(value)
    except RecursionError:
        return "… (nested too deep to be shown)"
    if len(encoded) <= LARGEST_SHOWN:
        return value
    return f"{encoded[:LARGEST_SHOWN].decode(errors='ignore')}… ({len(encoded)} bytes)"
