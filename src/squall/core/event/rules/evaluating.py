"""Decides whether rules match an event. The engine, the tester and the API call `evaluate`; nothing else compares.

All criteria of a rule must match. An error is a reason for no match, never an exception. Only what is no fault of the
rule is raised: `NeedsProcess`, after which the caller evaluates again on a thread, and `UnavailableError`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from squall.core.content.keyvalue import mentions_keys
from squall.core.content.pack_config import is_template
from squall.core.event.rules.criteria import DEEPEST_SEARCH
from squall.core.event.rules.explanation import Comparison, Explanation
from squall.core.event.rules.operators import (
    CONDITIONS,
    NAMES,
    OPERATORS,
    REGEXES,
    SEARCH,
    WILDCARD,
    OperatorError,
    PatternError,
    apply,
    compiled_of,
    expression_of,
    kind_of,
)
from squall.core.event.rules.parameters import Rendering, RenderingError, Setting
from squall.core.event.rules.path_parts import Steps, StepsError
from squall.core.event.rules.paths import PathError, parse_path
from squall.core.event.rules.records import Rule

NO_KEYS: Mapping[str, Any] = {"system": {}, "user": {}}
"""The `keys` of a rule that needs none."""

_STEPS_OF_COMPARISON = 8
"""A comparison takes about as long as the visits of so many values."""

_NOT_QUOTED = "the pattern is wrong. It is made from a secret value, so it is not quoted"

_STEPS_OF_EXPRESSION = 50
"""To compile a regular expression takes about as long, if its pattern is short."""

_LONG_EXPRESSION = 64_000_000
"""The instructions, times the characters, for which a regular expression may need half a second."""

_FAULTS = (PathError, StepsError, OperatorError, RenderingError)


def needs_keys(rule: Rule) -> bool:
    """Returns True if the rule may read the datastore. If not, `NO_KEYS` will do for it."""
    texts = [rule.criteria, rule.action.parameters, rule.correlate or {}]
    return mentions_keys(texts) or _mentions_system(texts)


def _mentions_system(value: Any) -> bool:
    """Checks for `system.name`, the older name of `st2kv.system.name`."""
    if isinstance(value, str):
        return "system" in value
    inner = (part for pair in value.items() for part in pair) if isinstance(value, dict) else value
    return isinstance(value, dict | list) and any(_mentions_system(part) for part in inner)


def decide(rules: Iterable[Rule], payload: Any, keys: Mapping[str, Any], setting: Setting) -> Iterator[Explanation]:
    """Evaluates the enabled `rules` of an event's trigger, one at each step of the iterator, in their order.

    Backstop rules come last, and only if no other rule matches. The criteria behind one without a match are not
    evaluated. Arguments and errors are those of `evaluate`.
    """
    backstops: list[Rule] = []
    has_match = False
    for rule in rules:
        if not rule.enabled:
            continue
        if rule.is_backstop:
            backstops.append(rule)
            continue
        explanation = evaluate(rule, payload, keys, setting, all_criteria=False)
        has_match = has_match or explanation.matches
        yield explanation
    for rule in [] if has_match else backstops:
        yield evaluate(rule, payload, keys, setting, all_criteria=False)


def evaluate(
    rule: Rule, payload: Any, keys: Mapping[str, Any], setting: Setting, *, all_criteria: bool = True
) -> Explanation:
    """Returns the decision of a rule about an event with this `payload`, whether the rule is enabled or not.

    `keys` is the value of `st2kv` in templates: the scopes `system` and `user`. If `all_criteria` is false, the
    criteria behind the first one without a match are not evaluated. Raises `NeedsProcess` and `UnavailableError` as
    `setting.templates` does.
    """
    evaluation = _Evaluation(payload, keys, setting)
    matches, comparisons = evaluation.compared(rule.criteria, all_criteria)
    if not matches:
        return Explanation(rule_id=rule.id, rule_ref=rule.ref, matches=False, comparisons=comparisons)
    try:
        rendered = evaluation.rendering.parameters(rule.action.ref, rule.action.parameters)
    except RenderingError as error:
        return Explanation(rule_id=rule.id, rule_ref=rule.ref, matches=True, comparisons=comparisons, error=str(error))
    return Explanation(
        rule_id=rule.id,
        rule_ref=rule.ref,
        matches=True,
        comparisons=comparisons,
        parameters={name: each.value for name, each in rendered.items()},
        secrets={name: each.secrets for name, each in rendered.items() if each.secrets},
    )


class _Evaluation:
    """Evaluates the criteria of one rule on one event, within one budget of steps."""

    def __init__(self, payload: Any, keys: Mapping[str, Any], setting: Setting) -> None:
        self._root = {"trigger": payload, "system": keys.get("system", {}), "st2kv": keys}
        self._setting = setting
        self._steps = Steps(is_brief=setting.is_brief)
        # A name of the caller's never hides the event.
        self.rendering = Rendering({**setting.names, **self._root}, setting)

    def compared(self, criteria: Mapping[str, Any], all_criteria: bool) -> tuple[bool, tuple[Comparison, ...]]:
        """Returns whether all criteria match, and the comparison of each."""
        comparisons: list[Comparison] = []
        matches = True
        for key, criterion in criteria.items():
            if matches or all_criteria:
                comparison = self._comparison(key, criterion, self._root, 1)
                matches = matches and comparison.verdict is True
            else:
                comparison = Comparison(key=key, operator=_operator_of(criterion))
            comparisons.append(comparison)
        return matches, tuple(comparisons)

    def _comparison(self, key: str, criterion: Any, root: Mapping[str, Any], depth: int) -> Comparison:
        operator = _operator_of(criterion)
        pattern = criterion.get("pattern") if isinstance(criterion, dict) else None
        exists, value, is_secret, error = False, None, False, ""
        verdict = False
        try:
            exists, value = parse_path(key).first(root, self._steps)
            if operator == SEARCH:
                verdict, error = self._search(value, pattern, criterion.get("condition"), root, depth)
            elif operator not in OPERATORS:
                raise OperatorError(f"the operator {operator!r:.60} is none of {', '.join(NAMES)}")
            else:
                if isinstance(pattern, str) and is_template(pattern):
                    pattern, secrets = self.rendering.pattern(pattern, root)
                    is_secret = bool(secrets)
                self._steps.spend_on(value)
                self._steps.spend_on(pattern)
                verdict = self._applied(operator, value, pattern)
        except _FAULTS as fault:
            hides = is_secret and isinstance(fault, PatternError)
            verdict, error = False, _NOT_QUOTED if hides else _reason(fault, key, exists)
        return Comparison(
            key=key,
            operator=operator,
            exists=exists,
            value=value,
            pattern=pattern,
            verdict=verdict,
            error=error,
            is_secret=is_secret,
        )

    def _applied(self, operator: str, value: Any, pattern: Any) -> bool:
        """Returns the verdict of an operator. A regular expression that may take long runs where it can be stopped."""
        if isinstance(value, str) and isinstance(pattern, str):
            if self._setting.is_brief and (operator in REGEXES or operator == WILDCARD):
                self._steps.spend(_STEPS_OF_EXPRESSION + len(pattern))
            expression = expression_of(operator, pattern)
            cost = 0 if expression is None else compiled_of(expression).size * len(value)
            if expression is not None and self._setting.is_brief:
                self._steps.spend(cost >> 9)
            elif expression is not None and cost > _LONG_EXPRESSION:
                return self.rendering.finds(expression, value)
        return apply(OPERATORS[operator], value, pattern, self._setting.now)

    def _search(
        self, value: Any, pattern: Any, condition: Any, root: Mapping[str, Any], depth: int
    ) -> tuple[bool, str]:
        """Returns the verdict of `search`, and if it is False, the first error of an element.

        Each element is `item` in the paths and patterns of the criteria `pattern`. An element for which a criterion
        has an error does not match it; others still may.
        """
        elements = [value] if isinstance(value, dict) else value
        if not isinstance(elements, list):
            raise OperatorError(f"the value is {kind_of(value)}; it must be a list or an object")
        if condition not in CONDITIONS or not isinstance(pattern, dict) or depth > DEEPEST_SEARCH:
            raise OperatorError(f'"search" needs a mapping of criteria, and a condition: {", ".join(CONDITIONS)}')
        of_elements = all if condition.startswith("all") else any
        of_criteria = any if condition.endswith("2any") else all
        errors: list[str] = []

        def matches(at: int, element: Any) -> bool:
            inner = {**root, "item": element}
            return of_criteria(has_match(at, key, criterion, inner) for key, criterion in pattern.items())

        def has_match(at: int, key: str, criterion: Any, inner: Mapping[str, Any]) -> bool:
            self._steps.spend(_STEPS_OF_COMPARISON)
            comparison = self._comparison(key, criterion, inner, depth + 1)
            if comparison.error and not errors:
                errors.append(f"element {at}, {key}: {comparison.error}")
            return comparison.verdict is True

        verdict = of_elements(matches(at, element) for at, element in enumerate(elements))
        return verdict, "" if verdict or not errors else errors[0]


def _operator_of(criterion: Any) -> str:
    operator = criterion.get("type") if isinstance(criterion, dict) else None
    return operator if isinstance(operator, str) else ""


def _reason(fault: Exception, key: str, exists: bool) -> str:
    is_missing = isinstance(fault, OperatorError) and not exists
    return f'"{key}" is missing in the event: {fault}' if is_missing else str(fault)
