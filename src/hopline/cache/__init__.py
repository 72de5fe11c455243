"""A thread-safe cache for threads and tasks: exact LRU, times to live, one load a key.

Example::

    from hopline.cache import Cache

    users: Cache[int, str] = Cache(maxsize=10_000, ttl=60.0)
    name = users.get_or_load(7, lambda: "Ada")  # loaded once, however many threads ask
    assert name == "Ada"
    assert users.stats().loads == 1
"""

from hopline.cache.cache import Cache
from hopline.cache.protocol import CacheDeadlock, CacheError, CacheStats, Cause

__all__ = ["Cache", "CacheDeadlock", "CacheError", "CacheStats", "Cause"]
