"""A small HTTP client for the API: one kept connection, deadlines, and errors a person can act on.

A kept connection may have been closed by the server while it was idle (RFC 9112 section 9.3.1). It is
looked at before each request; a GET that still meets a closed one is sent once more on a new connection,
anything else is not, because the server may have acted on it.
"""

import http.client
import select
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self
from urllib.parse import SplitResult, quote, urlencode, urlsplit

from hopline.cli.errors import USAGE, CliError

__all__ = ["Answer", "Client", "ConnectionLost", "NoServer"]

_LARGEST_ANSWER: Final = 64 * 1024 * 1024


class NoServer(CliError):
    """No connection could be made: nothing was sent."""


class ConnectionLost(CliError):
    """The connection broke, or stayed silent, with a request under way: whether it was done is unknown."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def retry_after(self) -> float | None:
        """Seconds the server asks to wait; None where it doesn't say, or says it as a date."""
        value = self.headers.get("retry-after", "")
        return float(value) if value.isascii() and value.isdigit() and len(value) < 9 else None


class Client:
    """Requests to one server; the first one connects. Not thread-safe; close it, or use it in a `with`."""

    def __init__(
        self, server: str, key: str | None = None, connect_timeout: float = 5.0, read_timeout: float = 30.0
    ) -> None:
        parts = _split(server)
        self.server = server.rstrip("/")
        self._tls = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if self._tls else 80)
        self._prefix = parts.path.rstrip("/")
        self._key = key
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._connection: http.client.HTTPConnection | None = None

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """Send one request and read its answer whole, whatever its status. NoServer, ConnectionLost."""
        target = self._prefix + quote(path, safe="/~") + (f"?{urlencode(query)}" if query else "")
        kept = self._usable()
        try:
            return self._exchange(method, target, body)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError) as error:
            self.close()
            if not (kept and method == "GET"):
                raise self._lost(method, error) from error
        except (http.client.HTTPException, OSError) as error:
            self.close()
            raise self._lost(method, error) from error
        return self.request(method, path, query=query, body=body)  # on a new connection: `kept` is False there

    def close(self) -> None:
        """Close the connection; a later request opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _usable(self) -> bool:
        """Whether a kept connection is there; one with something to read between requests has been closed."""
        if self._connection is None or self._connection.sock is None:
            self._connection = None
            return False
        readable, _, _ = select.select([self._connection.sock], [], [], 0)
        if readable:
            self.close()
            return False
        return True

    def _exchange(self, method: str, target: str, body: bytes | None) -> Answer:
        connection = self._connection or self._connect()
        connection.request(method, target, body, self._headers(body))
        response = connection.getresponse()
        content = response.read(_LARGEST_ANSWER + 1)
        if len(content) > _LARGEST_ANSWER:
            self.close()
            raise CliError(f"{self.server} answered with more than {_LARGEST_ANSWER >> 20} MiB; ask for fewer links")
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, content)

    def _headers(self, body: bytes | None) -> dict[str, str]:
        headers = {"Accept": "application/json", "User-Agent": "hopline-cli"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self._key is not None:
            headers["Authorization"] = f"Bearer {self._key}"
        return headers

    def _connect(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._tls else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=self._connect_timeout)
        try:
            connection.connect()
        except (OSError, UnicodeError) as error:
            connection.close()
            raise NoServer(self._unreachable(error)) from error
        connection.sock.settimeout(self._read_timeout)
        self._connection = connection
        return connection

    def _unreachable(self, error: Exception) -> str:
        if isinstance(error, ssl.SSLError):
            return f"no trusted TLS connection to {self.server}: {error.reason or error}; check its certificate"
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return f"no server at {self.server} ({why.lower()}); start one with `hopline serve`"

    def _lost(self, method: str, error: Exception) -> ConnectionLost:
        if isinstance(error, TimeoutError):
            return ConnectionLost(f"{self.server} gave no answer within {self._read_timeout:g} s; try again later")
        what = str(error) or type(error).__name__
        return ConnectionLost(f"the connection to {self.server} broke during a {method} ({what}); try again")


def _split(server: str) -> SplitResult:
    """The parts of a server's address, or a usage error that shows what one looks like."""
    try:
        parts = urlsplit(server)
        names_a_host = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        if names_a_host and parts.username is None and not parts.query and not parts.fragment:
            return parts
    except ValueError:
        pass  # a port that is no number, an unfinished [IPv6] address
    raise CliError(f"not a server's address: {server!r}; one looks like http://127.0.0.1:8080", USAGE)
