"""The dashboard's routes: pages for people, rendered here, complete without JavaScript.

    /dashboard                          the links, and the form that makes one     list_page.py
    /dashboard/links/{code}             one link, its clicks, its form             link_page.py
    /dashboard/delete/{code}            asks, then deletes                         link_page.py
    /dashboard/qr/svg|png/{code}        its QR code                                link_page.py
    /dashboard/sign-in, /sign-out       the API key, for a session cookie          sign_in_page.py
    /dashboard/static/{name}            style sheet, script, logo                  assets.py

A code may hold slashes, which is why what is done to a link stands before its code and not behind it.
"""

from typing import Final
from urllib.parse import quote

from hopline.clock import Clock, SystemClock
from hopline.http import App, HTTPError, Request, Response
from hopline.shortener.access import Access
from hopline.shortener.dashboard.assets import Assets
from hopline.shortener.dashboard.context import Context
from hopline.shortener.dashboard.link_page import LinkPage
from hopline.shortener.dashboard.list_page import ListPage
from hopline.shortener.dashboard.pages import Pages
from hopline.shortener.dashboard.sessions import Sessions
from hopline.shortener.dashboard.sign_in_page import SignInPage
from hopline.shortener.links.service import LinkService
from hopline.shortener.settings import Settings

__all__ = ["register_dashboard"]

_HEADINGS: Final = {
    403: "That isn't allowed",
    404: "Nothing here",
    405: "That can't be done here",
    413: "That is too much",
    500: "Something went wrong",
    503: "Not right now",
}


def register_dashboard(
    app: App, service: LinkService, access: Access, settings: Settings, clock: Clock | None = None
) -> None:
    """Add the dashboard's routes and error pages to `app`. Reads templates and static files: OSError, TemplateError."""
    assets = Assets.load()
    pages = Pages.load(assets)
    sessions = Sessions(access, secure=settings.public_url.startswith("https://"))
    context = Context(service, sessions, pages, clock or SystemClock())
    _routes(app, context, settings)
    app.get("/dashboard/static/{name}")(assets.serve)
    app.on_error("/dashboard", ErrorPages(pages).answer)


def _routes(app: App, context: Context, settings: Settings) -> None:
    links = ListPage(context, settings.redirect_status)
    app.get("/dashboard")(links.show)
    app.post("/dashboard")(links.create)
    link = LinkPage(context)
    app.get("/dashboard/links/{code:path}")(link.show)
    app.post("/dashboard/links/{code:path}")(link.edit)
    app.get("/dashboard/delete/{code:path}")(link.confirm_delete)
    app.post("/dashboard/delete/{code:path}")(link.delete)
    app.get("/dashboard/qr/svg/{code:path}")(link.qr_svg)
    app.get("/dashboard/qr/png/{code:path}")(link.qr_png)
    sign_in = SignInPage(context)
    app.get("/dashboard/sign-in")(sign_in.show)
    app.post("/dashboard/sign-in")(sign_in.sign_in)
    app.post("/dashboard/sign-out")(sign_in.sign_out)


class ErrorPages:
    """What is shown for an HTTPError below /dashboard."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def answer(self, request: Request, error: HTTPError) -> Response:
        """A page; for a visitor who isn't signed in, the way to sign in and back to where they were going."""
        if error.status == 401:
            # The target of a GET only: a form can't be sent again from an address.
            target = request.target.decode("latin-1") if request.method in {"GET", "HEAD"} else "/dashboard"
            known = () if target == "/dashboard" else ("?next=" + quote(target, safe="/"),)
            return self._pages.see_other("/dashboard/sign-in" + "".join(known))
        heading = _HEADINGS.get(error.status, "That didn't work")
        detail = error.detail[:1].upper() + error.detail[1:]
        return self._pages.page("error.html", error.status, error.headers, visitor=None, heading=heading, detail=detail)
