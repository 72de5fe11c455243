"""A small stand-in for the server's API, in a thread, with faults on demand: real sockets, canned behaviour."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

KEY = "hop_test"


class FakeApi(ThreadingHTTPServer):
    """Links in a dict, by code, oldest first; faults are consumed one a bulk request, None for none."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.links: dict[str, dict[str, Any]] = {}
        self.faults: list[str | None] = []  # "busy", "busy-silent", "lost-before", "lost-after", "stall"
        self.now: float | None = None  # seconds since 1970; None for the machine's clock
        self.requests: list[str] = []
        self.batches: list[int] = []
        self.connections = 0
        self.raw: dict[str, tuple[int, str, bytes]] = {}  # path -> status, content type, body
        self.close_idle = False  # close each connection after its answer, without saying so
        self.fail_after: int | None = None  # pages answered before all others are cut off
        self.closed = 0
        self.lock = threading.Condition()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        with self.lock:
            self.closed += 1
            self.lock.notify_all()

    def wait_closed(self, connections: int) -> None:
        """Until so many connections have been closed by this side."""
        with self.lock:
            assert self.lock.wait_for(lambda: self.closed >= connections, timeout=10)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is what some tests are about."""

    def make(self, fields: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        url, code = fields.get("url", ""), fields.get("custom_code")
        if not url.startswith(("http://", "https://")):
            return 422, problem(422, "only http and https addresses can be shortened", "url")
        if code in self.links:
            return 409, problem(409, f"the code {code!r} is taken", "custom_code")
        short = code or f"gen{len(self.links):05d}"
        moment = datetime.fromtimestamp(time.time() if self.now is None else self.now, UTC)
        now = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self.links[short] = {
            "short_code": short,
            "short_url": f"https://sho.rt/{short}",
            "url": url,
            "created_at": now,
            "updated_at": now,
            "expires_at": fields.get("expires_at"),
            "user_id": fields.get("user_id"),
            "redirect_status": fields.get("redirect_status") or 302,
            "custom": code is not None,
        }
        return 201, self.links[short]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FakeApi

    def setup(self) -> None:
        self.server.connections += 1
        super().setup()

    def log_message(self, *args: Any) -> None:
        pass

    def date_time_string(self, timestamp: float | None = None) -> str:
        return formatdate(self.server.now, usegmt=True)

    def do_GET(self) -> None:
        self._handle({})

    def do_DELETE(self) -> None:
        self._handle({})

    def do_POST(self) -> None:
        self._handle(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def do_PATCH(self) -> None:
        self.do_POST()

    def _handle(self, body: dict[str, Any]) -> None:
        parts = urlsplit(self.path)
        path, query = unquote(parts.path), {key: values[0] for key, values in parse_qs(parts.query).items()}
        with self.server.lock:
            self.server.requests.append(f"{self.command} {path}")
            if path in self.server.raw:
                self._answer(*self.server.raw[path])
            elif self.headers.get("Authorization") != f"Bearer {KEY}":
                self._json(401, problem(401, "no API key was sent"))
            elif path == "/api/v1/links/bulk":
                self._bulk(body)
            elif self.command == "GET" and path == "/api/v1/links" and self.server.fail_after == 0:
                self._cut()
            elif path == "/api/v1/links":
                if self.server.fail_after is not None:
                    self.server.fail_after -= 1
                self._json(*(self.server.make(body) if self.command == "POST" else self._page(query)))
            else:
                self._one(path.removeprefix("/api/v1/links/"), body)
        if self.server.close_idle:
            self.close_connection = True

    def _bulk(self, body: dict[str, Any]) -> None:
        fault = self.server.faults.pop(0) if self.server.faults else None
        if fault in ("busy", "busy-silent"):
            retry = {"Retry-After": "7"} if fault == "busy" else {}
            self._json(503, problem(503, "the store is busy"), retry)
            return
        if fault == "lost-before":
            self._cut()
            return
        self.server.batches.append(len(body["links"]))
        results = []
        for fields in body["links"]:
            status, answer = self.server.make(fields)
            results.append({"status": status, "link" if status == 201 else "error": answer})
        if fault == "lost-after":
            self._cut()
            return
        created = sum(result["status"] == 201 for result in results)
        self._json(200, {"results": results, "created": created, "refused": len(results) - created})

    def _page(self, query: dict[str, str]) -> tuple[int, dict[str, Any]]:
        found = [link for link in reversed(self.server.links.values()) if query.get("search", "") in link["url"]]
        start, limit = int(query.get("cursor", 0)), int(query.get("limit", 50))
        following = start + limit
        return 200, {
            "links": found[start:following],
            "next_cursor": str(following) if following < len(found) else None,
        }

    def _one(self, code: str, body: dict[str, Any]) -> None:
        code = code.removesuffix("/stats")
        link = self.server.links.get(code)
        if link is None:
            self._json(404, problem(404, f"no link {code!r}"))
        elif self.command == "DELETE":
            del self.server.links[code]
            self._answer(204, "", b"")
        else:
            link.update(body)
            self._json(200, link)

    def _json(self, status: int, value: object, headers: dict[str, str] | None = None) -> None:
        self._answer(status, "application/json", json.dumps(value).encode(), headers)

    def _answer(self, status: int, kind: str, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


def problem(status: int, detail: str, field: str | None = None) -> dict[str, Any]:
    """A body as RFC 9457 has it."""
    return {"type": "about:blank", "title": "refused", "status": status, "detail": detail, "field": field}


@contextmanager
def fake_api() -> Iterator[FakeApi]:
    """A running fake."""
    with FakeApi() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
