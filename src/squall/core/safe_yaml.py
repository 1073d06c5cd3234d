"""Safe loading of YAML from users. Its nesting, and its size with all aliases and merge keys followed, are bounded
before anything is built.

The C parser recurses on its own stack: a text with a hundred thousand levels would crash the process.
"""

from __future__ import annotations

from typing import Any, Final

import yaml

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""A safe loader, in C if it is available. Only for text that has passed `check_size`."""

_DEEPEST: Final = 200
_MOST_VALUES: Final = 200_000
_MOST_DIRECTIVES: Final = 100
_LONGEST_NUMBER: Final = 1_000
_LONGEST_NUMERIC_KEY: Final = 20
"""The signs of the longest number that is a key: larger ones can be chosen so that thousands have the same hash."""

_INT: Final = "tag:yaml.org,2002:int"
_OPENS = (yaml.SequenceStartEvent, yaml.MappingStartEvent)
_CLOSES = (yaml.SequenceEndEvent, yaml.MappingEndEvent)


class _Loader(LOADER):  # type: ignore[misc]
    """The safe loader, without the numbers whose cost is quadratic."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if key.tag == _INT and len(key.value) > _LONGEST_NUMERIC_KEY:
                raise ValueError(f"the key {key.value[:40]} is a number with more than {_LONGEST_NUMERIC_KEY} digits")
        return super().construct_mapping(node, deep)

    def number(self, node: Any) -> int:
        """Returns the number in a node. Raises `ValueError` for one that is too long."""
        if len(node.value) > _LONGEST_NUMBER:
            raise ValueError(f"a number has more than {_LONGEST_NUMBER} digits")
        return int(self.construct_yaml_int(node))


_Loader.add_constructor(_INT, _Loader.number)


def load_yaml(text: str | bytes) -> Any:
    """Loads the document in a text. Raises `yaml.YAMLError`, and `ValueError` for one that is too deep or too large, or
    has a value that does not fit its tag."""
    check_size(text)
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - it is a safe one
    except (ArithmeticError, AttributeError, LookupError, TypeError) as error:
        # The library fails so on texts such as `!!timestamp soon`.
        raise ValueError(f"a value does not fit its tag: {error}") from error


def check_size(text: str | bytes) -> None:
    """Raises `ValueError` for a text with more than 200 levels or 200,000 values, if each alias counts as all that it
    stands for. Raises it for a value that contains itself, too. Raises `yaml.YAMLError`."""
    source = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    # UTF-16 has a zero byte beside each sign.
    if source.count("%TAG") + source.count("%\0T\0A\0G") > _MOST_DIRECTIVES:
        raise ValueError(f"it has more than {_MOST_DIRECTIVES} %TAG directives")
    # Only a bracket, or a deeper indentation, opens a level; a value has two characters. So most texts need no parse.
    brackets = source.count("[") + source.count("{")
    if (
        "*" not in source
        and len(source) <= _MOST_VALUES
        and brackets <= _DEEPEST // 2
        and len(max(source.splitlines(), key=len, default="")) <= _DEEPEST // 2
    ):
        return
    weigher = _Weigher()
    for event in yaml.parse(text, Loader=LOADER):
        weigher.take(event)


class _Weigher:
    """Counts the values of a document from the events of its parser, which are made one by one."""

    def __init__(self) -> None:
        self._open: list[tuple[str | None, int]] = []
        """The anchor and the number of values of each sequence and mapping around the next event."""
        self._weights: dict[str, int | None] = {}
        """The number of values under each anchor; None while it is being read."""
        self._aliases = False

    def take(self, event: Any) -> None:
        """Takes the next event. Raises `ValueError`."""
        if isinstance(event, _OPENS):
            if len(self._open) >= _DEEPEST:
                raise ValueError(f"it nests more than {_DEEPEST} times")
            if event.anchor is not None:
                self._weights[event.anchor] = None
            self._open.append((event.anchor, 1))
        elif isinstance(event, _CLOSES):
            anchor, weight = self._open.pop()
            if anchor is not None:
                self._weights[anchor] = weight
            self._add(weight)
        elif isinstance(event, yaml.ScalarEvent):
            if event.anchor is not None:
                self._weights[event.anchor] = 1
            self._add(1)
        elif isinstance(event, yaml.AliasEvent):
            self._aliases = True
            # The parser refuses an unknown anchor later.
            target = self._weights.get(str(event.anchor), 1)
            if target is None:
                raise ValueError("a value in it refers to itself")
            self._add(target)

    def _add(self, values: int) -> None:
        if not self._open:
            return
        anchor, weight = self._open[-1]
        if weight + values > _MOST_VALUES:
            subject = "its *aliases expand to" if self._aliases else "it has"
            raise ValueError(f"{subject} more than {_MOST_VALUES} values")
        self._open[-1] = (anchor, weight + values)
