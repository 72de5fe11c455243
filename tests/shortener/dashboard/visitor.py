"""A visitor of the dashboard who follows links and fills in forms, as a browser without JavaScript does."""

from html import unescape
from html.parser import HTMLParser
from typing import Self

import httpx

__all__ = ["Form", "Page", "PageVisitor"]


class Form:
    """A form of a page: where it is sent, and its fields as they stand."""

    def __init__(self, action: str, method: str) -> None:
        self.action = action
        self.method = method
        self.fields: dict[str, str] = {}


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given["action"], given["method"]))
        elif tag == "input" and self.forms and "name" in given:
            self.forms[-1].fields[given["name"]] = given.get("value", "")
        elif tag == "select" and self.forms:
            self._select = given["name"]
        elif tag == "option" and "selected" in given:
            self.forms[-1].fields[self._select] = given["value"]


class Page:
    """An answer, read as a page."""

    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        self.headers = response.headers
        self.url = response.url
        self.html = response.text
        self.content = response.content

    @property
    def text(self) -> str:
        """The markup with its character references resolved, for looking for words."""
        return unescape(self.html)

    def form(self, action: str) -> Form:
        """The form that is sent to `action`; LookupError where there is none."""
        parser = _Forms()
        parser.feed(self.html)
        for form in parser.forms:
            if form.action == action and form.method == "post":
                return form
        raise LookupError(f"no form is sent to {action!r}; there are {[form.action for form in parser.forms]}")


class PageVisitor:
    """Keeps cookies, follows redirects."""

    def __init__(self, url: str) -> None:
        self.client = httpx.Client(base_url=url, follow_redirects=True, trust_env=False, timeout=30)

    def get(self, path: str) -> Page:
        """The page at `path`."""
        return Page(self.client.get(path))

    def post(self, path: str, fields: dict[str, str]) -> Page:
        """The page that follows a form of `fields`."""
        return Page(self.client.post(path, data=fields))

    def fill(self, page_path: str, action: str, **typed: str) -> Page:
        """Open a page, fill in the form that goes to `action`, send it."""
        form = self.get(page_path).form(action)
        return self.post(action, {**form.fields, **typed})

    def sign_in(self, key: str) -> Page:
        """Sign in with `key`."""
        return self.fill("/dashboard/sign-in", "/dashboard/sign-in", key=key)

    def create(self, url: str, **typed: str) -> Page:
        """Make a link."""
        return self.fill("/dashboard", "/dashboard", url=url, **typed)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
