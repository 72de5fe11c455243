"""What a measurement was made with and on: a figure without this means nothing later."""

import hashlib
import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

__all__ = ["ROOT", "about", "about_now_ended"]

ROOT = Path(__file__).resolve().parents[1]


def about() -> dict[str, object]:
    """Versions, machine and commit, for the head of a results file. To be called before the first measurement."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "source": _source(),
        "versions": _versions(),
        "machine": {
            "cpu": _first(Path("/proc/cpuinfo"), r"model name\s*:\s*(.+)"),
            "cores": os.cpu_count(),
            "memory_gib": round(int(_first(Path("/proc/meminfo"), r"MemTotal:\s*(\d+)") or 0) / 2**20, 1),
            "kernel": platform.release(),
        },
    }


def about_now_ended(begun: dict[str, object]) -> dict[str, object]:
    """`about()` of before, with whether the source has changed since: then it was no one program that was measured."""
    return {**begun, "changed_meanwhile": _source() != begun["source"]}


def _source() -> str:
    """A hash of all that is measured, committed or not."""
    digest = hashlib.sha256()
    for path in sorted((ROOT / "src").rglob("*")):
        if path.suffix in (".py", ".sql"):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in ("uvloop", "httptools"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    found["nginx"] = _said(["nginx", "-v"], r"nginx/(\S+)")
    found["go"] = _said(["go", "version"], r"go(\d\S*)")
    found["wrk"] = _said(["wrk", "-v"], r"wrk (\S+)")
    return found


def _said(command: list[str], pattern: str) -> str:
    try:
        output = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    except FileNotFoundError:
        return "not installed"
    match = re.search(pattern, output.stdout + output.stderr)
    return match[1] if match else "unknown"


def _commit() -> dict[str, object]:
    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=20)
        return done.stdout.strip()

    return {"id": git("rev-parse", "--short=12", "HEAD"), "dirty": bool(git("status", "--porcelain", "--", "src"))}


def _first(path: Path, pattern: str) -> str:
    try:
        match = re.search(pattern, path.read_text())
    except OSError:
        return ""
    return match[1].strip() if match else ""
