"""Exceptions of actions, as packs import them."""

from __future__ import annotations

from . import StackStormBaseException


class ParameterRenderingFailedException(StackStormBaseException):
    """A parameter could not be rendered."""


class InvalidActionReferencedException(StackStormBaseException):
    """There is no such action."""


class InvalidActionParameterException(StackStormBaseException):
    """A parameter has a value that it may not have."""
