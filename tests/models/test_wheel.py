"""Downloads by pip from an index on this machine, and members out of archives."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sottovoce.models import DownloadFailed, NoSpace, archive, wheel
from sottovoce.models.source import WheelSource

SOURCE = WheelSource(requirement="tiny-model==1.0")
Build = Callable[..., Path]


@contextmanager
def index_of(path: Path, monkeypatch: pytest.MonkeyPatch, hold: threading.Event | None = None) -> Iterator[None]:
    """Serve a package index with this one wheel; with `hold`, its second half is sent once that is set."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not self.path.endswith(".whl"):
                body = f'<a href="/files/{path.name}">{path.name}</a>'.encode()
                self.reply(body, "text/html")
                self.wfile.write(body)
                return
            body = path.read_bytes()
            self.reply(body, "application/octet-stream")
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            if hold is not None:
                hold.wait(60)
            try:
                self.wfile.write(body[len(body) // 2 :])
            except ConnectionError:
                self.close_connection = True  # the client is gone, as the test wants

        def reply(self, body: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple")
        monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
        for variable in ("PIP_FIND_LINKS", "PIP_NO_INDEX", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.delenv(variable, raising=False)
        try:
            yield
        finally:
            if hold is not None:
                hold.set()
            server.shutdown()
            thread.join()


def running(argument: str) -> list[Path]:
    """Return the processes that have this on their command line."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            if argument.encode() in (process / "cmdline").read_bytes():
                found.append(process)
    return found


def test_progress_rises_to_the_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, build_wheel: Build) -> None:
    """A download over HTTP reports bytes done of bytes in all, from nothing to everything."""
    built = build_wheel(tmp_path / "index", {"tiny_model/a.bin": os.urandom(600_000)})
    seen: list[tuple[int, int | None]] = []
    (tmp_path / "got").mkdir()
    with index_of(built, monkeypatch):
        path = wheel.fetch(SOURCE, tmp_path / "got", lambda done, total: seen.append((done, total)))
    size = built.stat().st_size
    assert path.read_bytes() == built.read_bytes()
    assert seen[0] == (0, size)
    assert seen[-1] == (size, size)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_an_interrupt_ends_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, build_wheel: Build) -> None:
    """Ctrl-C in the midst of a download leaves no pip behind that goes on with it."""
    built = build_wheel(tmp_path / "index", {"tiny_model/a.bin": os.urandom(600_000)})
    (tmp_path / "got").mkdir()

    def interrupt(done: int, total: int | None) -> None:
        assert running(str(tmp_path / "got"))
        raise KeyboardInterrupt

    with index_of(built, monkeypatch, threading.Event()), pytest.raises(KeyboardInterrupt):
        wheel.fetch(SOURCE, tmp_path / "got", interrupt)
    assert not running(str(tmp_path / "got"))
    assert not list((tmp_path / "got").iterdir())


def test_a_folder_of_wheels_will_do(wheelhouse: Path, tmp_path: Path) -> None:
    """pip's own settings hold: here a folder instead of an index, with no network."""
    (tmp_path / "got").mkdir()
    assert wheel.fetch(SOURCE, tmp_path / "got").name == "tiny_model-1.0-py3-none-any.whl"


def test_a_wheel_for_another_machine_is_only_data(wheelhouse: Path, tmp_path: Path, build_wheel: Build) -> None:
    """A wheel is taken whatever machine it was built for, the first platform of the list before the others."""
    (tmp_path / "got").mkdir()
    for tag in ("py3-none-manylinux_2_99_ppc64", "py3-none-manylinux_2_99_s390x"):
        build_wheel(wheelhouse, {"m/x": b"x"}, name="far", tag=tag)
    source = WheelSource(requirement="far==1.0", platforms=("manylinux_2_99_s390x", "manylinux_2_99_ppc64"))
    assert wheel.fetch(source, tmp_path / "got").name == "far-1.0-py3-none-manylinux_2_99_s390x.whl"


def test_a_pip_in_the_current_directory_is_not_pip(
    wheelhouse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file named pip.py where the user happens to stand is not run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pip.py").write_text("raise SystemExit('not me')")
    (tmp_path / "got").mkdir()
    assert wheel.fetch(SOURCE, tmp_path / "got").exists()


def test_failure_has_pips_last_words(wheelhouse: Path, tmp_path: Path) -> None:
    """A release that is not there is said in pip's words, with what to look at, in one line."""
    (tmp_path / "got").mkdir()
    with pytest.raises(DownloadFailed, match=r"tiny-model==2\.0 .*network.*No matching distribution") as caught:
        wheel.fetch(WheelSource(requirement="tiny-model==2.0"), tmp_path / "got")
    assert "\n" not in str(caught.value)


def test_a_full_disk_is_told_as_such(wheelhouse: Path, tmp_path: Path, build_wheel: Build) -> None:
    """What pip says of a full disk comes with what to do about it."""
    build_wheel(wheelhouse, {"tiny_model/a.bin": os.urandom(2_000_000)})
    path = tmp_path / "small"
    path.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", path], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"needs the right to mount a file system: {done.stderr.decode().strip()}")
    try:
        with pytest.raises(NoSpace, match=r"no space left for tiny-model==1\.0; make room .*pip said"):
            wheel.fetch(SOURCE, path)
    finally:
        subprocess.run(["umount", path], check=True)


def test_members_come_out_of_a_wheel(tmp_path: Path, build_wheel: Build) -> None:
    """A wheel is the archive that it is."""
    path = build_wheel(tmp_path / "w", {"m/a": b"abc", "m/b": b"d"})
    archive.extract(path, [archive.Member("m/a", tmp_path / "a", 3)])
    assert (tmp_path / "a").read_bytes() == b"abc"
