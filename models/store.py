"""The store: models on this disk, each in a directory that is either whole or not there.

A pull works in a hidden directory beside the final one, on the same file system, and appears by one rename after every
file has the catalogue's size and sha256 and is on the disk. So a pull that is interrupted, killed or out of space
leaves nothing that looks installed; what it does leave is swept by the next pull of the same model. A flock for each
model lets one process pull while others wait and then find it done.

    <root>/models/<name>/<files>      <root>/locks/<name>.lock      root: $XDG_CACHE_HOME/sottovoce
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sottovoce.models import wheel
from sottovoce.models.catalogue import Catalogue, DerivedFile, Entry, ModelFile, xdg_directory
from sottovoce.models.derive import MAKERS
from sottovoce.models.exceptions import DownloadFailed, ModelMissing, VerifyFailed
from sottovoce.models.source import Source, WheelSource


@dataclass(frozen=True, slots=True)
class PullEvent:
    """One step of a pull."""

    stage: Literal["waiting", "downloading", "checking", "ready", "cached"]
    """waiting: another process pulls it; ready: installed just now; cached: was installed and is sound."""
    models: tuple[str, ...]
    """The models concerned: one download may serve several."""
    source: str
    """What is downloaded, as `name==version`."""
    done: int = 0
    """Bytes so far (downloading)."""
    total: int | None = None
    """Bytes in all; None while unknown."""


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A model of the catalogue and whether it is here."""

    entry: Entry
    path: Path
    installed: bool

    @property
    def name(self) -> str:
        """The catalogue's name."""
        return self.entry.name


Report = Callable[[PullEvent], None]


def cache_root(environ: Mapping[str, str] = os.environ) -> Path:
    """Return `$XDG_CACHE_HOME/sottovoce`, by default `~/.cache/sottovoce`."""
    return xdg_directory(environ, "XDG_CACHE_HOME", ".cache") / "sottovoce"


class Store:
    """The models on this disk.

    Args:
        root: where they are kept; `cache_root()` if None. Created, 0700, by the first pull.
        catalogue: which models there are; ours and the user's if None.
    """

    def __init__(self, root: Path | None = None, catalogue: Catalogue | None = None) -> None:
        self.root = cache_root() if root is None else root
        self.catalogue = Catalogue.load() if catalogue is None else catalogue

    def path(self, name: str) -> Path:
        """Return the directory of an installed model.

        Raises:
            UnknownModel: not in the catalogue.
            ModelMissing: not, or not wholly, installed.
        """
        entry = self.catalogue[name]
        directory = self._directory(name)
        if not directory.is_dir():
            raise ModelMissing(name)
        for file in entry.all_files:
            if not _has_size(directory / file.name, file.size):
                raise ModelMissing(name, f"is incomplete ({file.name} is missing or has another size)")
        return directory

    def installed(self, name: str) -> bool:
        """Tell whether every file of the model is there with its right size; `verify` reads them, this does not.

        Raises:
            UnknownModel: not in the catalogue.
        """
        try:
            self.path(name)
        except ModelMissing:
            return False
        return True

    def list(self) -> tuple[StoredModel, ...]:
        """Return every model of the catalogue, in name order."""
        return tuple(StoredModel(e, self._directory(e.name), self.installed(e.name)) for e in self.catalogue)

    def verify(self, name: str) -> None:
        """Check every file of a model against the catalogue's sha256.

        Raises:
            UnknownModel: not in the catalogue.
            ModelMissing: not installed.
            VerifyFailed: a file differs; names it.
        """
        entry = self.catalogue[name]
        if not self._directory(name).is_dir():
            raise ModelMissing(name)
        self._check(entry, self._directory(name), entry.all_files, f"run: sottovoce models pull {name}")

    def pull(self, names: Iterable[str], progress: Report | None = None) -> None:
        """Make sure that models are installed and sound, downloading what is not.

        What is installed is checked by sha256 and the network is left alone; what fails the check is replaced. Models
        of one source are served by one download.

        Raises:
            UnknownModel: a name is not in the catalogue; nothing was downloaded then.
            DownloadFailed: the source or the disk failed.
            VerifyFailed: what was downloaded is not what the catalogue says. Nothing of it is kept.
        """
        report = progress or _silent
        entries = [self.catalogue[name] for name in sorted(set(names))]
        try:
            for directory in (self.root, self.root / "models", self.root / "locks"):
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            with ExitStack() as locks:
                for entry in entries:  # in name order, so two pulls cannot each hold what the other waits for
                    locks.enter_context(self._lock(entry, report))
                wanted: dict[Source, list[Entry]] = {}
                for entry in entries:
                    if self._sound(entry):
                        report(_event("cached", [entry]))
                    else:
                        wanted.setdefault(entry.sources[0], []).append(entry)
                for group in wanted.values():
                    self._pull_group(group, report)
        except OSError as error:
            raise DownloadFailed(f"{error.filename or self.root}: {error.strerror or error}") from error

    def _pull_group(self, group: Sequence[Entry], report: Report) -> None:
        source = group[0].sources[0]
        work = self.root / "models" / f".{group[0].name}.partial"  # ours while we hold the lock of that name
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(mode=0o700)
        try:
            report(_event("downloading", group))
            download = work / ".download"
            download.mkdir()
            if not isinstance(source, WheelSource):
                raise DownloadFailed(f"{source.title}: only wheels can be pulled so far")
            path = wheel.fetch(source, download, lambda done, total: report(_event("downloading", group, done, total)))
            report(_event("checking", group))
            for entry in group:
                self._make(entry, path, work / entry.name)
            for entry in group:
                self._swap_in(entry, work)
                report(_event("ready", [entry]))
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def _make(self, entry: Entry, archive: Path, directory: Path) -> None:
        directory.mkdir(mode=0o700)
        wheel.extract(
            archive, [(file.member or file.name, directory / file.name, file.size or 0) for file in entry.files]
        )
        advice = f"{archive.name} is not what the catalogue describes; pull again, or correct the catalogue"
        self._check(entry, directory, entry.files, advice)
        for derived in entry.derived:
            try:
                data = MAKERS[derived.maker]((directory / derived.input).read_bytes())
            except ValueError as error:
                raise VerifyFailed(f"model {entry.name}: {derived.input}: {error}") from error
            (directory / derived.name).write_bytes(data)
            (directory / derived.name).chmod(0o600)
        self._check(entry, directory, entry.derived, "correct the catalogue")
        for file in entry.all_files:
            _sync(directory / file.name)
        _sync(directory)

    def _swap_in(self, entry: Entry, work: Path) -> None:
        final = self._directory(entry.name)
        if final.exists():  # unsound, or it would not be pulled; who has its files open keeps them
            final.rename(work / f"{entry.name}.old")
        (work / entry.name).rename(final)
        _sync(final.parent)

    def _sound(self, entry: Entry) -> bool:
        try:
            self.verify(entry.name)
        except (ModelMissing, VerifyFailed):
            return False
        return True

    def _check(self, entry: Entry, directory: Path, files: Sequence[ModelFile | DerivedFile], advice: str) -> None:
        for file in files:
            path = directory / file.name
            where = f"model {entry.name}: {file.name}"
            try:
                size = path.stat().st_size
            except FileNotFoundError:
                raise VerifyFailed(f"{where} is missing; {advice}") from None
            if file.size is not None and size != file.size:
                found = f"{size} of" if size < file.size else "more than"  # an extracted one was cut off there
                raise VerifyFailed(f"{where} has {found} its {file.size} bytes; {advice}")
            with path.open("rb") as stream:
                found = hashlib.file_digest(stream, "sha256").hexdigest()
            if file.sha256 is not None and found != file.sha256:
                raise VerifyFailed(f"{where} has sha256 {found[:12]}... instead of {file.sha256[:12]}...; {advice}")

    @contextmanager
    def _lock(self, entry: Entry, report: Report) -> Iterator[None]:
        descriptor = os.open(
            self.root / "locks" / f"{entry.name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
        )
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                report(_event("waiting", [entry]))
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _directory(self, name: str) -> Path:
        return self.root / "models" / name


def _event(
    stage: Literal["waiting", "downloading", "checking", "ready", "cached"],
    group: Sequence[Entry],
    done: int = 0,
    total: int | None = None,
) -> PullEvent:
    return PullEvent(stage, tuple(entry.name for entry in group), group[0].sources[0].title, done, total)


def _silent(event: PullEvent) -> None:
    """Report to nobody."""


def _has_size(path: Path, size: int | None) -> bool:
    try:
        return size in (None, path.stat().st_size)
    except FileNotFoundError:
        return False


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
