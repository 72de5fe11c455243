"""Requests made by hand, and an App asked without a socket."""

import json
from collections.abc import Mapping
from typing import Any

from hopline.http import App, ConnectionInfo, Head, Request, Response


def make_request(
    method: str,
    target: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    peer: tuple[str, int] | None = ("192.0.2.1", 50_000),
) -> Request:
    """A request as the connection hands it on."""
    lines = [f"{method} {target} HTTP/1.1", "host: sho.rt", *(f"{k}: {v}" for k, v in (headers or {}).items())]
    head = Head(ConnectionInfo(peer))
    head.raw = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
    head.lowered = head.raw.lower()
    head.method = method.encode()
    head.target = target.encode("latin-1")
    return Request(head, body)


class Caller:
    """Asks an App as a client with one API key would."""

    def __init__(self, app: App, key: str | None = None) -> None:
        self._app = app
        self.key = key

    async def ask(
        self,
        method: str,
        target: str,
        body: object = None,
        *,
        raw: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> "Answered":
        """Send `body` as JSON, or `raw` as it is; whatever comes back."""
        fields = {"authorization": f"Bearer {self.key}"} if self.key else {}
        content = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        if content:
            fields["content-type"] = "application/json"
        asked = make_request(method, target, headers={**fields, **(headers or {})}, body=content)
        result = self._app.dispatcher().call(asked)
        return Answered(result if isinstance(result, Response) else await result)


class Answered:
    """A response, with its body read."""

    def __init__(self, response: Response) -> None:
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.headers}
        self.body = response.body

    @property
    def json(self) -> Any:
        return json.loads(self.body)
