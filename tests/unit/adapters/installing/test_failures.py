"""What an installer prints when it fails becomes one line: the requirement, and what to do."""

from __future__ import annotations

import pytest

from squall.adapters.installing.failures import explain

BUILD = """Resolved 1 package in 5s
error: Failed to build `{name}==1.0`
  cause: The build backend returned an error
  cause: Call to `setuptools.build_meta:__legacy__.build_wheel` failed (exit status: 1)

         [stdout]
         running build_ext

         [stderr]
         {told}

hint: Build failures usually indicate a problem with the package or the build environment
"""

COMMAND = "the command {} is missing. Install what it belongs to"
HEADER = "the header {} is missing. Install the library it belongs to"
COMPILER = "the compiler {} is missing. Install one (Debian: build-essential)"
NO_FILE = "FileNotFoundError: [Errno 2] No such file or directory: '{}'"
NO_HEADER = "x.c:1:10: fatal error: {}: No such file or directory"


@pytest.mark.parametrize(
    ("told", "hint"),
    [
        ("Error: pg_config executable not found.", COMMAND.format("pg_config") + " (Debian: libpq-dev)"),
        ("sh: 1: mysql_config: not found", COMMAND.format("mysql_config") + " (Debian: default-libmysqlclient-dev)"),
        (NO_FILE.format("krb5-config"), COMMAND.format("krb5-config") + " (Debian: libkrb5-dev)"),
        ("/bin/sh: frobnicate: command not found", COMMAND.format("frobnicate")),
        (NO_HEADER.format("lber.h"), HEADER.format("lber.h") + " (Debian: libldap2-dev)"),
        ("x.c: fatal error: 'sasl/sasl.h' file not found", HEADER.format("sasl/sasl.h") + " (Debian: libsasl2-dev)"),
        (NO_HEADER.format("nosuch.h"), HEADER.format("nosuch.h")),
        (NO_FILE.format("gcc"), COMPILER.format("gcc")),
        ("unable to execute 'x86_64-linux-gnu-gcc': No such file", COMPILER.format("x86_64-linux-gnu-gcc")),
        ("error: command 'cc' failed: No such file or directory", COMPILER.format("cc")),
        ("error: can't find Rust compiler", "the compiler of Rust is missing. Install it (Debian: rustc and cargo), or "
         "ask for a version with wheels"),
        ("ld: cannot find -lxml2: No such file", "the library xml2 is missing. Install it (Debian: libxml2-dev)"),
        ("SyntaxError: Missing parentheses in call to 'print'.", "it is written for Python 2; ask for a later version"),
        ("ModuleNotFoundError: No module named 'a.b'", "its build needs the Python module a.b, which is missing"),
        ("RuntimeError: this platform is too old", "RuntimeError: this platform is too old"),
        ("nothing that looks like it", "its builder failed; see its output above"),
    ],
)  # fmt: skip
def test_a_build_that_failed_names_the_requirement_and_what_is_missing(told: str, hint: str) -> None:
    failure = explain(BUILD.format(name="thing", told=told))
    assert str(failure) == f"The requirement thing==1.0 cannot be built: {hint}"
    assert failure.isolated == ("Python module" in hint)


@pytest.mark.parametrize(
    ("printed", "line"),
    [
        (
            "error: No solution found when resolving dependencies\n  cause: Because nosuch was not found in the "
            "package registry and you require nosuch==1.0, we can conclude that your requirements are unsatisfiable.",
            "The requirement nosuch==1.0 cannot be installed: Because nosuch was not found in the package registry "
            "and you require nosuch==1.0, we can conclude that your requirements are unsatisfiable.",
        ),
        (
            "  × No solution found when resolving dependencies:\n  ╰─▶ Because nosuch was not found in the package\n"
            "      registry and you require nosuch, we can conclude that your requirements are unsatisfiable.",
            "The requirement nosuch cannot be installed: Because nosuch was not found in the package",
        ),
        (
            "  ╰─▶ Because the current Python version (3.11.7) does not satisfy Python<3.10 and old==1 depends on "
            "Python<3.10, we can conclude that old==1 cannot be used. And because you require old==1, we can conclude "
            "that your requirements are unsatisfiable.",
            "The requirement old==1 cannot be installed: it needs Python<3.10, and this is Python 3.11.7. Choose one: "
            "squall pack install … --python 3.x",
        ),
        (
            "ERROR: Could not find a version that satisfies the requirement nosuch==1.0\n"
            "ERROR: No matching distribution found for nosuch==1.0\n",
            "The requirement nosuch==1.0 cannot be installed: No matching distribution found for nosuch==1.0",
        ),
        ("", "A requirement cannot be installed: see the installer's output above"),
    ],
)
def test_requirements_that_cannot_be_met_are_named_with_the_reason(printed: str, line: str) -> None:
    assert str(explain(printed)) == line
    assert not explain(printed).is_build


def test_a_wheel_that_pip_cannot_build_is_a_build_that_failed() -> None:
    printed = (
        "  error: subprocess-exited-with-error\n  Error: pg_config executable not found.\n"
        "ERROR: Failed building wheel for psycopg2\n"
    )
    failure = explain(printed)
    assert (failure.requirement, failure.is_build) == ("psycopg2", True)
    assert "libpq-dev" in failure.hint


@pytest.mark.parametrize("broken", ["you\n      require", "you require\n  │  "])
def test_a_requirement_is_found_where_the_installer_broke_its_line(broken: str) -> None:
    errors = f"  × No solution found:\n  ╰─▶ Because only wheel==1.0 is there and {broken} squallwheel==9.0, x.\n"
    assert explain(errors).requirement == "squallwheel==9.0"
