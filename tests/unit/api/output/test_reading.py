from __future__ import annotations

from squall.api.output.forms.records import Encoded
from squall.api.output.reading import EncodedCache


def test_the_cache_forgets_the_oldest_beyond_its_size() -> None:
    cache = EncodedCache()
    big = Encoded(b"x" * (20 << 20), {})
    cache.put(("a",), big)
    assert cache.get(("a",)) is big
    cache.put(("b",), big)
    assert cache.get(("a",)) is None
    assert cache.get(("b",)) is big


def test_a_cleared_cache_has_room_again() -> None:
    cache = EncodedCache()
    piece = Encoded(b"x" * (5 << 20), {})
    cache.put(("a",), piece)
    cache.clear()
    assert cache.get(("a",)) is None
    cache.put(("b",), piece)
    cache.put(("c",), Encoded(b"x" * (3 << 20), {}))
    assert cache.get(("b",)) is piece
