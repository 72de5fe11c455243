"""Files from a folder: the right bytes with the right fields, and none from elsewhere."""

import gc
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hopline.clock import ManualClock
from hopline.http import App, StaticFiles, compression, static
from hopline.http.files import PIECE, FileParts, content_type, open_regular
from tests.http.asking import Answer, ask
from tests.http.server import Server, read_what_is_left

CHANGED = 1_600_000_000  # Sun, 13 Sep 2020 12:26:40 GMT
LARGE = os.urandom(3 * PIECE + 17)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with something of everything, beside a secret."""
    (tmp_path / "secret.txt").write_text("secret")
    folder = tmp_path / "www"
    (folder / "sub").mkdir(parents=True)
    (folder / "bare").mkdir()
    (folder / ".git").mkdir()
    for name, content in {
        "index.html": b"<p>home",
        "sub/index.html": b"<p>sub",
        "a b.txt": b"0123456789",
        "empty.css": b"",
        "large.bin": LARGE,
        ".env": b"secret",
        ".git/config": b"secret",
        "bare/file": b"bare",
        "app.js": b"plain",
        "app.js.br": b"brotli",
        "app.js.gz": b"gzip",
        "tab\tle\n.txt": b"odd",
    }.items():
        (folder / name).write_bytes(content)
        os.utime(folder / name, (CHANGED, CHANGED))
    return folder


def serving(folder: Path, prefix: str = "/", **settings: Any) -> Server:
    app = App()
    static(app, prefix, folder, **settings)
    return Server(app)


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    with serving(folder) as running:
        yield running


def test_a_file_comes_with_what_caches_need(server: Server, folder: Path) -> None:
    answer = ask(server, "/a%20b.txt")

    assert answer.status == 200
    assert answer.body == b"0123456789"
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-length"] == "10"
    assert answer.headers["last-modified"] == "Sun, 13 Sep 2020 12:26:40 GMT"
    assert answer.headers["etag"] == f'"a-{CHANGED * 10**9:x}-{(folder / "a b.txt").stat().st_ino:x}"'
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "cache-control" not in answer.headers
    assert ask(server, "/tab%09le%0A.txt").body == b"odd"


@pytest.mark.parametrize("path", ["/", "/index.html"])
def test_a_folder_is_its_index(server: Server, path: str) -> None:
    assert ask(server, path).body == b"<p>home"
    assert ask(server, path).headers["content-type"] == "text/html; charset=utf-8"


def test_a_folder_without_its_slash_leads_to_it_and_nowhere_else(server: Server) -> None:
    answer = ask(server, "/sub?a=b")
    assert answer.status == 308
    assert answer.headers["location"] == "./sub/?a=b"
    assert ask(server, "/sub/").body == b"<p>sub"
    for path in ("//sub", "//evil.example/..", "/bare", "/bare/", "/index.html/", "/sub//"):
        assert ask(server, path).status == 404, path


SECRETS = [
    "/../secret.txt", "/..%2fsecret.txt", "/%2e%2e/secret.txt", "/sub/../../secret.txt", "/sub/..%2f..%2fsecret.txt",
    "/.%2e/secret.txt", "//secret.txt", "/%2fetc/passwd", "/..%5csecret.txt", "/secret.txt%00.html", "/%00",
    "/./index.html", "/.env", "/.git/config", "/sub/../.env", "/%2eenv", "/out.txt", "/outside/secret.txt", "/loop",
    "/pipe", "/" + "a" * 300, "/%ff%fe", "/www/index.html", "/../www/index.html", "/../www-other/file", "/a b.txt/x",
]  # fmt: skip


@pytest.mark.parametrize("path", SECRETS)
def test_nothing_hidden_or_outside_can_be_had(server: Server, folder: Path, path: str) -> None:
    (folder / "out.txt").symlink_to(folder.parent / "secret.txt")
    (folder / "outside").symlink_to(folder.parent)
    (folder / "loop").symlink_to(folder / "loop")
    os.mkfifo(folder / "pipe")
    (folder.parent / "www-other").mkdir()
    (folder.parent / "www-other" / "file").write_text("secret")

    head = f"GET {path.replace(' ', '%20')} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    answer = server.talk(head.encode(), close=False)

    assert answer.startswith(b"HTTP/1.1 404")
    assert b"secret" not in answer


def test_links_inside_are_followed_and_dotfiles_shown_where_asked(folder: Path) -> None:
    (folder / "link.html").symlink_to("index.html")
    with serving(folder, dotfiles=True) as server:
        assert ask(server, "/link.html").body == b"<p>home"
        assert ask(server, "/.git/config").status == 200
        assert ask(server, "/%2e%2e/secret.txt").status == 404


def test_an_unreadable_file_is_not_there(server: Server, folder: Path) -> None:
    (folder / "a b.txt").chmod(0)
    assert ask(server, "/a%20b.txt").status == (200 if os.geteuid() == 0 else 404)  # root reads everything


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/a%20b.txt", "/large.bin", "/empty.css"])
def test_head_has_the_fields_of_get(server: Server, method: str, path: str) -> None:
    get, head = ask(server, path), ask(server, path, {"Range": "bytes=0-1"}, method="HEAD")

    assert head.status == 200
    assert head.headers | {"date": ""} == get.headers | {"date": ""}
    assert head.body == b""


def test_a_large_file_arrives_whole(server: Server) -> None:
    assert ask(server, "/large.bin").body == LARGE
    answer = ask(server, "/large.bin", {"Range": f"bytes=5-{PIECE + 100_000}"})
    assert answer.body == LARGE[5 : PIECE + 100_001]
    assert answer.headers["content-length"] == str(len(answer.body))


@pytest.mark.parametrize(
    ("asked", "status", "body", "content_range"),
    [
        ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=0-99", 206, b"0123456789", "bytes 0-9/10"),
        ("bytes=0-1,4-5", 200, b"0123456789", None),
        ("bytes=10-", 416, b"416 ", "bytes */10"),
    ],
)
def test_ranges(server: Server, asked: str, status: int, body: bytes, content_range: str | None) -> None:
    answer = ask(server, "/a%20b.txt", {"Range": asked})

    assert answer.status == status
    assert answer.body.startswith(body)
    assert answer.headers.get("content-range") == content_range


def test_conditions_spare_the_body_or_refuse(server: Server) -> None:
    whole = ask(server, "/a%20b.txt")
    etag = whole.headers["etag"]
    for sent in ({"If-None-Match": f'"x", W/{etag}'}, {"If-Modified-Since": whole.headers["last-modified"]}):
        answer = ask(server, "/a%20b.txt", {**sent, "Range": "bytes=0-1"})
        assert answer.status == 304
        assert answer.headers["etag"] == etag
        assert answer.body == b""
        assert "content-type" not in answer.headers
    assert ask(server, "/a%20b.txt", {"If-Match": '"x"'}).status == 412
    assert ask(server, "/a%20b.txt", {"If-Range": etag, "Range": "bytes=0-1"}).status == 206
    assert ask(server, "/a%20b.txt", {"If-Range": '"x"', "Range": "bytes=0-1"}).status == 200


def test_a_file_that_changes_has_another_etag(server: Server, folder: Path) -> None:
    before = ask(server, "/a%20b.txt").headers["etag"]
    (folder / "new").write_bytes(b"9876543210")
    os.utime(folder / "new", (CHANGED, CHANGED))
    (folder / "new").rename(folder / "a b.txt")

    assert ask(server, "/a%20b.txt", {"If-None-Match": before}).body == b"9876543210"


def test_a_date_to_come_is_not_told(folder: Path) -> None:
    clock = ManualClock(CHANGED - 1)
    with serving(folder, clock=clock) as server:
        assert "last-modified" not in ask(server, "/app.js").headers
        clock.advance(1)
        assert "last-modified" in ask(server, "/app.js").headers


def asked(folder: Path, accepted: str, **fields: str) -> Answer:
    with serving(folder, precompressed=["br", "gzip"]) as server:
        return ask(server, "/app.js", {"accept-encoding": accepted, **fields})


@pytest.mark.parametrize(
    ("accepted", "body", "coding"),
    [
        ("gzip, br", b"brotli", "br"),
        ("gzip", b"gzip", "gzip"),
        ("br;q=0.5, gzip", b"gzip", "gzip"),
        ("identity", b"plain", None),
        ("zstd", b"plain", None),
    ],
)
def test_compressed_siblings_are_sent_to_who_takes_them(
    folder: Path, accepted: str, body: bytes, coding: str | None
) -> None:
    answer = asked(folder, accepted)

    assert answer.body == body
    assert answer.headers.get("content-encoding") == coding
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["vary"] == "accept-encoding"
    assert asked(folder, accepted, **{"If-None-Match": answer.headers["etag"]}).status == 304
    other = "gzip" if coding != "gzip" else "identity"
    assert asked(folder, other, **{"If-None-Match": answer.headers["etag"]}).status == 200


def test_a_sibling_older_than_its_file_is_passed_over(folder: Path) -> None:
    os.utime(folder / "app.js.br", (CHANGED - 1, CHANGED - 1))
    assert asked(folder, "br, gzip").body == b"gzip"
    os.utime(folder / "app.js.gz", (CHANGED - 1, CHANGED - 1))
    assert asked(folder, "br, gzip").body == b"plain"


def test_compression_goes_around_files_too(folder: Path) -> None:
    (folder / "long.txt").write_bytes(b"x" * 100_000)
    app = App()
    app.use(compression(encodings=["gzip"]))
    static(app, "/", folder)
    with Server(app) as server:
        answer = ask(server, "/long.txt", {"accept-encoding": "gzip"})
        assert answer.headers["content-encoding"] == "gzip"
        assert len(answer.body) < 2000
        etag = answer.headers["etag"]
        assert etag.startswith("W/")
        again = ask(server, "/long.txt", {"accept-encoding": "gzip", "If-None-Match": etag})
        assert (again.status, again.headers["etag"]) == (304, etag)


def test_under_a_prefix_with_an_age(folder: Path) -> None:
    with serving(folder, "/assets/", max_age=60, immutable=True, index=None) as server:
        assert ask(server, "/assets/app.js").headers["cache-control"] == "public, max-age=60, immutable"
        for path in ("/assets/", "/assets/sub", "/assets/sub/", "/app.js"):
            assert ask(server, path).status == 404
        assert ask(server, "/assets/app.js", method="POST").headers["allow"] == "GET, HEAD, OPTIONS"


def descriptors() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def test_every_file_is_closed_however_it_ends(server: Server) -> None:
    ask(server, "/app.js")
    before = descriptors()
    for headers in ({}, {"If-None-Match": "*"}, {"If-Match": '"x"'}, {"Range": "bytes=99999999-"}):
        ask(server, "/large.bin", headers)
        ask(server, "/large.bin", headers, method="HEAD")
    with server.client() as client:  # and by a reader who leaves in the middle
        client.sendall(b"GET /large.bin HTTP/1.1\r\nHost: h\r\n\r\n")
        client.recv(1000)
    server.drain(2)
    gc.collect()
    assert descriptors() <= before  # less the listener, which drain has closed


async def test_a_file_is_closed_as_soon_as_it_is_sent(folder: Path) -> None:
    file = open_regular(folder / "large.bin")
    assert file is not None
    assert b"".join([piece async for piece in FileParts(file, range(file.size))]) == LARGE
    assert file.descriptor == -1


def test_a_file_that_is_cut_breaks_the_answer_off(folder: Path) -> None:
    size = 50_000_000  # more than all buffers on the way
    with (folder / "huge").open("wb") as huge:
        huge.truncate(size)
    with serving(folder) as server, server.client() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        client.sendall(b"GET /huge HTTP/1.1\r\nHost: h\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 200")
        os.truncate(folder / "huge", 1000)
        assert len(read_what_is_left(client)) < size
        assert server.stats().handler_errors == 1


def test_names_have_types_that_do_not_depend_on_the_machine() -> None:
    types = {
        "a.html": "text/html; charset=utf-8", "a.js": "text/javascript; charset=utf-8", "a.svg": "image/svg+xml",
        "a.JSON": "application/json", "a.woff2": "font/woff2", "a.wasm": "application/wasm", "a.webp": "image/webp",
        "a.tar.gz": "application/gzip", "a": "application/octet-stream", "a.unknown": "application/octet-stream",
        "data:text/html,x": "application/octet-stream", "a.js.br": "application/octet-stream",
    }  # fmt: skip
    assert {name: content_type(name) for name in types} == types


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"immutable": True}, "immutable needs max_age"),
        ({"max_age": -1}, "can't be negative"),
        ({"precompressed": ["lzma"]}, "'lzma' is not known; use br, gzip, zstd"),
    ],
)
def test_settings_that_can_not_work_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        StaticFiles(".", **settings)


def test_many_readers_at_once_get_their_own(server: Server) -> None:
    answers: list[bytes] = []

    def read() -> None:
        answers.append(ask(server, "/large.bin").body)

    threads = [threading.Thread(target=read) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert answers == [LARGE] * 20
