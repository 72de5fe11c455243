"""API keys in a real links.db, shared between threads and processes."""

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hopline.clock import ManualClock
from hopline.shortener.access import ApiKeys, InvalidKey, Role
from hopline.shortener.links.link import StoreUnavailable

HOUR = 3600.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "links.db"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def keys(path: Path, clock: ManualClock) -> Iterator[ApiKeys]:
    with ApiKeys(path, clock) as keys:
        yield keys


def test_a_key_is_found_by_its_secret_and_by_its_id(keys: ApiKeys, clock: ManualClock) -> None:
    info, secret = keys.create("deploy", "editor")

    assert secret.startswith("hop_")
    assert len(secret) == 47
    assert (info.name, info.role, info.created_at) == ("deploy", Role.EDITOR, int(clock.time() * 1000))
    found = keys.verify(secret)
    assert found is not None
    assert found.id == info.id
    assert keys.get(info.id) is not None


@pytest.mark.parametrize("wrong", ["", "hop_", "hop_" + "a" * 43, "é", "\udc80", "\0", "x" * 1_000_000])
def test_another_secret_finds_nothing(keys: ApiKeys, wrong: str) -> None:
    keys.create("deploy", "editor")

    assert keys.verify(wrong) is None
    assert keys.get(wrong[:50].replace("\udc80", "")) is None


def test_no_secret_is_stored(keys: ApiKeys, path: Path) -> None:
    _, secret = keys.create("deploy", "editor")
    keys.verify(secret)

    for file in path.parent.iterdir():
        assert secret.encode() not in file.read_bytes()
        assert secret[4:].encode() not in file.read_bytes()


def test_a_database_without_keys_knows_no_secret(keys: ApiKeys, path: Path) -> None:
    sqlite3.connect(path).close()
    path.touch()

    assert keys.verify("hop_" + "a" * 43) is None


def test_no_database_is_an_outage_not_a_wrong_key(keys: ApiKeys) -> None:
    with pytest.raises(StoreUnavailable, match=r"links\.db': unable to open"):
        keys.verify("hop_" + "a" * 43)


def test_a_database_that_is_none_is_an_outage(keys: ApiKeys, path: Path) -> None:
    path.write_bytes(b"no database, but long enough to look at" * 100)

    with pytest.raises(StoreUnavailable, match="not a database"):
        keys.verify("hop_" + "a" * 43)
    with pytest.raises(StoreUnavailable, match="not a database"):
        keys.create("deploy", "editor")


def test_a_revoked_key_is_refused_at_once_by_another_process(keys: ApiKeys, path: Path) -> None:
    info, secret = keys.create("deploy", "editor")
    program = (
        "import sys; from pathlib import Path; from hopline.shortener.access import ApiKeys\n"
        "keys = ApiKeys(Path(sys.argv[1]))\n"
        "for _ in sys.stdin: print(keys.verify(sys.argv[2]) is not None, flush=True)\n"
        "keys.close()\n"
    )
    command = [sys.executable, "-c", program, str(path), secret]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdin is not None
        assert other.stdout is not None

        def asks() -> str:
            print("?", file=other.stdin, flush=True)
            return other.stdout.readline().strip() if other.stdout else ""

        assert asks() == "True"
        assert keys.revoke(info.id)
        assert asks() == "False"
        other.stdin.close()
        assert other.wait(10) == 0


def test_a_key_is_revoked_once_and_stays_listed(keys: ApiKeys, clock: ManualClock) -> None:
    info, secret = keys.create("deploy", "editor")
    clock.advance(5)

    assert keys.revoke(info.id)
    assert not keys.revoke(info.id)
    assert not keys.revoke("nobody")
    assert keys.verify(secret) is None
    assert keys.get(info.id) is None
    (listed,) = keys.list()
    assert listed.revoked
    assert listed.revoked_at == info.created_at + 5000


def test_use_is_noted_once_an_hour(keys: ApiKeys, clock: ManualClock) -> None:
    info, secret = keys.create("deploy", "editor")
    first = int(clock.time() * 1000)

    keys.verify(secret)
    clock.advance(HOUR - 1)
    keys.verify(secret)
    assert keys.list()[0].last_used_at == first

    clock.advance(1)
    keys.verify(secret)
    assert keys.list()[0].last_used_at == first + int(HOUR * 1000)
    assert keys.list()[0].id == info.id


def test_a_use_that_cannot_be_noted_still_counts(keys: ApiKeys, path: Path, clock: ManualClock) -> None:
    _, secret = keys.create("deploy", "editor")
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")

    assert keys.verify(secret) is not None

    writer.rollback()
    writer.close()
    keys.verify(secret)
    assert keys.list()[0].last_used_at is None
    clock.advance(1)
    keys.verify(secret)
    assert keys.list()[0].last_used_at is not None


def test_the_first_key_is_made_once(keys: ApiKeys) -> None:
    secret = keys.ensure_admin()

    assert secret is not None
    info = keys.verify(secret)
    assert info is not None
    assert (info.name, info.role) == ("admin", Role.ADMIN)
    assert keys.ensure_admin() is None
    assert len(keys.list()) == 1


def test_the_first_key_can_be_chosen(keys: ApiKeys) -> None:
    chosen = "c" * 40

    assert keys.ensure_admin(chosen) == chosen
    assert keys.verify(chosen) is not None
    assert keys.ensure_admin(chosen) is None


def test_a_first_key_that_was_revoked_does_not_come_back(keys: ApiKeys, caplog: pytest.LogCaptureFixture) -> None:
    chosen = "c" * 40
    keys.ensure_admin(chosen)
    keys.revoke(keys.list()[0].id)

    assert keys.ensure_admin(chosen) is None
    assert keys.verify(chosen) is None
    assert "it counts at the first start only" in caplog.text


def test_first_starts_at_once_make_one_key(path: Path) -> None:
    barrier = threading.Barrier(4)

    def start(_: int) -> str | None:
        with ApiKeys(path) as keys:
            barrier.wait(10)
            return keys.ensure_admin()

    ApiKeys(path).list()  # the file is there, in WAL mode: which two can't make it at once is the supervisor's lock
    with ThreadPoolExecutor(4) as threads:
        made = [secret for secret in threads.map(start, range(4)) if secret is not None]

    assert len(made) == 1


@pytest.mark.parametrize(
    ("name", "role", "says"),
    [
        ("", "editor", "can't be named ''; use 1 to 100 printable characters"),
        (" ", "editor", "can't be named"),
        ("a\nb", "editor", r"can't be named 'a\\nb'"),
        ("n" * 101, "editor", "can't be named"),
        ("deploy", "root", "there is no role 'root'; choose one of admin, editor, viewer"),
    ],
)
def test_a_bad_name_or_role_makes_no_key(keys: ApiKeys, name: str, role: str, says: str) -> None:
    with pytest.raises(InvalidKey, match=says):
        keys.create(name, role)

    assert keys.list() == []


def test_a_role_allows_what_lesser_roles_allow(keys: ApiKeys) -> None:
    allowed = {role: [other for other in Role if keys.create("k", role)[0].may(other)] for role in Role}

    assert allowed == {
        Role.VIEWER: [Role.VIEWER],
        Role.EDITOR: [Role.VIEWER, Role.EDITOR],
        Role.ADMIN: [Role.VIEWER, Role.EDITOR, Role.ADMIN],
    }


def test_many_threads_look_up_at_once_and_are_all_closed(keys: ApiKeys, path: Path) -> None:
    _, secret = keys.create("deploy", "editor")
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: keys.verify(secret), range(400)))

    assert all(found)
    keys.close()
    keys.close()
    assert keys.verify(secret) is not None


def test_a_path_with_odd_characters_is_opened_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a?b#c%41 d" / "links.db"
    path.parent.mkdir()
    with ApiKeys(path) as keys:
        _, secret = keys.create("deploy", "editor")

        assert keys.verify(secret) is not None
        assert path.exists()
