"""Compressed answers: which, how, and that they say so."""

import asyncio
import gzip
import threading
import zlib
from collections.abc import AsyncIterator, Callable, Iterator

import brotli  # type: ignore[import-untyped]
import pytest
import zstandard

from hopline.http import App, Response, compression
from hopline.http.fields import chosen_encoding
from hopline.http.middleware import encoders
from tests.http.asking import ask
from tests.http.server import Server

TEXT = b"all work and no play " * 100
LARGE = TEXT * 100
DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "br": lambda data: bytes(brotli.decompress(data)),
    "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
}
KINDS = {
    "/text": ("text/plain; charset=utf-8", True),
    "/json": ("application/problem+json", True),
    "/png": ("image/png", False),
    "/events": ("text/event-stream", False),
    "/none": (None, False),
}


def add_kind(app: App, path: str, kind: str | None) -> None:
    app.get(path)(lambda request: Response(TEXT, content_type=kind, headers=[("etag", '"1"'), ("accept-ranges", "b")]))


def make_app(gate: threading.Event) -> App:
    app = App()
    for path, (kind, _) in KINDS.items():
        add_kind(app, path, kind)

    async def parts() -> AsyncIterator[bytes]:
        yield TEXT
        await asyncio.to_thread(gate.wait, 10)
        yield LARGE

    app.get("/stream")(lambda request: Response(parts(), content_type="text/plain", length=len(TEXT + LARGE)))
    app.get("/large")(lambda request: Response(LARGE, content_type="text/plain"))
    app.get("/small")(lambda request: Response("small"))
    app.get("/part")(lambda request: Response(TEXT, 206, content_type="text/plain"))
    app.get("/encoded")(lambda request: Response(TEXT, content_type="text/a", headers=[("Content-Encoding", "x")]))
    app.get("/kept")(lambda request: Response(TEXT, content_type="text/a", headers=[("Cache-Control", "No-Transform")]))
    app.get("/304")(lambda request: Response(b"", 304, headers=[("etag", '"1"')]))
    app.use(compression())
    return app


@pytest.fixture
def gate() -> threading.Event:
    return threading.Event()


@pytest.fixture
def server(gate: threading.Event) -> Iterator[Server]:
    with Server(make_app(gate)) as running:
        yield running


@pytest.mark.parametrize("coding", DECODERS)
@pytest.mark.parametrize("path", ["/text", "/large", "/stream"])
def test_every_coding_gives_back_what_was_put_in(server: Server, gate: threading.Event, coding: str, path: str) -> None:
    gate.set()
    answer = ask(server, path, {"accept-encoding": coding})

    assert answer.headers["content-encoding"] == coding
    assert answer.headers["vary"] == "accept-encoding"
    assert len(answer.body) < 2000
    expected = {"/text": TEXT, "/large": LARGE, "/stream": TEXT + LARGE}[path]
    assert DECODERS[coding](answer.body) == expected


@pytest.mark.parametrize("path", KINDS)
def test_only_what_gains_from_it_is_compressed(server: Server, path: str) -> None:
    answer = ask(server, path, {"accept-encoding": "gzip"})

    assert ("content-encoding" in answer.headers) == KINDS[path][1]
    assert ("vary" in answer.headers) == KINDS[path][1]
    assert answer.headers["etag"] == ('W/"1"' if KINDS[path][1] else '"1"')
    assert ("accept-ranges" in answer.headers) != KINDS[path][1]


@pytest.mark.parametrize("path", ["/small", "/part", "/encoded", "/kept"])
def test_small_partial_encoded_and_protected_answers_are_left_alone(server: Server, path: str) -> None:
    answer = ask(server, path, {"accept-encoding": "gzip"})

    assert answer.headers.get("content-encoding") in (None, "x")
    assert answer.body in (TEXT, b"small")


def test_a_client_that_takes_no_coding_is_told_that_others_get_one(server: Server) -> None:
    answer = ask(server, "/text", {"accept-encoding": "deflate"})

    assert answer.body == TEXT
    assert answer.headers["vary"] == "accept-encoding"
    assert answer.headers["etag"] == '"1"'


def test_head_and_304_have_the_fields_of_the_whole_answer(server: Server) -> None:
    whole = ask(server, "/text", {"accept-encoding": "gzip"})
    head = ask(server, "/text", {"accept-encoding": "gzip"}, method="HEAD")
    unchanged = ask(server, "/304", {"accept-encoding": "gzip"})

    assert head.headers | {"date": ""} == whole.headers | {"date": ""}
    assert unchanged.headers["etag"] == 'W/"1"'
    assert unchanged.headers["vary"] == "accept-encoding"


def test_a_part_of_a_stream_can_be_read_before_the_next_is_there(server: Server, gate: threading.Event) -> None:
    with server.client() as client:
        client.sendall(b"GET /stream HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n")
        answer = client.makefile("rb")
        while answer.readline() != b"\r\n":
            pass
        decoder = zlib.decompressobj(31)
        assert decoder.decompress(answer.read(int(answer.readline(), 16))) == TEXT
        gate.set()


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        (None, None),
        ("", None),
        ("gzip", "gzip"),
        ("gzip, br", "br"),
        ("gzip;q=1.0, br;q=0.9", "gzip"),
        ("GZIP ; Q=0.5", "gzip"),
        ("x-gzip", "gzip"),
        ("*", "br"),
        ("*;q=0.5, br;q=0", "gzip"),
        ("gzip;q=0", None),
        ("gzip;q=0.000", None),
        ("gzip;q=0.5, identity", None),
        ("gzip;q=0.5, identity;q=0.5", "gzip"),
        ("gzip;q=2", None),
        ("gzip;q=-1", None),
        ("gzip;level=9", None),
        (",,gzip,", "gzip"),
        ("deflate", None),
    ],
)
def test_weights_choose_the_coding(accepted: str | None, chosen: str | None) -> None:
    assert chosen_encoding(accepted, ("br", "gzip")) == chosen


def test_the_codings_offered_can_be_named() -> None:
    app = App()
    app.get("/")(lambda request: Response(TEXT, content_type="text/plain"))
    app.use(compression(encodings=["gzip"], min_size=len(TEXT)))
    with Server(app) as server:
        assert ask(server, "/", {"accept-encoding": "br, zstd, gzip"}).headers["content-encoding"] == "gzip"
    with pytest.raises(ValueError, match="'lzma' can't be had here; there are zstd, br, gzip"):
        compression(encodings=["lzma"])


def test_large_bodies_are_compressed_off_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[str] = []

    class Noting(encoders._Gzip):
        def __init__(self) -> None:
            super().__init__()
            threads.append(threading.current_thread().name)

    monkeypatch.setattr(encoders, "_Gzip", Noting)
    app = App()
    app.get("/text")(lambda request: Response(TEXT, content_type="text/plain"))
    app.get("/large")(lambda request: Response(LARGE, content_type="text/plain"))
    app.use(compression(encodings=["gzip"]))
    with Server(app) as server:
        for path in ("/text", "/large"):
            ask(server, path, {"accept-encoding": "gzip"})

    assert not threads[0].startswith("asyncio_")
    assert threads[1].startswith("asyncio_")
