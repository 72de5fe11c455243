"""The dashboard in a real browser: create a link, follow it, see its click counted; with JavaScript and without."""

import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.shortener.dashboard.conftest import Server

COUNTED_WITHIN = 30.0  # seconds from a click to its count on the page; the ingester takes about one
# A headless browser says so, and is then counted as the bot that it is.
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no chromium on the PATH; install Debian's package `chromium`")
    with sync_playwright() as playwright:
        # A root user in a container has no sandbox; the pages are our own.
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


class Destination(BaseHTTPRequestHandler):
    """A site that links lead to."""

    def do_GET(self) -> None:
        body = b"<!doctype html><title>Arrived</title><p>Arrived"
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def destination() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Destination) as site:
        thread = threading.Thread(target=site.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{site.server_port}"
        site.shutdown()
        thread.join()


class Complaints:
    """What the browser's console said of a page: errors of scripts, of the policy, of loading."""

    def __init__(self, page: Page) -> None:
        self.found: list[str] = []
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.found.append(str(error)))

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.found.append(message.text)


def sign_in(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/dashboard")
    page.get_by_label("API key").fill(server.admin_key)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Shorten a link")).to_be_visible()


def until(page: Page, seen: Callable[[], bool]) -> None:
    """Reload until `seen`: the click is counted by another process."""
    end = time.monotonic() + COUNTED_WITHIN
    while not seen():
        assert time.monotonic() < end, f"not seen within {COUNTED_WITHIN} s on {page.url}: {page.inner_text('main')}"
        page.wait_for_timeout(100)
        page.reload()


@pytest.mark.parametrize("javascript", [True, False], ids=["with JavaScript", "without JavaScript"])
def test_a_link_is_created_followed_and_its_click_counted(
    server: Server, browser: Browser, destination: str, javascript: bool
) -> None:
    context = browser.new_context(java_script_enabled=javascript, locale="en-GB")
    page = context.new_page()
    complaints = Complaints(page)
    sign_in(page, server)

    page.get_by_label("Address to shorten").fill(f"{destination}/from?a=browser")
    page.get_by_role("button", name="Shorten").click()
    created = page.get_by_role("status")
    expect(created).to_contain_text("Your link is ready")
    short_url = created.get_by_role("link").first.get_attribute("href")
    assert short_url is not None
    assert re.fullmatch(re.escape(server.url) + "/[0-9A-Za-z]{6}", short_url)

    visitor = browser.new_context(user_agent=FIREFOX, locale="de-DE").new_page()
    visitor.goto(short_url)
    expect(visitor).to_have_title("Arrived")
    assert visitor.url == f"{destination}/from?a=browser"
    visitor.context.close()

    page.get_by_role("link", name="Clicks and settings").click()
    all_time = page.locator(".tiles div", has_text="All time").locator("dd").first
    until(page, lambda: all_time.inner_text() == "1")
    # The title of the tab says it too, and the drawing tells those who can't see it.
    assert "1 click" in page.title()
    assert "1 click:" in (page.locator("#chart-desc").text_content() or "")
    expect(page.get_by_role("region", name="Browsers")).to_contain_text("Firefox")
    expect(page.get_by_role("region", name="Languages")).to_contain_text("German")
    page.get_by_text("The same as a table").click()
    expect(page.get_by_role("cell", name="1", exact=True).first).to_be_visible()

    assert complaints.found == []
    context.close()


def test_the_copy_button_copies_and_says_so(server: Server, browser: Browser) -> None:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    complaints = Complaints(page)
    sign_in(page, server)
    page.get_by_label("Address to shorten").fill("https://example.com/copied")
    page.get_by_role("button", name="Shorten").click()
    created = page.get_by_role("status")
    short_url = created.get_by_role("link").first.get_attribute("href")

    created.get_by_role("button", name="Copy").click()

    expect(created.get_by_role("button")).to_contain_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == short_url
    assert complaints.found == []
    context.close()


def test_without_javascript_there_is_no_button_that_does_nothing(server: Server, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    sign_in(page, server)
    page.get_by_label("Address to shorten").fill("https://example.com/no-script")
    page.get_by_role("button", name="Shorten").click()

    expect(page.get_by_role("status")).to_contain_text("Your link is ready")
    expect(page.get_by_role("button", name="Copy")).to_have_count(0)
    context.close()


def test_a_link_is_edited_and_deleted_without_javascript(server: Server, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    complaints = Complaints(page)
    sign_in(page, server)
    page.get_by_label("Address to shorten").fill("https://example.com/first-address")
    page.get_by_text("Options").click()
    page.get_by_label("Custom code").fill("edit-me")
    page.get_by_role("button", name="Shorten").click()
    page.get_by_role("link", name="Clicks and settings").click()

    page.get_by_label("Address it leads to").fill("https://example.com/second-address")
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_role("status")).to_contain_text("Saved")
    expect(page.get_by_role("link", name="https://example.com/second-address")).to_be_visible()

    page.get_by_role("link", name="Delete…").click()
    page.get_by_role("button", name="Delete the link").click()
    expect(page.get_by_role("status")).to_contain_text("edit-me")
    assert page.goto(f"{server.url}/dashboard/links/edit-me").status == 404  # type: ignore[union-attr]
    assert [found for found in complaints.found if "404" not in found] == []
    context.close()


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_no_page_is_wider_than_its_screen(server: Server, browser: Browser, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800})
    page = context.new_page()
    sign_in(page, server)
    long = "https://example.com/" + "a" * 600
    page.get_by_label("Address to shorten").fill(long)
    page.get_by_text("Options").click()
    page.get_by_label("Custom code").fill(f"{width}-" + "w" * 100)
    page.get_by_role("button", name="Shorten").click()

    link_page = f"/dashboard/links/{width}-" + "w" * 100
    for address in (page.url, server.url + link_page, f"{server.url}/dashboard?q={'x' * 300}"):
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, address
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(server: Server, browser: Browser, scheme: str) -> None:
    context = browser.new_context(color_scheme="dark" if scheme == "dark" else "light")
    page = context.new_page()
    sign_in(page, server)
    page.get_by_label("Address to shorten").fill("https://example.com/contrast")
    page.get_by_role("button", name="Shorten").click()
    listed = page.evaluate(CONTRAST)
    page.get_by_role("link", name="Clicks and settings").click()

    poor = [entry for entry in [*listed, *page.evaluate(CONTRAST)] if entry["ratio"] < 4.5]  # WCAG 2.2, 1.4.3
    assert poor == []
    context.close()


# Every element with text of its own, with the contrast of its colour to the nearest opaque ground behind it.
CONTRAST = """() => {
  const read = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = read(colour).map((v) => v / 255)
      .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if ((read(colour)[3] ?? 1) > 0.99) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    const unseen = ["OPTION", "TITLE", "DESC"].includes(element.tagName.toUpperCase());
    if (!own || unseen || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const text = element.namespaceURI.endsWith("svg") ? style.fill : style.color;
    const [a, b] = [light(text), light(ground(element))].sort((x, y) => y - x);
    found.push({text: element.textContent.trim().slice(0, 40), ratio: (a + 0.05) / (b + 0.05)});
  }
  return found;
}"""
