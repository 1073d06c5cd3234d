"""Templates, as packs import them; needs Jinja2 in the pack's virtualenv."""

from __future__ import annotations

import json

from squall_filters import FILTERS

__all__ = ["get_jinja_environment", "is_jinja_expression", "render_values"]

_MARKS = ("{{", "}}", "{%", "%}")


def get_jinja_environment(allow_undefined=False, trim_blocks=True, lstrip_blocks=True):
    """A Jinja2 environment; names that are not known are errors unless they are allowed."""
    import jinja2
    import jinja2.sandbox

    undefined = jinja2.Undefined if allow_undefined else jinja2.StrictUndefined
    env = jinja2.sandbox.SandboxedEnvironment(undefined=undefined, trim_blocks=trim_blocks, lstrip_blocks=lstrip_blocks)
    env.filters.update(FILTERS)
    env.tests.setdefault("in", lambda item, container: item in container)
    return env


def is_jinja_expression(value):
    """Whether the text has something to render."""
    return isinstance(value, str) and any(mark in value for mark in _MARKS)


def render_values(mapping=None, context=None, allow_undefined=False):
    """The mapping with its texts rendered; what is rendered from an object or list stays one."""
    env = get_jinja_environment(allow_undefined=allow_undefined)
    names = dict(context or {})
    return {key: _rendered(env, value, names) for key, value in (mapping or {}).items()}


def _rendered(env, value, names):
    if isinstance(value, (dict, list)):
        text = env.from_string(json.dumps(value)).render(names)
        return json.loads(text)
    return env.from_string(str(value)).render(names) if is_jinja_expression(value) else value
