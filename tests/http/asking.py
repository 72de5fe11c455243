"""Whole requests and answers over a real socket, through the standard library's client."""

import http.client
from dataclasses import dataclass

from tests.http.server import Server

__all__ = ["Answer", "ask"]


@dataclass(frozen=True)
class Answer:
    """What came back; names of fields in lower case, repeated ones joined."""

    status: int
    headers: dict[str, str]
    body: bytes


def ask(server: Server, path: str, headers: dict[str, str] | None = None, *, method: str = "GET") -> Answer:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection(server.address[0], server.address[1], timeout=10)
    try:
        connection.request(method, path, headers={"accept-encoding": "identity", **(headers or {})})
        answer = connection.getresponse()
        fields: dict[str, str] = {}
        for name, value in answer.getheaders():
            key = name.lower()
            fields[key] = f"{fields[key]}, {value}" if key in fields else value
        return Answer(answer.status, fields, answer.read())
    finally:
        connection.close()
