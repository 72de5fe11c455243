"""The API as a client meets it: a real server of two worker processes, real sockets."""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from hopline.shortener.access import ApiKeys
from hopline.testing import ServerProcess, free_port

HOPLINE = Path(sys.executable).with_name("hopline")
ADMIN_KEY = "hop_" + "a" * 43


@dataclass(frozen=True)
class Served:
    """Where the server is, and the keys it serves."""

    url: str
    data_dir: Path

    def client(self, key: str = ADMIN_KEY) -> httpx.Client:
        """A client on a connection of its own."""
        headers = {"authorization": f"Bearer {key}"}
        return httpx.Client(base_url=self.url, headers=headers, trust_env=False, timeout=30)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    data_dir, port = tmp_path_factory.mktemp("api"), free_port()
    env = {
        "HOPLINE_ADMIN_KEY": ADMIN_KEY,
        "HOPLINE_DATA_DIR": os.fspath(data_dir),
        "HOPLINE_PORT": str(port),
        "HOPLINE_WORKERS": "2",
    }
    with ServerProcess([HOPLINE, "serve"], address=("127.0.0.1", port), env=env, cwd=data_dir):
        yield Served(f"http://127.0.0.1:{port}", data_dir)


def test_a_link_lives_its_life(served: Served) -> None:
    with served.client() as client:
        made = client.post("/api/v1/links", json={"url": "https://example.com/1", "custom_code": "spring/sale"})
        assert made.status_code == 201
        location = made.headers["location"]

        assert client.get(location).json()["short_url"] == f"{served.url}/spring/sale"
        followed = client.get("/spring/sale")
        assert (followed.status_code, followed.headers["location"]) == (302, "https://example.com/1")
        changed = client.patch(location, json={"url": "https://example.com/2"})
        assert changed.json()["url"] == "https://example.com/2"
        assert client.get("/spring/sale").headers["location"] == "https://example.com/2"
        assert client.get(location + "/stats").status_code == 200
        assert client.delete(location).status_code == 204
        assert client.get("/spring/sale").status_code == 404


def test_a_body_over_the_limit_is_refused_before_it_is_read_whole(served: Served) -> None:
    with served.client() as client:
        answer = client.post("/api/v1/links/bulk", content=b"[" * 1_100_000)

    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_revoked_key_is_refused_by_every_process_with_its_next_request(served: Served) -> None:
    with ApiKeys(served.data_dir / "links.db") as keys:
        info, secret = keys.create("short-lived", "viewer")
        clients = [served.client(secret) for _ in range(8)]  # so many connections that both processes have some
        assert {client.get("/api/v1/me").status_code for client in clients} == {200}

        keys.revoke(info.id)

        assert {client.get("/api/v1/me").status_code for client in clients} == {401}
        for client in clients:
            client.close()
