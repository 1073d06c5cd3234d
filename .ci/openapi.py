"""Writes the OpenAPI document to `web/openapi.json`: the page's types are made from it."""

import json
from pathlib import Path

from squall.api.table import api_document

TARGET = Path(__file__).resolve().parent.parent / "web" / "openapi.json"


def text():
    """The document as the file has it: without a version, so that only changes of the API change it."""
    return json.dumps(api_document("0"), indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    TARGET.write_text(text())
