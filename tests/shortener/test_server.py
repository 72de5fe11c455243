"""The whole server, as its users meet it: over HTTP, with real processes."""

import concurrent.futures
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tests.shortener.serving import Hopline, environment, eventually, hopline_command, serving

CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"


@pytest.fixture(scope="module")
def hopline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hopline]:
    with serving(tmp_path_factory.mktemp("hopline"), "--workers", "2") as running:
        yield running


def test_a_link_is_made_followed_and_counted(hopline: Hopline) -> None:
    made = hopline.create("https://example.com/a?b=c")
    assert len(made["short_code"]) == 6
    assert made["short_url"] == f"{hopline.url}/{made['short_code']}"
    for _ in range(3):
        answer = httpx.get(made["short_url"], headers={"user-agent": CHROME}, trust_env=False)
        assert answer.status_code == 302
        assert answer.headers["location"] == "https://example.com/a?b=c"
        assert answer.headers["cache-control"] == "private, max-age=0"
    assert httpx.head(made["short_url"], trust_env=False).status_code == 302

    eventually(lambda: hopline.stats(made["short_code"])["clicks"] == 3)
    stats = hopline.stats(made["short_code"])
    assert (stats["humans"], stats["bots"], stats["heads"]) == (3, 0, 1)
    assert stats["by_browser"] == [{"value": "Chrome", "clicks": 3}]


def test_the_plain_form_of_the_source_is_served(hopline: Hopline) -> None:
    body = {"url": "https://example.com/plain", "custom_code": "plain", "user_id": "7"}
    answer = hopline.client.post("/shorten", json=body)

    assert answer.status_code == 201
    assert answer.json() == {"short_code": "plain", "short_url": f"{hopline.url}/plain"}


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"url": "javascript:alert(1)"}, 422, "url"),
        ({"url": "https://example.com/\r\nset-cookie: a=b"}, 422, "url"),
        ({"url": "https://example.com/", "custom_code": "api/x"}, 422, "custom_code"),
        ({"url": "https://example.com/", "redirect_status": 200}, 422, "redirect_status"),
        ({"url": "https://example.com/", "expires_at": "2001-01-01T00:00:00Z"}, 422, "expires_at"),
        ({"url": "https://example.com/", "expires": "tomorrow"}, 422, "expires"),
        ({}, 422, "url"),
    ],
)
def test_bad_input_is_refused_with_its_field(
    hopline: Hopline, body: dict[str, object], status: int, field: str
) -> None:
    answer = hopline.client.post("/api/v1/links", json=body)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert field in answer.text


def test_a_link_to_ourselves_is_refused(hopline: Hopline) -> None:
    assert hopline.client.post("/api/v1/links", json={"url": f"{hopline.url}/abc"}).status_code == 422


def test_errors_have_their_status(hopline: Hopline) -> None:
    hopline.create("https://example.com/", custom_code="taken")
    post = hopline.client.post
    headers = {"content-type": "application/json"}

    assert post("/api/v1/links", json={"url": "https://b.example/", "custom_code": "taken"}).status_code == 409
    assert post("/api/v1/links", content=b"{", headers=headers).status_code == 400
    assert post("/api/v1/links", content=b"x" * 2_000_000, headers=headers).status_code == 413
    assert httpx.post(f"{hopline.url}/api/v1/links", json={}, trust_env=False).status_code == 401
    assert httpx.get(f"{hopline.url}/nothing-here", trust_env=False).status_code == 404
    assert hopline.client.get("/api/v1/links/nothing-here").status_code == 404


def test_an_expired_link_is_gone(hopline: Hopline) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=0.7)).isoformat()
    hopline.create("https://example.com/", custom_code="brief", expires_at=soon)
    assert httpx.get(f"{hopline.url}/brief", trust_env=False).status_code == 302

    eventually(lambda: httpx.get(f"{hopline.url}/brief", trust_env=False).status_code == 410)
    page = httpx.get(f"{hopline.url}/brief", headers={"accept": "text/html"}, trust_env=False)
    assert "expired" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_an_edit_by_one_process_is_never_served_stale_by_another(hopline: Hopline) -> None:
    """Eight connections, spread over two workers, follow a link without pause while it is edited 40 times."""
    hopline.create("https://example.com/v/0", custom_code="edited")
    answered = [0]  # the newest version whose PATCH has been answered
    stop = threading.Event()

    def follow() -> int:
        looks = 0
        with httpx.Client(base_url=hopline.url, trust_env=False) as client:
            while not stop.is_set():
                at_least = answered[0]
                location = client.get("/edited").headers["location"]
                assert int(location.rsplit("/", 1)[1]) >= at_least
                looks += 1
        return looks

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        followers = [pool.submit(follow) for _ in range(8)]
        for version in range(1, 41):
            body = {"url": f"https://example.com/v/{version}"}
            assert hopline.client.patch("/api/v1/links/edited", json=body).status_code == 200
            answered[0] = version
        stop.set()
        looks = sum(follower.result(20) for follower in followers)
    assert looks > 40
    assert hopline.client.delete("/api/v1/links/edited").status_code == 204
    for _ in range(8):
        assert httpx.get(f"{hopline.url}/edited", trust_env=False).status_code == 404


def test_a_code_that_was_unknown_is_found_once_it_is_made(hopline: Hopline) -> None:
    for _ in range(8):
        assert httpx.get(f"{hopline.url}/later", trust_env=False).status_code == 404
    hopline.create("https://example.com/later", custom_code="later")

    for _ in range(8):
        assert httpx.get(f"{hopline.url}/later", trust_env=False).status_code == 302


def test_health_and_figures_speak_for_all_processes(hopline: Hopline) -> None:
    assert httpx.get(f"{hopline.url}/health/live", trust_env=False).json()["status"] == "ok"
    assert httpx.get(f"{hopline.url}/health/ready", trust_env=False).json()["status"] == "ok"
    figures = httpx.get(f"{hopline.url}/metrics", trust_env=False).text

    assert "hopline_processes 3.0" in figures  # two workers and the ingester
    assert "hopline_journal_dropped_total 0.0" in figures


def test_a_second_server_on_the_folder_is_refused(hopline: Hopline) -> None:
    arguments = hopline_command("serve", "--port", "0", "--data-dir", str(hopline.data_dir))
    second = subprocess.run(arguments, capture_output=True, text=True, timeout=30, check=False)

    assert second.returncode != 0
    assert f"in use by process {hopline.process.pid}" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_port_that_is_taken_is_named(hopline: Hopline, tmp_path: Path) -> None:
    arguments = hopline_command("serve", "--port", str(hopline.port), "--data-dir", str(tmp_path / "data"))
    env = {**os.environ, **environment(tmp_path)}
    second = subprocess.run(arguments, capture_output=True, text=True, timeout=30, check=False, env=env)

    assert second.returncode != 0
    assert str(hopline.port) in second.stderr
    assert "Traceback" not in second.stderr


def test_links_and_clicks_outlive_a_clean_stop(tmp_path: Path) -> None:
    with serving(tmp_path) as first:
        first.create("https://example.com/kept", custom_code="kept")
        for _ in range(5):
            httpx.get(f"{first.url}/kept", trust_env=False)
        first.process.signal(signal.SIGTERM)
        assert first.process.wait(20) == 0
        assert "as set in HOPLINE_ADMIN_KEY" in first.process.output()
    with serving(tmp_path) as second:
        assert httpx.get(f"{second.url}/kept", trust_env=False).headers["location"] == "https://example.com/kept"
        eventually(lambda: second.stats("kept")["clicks"] == 6)
        assert "Admin key" not in second.process.output()


def test_the_first_key_is_shown_once_and_an_old_folder_is_remembered(tmp_path: Path) -> None:
    with serving(tmp_path, env={"HOPLINE_ADMIN_KEY": ""}) as first:
        shown = first.process.output()
        key = next(word for word in shown.split() if word.startswith("hop_"))
        answer = httpx.get(f"{first.url}/api/v1/me", headers={"x-api-key": key}, trust_env=False)
        assert answer.json()["role"] == "admin"
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    with serving(moved, env={"XDG_STATE_HOME": str(tmp_path / "state")}) as other:
        assert "new and empty" in other.process.output()
        assert str(tmp_path / "data") in other.process.output()


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        (["--port", "99999"], "port"),
        (["--base-url", "ftp://x"], "base"),
        (["--geoip-db", "/nonexistent"], "nonexistent"),
    ],
)
def test_bad_settings_are_one_clear_line(tmp_path: Path, flags: list[str], complaint: str) -> None:
    arguments = hopline_command("serve", "--data-dir", str(tmp_path / "data"), *flags)
    failed = subprocess.run(arguments, capture_output=True, text=True, timeout=30, check=False)

    assert failed.returncode != 0
    assert complaint in failed.stderr
    assert "Traceback" not in failed.stderr
    assert len(failed.stderr.strip().splitlines()) == 1
