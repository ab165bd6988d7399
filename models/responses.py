"""What the answers of a server mean for a download: all of it, the rest of it, try again, or never."""

from __future__ import annotations

import re
import ssl
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import msgspec

from sottovoce.models.exceptions import SourceFailed, VerifyFailed
from sottovoce.models.partial import Note, Partial, without_query
from sottovoce.models.remote_file import Remote
from sottovoce.models.retry import TRANSIENT, retry_after

if TYPE_CHECKING:
    import httpx2

_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)\Z")
HTML = (b"<!doctype html", b"<html", b"<head", b"<script")
"""What a web page begins with, in small letters."""
ELSEWHERE = "name another source or mirror"


class Broken(Exception):
    """A transfer that ended early, or an answer that may be another one next time."""

    def __init__(self, why: str, after: float | None = None) -> None:
        super().__init__(why)
        self.after = after


def resume(remote: Remote, partial: Partial) -> tuple[int, dict[str, str]]:
    """Return from which byte to ask, and by which headers; from 0 where the old bytes cannot be told from others."""
    note, offset = partial.note, partial.size
    same = note.url == without_query(remote.url) and bool(note.validator) and partial.trusted
    if not offset or not (same or remote.sha256):
        return 0, dict(remote.headers)
    headers = dict(remote.headers) | {"Range": f"bytes={offset}-"}
    if same:
        headers["If-Range"] = note.validator
    return offset, headers


def refused(response: httpx2.Response, remote: Remote) -> None:
    """Raise what a status other than 200 and 206 means.

    Raises:
        Broken: it may be another one next time.
        SourceFailed: it will not.
    """
    status = response.status_code
    if status in (200, 206):
        return
    words = f"answers {status} {response.reason_phrase}".strip()
    if status in TRANSIENT:
        raise Broken(f"the server {words}", retry_after(response.headers.get("Retry-After")))
    advice = {
        401: remote.hint or "it wants a token",
        403: remote.hint or "it is not for everybody, or a proxy forbids it",
        404: remote.hint or "it is not there (any more); is the catalogue's version right?",
        407: "the proxy wants a password: put it into HTTPS_PROXY",
        410: "it was taken away",
    }.get(status, ELSEWHERE)
    raise SourceFailed(f"{remote.name}: the server {words}: {advice}")


def accepted(response: httpx2.Response, remote: Remote) -> Note:
    """Check the headers of an answer that bears the file, and return what is to be remembered.

    Raises:
        SourceFailed: it is a web page, or came without encryption where there was some.
        VerifyFailed: the file has another length than is known of it.
    """
    if remote.url.startswith("https:") and response.url.scheme != "https":
        raise SourceFailed(f"{remote.name}: it redirects to an address without encryption; {ELSEWHERE}")
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind in ("text/html", "application/xhtml+xml"):
        raise SourceFailed(web_page(remote))
    plain = response.headers.get("Content-Encoding", "identity").lower() == "identity"
    total: int | None = None
    if plain and response.status_code == 200 and (length := response.headers.get("Content-Length", "")).isdigit():
        total = int(length)
    elif plain and (found := _CONTENT_RANGE.match(response.headers.get("Content-Range", ""))) and found[2] != "*":
        total = int(found[2])
    if remote.size is not None and total is not None and total != remote.size:
        raise VerifyFailed(
            f"{remote.name} has {total} bytes and not the {remote.size} that are known of it; it was replaced, or a "
            "proxy answers for it: pull again, or correct the catalogue"
        )
    etag = response.headers.get("ETag", "") if plain else ""
    return Note(
        url=without_query(remote.url),
        etag="" if etag.startswith("W/") else etag,
        modified=response.headers.get("Last-Modified", "") if plain else "",
        total=remote.size if total is None else total,
    )


def continues(response: httpx2.Response, partial: Partial, offset: int, note: Note) -> None:
    """Check that a 206 begins where we are, and is of a file of the same length.

    Raises:
        Broken: it does not; the partial file begins anew.
    """
    found = _CONTENT_RANGE.match(response.headers.get("Content-Range", ""))
    before = partial.note.total
    if offset and found and found[1] == str(offset) and (None in (before, note.total) or before == note.total):
        partial.annotate(msgspec.structs.replace(note, total=before if note.total is None else note.total))
        return
    partial.restart(Note())
    raise Broken("the server sent another part than it was asked for")


def beyond_the_end(response: httpx2.Response, remote: Remote, partial: Partial) -> None:
    """Take a 416: nothing comes after what we have. That is all of it, or it was a part of another file.

    Raises:
        Broken: the latter; the partial file begins anew.
    """
    found = _CONTENT_RANGE.match(response.headers.get("Content-Range", ""))
    if found and found[2] == str(partial.size) and remote.size in (None, partial.size):
        partial.annotate(msgspec.structs.replace(partial.note, total=partial.size))
        return
    partial.restart(Note())
    raise Broken("the server has fewer bytes of it than are here")


def body(response: httpx2.Response) -> AsyncIterator[bytes]:
    """Return the bytes of an answer, each as it comes.

    (Whoever gathers chunks of a size loses what he has gathered when the connection breaks.)
    """
    if response.headers.get("Content-Encoding", "identity").lower() == "identity":
        return response.aiter_raw()
    return response.aiter_bytes()  # asked not to, a proxy compresses; then the length is unknown


def words_of(error: Exception, where: str) -> str:
    """Say in a few words why a request failed.

    Raises:
        SourceFailed: the next request would fail, too: certificates. `where` names the server.
    """
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            raise SourceFailed(
                f"{where}: no secure connection ({getattr(cause, 'verify_message', '') or cause.reason or cause}); "
                "check the clock, and where a proxy of your network opens connections, name its certificate in "
                "SSL_CERT_FILE"
            ) from error
    kind = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(error).__name__).lower()
    return f"{kind} ({error})" if str(error) else kind


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def web_page(remote: Remote) -> str:
    """Say that a page came, and what that may mean."""
    return (
        f"{remote.name}: a web page came instead of the file; does this network want you to sign in first, or a proxy "
        "stand between? Open the address in a browser"
    )
