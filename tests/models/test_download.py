"""Downloads from a real server that is well, ill or hostile."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from modelserver import Page, Site

from sottovoce.models.access import Access
from sottovoce.models.download import Downloads
from sottovoce.models.exceptions import SourceFailed, VerifyFailed
from sottovoce.models.remote_file import Remote

DATA = os.urandom(3_000_000)
SHA256 = hashlib.sha256(DATA).hexdigest()


class Fetcher:
    """Downloads into one folder, time after time."""

    def __init__(self, directory: Path, access: Access) -> None:
        self.directory = directory
        self.access = access
        self.told: list[tuple[int, int | None, str]] = []

    def __call__(self, *remotes: Remote) -> list[bytes]:
        """Download, and return the bytes; what was downloaded stays."""
        downloads = Downloads(self.directory, self.access, lambda *told: self.told.append(told))
        try:
            return [path.read_bytes() for path in downloads.fetch(remotes)]
        finally:
            downloads.close()

    def left(self) -> list[str]:
        """Return the names of partial files, without what is written beside them."""
        return sorted(path.name for path in self.directory.iterdir() if path.suffix == ".part")


@pytest.fixture
def fetch(tmp_path: Path, access: Access) -> Fetcher:
    """Return what downloads into a folder of this test's."""
    (tmp_path / "partial").mkdir()
    return Fetcher(tmp_path / "partial", access)


@pytest.mark.parametrize("known", [{}, {"size": len(DATA)}, {"sha256": SHA256}, {"size": len(DATA), "sha256": SHA256}])
def test_a_file_comes_whole(site: Site, fetch: Fetcher, known: dict[str, object]) -> None:
    """Whatever is known of a file beforehand, it comes as it is, and the progress ends at its size."""
    assert fetch(Remote(site.page("/m.bin", DATA), **known)) == [DATA]  # type: ignore[arg-type]
    assert fetch.told[-1] == (len(DATA), len(DATA), "")
    assert [done for done, _, _ in fetch.told] == sorted(done for done, _, _ in fetch.told)


@pytest.mark.parametrize("options", [{}, {"etag": None, "modified": "Wed, 21 Oct 2026 07:28:00 GMT"}])
def test_a_broken_transfer_goes_on_where_it_broke(site: Site, fetch: Fetcher, options: dict[str, str]) -> None:
    """Connections that break again and again cost no byte twice, and every one after the first names a validator."""
    assert fetch(Remote(site.page("/m.bin", DATA, drop_after=400_000, **options))) == [DATA]
    assert site.sent["/m.bin"] == len(DATA)
    requests = site.asked("/m.bin")
    assert len(requests) == 8
    assert "range" not in requests[0].headers
    assert {"range", "if-range"} <= set.intersection(*(set(request.headers) for request in requests[1:]))
    assert any("again in" in amiss for _, _, amiss in fetch.told)


def test_the_next_process_goes_on_too(site: Site, fetch: Fetcher) -> None:
    """What came before a server went down is kept, and the next try begins behind it."""
    url = site.page("/m.bin", DATA, drop_after=1_000_000)
    site.pages["/m.bin"].refusals = []
    fetch.access = replace(fetch.access, retry=replace(fetch.access.retry, attempts=1))
    with pytest.raises(SourceFailed, match=r"m\.bin: .* 1 times in a row; check the network .*1\.0 MB of it are kept"):
        fetch(Remote(url))
    site.pages["/m.bin"].drop_after = None
    assert fetch(Remote(url)) == [DATA]
    assert site.sent["/m.bin"] == len(DATA)


def test_a_file_that_is_whole_already_is_not_sent_again(site: Site, fetch: Fetcher) -> None:
    """A killed unpacking costs no second download: with a checksum not even a question, else one for the rest of it."""
    url = site.page("/m.bin", DATA)
    for remote, questions in ((Remote(url, len(DATA), SHA256), 1), (Remote(url), 2)):
        site.requests.clear()
        site.sent.clear()
        assert fetch(remote) == fetch(remote) == [DATA]
        assert len(site.asked("/m.bin")) == questions
        assert site.sent["/m.bin"] == len(DATA)


def test_a_file_that_changed_meanwhile_is_begun_anew(site: Site, fetch: Fetcher) -> None:
    """The bytes of two versions never meet: the validator differs, so the server sends all of the new one."""
    fetch.access = replace(fetch.access, retry=replace(fetch.access.retry, attempts=1))
    url = site.page("/m.bin", DATA, drop_after=1_000_000)
    with pytest.raises(SourceFailed):
        fetch(Remote(url))
    new = os.urandom(len(DATA))
    site.page("/m.bin", new)
    assert fetch(Remote(url)) == [new]
    assert site.asked("/m.bin")[-1].headers["range"] == "bytes=1000000-"


def test_without_a_validator_nothing_is_resumed_on_trust(site: Site, fetch: Fetcher) -> None:
    """Where nothing tells one version from another, a transfer begins at the beginning; a checksum makes up for it."""
    url = site.page("/m.bin", DATA, etag=None, drop_after=1_000_000, drops=1)
    assert fetch(Remote(url)) == [DATA]
    assert "range" not in site.asked("/m.bin")[1].headers
    site.page("/n.bin", DATA, etag=None, drop_after=1_000_000, drops=1)
    assert fetch(Remote(f"{site.url}/n.bin", sha256=SHA256)) == [DATA]
    assert site.asked("/n.bin")[1].headers["range"] == "bytes=1000000-"


def test_pieces_of_two_versions_are_told_by_the_checksum(site: Site, fetch: Fetcher) -> None:
    """A server that names no version and changed it in between is asked once more for all of it."""
    fetch.access = replace(fetch.access, retry=replace(fetch.access.retry, attempts=1))
    url = site.page("/m.bin", os.urandom(len(DATA)), etag=None, drop_after=1_000_000)
    with pytest.raises(SourceFailed):
        fetch(Remote(url, sha256=SHA256))
    site.page("/m.bin", DATA, etag=None)
    assert fetch(Remote(url, sha256=SHA256)) == [DATA]
    assert [("range" in request.headers) for request in site.asked("/m.bin")] == [False, True, False]


def test_a_server_without_ranges_is_endured(site: Site, fetch: Fetcher) -> None:
    """A server that begins anew each time ends well once it sends all, and is given up if it never does."""
    url = site.page("/m.bin", DATA, ranges=False, drop_after=1_000_000, drops=2)
    assert fetch(Remote(url)) == [DATA]
    assert site.sent["/m.bin"] == len(DATA) + 2_000_000
    site.page("/m.bin", DATA[:-1] + b"x", ranges=False, drop_after=1_000_000)
    with pytest.raises(SourceFailed, match="3 times in a row"):
        fetch(Remote(url))


def test_a_length_that_is_not_told(site: Site, fetch: Fetcher) -> None:
    """A server that tells no length is believed at the end of its answer, unless the catalogue knows better."""
    url = site.page("/m.bin", DATA, length=False)
    assert fetch(Remote(url)) == [DATA]
    with pytest.raises((SourceFailed, VerifyFailed), match=r"m\.bin"):
        fetch(Remote(url + "?again", size=len(DATA) + 1))


@pytest.mark.parametrize(
    ("known", "says"),
    [
        ({"sha256": "0" * 64}, "has sha256 .* instead of 000000000000"),
        ({"blob": "0" * 40}, "has git's checksum .* instead of 000000000000"),
        ({"size": 17}, "has 3000000 bytes and not the 17"),
    ],
)
def test_the_wrong_file_is_not_kept(site: Site, fetch: Fetcher, known: dict[str, object], says: str) -> None:
    """A file that is not the one that was meant is named and removed, and one of another length is not even begun."""
    url = site.page("/m.bin", DATA, hold_after=1000 if "size" in known else None)
    with pytest.raises(VerifyFailed, match=rf"/m\.bin {says}"):
        fetch(Remote(url, **known))  # type: ignore[arg-type]
    assert site.sent.get("/m.bin", 0) in ((0, 1000) if "size" in known else (len(DATA),))
    assert fetch.left() == []


@pytest.mark.parametrize(
    ("page", "says"),
    [
        (Page(b"<!DOCTYPE html><title>Sign in</title>", kind="text/html; charset=utf-8"), "a web page came instead"),
        (Page(b"\n<html>Sign in</html>"), "a web page came instead"),
        (Page(status=404), "answers 404 Not Found: it is not there"),
        (Page(status=403), "answers 403 Forbidden: it is not for everybody"),
        (Page(status=401), "answers 401 Unauthorized: it wants a token"),
        (Page(status=410), "answers 410 Gone: it was taken away"),
        (Page(status=418), "answers 418 "),
        (Page(status=302, headers={"Location": "/m.bin"}), "it redirects in a circle"),
        (Page(status=302, headers={"Location": "gopher://x/"}), "gopher"),
    ],
)
def test_what_will_not_get_better_is_asked_once(site: Site, fetch: Fetcher, page: Page, says: str) -> None:
    """A page instead of the file, and refusals for good, are told at once, with the address and what may help."""
    site.pages["/m.bin"] = page
    with pytest.raises(SourceFailed, match=rf"http://127\.0\.0\.1:\d+/m\.bin: .*{says}"):
        fetch(Remote(f"{site.url}/m.bin?key=secret"))
    assert "secret" not in "".join(amiss for _, _, amiss in fetch.told)
    if page.status != 302:
        assert len(site.asked("/m.bin")) == 1


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_may_get_better_is_asked_again(site: Site, fetch: Fetcher, status: int) -> None:
    """Servers that are busy or down are asked again; those that stay so are given up, by name."""
    url = site.page("/m.bin", DATA, refusals=[(status, {}), (status, {})])
    assert fetch(Remote(url)) == [DATA]
    assert len(site.asked("/m.bin")) == 3
    site.page("/m.bin", DATA + b"more", refusals=[(status, {})] * 3)
    with pytest.raises(SourceFailed, match=rf"answers {status} .*3 times in a row"):
        fetch(Remote(url))


def test_retry_after_is_obeyed(site: Site, fetch: Fetcher) -> None:
    """A server that wants a second gets it; one that wants an hour is told to the user instead."""
    url = site.page("/m.bin", DATA, refusals=[(429, {"Retry-After": "1"})])
    begun = time.monotonic()
    assert fetch(Remote(url)) == [DATA]
    assert time.monotonic() - begun >= 1.0
    site.page("/m.bin", DATA + b"more", refusals=[(503, {"Retry-After": "3600"})])
    with pytest.raises(SourceFailed, match=r"answers 503 .* left alone for 3600 s; pull again then"):
        fetch(Remote(url))


def test_nobody_there_is_told(site: Site, fetch: Fetcher) -> None:
    """A port on which nothing listens is a network problem, told after as many tries as were allowed."""
    with pytest.raises(SourceFailed, match=r"connect error .*3 times in a row; check the network"):
        fetch(Remote("http://127.0.0.1:1/m.bin"))


def test_a_connection_that_is_not_secure_is_told_at_once(site: Site, fetch: Fetcher) -> None:
    """TLS that fails for good is not tried again."""
    with pytest.raises(SourceFailed, match=r"no secure connection .*SSL_CERT_FILE"):
        fetch(Remote(site.url.replace("http:", "https:") + "/m.bin"))
    assert not any(amiss for _, _, amiss in fetch.told)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a certificate for this machine that nobody vouches for; its key is in the same file."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl to make a certificate; install the package openssl")
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    options = ["-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=here", "-addext", "subjectAltName=IP:127.0.0.1"]
    key = path.with_name("key.pem")
    subprocess.run(["openssl", "req", *options, "-keyout", key, "-out", path], check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + key.read_bytes())
    return path


@contextmanager
def secure(certificate: Path, answer: bytes) -> Iterator[str]:
    """Run a server that speaks TLS, gives everybody this answer, and is known by the address yielded."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            # A refusal is an OSError here, as one of the tests wants.
            with connection, suppress(OSError), context.wrap_socket(connection, server_side=True) as stream:
                stream.recv(1 << 16)
                stream.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        thread.join(30)


def test_a_certificate_that_nobody_vouches_for_is_refused(fetch: Fetcher, certificate: Path) -> None:
    """A server with a certificate of its own making is refused, and the text says what to look at."""
    with (
        secure(certificate, b"") as url,
        pytest.raises(SourceFailed, match=r"no secure connection .*certificate.*SSL_CERT_FILE"),
    ):
        fetch(Remote(f"{url}/m.bin"))


def test_encryption_is_not_given_up_on_the_way(
    site: Site, fetch: Fetcher, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate of one's own network is accepted by SSL_CERT_FILE; a redirect to plain HTTP is not."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with secure(certificate, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndata") as url:
        assert fetch(Remote(f"{url}/m.bin")) == [b"data"]
    location = site.page("/m.bin", DATA).encode()
    answer = b"HTTP/1.1 302 Found\r\nLocation: " + location + b"\r\nContent-Length: 0\r\n\r\n"
    with secure(certificate, answer) as url, pytest.raises(SourceFailed, match="without encryption"):
        fetch(Remote(f"{url}/m.bin"))
    assert [(fetch.directory / name).stat().st_size for name in fetch.left()] == [4]  # of the first of the two


def test_a_token_goes_to_nobody_else(site: Site, fetch: Fetcher) -> None:
    """A redirect to another host takes no token along; one to the same host does."""
    site.page("/m.bin", DATA)
    here = site.page("/here", status=302, headers={"Location": f"{site.url}/m.bin"})
    there = site.page("/there", status=302, headers={"Location": f"{site.other}/m.bin"})
    headers = {"Authorization": "Bearer hush"}
    assert fetch(Remote(here, headers=headers)) == [DATA]
    assert fetch(Remote(there, headers=headers)) == [DATA]
    assert [request.headers.get("authorization") for request in site.asked("/m.bin")] == ["Bearer hush", None]
    assert site.asked("/there")[0].headers["authorization"] == "Bearer hush"
    assert "hush" not in repr(Remote(there, headers=headers))
    assert "hush" not in "".join(path.read_text() for path in fetch.directory.glob("*.note"))


def test_files_come_side_by_side(site: Site, fetch: Fetcher) -> None:
    """Four files are under way at the same time, and the progress is that of all."""
    remotes = [Remote(site.page(f"/{name}", DATA + name.encode(), hold_after=1000)) for name in "abcd"]
    outcome: list[list[bytes]] = []
    thread = threading.Thread(target=lambda: outcome.append(fetch(*remotes)))
    thread.start()
    for _ in remotes:
        assert site.together.acquire(timeout=30)
    site.hold.set()
    thread.join(60)
    assert outcome == [[DATA + name.encode() for name in "abcd"]]
    assert fetch.told[-1][:2] == (4 * len(DATA) + 4,) * 2


def test_an_interrupt_ends_the_others_and_keeps_what_came(site: Site, fetch: Fetcher) -> None:
    """Ctrl-C in the midst of one file stops all of them at once, and their bytes stay for the next time."""
    url = site.page("/held", DATA, hold_after=2_000_000)

    def interrupt(done: int, total: int | None, amiss: str) -> None:
        if done >= 2_000_000:
            raise KeyboardInterrupt

    downloads = Downloads(fetch.directory, fetch.access, interrupt)
    with pytest.raises(KeyboardInterrupt):
        downloads.fetch([Remote(url)])
    downloads.close()
    site.hold.set()
    site.page("/held", DATA)
    assert fetch(Remote(url)) == [DATA]
    assert site.asked("/held")[-1].headers["range"] == "bytes=2000000-"


def test_two_downloads_of_one_file_are_one(site: Site, fetch: Fetcher) -> None:
    """Who finds that another one has the file under way waits for it and then has nothing left to ask but its end."""
    url = site.page("/m.bin", DATA, hold_after=1000)
    outcome: list[list[bytes]] = []
    threads = [threading.Thread(target=lambda: outcome.append(fetch(Remote(url, len(DATA), SHA256)))) for _ in "ab"]
    for thread in threads:
        thread.start()
    assert site.standing.wait(30)
    until(lambda: any("another process downloads" in amiss for _, _, amiss in fetch.told))
    site.hold.set()
    for thread in threads:
        thread.join(60)
    assert outcome == [[DATA], [DATA]]
    assert site.sent["/m.bin"] == len(DATA)


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that happens in another thread."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_proxy_is_used(site: Site, fetch: Fetcher, monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP_PROXY holds: the request goes to the proxy, with the whole address."""
    monkeypatch.setenv("HTTP_PROXY", site.url)
    site.page("/m.bin", DATA)
    assert fetch(Remote("http://models.example/m.bin")) == [DATA]
    assert site.asked("/m.bin")[0].headers["host"] == "models.example"


def test_a_proxy_that_cannot_be_used_is_told(site: Site, fetch: Fetcher, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of an unknown kind is one clear error."""
    monkeypatch.setenv("ALL_PROXY", "carrier-pigeon://roof")
    with pytest.raises(SourceFailed, match="proxy"):
        fetch(Remote(site.page("/m.bin", DATA)))
