"""Sizes as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squall.core.units import parse_size, size_text


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4096", 4096),
        ("7 B", 7),
        ("1 KiB", 1024),
        ("1kB", 1000),
        ("10 MiB", 10_485_760),
        ("1.5 GB", 1_500_000_000),
        ("0.5 KiB", 512),
        (" 2 TiB ", 2_199_023_255_552),
        ("1.1 kB", 1100),
    ],
)
def test_a_size_is_read_in_binary_and_decimal_units(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MiB", "-1", "1 Mib/s", "10 M", "1.5", "0.3 KiB", "1e3", "1,5 MB", "٣ B"])
def test_what_is_no_whole_number_of_bytes_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a "):
        parse_size(text)


@given(st.integers(0, 1 << 50))
def test_a_size_written_out_is_read_back_exactly(size: int) -> None:
    assert parse_size(size_text(size)) == size
