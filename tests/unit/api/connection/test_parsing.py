"""The end of a head is found without a regular expression."""

from __future__ import annotations

import re
from itertools import product

from squall.api.connection.parsing import blank_line


def test_a_blank_line_ends_where_a_regular_expression_says() -> None:
    for length in range(8):
        for bytes_ in product(b"\r\na", repeat=length):
            match = re.search(rb"\r?\n\r?\n", bytes(bytes_))
            assert blank_line(bytes(bytes_)) == (match.end() if match else -1), bytes(bytes_)
