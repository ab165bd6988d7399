"""The commands of the store as people and programs run them, against a server on this machine."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from modelserver import Page, Site, serving

from sottovoce.models import Store
from sottovoce.ops.exceptions import EXIT_CONFIGURATION, EXIT_FAILED, EXIT_NOT_FETCHED, EXIT_NOT_SOUND
from sottovoce.protocol.paths import Paths

Sottovoce = Callable[..., subprocess.CompletedProcess[str]]
DATA = os.urandom(1_500_000)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A server with the file of one model, `toy`, which this user's catalogue describes; an empty cache."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "HF_HUB_OFFLINE", "SOTTOVOCE_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    for variable, folder in (("XDG_CACHE_HOME", "cache"), ("XDG_CONFIG_HOME", "config")):
        monkeypatch.setenv(variable, str(tmp_path / folder))
    with serving() as site:
        site.page("/toy.onnx", DATA)
        catalogue = tmp_path / "config" / "sottovoce" / "models.toml"
        catalogue.parent.mkdir(parents=True)
        catalogue.write_text(
            '[models.toy]\ntask = "sample"\nlicence = "MIT"\n'
            f'[[models.toy.sources]]\ntype = "url"\nurl = "{site.url}/toy.onnx"\n'
            f'[[models.toy.files]]\nname = "toy.onnx"\nsha256 = "{hashlib.sha256(DATA).hexdigest()}"\n'
        )
        yield site


def one_line(result: subprocess.CompletedProcess[str], code: int) -> str:
    """Return the line of an error, which is the last, behind the progress."""
    assert result.returncode == code, result
    *before, last = result.stderr.splitlines(keepends=True)
    assert last.startswith("sottovoce: ")
    assert all(line.startswith("toy: ") for line in before)
    return last


def test_pull_for_people(site: Site, sottovoce: Sottovoce) -> None:
    """Steps on the error stream, the outcome on the other; the second time there is nothing to do."""
    site.pages["/toy.onnx"].refusals = [(503, {})]
    result = sottovoce("models", "pull", "toy")
    assert (result.returncode, result.stdout) == (0, "toy: ready\n")
    lines = result.stderr.splitlines()
    assert lines[0] == "toy: downloading"
    assert lines[1].startswith("toy: retrying (")
    assert "answers 503" in lines[1]
    assert lines[-1] == "toy: ready"
    assert sottovoce("models", "pull", "toy").stderr == ""


def test_pull_from_the_hub(site: Site, sottovoce: Sottovoce, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """HF_ENDPOINT names the Hub; several files come at once, from connections that break."""
    files = {f"{name}.onnx": os.urandom(700_000) for name in "abcdef"} | {"tokens.txt": b"a 0\n"}
    site.repository("me/toy", files, lfs=tuple(name for name in files if name.endswith(".onnx")), drop_after=300_000)
    with (tmp_path / "config" / "sottovoce" / "models.toml").open("a") as catalogue:
        catalogue.write('[models.hub]\ntask = "sample"\nlicence = "MIT"\n')
        catalogue.write('[[models.hub.sources]]\ntype = "huggingface"\nrepository = "me/toy"\n')
        catalogue.writelines(f'[[models.hub.files]]\nname = "{name}"\n' for name in files)
    monkeypatch.setenv("HF_ENDPOINT", site.url)
    assert sottovoce("models", "pull", "hub").stdout == "hub: ready\n"
    path = Store().path("hub")
    assert {name: (path / name).read_bytes() for name in files} == files
    assert sum(site.sent[name] for name in site.sent if name.startswith("/cdn/")) == 6 * 700_000


def test_pull_for_programs(site: Site, sottovoce: Sottovoce) -> None:
    """One JSON object a line, the bytes rising to the size."""
    events = [json.loads(line) for line in sottovoce("models", "pull", "toy", "--json").stdout.splitlines()]
    assert {tuple(event) for event in events} == {("stage", "models", "source", "done", "total", "detail")}
    assert list(dict.fromkeys(event["stage"] for event in events)) == ["downloading", "checking", "ready"]
    assert all(event["models"] == ["toy"] for event in events)
    done = [event["done"] for event in events if event["stage"] == "downloading"]
    assert done == sorted(done)
    assert done[-1] == len(DATA)
    again = sottovoce("models", "pull", "toy", "--json").stdout.splitlines()
    assert [json.loads(line)["stage"] for line in again] == ["cached"]


@pytest.mark.parametrize(
    ("page", "code", "says"),
    [
        (Page(status=404), EXIT_NOT_FETCHED, "answers 404"),
        (Page(b"<html>", kind="text/html"), EXIT_NOT_FETCHED, "a web page came instead"),
        (Page(b"other"), EXIT_NOT_SOUND, "has sha256"),
    ],
)
def test_a_failed_pull_is_one_line(site: Site, sottovoce: Sottovoce, page: Page, code: int, says: str) -> None:
    """Model, source and cause in one line, an exit code of its own; programs get an event, too."""
    site.pages["/toy.onnx"] = page
    error = one_line(sottovoce("models", "pull", "toy"), code)
    assert error.startswith(f"sottovoce: model toy: {site.url}/toy.onnx")
    assert says in error
    result = sottovoce("models", "pull", "toy", "--json")
    assert json.loads(result.stdout.splitlines()[-1]) == {
        "stage": "failed", "models": ["toy"], "detail": one_line(result, code).removeprefix("sottovoce: ").rstrip(),
    }  # fmt: skip


def test_the_configuration_holds(site: Site, sottovoce: Sottovoce, paths: Paths) -> None:
    """Offline mode and mirrors of the file are obeyed, and `config show` writes them so that they can be read again."""
    paths.config.write_text("[models]\noffline = true\n")
    error = one_line(sottovoce("models", "pull", "toy"), EXIT_NOT_FETCHED)
    assert "missing here: toy" in error
    assert "[models] offline forbids" in error
    assert site.requests == []
    mirror = f'[models.mirrors]\n"{site.url}" = "{site.other}"\n'
    paths.config.write_text(mirror)
    assert sottovoce("models", "pull", "toy").returncode == 0
    assert site.requests[0].headers["host"].startswith("localhost:")
    paths.config.write_text(sottovoce("config", "show").stdout)
    assert mirror in paths.config.read_text()
    assert sottovoce("config", "show").returncode == 0


def test_verify_tells_what_changed(site: Site, sottovoce: Sottovoce) -> None:
    """A sound model is named, a changed one has an exit code of its own and the command that mends it."""
    sottovoce("models", "pull", "toy")
    assert sottovoce("models", "verify").stdout == "toy: sound\n"
    assert json.loads(sottovoce("models", "verify", "toy", "--json").stdout) == {"sound": ["toy"]}
    (Store().path("toy") / "toy.onnx").write_bytes(bytes(len(DATA)))
    assert "run: sottovoce models pull toy" in one_line(sottovoce("models", "verify"), EXIT_NOT_SOUND)


def test_rm(site: Site, sottovoce: Sottovoce) -> None:
    """A model goes; one that is not here, or that is loaded, is told of."""
    sottovoce("models", "pull", "toy")
    with Store().hold("toy"):
        assert "model toy is loaded" in one_line(sottovoce("models", "rm", "toy"), EXIT_FAILED)
    assert sottovoce("models", "rm", "toy").stdout.startswith("toy: removed, 1.5 MB, last used ")
    assert not Store().installed("toy")
    assert "is not installed" in one_line(sottovoce("models", "rm", "toy"), EXIT_CONFIGURATION)


def test_gc(site: Site, sottovoce: Sottovoce, paths: Paths) -> None:
    """Beyond the limit a model goes, unless the configuration names it; `--dry-run` only says so."""
    sottovoce("models", "pull", "toy")
    assert sottovoce("models", "gc").stderr == "nothing to remove\n"
    assert sottovoce("models", "gc", "--limit", "1", "--dry-run").stdout.startswith("toy: would be removed, 1.5 MB")
    paths.config.write_text('[stt.final]\nmodel = "toy"\n[models]\ncache_limit = 1\n')
    assert json.loads(sottovoce("models", "gc", "--json").stdout) == []
    paths.config.write_text("[models]\ncache_limit = 1\n")
    (gone,) = json.loads(sottovoce("models", "gc", "--json").stdout)
    assert (gone["name"], gone["bytes"] >= len(DATA)) == ("toy", True)
    assert not Store().installed("toy")
    assert sottovoce("models", "pull", "toy").returncode == 0  # what was just pulled is not collected
    assert Store().installed("toy")


def test_import(site: Site, sottovoce: Sottovoce, tmp_path: Path) -> None:
    """A file that is the model is installed without the network; one that is not is refused."""
    (tmp_path / "mine").write_bytes(DATA)
    assert sottovoce("models", "import", tmp_path / "mine", "--as", "toy").stdout == "toy: ready\n"
    assert site.requests == []
    (tmp_path / "mine").unlink()
    (tmp_path / "mine").write_bytes(b"other")
    error = one_line(sottovoce("models", "import", tmp_path / "mine", "--as", "toy"), EXIT_NOT_SOUND)
    assert "another model, or another version of it" in error
    Store().verify("toy")
