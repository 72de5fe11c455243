"""The API's routes, and which role each asks for.

    POST   /api/v1/links                editor   make a link                     links.py
    POST   /api/v1/links/bulk           editor   make up to 1,000
    GET    /api/v1/links                viewer   ?limit= &cursor= &search= &user_id=
    GET    /api/v1/links/{code}         viewer   one link
    PATCH  /api/v1/links/{code}         editor   change it; null takes a value away
    DELETE /api/v1/links/{code}         editor   remove it
    GET    /api/v1/links/{code}/stats   viewer   its clicks                      ?from= &to=
    GET    /api/v1/me                   viewer   the key that asks
    POST   /shorten                     editor   url in, short_code and short_url out

A code may hold slashes, as they are or as %2F; none ends in "/stats" (see links/custom_codes.py), so the address of
statistics is never that of a link. Errors are problem+json, see problems.py; bodies are read by reading.py.
"""

from hopline.http import App, Handler, HTTPError, Request, Response
from hopline.shortener.access import Access, KeyInfo, Role
from hopline.shortener.api.links import LinksResource
from hopline.shortener.api.problems import problem_answer, reporting
from hopline.shortener.api.showing import json_answer
from hopline.shortener.links.service import LinkService
from hopline.shortener.notices import notice

__all__ = ["register_api"]


def register_api(app: App, service: LinkService, access: Access) -> None:
    """Add the API's routes and the shape of its errors to `app`."""
    links = LinksResource(service)
    viewer, editor = access.require(Role.VIEWER), access.require(Role.EDITOR)

    def route(method: str, pattern: str, handler: Handler) -> None:
        app.route(pattern, [method])(reporting(handler))

    route("POST", "/api/v1/links", editor(links.create))
    route("POST", "/api/v1/links/bulk", editor(links.create_many))
    route("GET", "/api/v1/links", viewer(links.page))
    route("GET", "/api/v1/links/{code:path}", viewer(links.show))
    route("PATCH", "/api/v1/links/{code:path}", editor(links.change))
    route("DELETE", "/api/v1/links/{code:path}", editor(links.delete))
    route("GET", "/api/v1/links/{code:path}/stats", viewer(links.stats))
    route("GET", "/api/v1/me", viewer(me))
    route("POST", "/shorten", editor(links.shorten))
    app.on_error("/api/", problem_answer)
    app.on_error("/shorten", _shorten_error)


async def me(request: Request) -> Response:
    """GET /api/v1/me: the key that asks."""
    key: KeyInfo = request.state["key"]
    return json_answer({"id": key.id, "name": key.name, "role": key.role})


def _shorten_error(request: Request, error: HTTPError) -> Response:
    """A problem for /shorten itself; longer paths that begin like it are short codes, and visitors read pages."""
    return problem_answer(request, error) if request.path == "/shorten" else notice(request, error)
