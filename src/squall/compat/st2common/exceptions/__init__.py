"""Exceptions, as packs import them."""

from __future__ import annotations


class StackStormBaseException(Exception):  # noqa: N818
    """The root of StackStorm's exceptions."""


class StackStormPluginException(StackStormBaseException):
    """The root of those of plugins."""


class StackStormDBObjectNotFoundError(StackStormBaseException):
    """What was asked for is not there."""
