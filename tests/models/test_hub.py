"""A small Hub behind HF_ENDPOINT, to which huggingface_hub itself talks."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from modelserver import COMMIT, Page, Site

from sottovoce.models import hub
from sottovoce.models.access import Access
from sottovoce.models.download import Downloads
from sottovoce.models.exceptions import SourceFailed
from sottovoce.models.remote_file import Remote
from sottovoce.models.source import HuggingFaceSource

DATA = os.urandom(4_000_000)
SOURCE = HuggingFaceSource(repository="a/toy")
Resolve = Callable[..., tuple[list[Remote], str]]
# The same file, by the library's own hand and by ours; the directory is the second argument.
THEIRS = """
import sys
from huggingface_hub import hf_hub_download
hf_hub_download("a/toy", "model.onnx", local_dir=sys.argv[2], endpoint=sys.argv[1])
"""
OURS = """
import sys
from pathlib import Path
from sottovoce.models import hub
from sottovoce.models.access import Access
from sottovoce.models.download import Downloads
from sottovoce.models.source import HuggingFaceSource
access = Access(hugging_face=sys.argv[1])
remotes, _ = hub.resolve(HuggingFaceSource(repository="a/toy"), ["model.onnx"], access, print)
Downloads(Path(sys.argv[2]), access, lambda *_: None).fetch(remotes)
"""


@pytest.fixture
def resolve(site: Site, access: Access) -> Resolve:
    """Return a function that asks the Hub for files."""
    told: list[str] = []

    def resolve(*paths: str, source: HuggingFaceSource = SOURCE, **changed: object) -> tuple[list[Remote], str]:
        there = replace(replace(access, hugging_face=site.url), **changed)  # type: ignore[arg-type]
        return hub.resolve(source, paths, there, lambda done, total, amiss: told.append(amiss))

    return resolve


def test_the_hub_vouches_for_size_and_checksum(site: Site, resolve: Resolve) -> None:
    """Of a large file the Hub says the sha256, of a small one git's checksum; both are of one commit."""
    site.repository("a/toy", {"model.onnx": DATA, "tokens.txt": b"a 0\n"}, lfs=("model.onnx",))
    (model, tokens), commit = resolve("model.onnx", "tokens.txt")
    assert commit == COMMIT
    assert (model.size, model.sha256, model.blob) == (len(DATA), hashlib.sha256(DATA).hexdigest(), None)
    assert (tokens.size, tokens.sha256) == (4, None)
    assert tokens.blob == "2196c0c725e790c69eff5f5ea1f7d4922e839064"
    assert model.url == f"{site.url}/a/toy/resolve/{COMMIT}/model.onnx"


def test_the_token_goes_to_the_hub_alone(
    site: Site, resolve: Resolve, access: Access, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HF_TOKEN is sent to the Hub and to HF_ENDPOINT, neither to where the Hub redirects nor to a mirror."""
    monkeypatch.setenv("HF_TOKEN", "hf_hush")
    site.repository("a/toy", {"model.onnx": DATA}, lfs=("model.onnx",))
    remotes, _ = resolve("model.onnx")
    Downloads(tmp_path, access, lambda *_: None).fetch(remotes)
    sent = {request.path: request.headers.get("authorization") for request in site.requests}
    stored = next(path for path in sent if path.startswith("/cdn/"))
    assert {path: token for path, token in sent.items() if token} == {
        "/api/models/a/toy/revision/main": "Bearer hf_hush",
        f"/a/toy/resolve/{COMMIT}/model.onnx": "Bearer hf_hush",
    }
    assert sent[stored] is None
    site.requests.clear()
    hub_itself = "https://huggingface.co"
    remotes, _ = resolve("model.onnx", hugging_face=hub_itself, mirrors={hub_itself: site.url})
    assert [request.headers.get("authorization") for request in site.requests] == [None]
    assert "authorization" not in {name.lower() for name in remotes[0].headers}


def test_a_token_file_will_do(site: Site, resolve: Resolve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has logged in with Hugging Face's own tool is known here, too."""
    (tmp_path / "token").write_text("hf_filed\n")
    code = (
        "import sys; from sottovoce.models import hub; from sottovoce.models.access import Access\n"
        "from sottovoce.models.source import HuggingFaceSource as S\n"
        "hub.resolve(S(repository='a/toy'), ['t'], Access(hugging_face=sys.argv[1]), print)"
    )
    site.repository("a/toy", {"t": b"t"})
    environment = os.environ | {"HF_TOKEN_PATH": str(tmp_path / "token")}  # read when the library is imported
    subprocess.run([sys.executable, "-c", code, site.url], env=environment, check=True)
    assert [request.headers.get("authorization") for request in site.requests] == ["Bearer hf_filed"]


@pytest.mark.parametrize(
    ("page", "says"),
    [
        (Page(status=404, headers={"X-Error-Code": "RepoNotFound"}), "no such repository .*HF_TOKEN"),
        (Page(status=401), "HF_TOKEN"),
        (Page(status=403, headers={"X-Error-Code": "GatedRepo"}), "wants a consent first.*/a/toy.*HF_TOKEN"),
        (Page(status=404, headers={"X-Error-Code": "RevisionNotFound"}), "no revision main; correct the catalogue"),
        (Page(b"<html>Sign in</html>", kind="text/html"), "does not answer as the Hub does.*sign in"),
        (Page(b"[]", kind="application/json"), "does not answer as the Hub does"),
        (Page(status=418), "answers 418"),
    ],
)
def test_what_the_hub_refuses_is_told(site: Site, resolve: Resolve, page: Page, says: str) -> None:
    """Each way to refuse is one line, asked once, with what to do."""
    site.pages["/api/models/a/toy/revision/main"] = page
    with pytest.raises(SourceFailed, match=says) as caught:
        resolve("model.onnx")
    assert "\n" not in str(caught.value)
    assert len(site.requests) == 1


def test_a_busy_hub_is_asked_again(site: Site, resolve: Resolve) -> None:
    """Errors that pass are waited for, and given up in the end."""
    site.repository("a/toy", {"t": b"t"})
    page = site.pages["/api/models/a/toy/revision/main"]
    page.refusals = [(429, {"Retry-After": "0"}), (503, {})]
    assert len(resolve("t")[0]) == 1
    page.refusals = [(503, {})] * 3
    with pytest.raises(SourceFailed, match=r"answers 503 .*3 times in a row"):
        resolve("t")
    page.refusals = [(429, {"Retry-After": "3600"})]
    with pytest.raises(SourceFailed, match="429"):
        resolve("t")


def test_nobody_there_is_told(resolve: Resolve) -> None:
    """A Hub that cannot be reached is named."""
    with pytest.raises(SourceFailed, match=r"http://127\.0\.0\.1:1: connect error .*check the network"):
        resolve("t", hugging_face="http://127.0.0.1:1")


def test_a_file_that_is_not_there_is_named(site: Site, resolve: Resolve) -> None:
    """A repository without one of the files is not what the catalogue means."""
    site.repository("a/toy", {"t": b"t"})
    with pytest.raises(SourceFailed, match=r"there is no model\.onnx at revision main"):
        resolve("t", "model.onnx")


@pytest.mark.parametrize(("code", "resumes"), [(THEIRS, False), (OURS, True)], ids=["library", "ours"])
def test_why_the_bytes_are_not_left_to_the_library(site: Site, tmp_path: Path, code: str, resumes: bool) -> None:
    """After SIGKILL the library begins again, and we go on. Should this fail for the library, it can have the bytes."""
    site.repository("a/toy", {"model.onnx": os.urandom(24_000_000)}, lfs=("model.onnx",), hold_after=12_000_000)
    stored = next(path for path in site.pages if path.startswith("/cdn/"))
    command = [sys.executable, "-c", code, site.url, str(tmp_path)]
    environment = os.environ | {"HF_HUB_DISABLE_XET": "1"}
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        assert site.standing.wait(60)
        until_written(tmp_path, 10_000_000)  # the library writes ten megabytes at a time
        process.kill()
    site.pages[stored].hold_after = None
    subprocess.run(command, env=environment, check=True, stderr=subprocess.DEVNULL, timeout=60)
    begun_at = int(site.asked(stored)[-1].headers.get("range", "bytes=0-").strip("bytes=-"))
    assert 10_000_000 <= begun_at <= 12_000_000 if resumes else begun_at == 0


def until_written(directory: Path, size: int) -> None:
    """Wait until a file below a directory has so many bytes."""
    deadline = time.monotonic() + 30
    while not any(path.stat().st_size >= size for path in directory.rglob("*") if path.is_file()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
