"""Real HTTP servers for the store's tests: files with ranges and ETags, in good health and in bad; a small Hub.

Two names of one machine, `127.0.0.1` and `localhost`, are two hosts for a client, which is how redirects to another
host are tried.
"""

from __future__ import annotations

import hashlib
import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Page:
    """What is behind one address, and how it misbehaves."""

    data: bytes = b""
    status: int = 200
    kind: str = "application/octet-stream"
    etag: str | None = "auto"
    """ "auto": from the bytes; None: none."""
    modified: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    ranges: bool = True
    length: bool = True
    """Whether the length is told; else the end is where the connection ends."""
    claimed: int | None = None
    """The length that is told, if another one."""
    drop_after: int | None = None
    """Every connection breaks after so many bytes."""
    drops: int | None = None
    """How often; None for ever."""
    refusals: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    """Statuses with which the first requests are answered."""
    hold_after: int | None = None
    """Bytes after which `Site.hold` is waited for."""


@dataclass
class Request:
    """One that came."""

    method: str
    path: str
    headers: dict[str, str]


class Site:
    """A server and what it was asked.

    Attributes:
        pages: by path.
        requests: in the order of their coming.
        sent: bytes of bodies that went out, by path.
        hold: set it to let a page that stands go on.
        standing: set as soon as one stands.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.other = f"http://localhost:{port}"
        self.pages: dict[str, Page] = {}
        self.requests: list[Request] = []
        self.sent: dict[str, int] = {}
        self.hold = threading.Event()
        self.standing = threading.Event()
        self.together = threading.Semaphore(0)
        self.lock = threading.Lock()

    def asked(self, path: str) -> list[Request]:
        """Return the requests for one path."""
        return [request for request in self.requests if request.path == path and request.method == "GET"]

    def page(self, path: str, data: bytes = b"", **options: Any) -> str:
        """Put a page there and return its address."""
        self.pages[path] = Page(data, **options)
        return self.url + path

    def repository(
        self, name: str, files: dict[str, bytes], *, lfs: tuple[str, ...] = (), cdn: bool = True, **options: Any
    ) -> None:
        """Add a repository of the Hub with one commit; large files are elsewhere, at signed addresses of `cdn`."""
        siblings: list[dict[str, Any]] = []
        for path, data in files.items():
            blob = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
            digest = hashlib.sha256(data).hexdigest()
            entry: dict[str, Any] = {"rfilename": path, "size": len(data), "blobId": blob}
            resolve = f"/{name}/resolve/{COMMIT}/{path}"
            headers = {"X-Repo-Commit": COMMIT, "X-Linked-Size": str(len(data)), "X-Linked-Etag": f'"{digest}"'}
            if path in lfs:
                entry["lfs"] = {"sha256": digest, "size": len(data), "pointerSize": 134}
                store = f"/cdn/{digest}"
                self.page(store, data, etag=f'"{digest}"', **options)
                location = f"{self.other if cdn else self.url}{store}?X-Signature=secret"
                self.page(resolve, status=302, headers={"Location": location, **headers}, etag=f'"{digest}"')
            else:
                headers |= {"X-Linked-Etag": f'"{blob}"'}
                self.page(resolve, data, etag=f'"{blob}"', headers=headers, **options)
            self.pages[resolve.replace(COMMIT, "main")] = self.pages[resolve]
            siblings.append(entry)
        body = {"id": name, "modelId": name, "sha": COMMIT, "siblings": siblings, "private": False, "tags": []}
        for revision in ("main", COMMIT):
            self.page(f"/api/models/{name}/revision/{revision}", json.dumps(body).encode(), kind="application/json")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: Site

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, *, body: bool) -> None:
        path = unquote(urlsplit(self.path).path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        page = self.site.pages.get(path)
        with self.site.lock:
            self.site.requests.append(Request(self.command, path, headers))
            refusal = page.refusals.pop(0) if page is not None and page.refusals else None
        if page is None:
            page = Page(b"not here", status=404, kind="text/plain", etag=None)
        if refusal is not None:
            page = Page(b"no", status=refusal[0], kind="text/plain", etag=None, headers=refusal[1])
        etag = f'"{hashlib.md5(page.data, usedforsecurity=False).hexdigest()}"' if page.etag == "auto" else page.etag
        start, status = 0, page.status
        asked = re.fullmatch(r"bytes=(\d+)-", headers.get("range", ""))
        unchanged = headers.get("if-range") in (None, etag, page.modified or None)
        if asked and page.ranges and status == 200 and unchanged:
            start = int(asked[1])
            status = 206 if start < len(page.data) else 416
        data = b"" if status == 416 else page.data[start:]
        self.send_response(status)
        self.send_header("Content-Type", page.kind)
        if etag:
            self.send_header("ETag", etag)
        if page.modified:
            self.send_header("Last-Modified", page.modified)
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{len(page.data) - 1}/{len(page.data)}")
        if status == 416:
            self.send_header("Content-Range", f"bytes */{len(page.data)}")
        if page.length:
            self.send_header("Content-Length", str(len(data) if page.claimed is None else page.claimed))
        else:
            self.close_connection = True
            self.send_header("Connection", "close")
        for name, value in page.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.write(page, path, data)

    def write(self, page: Page, path: str, data: bytes) -> None:
        end = len(data)
        if page.drop_after is not None and page.drops != 0 and end > page.drop_after:
            end = page.drop_after
            if page.drops is not None:
                page.drops -= 1
        if page.hold_after is not None and page.hold_after < end:
            self.send(path, data[: page.hold_after])
            self.site.standing.set()
            self.site.together.release()
            self.site.hold.wait(60)
            data, end = data[page.hold_after :], end - page.hold_after
        self.send(path, data[:end])
        if end < len(data) or (page.claimed or 0) > len(data):
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

    def send(self, path: str, data: bytes) -> None:
        view = memoryview(data)
        try:
            for first in range(0, len(data), 1 << 16):
                self.wfile.write(view[first : first + (1 << 16)])
                with self.site.lock:
                    self.site.sent[path] = self.site.sent.get(path, 0) + len(view[first : first + (1 << 16)])
        except OSError:
            self.close_connection = True  # the client is gone, as the test wants

    def log_message(self, *args: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *args: object) -> None:
        """Say nothing: clients vanish here, and some speak TLS to it."""


@contextmanager
def serving() -> Iterator[Site]:
    """Run a server on this machine, on IPv4 alone."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        site = Site(server.server_port)
        server.RequestHandlerClass = type("Handler", (_Handler,), {"site": site})
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield site
        finally:
            site.hold.set()
            server.shutdown()
            thread.join()
