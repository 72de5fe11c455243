"""An App under other servers: uvicorn, granian, and our own, by ASGI."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from hopline.testing import free_port

HERE = Path(__file__).parent
COMMANDS = {
    "uvicorn": ["uvicorn", "--log-level", "warning", "served:app", "--port"],
    "granian": ["granian", "--interface", "asgi", "--log-level", "error", "served:app", "--port"],
    "hopline": ["hopline", "http", "served:app", "--port"],
}


@contextlib.contextmanager
def running(server: str) -> Iterator[str]:
    port = free_port()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])}
    command = [sys.executable, "-m", *COMMANDS[server], str(port)]
    with subprocess.Popen(command, cwd=HERE, env=environment) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            until_answered(url, process)
            yield url
        finally:
            process.terminate()
            process.wait(20)


def until_answered(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert process.poll() is None, "the server ended"
        try:
            httpx.get(url)
            return
        except httpx.TransportError:
            time.sleep(0.05)
    raise TimeoutError(url)


@pytest.mark.parametrize("server", COMMANDS)
def test_an_app_runs_under(server: str) -> None:
    with running(server) as url, httpx.Client(base_url=url, headers={"x-a": "1"}) as client:
        assert client.get("/hello/a%20b?q=2").text == "started a b 2 1"
        head = client.head("/hello/ann")
        assert (head.content, head.headers["content-length"]) == (b"", str(len("started ann None 1")))
        raw = client.get("/raw")
        assert (raw.status_code, raw.headers["location"]) == (302, "/there")
        assert client.post("/size", content=b"x" * 100_000).text == "100000"
        assert client.post("/size", content=b"x" * 100_001).status_code == 413
        data = os.urandom(3_000_000)
        assert client.post("/echo", content=data).content == data
        assert [client.get(path).status_code for path in ("/fails", "/teapot", "/none")] == [500, 418, 404]
        assert client.post("/raw").status_code == 404
        cookies = client.get("/cookies")
        assert (cookies.status_code, cookies.headers.get_list("set-cookie")) == (204, ["a=1", "b=2"])
        with client.stream("GET", "/endless") as response:
            next(response.iter_raw())
        deadline = time.monotonic() + 10
        while not client.get("/state").json()["closed"]:
            assert time.monotonic() < deadline, "the stream was not closed when its client left"
            time.sleep(0.05)
