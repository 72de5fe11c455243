"""The load generator: wrk with a browser's requests, on its own core; and a look at what it will be answered."""

import json
import re
import resource
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from benchmarks.pinned import CLIENT_CORE, BenchmarkError

__all__ = ["CONNECTIONS", "Load", "check_redirect", "load"]

CONNECTIONS = 32
_SCRIPT = Path(__file__).with_name("peers") / "browser.lua"


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk counted. Up to `in_flight` more requests were sent, whose answers it did not wait for."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    in_flight: int
    client_cpu: float  # seconds that wrk itself has used

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.requests / self.seconds


def load(port: int, path: str, depth: int, seconds: float) -> Load:
    """Run wrk for `seconds`. BenchmarkError where it met a single error."""
    command = ["taskset", "-c", str(CLIENT_CORE), "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s"]
    command += ["--timeout", "10s", "-s", str(_SCRIPT), f"http://127.0.0.1:{port}", "--", str(depth), path]
    before = _children_cpu()
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds + 30)
    except subprocess.TimeoutExpired as error:
        raise BenchmarkError(f"wrk did not end in {seconds + 30:.0f} s") from error
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines or not lines[-1].startswith("{"):
        raise BenchmarkError(f"wrk ended with {done.returncode}: {done.stderr.strip() or done.stdout.strip()}")
    said = json.loads(lines[-1])
    if said["failed"]:
        raise BenchmarkError(f"wrk met {said['failed']} errors:\n{done.stdout}")
    return Load(
        requests=said["requests"],
        seconds=said["microseconds"] / 1e6,
        p50_ms=said["p50_us"] / 1000,
        p99_ms=said["p99_us"] / 1000,
        in_flight=CONNECTIONS * depth,
        client_cpu=_children_cpu() - before,
    )


def _children_cpu() -> float:
    """Seconds of all processes that this one has started and seen end."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def check_redirect(port: int, path: str, url: str, depth: int) -> int:
    """See to it that `depth` pipelined requests get as many right redirects; how many were asked for."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: Mozilla/5.0\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request * depth)
        with connection.makefile("rb") as answers:
            for _ in range(depth):
                _check_answer(answers, url)
    return depth


def _check_answer(answers: IO[bytes], url: str) -> None:
    status = answers.readline()
    fields: dict[str, str] = {}
    while (line := answers.readline().strip()) and len(fields) < 100:
        name, _, value = line.decode("latin-1").partition(":")
        fields[name.lower()] = value.strip()
    answers.read(int(fields.get("content-length", "0")))
    if not re.match(rb"HTTP/1\.1 302 ", status) or fields.get("location") != url:
        raise BenchmarkError(f"answered {status!r} to {fields.get('location')!r}, not 302 to {url!r}")
