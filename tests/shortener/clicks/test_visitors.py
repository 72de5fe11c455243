import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hopline.clock import ManualClock
from hopline.shortener.clicks import visitors as module
from hopline.shortener.clicks.visitors import GeoDatabaseError, VisitorKeyError, Visitors
from tests.shortener.clicks.clicking import NOW, Folder
from tests.shortener.clicks.mmdb import write_mmdb


@contextmanager
def opened(folder: Folder, geoip: Path | None = None, clock: ManualClock | None = None) -> Iterator[Visitors]:
    visitors = Visitors(folder.path, geoip, clock or folder.clock)
    visitors.open()
    yield visitors
    visitors.close()


def test_a_visitor_is_the_same_in_every_process_of_a_day(folder: Folder) -> None:
    with opened(folder) as one, opened(folder) as two:
        assert one.identify("198.51.100.7") == two.identify("198.51.100.7")
        assert one.identify("198.51.100.7") != one.identify("198.51.100.8")
        assert one.day == NOW // 86_400


def test_a_restart_within_the_day_changes_nothing(folder: Folder) -> None:
    with opened(folder) as visitors:
        before = visitors.identify("198.51.100.7")
    with opened(folder) as visitors:
        assert visitors.identify("198.51.100.7") == before


def test_the_next_day_everyone_is_new_in_all_processes_alike(folder: Folder) -> None:
    with opened(folder) as one, opened(folder) as two:
        before = one.identify("198.51.100.7")
        day = one.day
        folder.clock.advance(86_400)
        after = two.identify("198.51.100.7")
        assert after != before
        assert one.identify("198.51.100.7") == after
        assert one.day == two.day == day + 1


def test_refresh_moves_the_day_without_a_visitor(folder: Folder) -> None:
    with opened(folder) as visitors:
        folder.clock.advance(86_400)
        visitors.refresh()
        assert visitors.day == NOW // 86_400 + 1


def test_yesterdays_key_is_gone_from_the_disk(folder: Folder) -> None:
    path = folder.path / "visitor.key"
    with opened(folder) as visitors:
        key, inode = visitors._key, path.stat().st_ino
        assert key in path.read_bytes()
        folder.clock.advance(86_400)
        visitors.refresh()
        assert key not in path.read_bytes()
        # Overwritten where it stood: a new file would leave the old one's blocks behind.
        assert path.stat().st_ino == inode
        assert os.listdir(folder.path) == ["visitor.key"]  # noqa: PTH208 - names are what is compared


def test_only_the_owner_can_read_the_key(folder: Folder) -> None:
    with opened(folder):
        assert stat.S_IMODE((folder.path / "visitor.key").stat().st_mode) == 0o600


def test_a_clock_a_moment_behind_does_not_bring_yesterday_back(folder: Folder) -> None:
    behind, ahead = ManualClock(NOW // 86_400 * 86_400 - 0.1), ManualClock(NOW // 86_400 * 86_400)
    with opened(folder, clock=ahead) as one, opened(folder, clock=behind) as two:
        assert one.identify("198.51.100.7") == two.identify("198.51.100.7")
        behind.advance(1)
        assert one.identify("198.51.100.7") == two.identify("198.51.100.7")


@pytest.mark.parametrize("content", [b"", b"half", b"\0" * 48, b"\xff" * 48, b"x" * 500])
def test_a_damaged_key_file_is_replaced(folder: Folder, content: bytes) -> None:
    (folder.path / "visitor.key").write_bytes(content)
    with opened(folder) as one, opened(folder) as two:
        assert one.identify("198.51.100.7") == two.identify("198.51.100.7")
        assert (folder.path / "visitor.key").stat().st_size == 48


def test_a_key_that_can_not_be_renewed_costs_exactness_and_not_the_visit(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> None:
        raise OSError(5, "Input/output error")

    with opened(folder) as visitors:
        before = visitors.identify("198.51.100.7")
        monkeypatch.setattr(module, "_shared_key", fail)
        folder.clock.advance(86_400)
        after = visitors.identify("198.51.100.7")
        assert after[0] not in (0, before[0])
        assert visitors.identify("198.51.100.7") == after
    assert "can't be renewed" in caplog.text


def test_a_folder_that_can_not_be_used_is_an_error_at_the_start(folder: Folder) -> None:
    (folder.path / "visitor.key").mkdir()
    with pytest.raises(VisitorKeyError, match=r"visitor\.key' can't be used: Is a directory; give"):
        Visitors(folder.path, None, folder.clock).open()


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("198.51.100.7", "::ffff:198.51.100.7", True),
        ("fe80::1%eth0", "fe80::1%wlan0", True),
    ],
)
def test_a_household_is_one_network(folder: Folder, one: str, two: str, same: bool) -> None:
    with opened(folder) as visitors:
        assert (visitors.identify(one)[0] == visitors.identify(two)[0]) is same


@pytest.mark.parametrize("address", ["", "unix", "1.2.3", "1.2.3.4.5", "::g", "1.2.3.4\0", "é", "999.1.1.1"])
def test_what_is_no_address_is_nobody(folder: Folder, address: str) -> None:
    with opened(folder) as visitors:
        assert visitors.identify(address) == (0, b"\0\0")


COUNTRIES = {
    "8.8.8.0/24": {"country": {"iso_code": "US"}},
    "2a00::/16": {"country": {"iso_code": "DE"}},
    "9.9.9.0/24": {"registered_country": {"iso_code": "CH"}},
    "1.1.1.0/24": {"traits": {"x": "y"}},
    "1.0.0.0/24": {"country": {"iso_code": "nonsense"}},
    "192.168.0.0/16": {"country": {"iso_code": "XX"}},
}


@pytest.mark.parametrize(
    ("address", "country"),
    [
        ("8.8.8.8", b"US"),
        ("::ffff:8.8.8.8", b"US"),
        ("2a00::1", b"DE"),
        ("9.9.9.9", b"CH"),
        ("1.1.1.1", b"\0\0"),
        ("1.0.0.1", b"\0\0"),
        ("5.5.5.5", b"\0\0"),
        ("127.0.0.1", b"\0\0"),
        ("::1", b"\0\0"),
        ("192.168.1.1", b"\0\0"),
        ("fe80::1%eth0", b"\0\0"),
        ("nonsense", b"\0\0"),
    ],
)
def test_a_country_comes_from_the_database(folder: Folder, address: str, country: bytes) -> None:
    with opened(folder, write_mmdb(folder.path / "c.mmdb", COUNTRIES)) as visitors:
        assert visitors.identify(address)[1] == country


def test_without_a_database_there_is_no_country(folder: Folder) -> None:
    with opened(folder) as visitors:
        assert visitors.identify("8.8.8.8")[1] == b"\0\0"


def test_a_database_that_is_none_is_an_error_at_the_start(folder: Folder) -> None:
    path = folder.path / "c.mmdb"
    visitors = Visitors(folder.path, path, folder.clock)
    with pytest.raises(GeoDatabaseError, match=r"c\.mmdb' can't be opened: No such file or directory; give"):
        visitors.open()
    for content in (b"", b"this is no database"):
        path.write_bytes(content)
        with pytest.raises(GeoDatabaseError, match=r"c\.mmdb' is not a MaxMind database: .*; give"):
            visitors.open()
    write_mmdb(path, COUNTRIES, kind="GeoLite2-ASN")
    with pytest.raises(GeoDatabaseError, match=r"is of type 'GeoLite2-ASN', which has no countries; give"):
        visitors.open()
