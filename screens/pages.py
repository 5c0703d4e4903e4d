"""Pages, scripts and styles: public files without data, revalidated at every load, closed to all foreign."""

from __future__ import annotations

import hashlib
import importlib.util
import mimetypes
import re
from base64 import b64encode
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import RedirectResponse, Response

PAGES = ("wall", "phone", "touch", "console", "login")
# For people who are logged in; a wall explains itself what it is missing.
PERSONAL = {"/phone", "/touch", "/console"}
SESSION = "andon_session"  # the cookie of docs/api.md; what it is worth is not for a page to know
PLOTLY = "vendor/plotly.min.js"
SHARED = "/o/{token}"  # one customer's order; what the token is worth the API says, and the page is the same
PATHS = ("/", *(f"/{p}" for p in PAGES), SHARED, "/manifest.webmanifest", "/sw.js", "/static/{name:path}")
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-cache",  # kept, but asked for at every load: a wall runs what the hub runs
}
# Plotly writes style attributes; nothing inline may run but the import map, which is allowed by its hash.
_POLICY = (
    "default-src 'self'; script-src 'self'{hashes}; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; worker-src 'self'; connect-src 'self'; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_IMPORT_MAP = re.compile(rb"""<script type=["']?importmap["']?\s*>(.*?)</script>""", re.DOTALL)
_TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".webmanifest": "application/manifest+json"}


@dataclass(frozen=True, slots=True)
class Asset:
    body: bytes
    kind: str
    etag: str
    policy: str


def add_pages(router: APIRouter, static: Path) -> None:
    """`/wall` and its like, `/static/**`, the manifest and the service worker. All of it is public."""

    @router.get("/", include_in_schema=False)
    async def front_door() -> Response:
        return RedirectResponse("/wall", 307, HEADERS)

    for page in PAGES:
        _serve(router, f"/{page}", static / f"{page}.html")
    _serve_shared(router, static / "order.html")
    _serve(router, "/manifest.webmanifest", static / "manifest.webmanifest")
    _serve(router, "/sw.js", static / "sw.js")

    @router.api_route("/static/{name:path}", methods=["GET", "HEAD"], include_in_schema=False)
    def file(name: str, request: Request) -> Response:
        return answer(request, _inside(static, name))


def _serve(router: APIRouter, path: str, file: Path) -> None:
    @router.api_route(path, methods=["GET", "HEAD"], include_in_schema=False)
    def page(request: Request) -> Response:
        if path in PERSONAL and SESSION not in request.cookies:
            return _to_login(request)
        return answer(request, file)


def _serve_shared(router: APIRouter, file: Path) -> None:
    """Its address is the key to an order: it goes to nobody as a referrer, and into no search engine."""

    @router.api_route(SHARED, methods=["GET", "HEAD"], include_in_schema=False)
    def shared(token: str, request: Request) -> Response:
        found = answer(request, file)
        found.headers.update(
            {"Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex, nofollow, noarchive"}
        )
        return found


def _to_login(request: Request) -> Response:
    """Who never logged in is not sent through a page whose first question would be refused.

    The part behind `#` stays with the browser, which carries it along.
    """
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"/login?next={quote(wanted, safe='')}", 307, HEADERS)


def answer(request: Request, path: Path) -> Response:
    """200 with the file, or 304 when the browser has it already."""
    try:
        stat = path.stat()
        asset = _read(path, stat.st_mtime_ns, stat.st_size)
    except OSError:
        raise HTTPException(404) from None
    headers = {**HEADERS, "ETag": asset.etag, "Content-Security-Policy": asset.policy}
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    if asset.etag in known:
        return Response(status_code=304, headers=headers)
    return Response(asset.body, headers=headers, media_type=asset.kind)


@lru_cache(maxsize=256)
def _read(path: Path, changed: int, size: int) -> Asset:
    """Once for each version of the file: `changed` and `size` are there to tell versions apart."""
    body = path.read_bytes()
    kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    hashes = "".join(f" 'sha256-{_digest(found)}'" for found in _import_maps(path, body))
    return Asset(body, kind, f'"{hashlib.sha256(body).hexdigest()[:32]}"', _POLICY.format(hashes=hashes))


def _import_maps(path: Path, body: bytes) -> list[bytes]:
    """Import maps cannot be files of their own; each is allowed by its hash and nothing else inline is."""
    return _IMPORT_MAP.findall(body) if path.suffix == ".html" else []


def _digest(text: bytes) -> str:
    return b64encode(hashlib.sha256(text).digest()).decode()


def _inside(static: Path, name: str) -> Path:
    """The file of that name below `static`; Plotly is served out of its own package, so nothing is copied."""
    if name == PLOTLY:
        return plotly()
    if "\0" in name:
        raise HTTPException(404)
    root = static.resolve()
    path = (root / name).resolve()
    if not path.is_relative_to(root) or any(part.startswith(".") for part in path.relative_to(root).parts):
        raise HTTPException(404)
    return path


@lru_cache(maxsize=1)
def plotly() -> Path:
    """Found without importing the package, which would cost a second of the start."""
    spec = importlib.util.find_spec("plotly")
    if spec is None or not spec.submodule_search_locations:
        raise HTTPException(404)
    return Path(next(iter(spec.submodule_search_locations))) / "package_data" / "plotly.min.js"
