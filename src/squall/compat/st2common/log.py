"""Logging, as packs import it. Standard library only, Python 3.8."""

from __future__ import annotations

import logging

CRITICAL, ERROR, WARNING, INFO, DEBUG = (
    logging.CRITICAL,
    logging.ERROR,
    logging.WARNING,
    logging.INFO,
    logging.DEBUG,
)
AUDIT = CRITICAL + 10


def getLogger(name):
    """The logger of that name, below `st2`, as StackStorm names them."""
    return logging.getLogger(name if name.startswith("st2") else "st2.%s" % name)
