"""Explains failed installations from the output of uv or pip: names the requirement and its missing part."""

from __future__ import annotations

import re
from typing import NamedTuple

_BUILT = (
    re.compile(r"Failed to (?:download and )?build `([^`]+)`"),
    re.compile(r"Failed building wheel for (\S+)"),
    re.compile(r"Failed to build (?:installable wheels for .*\()?([\w.\-]+)"),
)
_BUILD = re.compile(r"build backend returned an error|subprocess-exited-with-error|metadata-generation-failed")
_REQUIRED = (
    re.compile(r"you require ([^\s,]+)"),
    re.compile(r"No matching distribution found for (\S+)"),
    re.compile(r"(?:Because|because) ([^\s,]+) was not found"),
    re.compile(r"Failed to (?:fetch|download|prepare|resolve|clone)[^`\n]*`([^`]+)`"),
)
_HEADER = re.compile(
    r"fatal error: '?([^\s':]+\.h(?:pp)?)'?(?::| file) [Nn]o(?: such file|t found)|(\S+\.h): No such file"
)
_COMMANDS = (
    re.compile(r"([\w.+-]+) executable (?:is )?not found"),
    re.compile(r"(?:unable to execute|command) '([^']+)'(?: failed)?: No such file"),
    re.compile(r"No such file or directory: '([^'/\s.]+)'"),
    re.compile(r"(?:^|[\s:])([\w.+-]+): (?:command )?not found", re.MULTILINE),
    re.compile(r"Could not find (?:the )?['\"`]?([\w.+-]+)['\"`]? (?:executable|command|program)"),
)
_RUST = re.compile(r"[Cc]an't find Rust compiler|is `?(?:cargo|rustc)`? installed|(?:Cargo|Rust), the Rust")
_LIBRARY = re.compile(r"cannot find -l(\S+?):?(?:\s|$)", re.MULTILINE)
_MODULE = re.compile(r"(?:ModuleNotFoundError|ImportError): No module named '?([\w.]+)'?")
_PYTHON_2 = re.compile(r"SyntaxError: (?:Missing parentheses in call to 'print'|multiple exception types)")
_VERSION = re.compile(r"current Python version \(([\d.]+)\) does not satisfy (\S+?),? ")
_COMPILER = re.compile(r"(?:.*-)?(?:gcc|g\+\+|cc|c\+\+|clang|clang\+\+)(?:-\d+)?")
_LAST_ERROR = re.compile(r"^\W*((?:\w+\.)*(?:\w*Error|error)\b: ?.+)$", re.MULTILINE)
_CAUSE = re.compile(r"(?:cause:|╰─▶|├─▶)\s*(.+)")
_MARKS = re.compile(r"[│╰─▶├×]+")

_PACKAGES = (
    # A pattern of missing headers, commands and libraries, and the Debian package that contains them.
    (r"pg_config|libpq-fe\.h|pq", "libpq-dev"),
    (r"(mysql|mariadb)_config|mysql\.h", "default-libmysqlclient-dev"),
    (r"krb5-config|gssapi.*\.h|krb5\.h", "libkrb5-dev"),
    (r"lber\.h|ldap\.h|ldap(_r)?", "libldap2-dev"),
    (r"sasl.*\.h", "libsasl2-dev"),
    (r"ffi\.h", "libffi-dev"),
    (r"openssl/.*\.h|ssl|crypto", "libssl-dev"),
    (r"libxml/.*\.h|xml2-config|xml2", "libxml2-dev"),
    (r"libxslt/.*\.h|xslt-config|xslt", "libxslt1-dev"),
    (r"xmlsec.*", "libxmlsec1-dev"),
    (r"curl-config|curl/.*\.h", "libcurl4-openssl-dev"),
    (r"sql(ext|types)?\.h|odbc", "unixodbc-dev"),
    (r"zlib\.h|z", "zlib1g-dev"),
    (r"Python\.h", "python3-dev, or the headers of the chosen Python"),
    (r"swig|cmake|pkg-config|make|bison|flex|git", "the package of that name"),
)  # fmt: skip


class Failure(NamedTuple):
    """The cause of a failed installation: the `requirement` (empty if unknown), `is_build` if a build failed, a hint.

    `isolated` means that the build lacks a Python module, which another environment may contain.
    """

    requirement: str
    is_build: bool
    hint: str
    isolated: bool = False

    def __str__(self) -> str:
        subject = f"The requirement {self.requirement}" if self.requirement else "A requirement"
        verb = "cannot be built" if self.is_build else "cannot be installed"
        return f"{subject} {verb}: {self.hint}"


def explain(errors: str) -> Failure:
    """Finds the cause of a failure in an installer's standard error."""
    # uv breaks its lines to the width of a terminal, even inside a sentence.
    unbroken = " ".join(_MARKS.sub(" ", errors).split())
    built = _first(_BUILT, unbroken)
    is_build = bool(built or _BUILD.search(unbroken))
    requirement = built or _first(_REQUIRED, unbroken)
    if not is_build:
        return Failure(requirement, False, _resolution(errors))
    hint = _missing(errors)
    if hint:
        return Failure(requirement, True, hint)
    module = _MODULE.search(errors)
    if module is not None:
        return Failure(requirement, True, f"its build needs the Python module {module[1]}, which is missing", True)
    messages = _LAST_ERROR.findall(errors.partition("[stderr]")[2] or errors)
    hint = _line(messages[-1]) if messages else "its builder failed; see its output above"
    return Failure(requirement, True, hint)


def _first(patterns: tuple[re.Pattern[str], ...], text: str) -> str:
    return next((match[1].rstrip(".") for pattern in patterns if (match := pattern.search(text))), "")


def _missing(text: str) -> str:
    """Returns the part that a builder lacks on this machine, and the package to install; empty if it reports none."""
    if _PYTHON_2.search(text):
        return "it is written for Python 2; ask for a later version"
    header = _HEADER.search(text)
    if header is not None:
        name = header[1] or header[2]
        return f"the header {name} is missing. Install the library it belongs to{_package(name)}"
    if _RUST.search(text):
        return "the compiler of Rust is missing. Install it (Debian: rustc and cargo), or ask for a version with wheels"
    library = _LIBRARY.search(text)
    if library is not None:
        return f"the library {library[1]} is missing. Install it{_package(library[1])}"
    command = _first(_COMMANDS, text)
    if command and _COMPILER.fullmatch(command):
        return f"the compiler {command} is missing. Install one (Debian: build-essential)"
    if command:
        return f"the command {command} is missing. Install what it belongs to{_package(command)}"
    return ""


def _package(name: str) -> str:
    package = next((package for pattern, package in _PACKAGES if re.fullmatch(pattern, name)), None)
    return f" (Debian: {package})" if package is not None else ""


def _resolution(text: str) -> str:
    """Returns the reason why no set of versions fits, or another reason of the installer."""
    version = _VERSION.search(text)
    if version is not None:
        return f"it needs {version[2]}, and this is Python {version[1]}. Choose one: squall pack install … --python 3.x"
    causes = _CAUSE.findall(text) or re.findall(r"(?im)^error: (.+)$", text)
    return _line(causes[-1]) if causes else "see the installer's output above"


def _line(text: str) -> str:
    return " ".join(_MARKS.sub(" ", text).split())[:500]
