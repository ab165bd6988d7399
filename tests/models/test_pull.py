"""Pulls over the network, whole: from a server to an installed model, through all that can go wrong between."""

from __future__ import annotations

import bz2
import hashlib
import io
import os
import random
import resource
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from modelserver import COMMIT, Site

from sottovoce.models import Catalogue, DownloadFailed, Entry, ModelError, PullEvent, Store, VerifyFailed
from sottovoce.models.access import Access
from sottovoce.models.catalogue import ModelFile
from sottovoce.models.exceptions import NoSpace
from sottovoce.models.source import FileSource, GithubSource, HuggingFaceSource, Source, UrlSource

WEIGHTS = random.Random(5).randbytes(2_000_000)
TOKENS = b"a 0\nb 1\n" * 100
FILES = {"model.onnx": WEIGHTS, "tokens.txt": TOKENS}
# Another process that pulls `toy`, and says each stage.
PULL = """
import sys, msgspec
from pathlib import Path
from sottovoce.models import Catalogue, Entry, Store
from sottovoce.models.access import Access
from sottovoce.models.retry import Retry
root, described = sys.argv[1:3]
entry = msgspec.json.decode(Path(described).read_bytes(), type=Entry)
store = Store(Path(root), Catalogue({"toy": entry}), Access(retry=Retry(3, 0.01, 0.05)))
store.pull(["toy"], lambda event: print(event.stage, event.done, flush=True))
"""


def tar(files: dict[str, bytes], folder: str = "toy") -> bytes:
    """Return a `.tar.bz2` as releases have them."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(f"{folder}/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return bz2.compress(buffer.getvalue(), 1)


ARCHIVE = tar({**FILES, "test_wavs/0.wav": b"RIFF"})
ARCHIVE_SHA256 = hashlib.sha256(ARCHIVE).hexdigest()


def toy(*sources: Source, known: bool = True, files: dict[str, bytes] = FILES) -> Entry:
    """Describe a model of two files; `known`: the catalogue has their sizes and checksums."""
    return Entry(
        name="toy",
        task="asr",
        licence="MIT",
        engine="sherpa",
        constructor="from_transducer",
        sources=sources,
        files=tuple(
            ModelFile(name=name, size=len(data), sha256=hashlib.sha256(data).hexdigest())
            if known
            else ModelFile(name=name)
            for name, data in files.items()
        ),
    )


def url(site: Site, path: str = "/toy.tar.bz2", data: bytes = ARCHIVE, **options: object) -> UrlSource:
    """Put an archive there and return the source of it."""
    return UrlSource(url=site.page(path, data, **options), folder="toy")


Pull = Callable[..., Store]


@pytest.fixture
def pull(tmp_path: Path, access: Access) -> Pull:
    """Return a function that pulls a model into an empty cache."""

    def pull(entry: Entry, told: list[PullEvent] | None = None, **changed: object) -> Store:
        store = Store(tmp_path / "cache", Catalogue({"toy": entry}), replace(access, **changed))  # type: ignore[arg-type]
        store.pull(["toy"], (told if told is not None else []).append)
        return store

    return pull


def fails(pull: Pull, tmp_path: Path, entry: Entry, says: str, kind: type[ModelError] = DownloadFailed) -> None:
    """Expect a pull to end with one line that names model and cause, and to leave nothing that looks installed."""
    with pytest.raises(kind, match=says) as caught:
        pull(entry)
    assert str(caught.value).startswith("model toy: ")
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "cache" / "models").iterdir()) == []


def check(store: Store) -> None:
    """Expect the model to be there, sound, and nothing beside it."""
    store.verify("toy")
    assert {path.name: path.read_bytes() for path in store.path("toy").glob("[!.]*")} == FILES
    assert list((store.root / "partial").iterdir()) == []
    assert [path.name for path in (store.root / "models").iterdir()] == ["toy"]


@pytest.mark.parametrize("known", [True, False])
def test_a_release_archive(site: Site, pull: Pull, known: bool) -> None:
    """An archive of a GitHub release becomes a model, and what it was is written down."""
    path = "/k2-fsa/sherpa-onnx/releases/download/asr-models/toy.tar.bz2"
    site.page(path, ARCHIVE)
    source = GithubSource(
        repository="k2-fsa/sherpa-onnx",
        release="asr-models",
        asset="toy.tar.bz2",
        folder="toy",
        size=len(ARCHIVE),
        sha256=ARCHIVE_SHA256,
    )
    told: list[PullEvent] = []
    store = pull(toy(source, known=known), told, mirrors={"https://github.com": site.url})
    check(store)
    came, used = store.metadata("toy")
    assert came is not None
    assert (came.source, used) == ("k2-fsa/sherpa-onnx toy.tar.bz2", None)
    assert {name: (file.size, file.sha256) for name, file in came.files.items()} == {
        name: (len(data), hashlib.sha256(data).hexdigest()) for name, data in FILES.items()
    }
    assert list(dict.fromkeys(event.stage for event in told)) == ["downloading", "checking", "ready"]
    assert [(event.done, event.total) for event in told if event.stage == "downloading"][-1] == (len(ARCHIVE),) * 2


def test_files_of_the_hub(site: Site, pull: Pull) -> None:
    """Files of a repository come from where the Hub sends us, checked by its checksums, and all of one commit."""
    site.repository("csukuangfj/toy", {f"int8/{name}": data for name, data in FILES.items()}, lfs=("int8/model.onnx",))
    source = HuggingFaceSource(repository="csukuangfj/toy", folder="int8")
    store = pull(toy(source, known=False), hugging_face=site.url)
    check(store)
    came, _ = store.metadata("toy")
    assert came is not None
    assert came.revision == COMMIT


def test_a_file_on_the_web(site: Site, pull: Pull, tmp_path: Path) -> None:
    """A model of one file needs no archive; one of two cannot be one file."""
    source = UrlSource(url=site.page("/vad.onnx", WEIGHTS))
    store = pull(toy(source, files={"model.onnx": WEIGHTS}))
    assert (store.path("toy") / "model.onnx").read_bytes() == WEIGHTS
    store.remove("toy")
    fails(pull, tmp_path, toy(source), "is one file and no archive, and the model has 2; correct the catalogue")


@pytest.mark.parametrize("packed", [False, True])
def test_files_of_this_machine(pull: Pull, tmp_path: Path, packed: bool) -> None:
    """A directory or an archive is copied, and stays what it was, even offline."""
    folder = tmp_path / "mine"
    (folder / "toy").mkdir(parents=True)
    for name, data in FILES.items():
        (folder / "toy" / name).write_bytes(data)
    (folder / "toy.tar.bz2").write_bytes(ARCHIVE)
    source = FileSource(path=str(folder / "toy.tar.bz2" if packed else folder), folder="toy")
    check(pull(toy(source), offline="[models] offline"))
    assert (folder / "toy" / "tokens.txt").read_bytes() == TOKENS


def test_a_drop_at_every_second_megabyte(site: Site, pull: Pull) -> None:
    """A server that drops the connection at every second megabyte costs time and not a byte more."""
    weights = os.urandom(9_000_000)
    data = tar({**FILES, "model.onnx": weights})
    source = UrlSource(
        url=site.page("/big.tar.bz2", data, drop_after=2_000_000),
        folder="toy",
        sha256=hashlib.sha256(data).hexdigest(),
    )
    store = pull(toy(source, files={**FILES, "model.onnx": weights}))
    assert (store.path("toy") / "model.onnx").read_bytes() == weights
    assert site.sent["/big.tar.bz2"] == len(data)
    assert len(site.asked("/big.tar.bz2")) == 5


def described(tmp_path: Path, entry: Entry) -> list[str]:
    """Return the command of another process that pulls."""
    (tmp_path / "entry.json").write_bytes(msgspec.json.encode(entry))
    return [sys.executable, "-c", PULL, str(tmp_path / "cache"), str(tmp_path / "entry.json")]


def test_a_killed_download_is_gone_on_with(site: Site, pull: Pull, tmp_path: Path) -> None:
    """SIGKILL in the midst of a download: nothing looks installed, and the next pull fetches the rest alone."""
    entry = toy(url(site, hold_after=1_200_000))
    with subprocess.Popen(described(tmp_path, entry), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while process.stdout.readline().split() != ["downloading", "1200000"]:
            assert process.poll() is None
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert not Store(tmp_path / "cache", Catalogue({"toy": entry})).installed("toy")
    site.hold.set()
    site.pages["/toy.tar.bz2"].hold_after = None
    check(pull(entry))
    assert site.asked("/toy.tar.bz2")[-1].headers["range"] == "bytes=1200000-"


def test_a_pull_that_is_killed_while_it_unpacks_fetches_nothing_again(site: Site, pull: Pull, tmp_path: Path) -> None:
    """SIGKILL after the download: the archive is still there."""
    entry = toy(replace_source(url(site), sha256=ARCHIVE_SHA256, size=len(ARCHIVE)))
    code = PULL.replace("lambda event:", "lambda event: event.stage == 'checking' and __import__('os').kill(0, 9) or")
    command = described(tmp_path, entry)
    command[2] = code
    done = subprocess.run(command, start_new_session=True, check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL
    assert not Store(tmp_path / "cache", Catalogue({"toy": entry})).installed("toy")
    check(pull(entry))
    assert site.sent["/toy.tar.bz2"] == len(ARCHIVE)


def replace_source(source: UrlSource, **changed: object) -> UrlSource:
    """Return the source with other values."""
    return msgspec.structs.replace(source, **changed)


@pytest.mark.parametrize("when", range(0, len(ARCHIVE), len(ARCHIVE) // 12))
def test_interrupted_at_any_byte(site: Site, tmp_path: Path, access: Access, when: int) -> None:
    """Ctrl-C wherever it comes leaves no model; the next pull ends well and no byte came twice."""
    entry = toy(url(site))
    store = Store(tmp_path / "cache", Catalogue({"toy": entry}), access)

    def interrupt(event: PullEvent) -> None:
        if event.stage == "downloading" and event.done >= when:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.pull(["toy"], interrupt)
    assert not store.installed("toy")
    assert list((store.root / "models").iterdir()) == []
    store.pull(["toy"])
    check(store)


def test_the_next_source_is_asked(site: Site, pull: Pull) -> None:
    """Sources that do not give the model are told, and the next one is asked."""
    missing = UrlSource(url=f"{site.url}/gone.tar.bz2", folder="toy")
    page = url(site, "/portal.tar.bz2", b"<html>Sign in</html>", kind="text/html")
    lacking = url(site, "/old.tar.bz2", tar({"model.onnx": WEIGHTS}))
    told: list[PullEvent] = []
    store = pull(toy(missing, page, lacking, FileSource(path="/nowhere"), url(site)), told)
    check(store)
    amiss = [event.detail for event in told if event.stage == "retrying"]
    assert len(amiss) == 4
    for found, expected in zip(amiss, ("404", "a web page", "there is no toy/tokens.txt", "/nowhere"), strict=True):
        assert expected in found
    came, _ = store.metadata("toy")
    assert came is not None
    assert came.source.endswith("/toy.tar.bz2")


def test_where_no_source_gives_it_all_are_named(site: Site, pull: Pull, tmp_path: Path) -> None:
    """One line says of each source why not."""
    sources = UrlSource(url=f"{site.url}/gone.tar.bz2"), url(site, "/x.zip", b"no archive at all")
    fails(pull, tmp_path, toy(*sources), r"none of its 2 sources gives it: \(1\) .*404.*; \(2\) .*damaged archive")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (ARCHIVE[:-200_000], "damaged archive"),
        (tar({"../../model.onnx": WEIGHTS, **FILES}), "which points out of it; the archive is refused"),
        (b"<html>Sign in</html>", "a web page came instead of the file"),
        (b"", "damaged archive"),
    ],
    ids=["truncated", "traversal", "html", "empty"],
)
def test_a_bad_archive_installs_nothing(site: Site, pull: Pull, tmp_path: Path, data: bytes, says: str) -> None:
    """What is no sound archive is told with model and source, and is not kept for the next pull."""
    fails(pull, tmp_path, toy(url(site, data=data)), rf"/toy\.tar\.bz2.*{says}")
    assert [path for path in (tmp_path / "cache" / "partial").iterdir() if path.stat().st_size > 1000] == []
    check(pull(toy(url(site))))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE], ids=["symlink", "hard", "device"])
def test_an_archive_with_a_trap_installs_nothing(site: Site, pull: Pull, tmp_path: Path, kind: bytes) -> None:
    """A link to somebody's file, or a device, in the place of a model's file: refused, and that file is as it was."""
    (tmp_path / "precious").write_bytes(b"mine")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo("toy/tokens.txt")
        info.type, info.linkname = kind, str(tmp_path / "precious")
        archive.addfile(info)
    fails(pull, tmp_path, toy(url(site, data=bz2.compress(buffer.getvalue()))), "the archive is refused")
    assert (tmp_path / "precious").read_bytes() == b"mine"


@pytest.mark.parametrize("where", ["archive", "file", "length"])
def test_the_wrong_bytes_install_nothing(site: Site, pull: Pull, tmp_path: Path, where: str) -> None:
    """A checksum or a length that is not the published one is told, and the wrong bytes are not kept."""
    other = random.Random(6).randbytes(len(WEIGHTS))
    source = url(site, data=tar({**FILES, "model.onnx": other}))
    if where == "archive":
        source = replace_source(source, sha256=ARCHIVE_SHA256)
    if where == "length":
        source = replace_source(source, size=17)
    says = {"archive": "has sha256", "file": r"model\.onnx has sha256", "length": "and not the 17"}[where]
    fails(pull, tmp_path, toy(source), says, VerifyFailed)
    assert [path for path in (tmp_path / "cache" / "partial").iterdir() if path.stat().st_size > 1000] == []


def test_a_bomb_fills_no_disk(site: Site, pull: Pull, tmp_path: Path) -> None:
    """A file that unpacks to far more than the catalogue says is cut off and refused, and so is one of unknown size."""
    source = url(site, data=tar({**FILES, "model.onnx": bytes(20 << 20)}))
    fails(pull, tmp_path, toy(source), "model.onnx has more than its 2000000 bytes", VerifyFailed)
    source = url(site, data=tar({**FILES, "model.onnx": bytes(100 << 20)}))
    fails(pull, tmp_path, toy(source, known=False), "it unpacks to more than 32 times its size")


def test_the_hub_has_another_file_than_the_catalogue(site: Site, pull: Pull, tmp_path: Path) -> None:
    """Where the Hub's own checksum differs from ours, not a byte is downloaded."""
    site.repository("a/toy", {**FILES, "model.onnx": WEIGHTS[::-1]}, lfs=("model.onnx",))
    with pytest.raises(VerifyFailed, match=r"model toy: hf:a/toy: .*model\.onnx has sha256 .* in the catalogue") as _:
        pull(toy(HuggingFaceSource(repository="a/toy")), hugging_face=site.url)
    assert not any(path.startswith("/cdn/") for path in site.sent)


@pytest.mark.parametrize("name", ["model.onnx", "tokens.txt"])
def test_other_bytes_than_the_hub_vouches_for(site: Site, pull: Pull, tmp_path: Path, name: str) -> None:
    """A storage that gives other bytes of the same length is told by the Hub's checksum, though we know none."""
    site.repository("a/toy", FILES, lfs=("model.onnx",))
    for path, page in site.pages.items():
        if page.data == FILES[name] and not path.startswith("/api/"):
            page.data = page.data[::-1]
    source = HuggingFaceSource(repository="a/toy")
    with pytest.raises(VerifyFailed, match=rf"model toy: hf:a/toy: .*{name} has (sha256|git's checksum)"):
        pull(toy(source, known=False), hugging_face=site.url)
    assert list((tmp_path / "cache" / "models").iterdir()) == []


def test_offline_says_what_is_missing(site: Site, pull: Pull) -> None:
    """Without the network a pull names the model, its size, its sources, what forbids it and what to do."""
    says = r"missing here: toy \(2 MB\), from http.*toy\.tar\.bz2; and SOTTOVOCE_OFFLINE forbids .*import PATH --as toy"
    with pytest.raises(DownloadFailed, match=says):
        pull(toy(url(site)), offline="SOTTOVOCE_OFFLINE")
    assert site.requests == []
    store = pull(toy(url(site)))
    site.requests.clear()
    pull(toy(url(site)), offline="SOTTOVOCE_OFFLINE")
    check(store)
    assert site.requests == []


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of 3 MB where the cache is."""
    path = tmp_path / "cache"
    path.mkdir(mode=0o700)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m,mode=0700", "none", path], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip(f"needs the right to mount a file system: {done.stderr.decode().strip()}")
    yield path
    subprocess.run(["umount", path], check=True)


def test_a_disk_that_is_too_small_is_told_before(site: Site, pull: Pull, small: Path) -> None:
    """Archive and files together do not fit: that is told as soon as the length is known, and little has come."""
    with pytest.raises(NoSpace, match=r"model toy: .*toy\.tar\.bz2: 4 MB are needed in .* 3 MB are free; make room"):
        pull(toy(url(site)))
    assert list((small / "models").iterdir()) == []
    assert sum(path.stat().st_size for path in (small / "partial").iterdir()) < 100_000


def test_a_disk_that_fills_up_meanwhile(site: Site, pull: Pull, small: Path) -> None:
    """A disk that others fill during the download ends it; with room again it goes on, and no byte came twice."""
    filler = small / "filler"
    entry = toy(replace_source(url(site, "/m.onnx", WEIGHTS, length=False)), files={"model.onnx": WEIGHTS}, known=False)
    filler.write_bytes(bytes(2_000_000))
    with pytest.raises(NoSpace, match=r"the disk is full; make room .* goes on where it stopped"):
        pull(entry)
    assert list((small / "models").iterdir()) == []
    filler.unlink()
    store = pull(entry)
    assert (store.path("toy") / "model.onnx").read_bytes() == WEIGHTS
    assert site.asked("/m.onnx")[-1].headers["range"].startswith("bytes=")


def test_a_file_larger_than_this_process_may_write(site: Site, pull: Pull, tmp_path: Path) -> None:
    """A limit on file sizes is no crash either, and the next pull without it goes on."""
    entry = toy(url(site))
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        fails(pull, tmp_path, entry, "may not write files of that size; make room", NoSpace)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    check(pull(entry))
    assert site.asked("/toy.tar.bz2")[-1].headers["range"] == "bytes=1000000-"


def test_a_full_disk_forgets_a_use_and_fails_nothing(site: Site, pull: Pull, small: Path) -> None:
    """A model is used on a full disk as on any other; only when it was used last is then not known."""
    store = pull(toy(url(site, "/m.onnx", TOKENS), files={"model.onnx": TOKENS}))
    filler = small / "filler"
    with filler.open("wb", buffering=0) as file:
        while os.statvfs(small).f_bavail:
            file.write(bytes(4096))
    assert store.used("toy", 0.3) is False
    assert [path.name for path in store.path("toy").iterdir() if path.name.startswith(".usage")] == []
    filler.unlink()
    assert store.used("toy", 0.3) is True
