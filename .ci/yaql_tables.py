"""Writes src/squall/core/expr/yaql_tables.py: the tables of the grammar of the yaql that is installed."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

from squall.core.expr.yaql_grammar import encoded

WIDTH = 110
HEAD = '''"""The tables of YAQL's grammar, written by `.ci/yaql_tables.py`; `yaql_grammar.py` reads them."""

from __future__ import annotations

VERSION = "{version}"
"""The version of yaql that they are of."""

TABLES = (
{lines}
)
"""JSON, compressed, in base64."""
'''


def main() -> None:
    """Writes the file."""
    text = encoded()
    lines = "\n".join(f'    "{text[at : at + WIDTH]}"' for at in range(0, len(text), WIDTH))
    target = Path(__file__).parents[1] / "src" / "squall" / "core" / "expr" / "yaql_tables.py"
    target.write_text(HEAD.format(version=importlib.metadata.version("yaql"), lines=lines))


if __name__ == "__main__":
    main()
