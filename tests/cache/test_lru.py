"""The pure core: order of use, room, and why each entry left."""

from hopline.cache.lru import Lru
from hopline.cache.protocol import Cause

FOREVER = float("inf")


def test_room_is_made_before_an_entry_is_stored() -> None:
    lengths: list[int] = []

    class Watched(Lru[int, int]):
        def _evict(self, now: float) -> tuple[int, int, Cause]:
            lengths.append(len(self))
            return super()._evict(now)

    lru = Watched(2)
    for key in range(5):
        lru.put(key, key, FOREVER, 0.0)

    assert lengths == [2, 2, 2]
    assert len(lru) == 2


def test_expired_entries_leave_before_a_living_one_has_to() -> None:
    lru: Lru[str, int] = Lru(2)
    lru.put("old", 1, FOREVER, 0.0)
    lru.put("expired", 2, 1.0, 0.0)

    assert lru.put("new", 3, FOREVER, 5.0) == [("expired", 2, Cause.EXPIRED)]
    assert [key for key, _ in lru.living(5.0)] == ["old", "new"]


def test_a_dead_entry_that_is_pushed_out_or_replaced_has_expired() -> None:
    lru: Lru[str, int] = Lru(1)
    lru.put("a", 1, 1.0, 0.0)
    assert lru.put("b", 2, 2.0, 1.0) == [("a", 1, Cause.EXPIRED)]  # due in the tick that is now
    assert lru.put("b", 3, 4.0, 2.0) == [("b", 2, Cause.EXPIRED)]
    assert lru.pop("b", 4.0) == ("b", 3, Cause.EXPIRED)
    assert lru.pop("b", 4.0) is None


def test_a_set_clears_a_bounded_number_of_expired_entries() -> None:
    lru: Lru[int, int] = Lru(100)
    for key in range(50):
        lru.put(key, key, 1.0, 0.0)

    assert len(lru.put(99, 99, FOREVER, 10.0)) == 2


def test_a_deadline_left_over_from_another_entry_does_no_harm() -> None:
    lru: Lru[str, int] = Lru(2)
    lru.put("a", 1, 10.0, 0.0)
    lru._deadlines.add("a", 1.0)  # what a finaliser that came between two steps could leave

    assert lru.expire(5.0, 10) == []
    assert lru.find("a") is not None
