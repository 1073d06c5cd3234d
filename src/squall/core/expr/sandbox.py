"""A Jinja environment whose templates always end: sandboxed, strict about names, every step and every size counted."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from jinja2 import StrictUndefined, nodes, pass_context
from jinja2.compiler import CodeGenerator, Frame
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from squall.core.expr.bounds.errors import LimitExceededError
from squall.core.expr.bounds.limits import (
    MAX_SIZE,
    Budget,
    Deadline,
    check_format,
    check_length,
    check_power,
    check_product,
    check_replace,
    check_value,
)
from squall.core.expr.filters.table import filters

BUDGET = "the budget"
"""The name of a rendering's `Budget` in its context. It has a space, so that no template can use it."""

_COUNTED = "counted by the budget"
_JOINED = "joined with ~"
_WIDTHS = ("center", "indent", "wordwrap", "batch", "slice")
_WHOLE = ("join", "string", "pprint", "tojson", "list", "urlencode", "xmlattr", "e", "escape")


def _concat(pieces: Iterable[str]) -> str:
    """Joins the output of a template. Raises `LimitExceededError` before it is too long."""
    parts: list[str] = []
    size = 0
    for piece in pieces:
        size += len(piece)
        check_length(size)
        parts.append(piece)
    return "".join(parts)


class _Generator(CodeGenerator):
    """Writes numbers without a literal in Python, such as infinity, as calls: else they would be unknown names."""

    def visit_Const(self, node: nodes.Const, frame: Frame) -> None:  # noqa: N802 - the name is Jinja's
        value = node.as_const(frame.eval_ctx)
        if isinstance(value, float) and not math.isfinite(value):
            self.write(f"float({str(value)!r})")
        else:
            super().visit_Const(node, frame)


class Environment(ImmutableSandboxedEnvironment):
    """Compiles templates that count their steps. `decrypt_kv` is the filter of that name."""

    code_generator_class = _Generator
    concat = staticmethod(_concat)
    intercepted_binops = frozenset({"*", "**", "+", "%"})

    def __init__(self, decrypt_kv: Callable[[Any], Any] | None = None) -> None:
        super().__init__(
            undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False, finalize=_finalized
        )
        for name in _WIDTHS:
            self.filters[name] = _with_narrow_arguments(self.filters[name])
        for name in _WHOLE:
            self.filters[name] = _with_checked_value(self.filters[name])
        self.filters["format"] = _with_checked_format(self.filters["format"])
        self.filters["replace"] = _with_checked_replace(self.filters["replace"])
        self.filters[_COUNTED] = _counted
        self.filters[_JOINED] = _joined
        self.filters |= filters()
        self.filters["decrypt_kv"] = _not_folded(decrypt_kv or _no_decryption)
        self.tests["in"] = lambda item, values: item in values
        del self.globals["lipsum"]

    def _generate(self, source: nodes.Template, *args: Any, **kwargs: Any) -> str:
        for loop in source.find_all(nodes.For):
            loop.iter = nodes.Filter(loop.iter, _COUNTED, [], [], None, None)
        for node in list(source.find_all(nodes.Node)):
            _replace_concatenations(node)
        return super()._generate(source, *args, **kwargs)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Checks the size of the result, then applies the operator."""
        if operator == "*":
            check_product(left, right)
        elif operator == "**":
            check_power(left, right)
        elif operator == "+" and isinstance(left, str | list | tuple) and isinstance(right, type(left)):
            check_length(len(left) + len(right))
        elif operator == "%" and isinstance(left, str):
            check_format(left, *(right if isinstance(right, tuple) else (right,)))
        return super().call_binop(context, operator, left, right)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805
        """Counts a call and runs it. Checks methods of texts and numbers first, since they may create a large value."""
        __context[BUDGET].step()
        owner = getattr(__obj, "__self__", None)
        if isinstance(owner, str | bytes | int):
            _check_method(getattr(__obj, "__name__", ""), owner, args)
        return super().call(__context, __obj, *args, **kwargs)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """Returns the sandbox's `str.format` with a check of its widths."""
        wrapped = super().wrap_str_format(value)
        if wrapped is None:
            return None
        formatting, text = wrapped, value.__self__

        def checked(*args: Any, **kwargs: Any) -> str:
            values = list(args) + list(kwargs.values())
            check_format(text, *values)
            for each in values:
                check_value(each)
            return formatting(*args, **kwargs)

        return checked


def _finalized(value: Any) -> Any:
    check_value(value)
    return value


@pass_context
def _counted(context: Context, values: Any) -> Iterator[Any]:
    budget: Budget = context[BUDGET]
    for value in values:
        budget.step()
        yield value


def _joined(values: list[Any]) -> str:
    for value in values:
        check_value(value)
    return _concat(str(value) for value in values)


def _replace_concatenations(node: nodes.Node) -> None:
    """Replaces the operator `~` by our own filter."""
    for name in node.fields:
        value = getattr(node, name, None)
        if isinstance(value, nodes.Concat):
            setattr(node, name, _join_node(value))
        elif isinstance(value, list):
            value[:] = [_join_node(item) if isinstance(item, nodes.Concat) else item for item in value]


def _join_node(concat: nodes.Concat) -> nodes.Filter:
    return nodes.Filter(nodes.List(concat.nodes), _JOINED, [], [], None, None)


def _check_method(name: str, owner: str | bytes | int, args: tuple[Any, ...]) -> None:
    if any(isinstance(arg, int) and abs(arg) > MAX_SIZE for arg in args):
        raise LimitExceededError(f"The expression calls {name} with too large a number.")
    if not isinstance(owner, str):
        return
    if name == "join" and args and isinstance(args[0], list | tuple):
        check_length(sum(len(item) for item in args[0] if isinstance(item, str)) + len(owner) * len(args[0]))
    if name == "replace" and len(args) > 1 and isinstance(args[0], str) and isinstance(args[1], str):
        check_replace(owner, args[0], args[1])
    if name == "expandtabs" and args and isinstance(args[0], int):
        check_length(owner.count("\t") * args[0])


def _with_narrow_arguments(function: Callable[..., Any]) -> Callable[..., Any]:
    def checked(*args: Any, **kwargs: Any) -> Any:
        for arg in (*args, *kwargs.values()):
            if isinstance(arg, int) and abs(arg) > 1_000_000:
                raise LimitExceededError("The expression gives too large a number to a filter.")
        return function(*args, **kwargs)

    return _like(function, checked)


def _with_checked_value(function: Callable[..., Any]) -> Callable[..., Any]:
    def checked(*args: Any, **kwargs: Any) -> Any:
        for arg in args:
            check_value(arg)
        return function(*args, **kwargs)

    return _like(function, checked)


def _with_checked_format(function: Callable[..., Any]) -> Callable[..., Any]:
    def checked(text: Any, *args: Any, **kwargs: Any) -> Any:
        check_format(str(text), *args, *kwargs.values())
        return function(text, *args, **kwargs)

    return _like(function, checked)


def _with_checked_replace(function: Callable[..., Any]) -> Callable[..., Any]:
    def checked(context: Any, text: Any, old: Any, new: Any, count: Any = None) -> Any:
        check_replace(str(text), str(old), str(new))
        return function(context, text, old, new, count)

    return _like(function, checked)


def _like(function: Callable[..., Any], wrapper: Callable[..., Any]) -> Callable[..., Any]:
    """Marks a wrapper so that Jinja passes it the same extra argument as its function: context or environment."""
    for mark in ("jinja_pass_arg", "jinja_async_variant"):
        if hasattr(function, mark):
            setattr(wrapper, mark, getattr(function, mark))
    return wrapper


def _not_folded(function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a filter that Jinja calls only when it renders. Jinja calls other filters of constants when it compiles;
    then nothing would note that the result is a secret."""

    @pass_context
    def at_rendering(_context: Context, *arguments: Any) -> Any:
        return function(*arguments)

    return at_rendering


def _no_decryption(value: Any) -> Any:
    raise ValueError("decrypt_kv cannot be used here")


def names_with_budget(names: Mapping[str, Any], deadline: Deadline | None = None) -> dict[str, Any]:
    """Returns the variables of one rendering: the names, and its own budget."""
    return {**names, BUDGET: Budget(deadline)}
