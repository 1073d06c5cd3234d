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
