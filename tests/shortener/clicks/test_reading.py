"""What a reader makes of segments, whole and damaged, living and dead."""

import fcntl
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import example, given
from hypothesis import strategies as st

from hopline.shortener.clicks.reading import LARGEST_PIECE, SegmentReader
from hopline.shortener.clicks.segment import HEADER, MAGIC, MAX_PAYLOAD, is_segment, name_segment, segment_ms
from tests.shortener.clicks.clicking import click, read_segment, record

NAME = "1769860800000-0123456789abcdef.seg"
OTHER = "1769860800000-fedcba9876543210.seg"
PAYLOADS = st.lists(st.one_of(st.binary(max_size=60), st.just(MAGIC.to_bytes(2, "little") * 20)), max_size=12)


def segment(path: Path, content: bytes, tail: int = 4096) -> Path:
    file = path / NAME
    file.write_bytes(content + bytes(tail))
    return file


def joined(payloads: list[bytes]) -> bytes:
    return b"".join(record(payload, NAME) for payload in payloads)


@given(PAYLOADS, st.integers(0, 200))
def test_records_come_back_whatever_is_in_them(payloads: list[bytes], tail: int) -> None:
    with TemporaryDirectory() as path:
        found, reader = read_segment(segment(Path(path), joined(payloads), tail))
    assert found == payloads
    assert (reader.finished, reader.damaged, reader.skipped) == (True, 0, 0)
    assert reader.position == len(joined(payloads))


@given(PAYLOADS, st.data())
def test_damage_anywhere_costs_only_the_records_it_touches(payloads: list[bytes], data: st.DataObject) -> None:
    whole = joined(payloads)
    at = data.draw(st.integers(0, max(0, len(whole) - 1)))
    length = data.draw(st.integers(1, 80))
    noise = data.draw(st.binary(min_size=length, max_size=length))
    damaged = (whole[:at] + noise + whole[at + length :])[: len(whole)] if whole else b""
    with TemporaryDirectory() as path:
        found, reader = read_segment(segment(Path(path), damaged))
    ends = 0
    untouched = []
    for payload in payloads:
        start, ends = ends, ends + len(record(payload, NAME))
        if damaged[start:ends] == whole[start:ends] or _only_padding(whole, damaged, start, payload):
            untouched.append(payload)
    assert found == untouched
    assert reader.finished
    assert (reader.damaged > 0) == (len(untouched) < len(payloads) and _is_visible(damaged, payloads, untouched))


def _only_padding(whole: bytes, damaged: bytes, start: int, payload: bytes) -> bool:
    end = start + 8 + len(payload)
    return damaged[start:end] == whole[start:end]


def _is_visible(damaged: bytes, payloads: list[bytes], untouched: list[bytes]) -> bool:
    """Records at the end that were wiped to zeros look like an end that was never written."""
    kept = len(joined(payloads[: len(untouched)])) if payloads[: len(untouched)] == untouched else 0
    return bool(damaged[kept:].strip(b"\0")) or payloads[: len(untouched)] != untouched


@given(PAYLOADS, st.data())
def test_a_segment_cut_short_gives_what_lies_before_the_cut(payloads: list[bytes], data: st.DataObject) -> None:
    whole = joined(payloads)
    cut = data.draw(st.integers(0, len(whole)))
    with TemporaryDirectory() as path:
        found, reader = read_segment(segment(Path(path), whole[:cut], tail=0))
    assert found == payloads[: len(found)]
    assert len(joined(found)) >= cut - len(record(payloads[len(found)], NAME)) if len(found) < len(payloads) else True
    assert reader.finished


def test_a_page_that_never_reached_the_disk_is_counted_and_skipped(tmp_path: Path) -> None:
    payloads = [click(link=number) for number in range(200)]
    whole = bytearray(joined(payloads))
    whole[8192:12288] = bytes(4096)
    found, reader = read_segment(segment(tmp_path, bytes(whole)))
    size = len(record(click(), NAME))
    first, last = 8192 // size, 12287 // size
    assert found == payloads[:first] + payloads[last + 1 :]
    assert (reader.damaged, reader.skipped) == (1, (last - first + 1) * size)


def test_records_behind_megabytes_of_zeros_are_found(tmp_path: Path) -> None:
    gap = bytes(3 * LARGEST_PIECE + 8)
    found, reader = read_segment(segment(tmp_path, joined([b"a"]) + gap + joined([b"b"]) + gap + joined([b"c"])))
    assert found == [b"a", b"b", b"c"]
    assert (reader.damaged, reader.skipped) == (2, 2 * len(gap))


def test_more_than_one_piece_is_read_without_a_gap(tmp_path: Path) -> None:
    payloads = [b"%d" % number * (number % 300) for number in range(20_000)]
    found, reader = read_segment(segment(tmp_path, joined(payloads)))
    assert found == payloads
    assert reader.damaged == 0


def test_the_largest_records_cross_every_border(tmp_path: Path) -> None:
    payloads = [bytes([number % 256]) * (MAX_PAYLOAD - number % 9) for number in range(600)]
    assert read_segment(segment(tmp_path, joined(payloads)))[0] == payloads


def test_a_torn_record_at_the_end_of_a_dead_segment_is_counted(tmp_path: Path) -> None:
    torn = record(b"x" * 100, NAME)
    found, reader = read_segment(segment(tmp_path, joined([b"a"]) + bytes(8) + torn[8:60]))
    assert found == [b"a"]
    assert (reader.damaged, reader.skipped, reader.finished) == (1, 64, True)


def test_a_record_inside_a_damaged_payload_is_not_taken_for_one(tmp_path: Path) -> None:
    # A visitor can put anything into a user agent, but doesn't know the id that checksums start from.
    forged = b"x" * 8 + record(b"forged", OTHER)
    whole = bytearray(joined([b"a", forged, b"b"]))
    whole[len(record(b"a", NAME)) + 4] ^= 1
    found, reader = read_segment(segment(tmp_path, bytes(whole)))
    assert found == [b"a", b"b"]
    assert reader.damaged == 1


def test_a_record_of_another_segment_is_damage(tmp_path: Path) -> None:
    found, reader = read_segment(segment(tmp_path, joined([b"a"]) + record(b"stray", OTHER) + joined([b"b"])))
    assert found == [b"a", b"b"]
    assert reader.damaged == 1


@example(MAX_PAYLOAD + 1)
@given(st.integers(0, 65_535))
def test_a_wrong_length_never_hides_the_next_record(length: int) -> None:
    if length == 4:
        return
    header = HEADER.pack(MAGIC, length, 12345)
    with TemporaryDirectory() as path:
        found, _ = read_segment(segment(Path(path), header + b"abcd\0\0\0\0" + joined([b"next"])))
    assert found == [b"next"]


def test_a_living_segment_is_waited_for(tmp_path: Path) -> None:
    path = segment(tmp_path, joined([b"a"]))
    second = record(b"b" * 20, NAME)
    at = len(joined([b"a"]))
    with path.open("r+b", buffering=0) as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        reader = SegmentReader(path)
        reader.open()
        assert reader.read(10, 1000) == [b"a"]
        assert (reader.read(10, 1000), reader.finished) == ([], False)
        writer.seek(at + 8)
        writer.write(second[8:])  # the payload, before its header
        assert (reader.read(10, 1000), reader.damaged) == ([], 0)
        writer.seek(at)
        writer.write(second[:8])
        assert reader.read(10, 1000) == [b"b" * 20]
        assert not reader.finished
    assert (reader.read(10, 1000), reader.finished) == ([], True)
    reader.close()


def test_reading_goes_on_from_a_stored_position(tmp_path: Path) -> None:
    path = segment(tmp_path, joined([b"a", b"b", b"c"]))
    reader = SegmentReader(path, len(joined([b"a"])))
    reader.open()
    assert reader.read(10, 1000) == [b"b", b"c"]
    reader.close()


def test_a_position_behind_the_end_of_the_file_is_the_end(tmp_path: Path) -> None:
    # After a power cut the database may know of records that the journal has lost.
    path = segment(tmp_path, b"", tail=0)
    reader = SegmentReader(path, 8000)
    reader.open()
    assert reader.read(10, 1000) == []
    assert (reader.finished, reader.damaged, reader.position) == (True, 0, 8000)
    reader.close()


def test_unread_bytes_are_known_without_reading(tmp_path: Path) -> None:
    payloads = [click()] * 5000
    path = segment(tmp_path, joined(payloads), tail=5 << 20)
    reader = SegmentReader(path)
    reader.open()
    # The padding of the last record may be zeros, which look unwritten.
    assert len(joined(payloads)) - 8 < reader.unread_bytes() <= len(joined(payloads))
    while reader.read(1000, 1 << 20):
        pass
    assert reader.unread_bytes() == 0
    reader.close()


def test_the_unused_rest_of_a_finished_segment_is_given_back(tmp_path: Path) -> None:
    path = segment(tmp_path, joined([b"a", b"b"]), tail=1 << 20)
    reader = SegmentReader(path)
    reader.open()
    reader.read(10, 1 << 20)
    reader.release_tail()
    reader.close()
    assert path.stat().st_size == len(joined([b"a", b"b"]))
    assert read_segment(path)[0] == [b"a", b"b"]


def test_names_sort_by_age_and_are_never_used_again() -> None:
    names = [name_segment(1_769_860_800 + second) for second in range(3) for _ in range(100)]
    assert len(set(names)) == 300
    assert sorted(names, key=lambda name: name[:13]) == names
    assert all(map(is_segment, names))
    assert segment_ms(names[-1]) == 1_769_860_802_000
    assert not any(map(is_segment, ["lock", f"x{NAME}", NAME.replace(".seg", ".new"), f"{NAME}.gz"]))
