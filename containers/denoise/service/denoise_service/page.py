"""The page for people: static files, sent with headers that let them load nothing from elsewhere."""

import os
from pathlib import Path
from urllib.parse import urlsplit

from flask import Blueprint, Response, abort, send_from_directory

from denoise_service.settings import Settings

_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
_INDEX = "index.html"


def page_routes(settings: Settings) -> Blueprint:
    """Return the routes `/` and `/page/…`."""
    routes = Blueprint("page", __name__)
    # Flask takes a relative folder as one beside the program.
    folder = settings.ddn_page_dir.absolute()
    policy = "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' blob: data:",
            f"connect-src 'self' {_buckets(settings)}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        )
    )

    @routes.get("/")
    def index() -> Response:
        response = send_from_directory(folder, _INDEX, mimetype="text/html", max_age=0)
        response.headers["Content-Security-Policy"] = policy
        response.headers["Cache-Control"] = "no-store"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        return _guarded(response)

    @routes.get("/page/<name>")
    def asset(name: str) -> Response:
        kind = _TYPES.get(Path(name).suffix)
        if kind is None:
            abort(404)
        response = send_from_directory(folder, name)
        response.headers["Content-Type"] = kind
        # The name holds a hash of the content.
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return _guarded(response)

    return routes


def _guarded(response: Response) -> Response:
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _buckets(settings: Settings) -> str:
    """Return the origins that the page uploads to and downloads from."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if endpoint:
        parts = urlsplit(endpoint)
        return f"{parts.scheme}://{parts.netloc}"
    buckets = (settings.ddn_in_bucket, settings.ddn_out_bucket)
    return " ".join(f"https://{each}.s3.{settings.aws_region}.amazonaws.com" for each in buckets)
