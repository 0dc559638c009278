"""Cloud Storage's objects: preconditions, and uploads that arrive byte for byte."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from email.message import Message
from typing import Any
from urllib.parse import parse_qs, unquote
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from gcp_storage_emulator.storage import Storage

from standins.gcp.errors import ApiError, precondition_failed
from standins.http import raw_path, read_body

_UPLOAD = re.compile(r"^(?:/upload|/resumable/upload)?(?:/storage/v1)?/b/(?P<bucket>[-.\w]+)/o/?$")
_OBJECT = re.compile(r"^(?:/download)?(?:/storage/v1)?/b/(?P<bucket>[-.\w]+)/o/(?P<name>.+)$")
_DESTINATION = re.compile(r"/(?:copyTo|rewriteTo)/b/(?P<bucket>[-.\w]+)/o/(?P<name>.+)$")
_XML = re.compile(r"^/(?P<bucket>[-.\w]+)/(?P<name>.+)$")

#: Preconditions by their name in a query: the object's attribute, and whether it has to be the same.
_PRECONDITIONS = {
    "ifGenerationMatch": ("generation", True),
    "ifGenerationNotMatch": ("generation", False),
    "ifMetagenerationMatch": ("metageneration", True),
    "ifMetagenerationNotMatch": ("metageneration", False),
}
#: The same in the XML API, as headers.
_HEADERS = {
    "HTTP_X_GOOG_IF_GENERATION_MATCH": "ifGenerationMatch",
    "HTTP_X_GOOG_IF_METAGENERATION_MATCH": "ifMetagenerationMatch",
}


class Objects:
    """The emulator ignores preconditions: `ifGenerationMatch=0`, create only what does not exist yet, overwrites.

    They are checked here, for uploads of every kind, copies, changes, deletions and reads. An object that does not
    exist has generation 0.
    """

    def __init__(self, application: WSGIApplication, storage: Storage) -> None:
        self._application = application
        self._storage = storage

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers a WSGI request."""
        query = {
            key: values[0] for key, values in parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True).items()
        }
        wanted = {key: value for key, value in query.items() if key in _PRECONDITIONS}
        wanted |= {name: str(environ[header]) for header, name in _HEADERS.items() if header in environ}
        try:
            if wanted:
                self._check(wanted, *_target(environ, query))
        except ApiError as error:
            return error.reply().send(start_response)
        return self._application(environ, start_response)

    def _check(self, wanted: dict[str, str], bucket: str, name: str) -> None:
        found: dict[str, Any] = self._storage.objects.get(bucket, {}).get(name) or {
            "generation": "0",
            "metageneration": "0",
        }
        for precondition, value in wanted.items():
            attribute, same = _PRECONDITIONS[precondition]
            if (str(found[attribute]) == value) != same:
                raise precondition_failed()


def _target(environ: WSGIEnvironment, query: dict[str, str]) -> tuple[str, str]:
    """The bucket and the name of the object that a request reads or writes."""
    path = raw_path(environ)
    upload = _UPLOAD.match(path)
    if upload:
        return upload["bucket"], query.get("name") or str(_upload_metadata(environ).get("name", ""))
    match = _DESTINATION.search(path) or _OBJECT.match(path) or _XML.match(path)
    if match is None:
        raise ApiError(400, "INVALID_ARGUMENT", f"A precondition makes no sense at {path}.", "invalid")
    return match["bucket"], unquote(match["name"]).removesuffix("/compose")


def _upload_metadata(environ: WSGIEnvironment) -> dict[str, Any]:
    """The metadata that an upload sends in its body: all of it, or its first part."""
    body = read_body(environ)
    content_type = str(environ.get("CONTENT_TYPE", ""))
    if content_type.startswith("multipart/"):
        header = Message()
        header["Content-Type"] = content_type
        delimiter = b"--" + str(header.get_boundary()).encode()
        first = body.split(delimiter, 2)[1].replace(b"\r\n", b"\n")
        body = first.split(b"\n\n", 1)[1]
    elif not content_type.startswith("application/json"):
        return {}
    metadata: dict[str, Any] = json.loads(body or b"{}")
    return metadata
