"""Filters on semantic versions."""

from __future__ import annotations

from semver import Version


def version_compare(value: str, pattern: str) -> int:
    """Compares two versions: returns -1, 0 or 1 if the first one is earlier, equal or later. Raises `ValueError` for an
    invalid version."""
    return Version.parse(value).compare(pattern)


def version_more_than(value: str, pattern: str) -> bool:
    """Checks whether the first version is later."""
    return version_compare(value, pattern) == 1


def version_less_than(value: str, pattern: str) -> bool:
    """Checks whether the first version is earlier."""
    return version_compare(value, pattern) == -1


def version_equal(value: str, pattern: str) -> bool:
    """Checks whether both are the same version."""
    return version_compare(value, pattern) == 0


def version_match(value: str, pattern: str) -> bool:
    """Checks whether the version fulfils a condition such as `>=1.2.0`. Raises `ValueError`."""
    return Version.parse(value).match(pattern)


def version_bump_major(value: str) -> str:
    """Returns the next major version."""
    return str(Version.parse(value).bump_major())


def version_bump_minor(value: str) -> str:
    """Returns the next minor version."""
    return str(Version.parse(value).bump_minor())


def version_bump_patch(value: str) -> str:
    """Returns the next patch version."""
    return str(Version.parse(value).bump_patch())


def version_strip_patch(value: str) -> str:
    """Returns the version without its patch number: `1.2` for `1.2.3`."""
    version = Version.parse(value)
    return f"{version.major}.{version.minor}"
