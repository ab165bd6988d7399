"""The store: models on this disk, each in a directory that is either whole or not there.

A pull works in a hidden directory beside the final one, on the same file system, and appears by one rename after every
file has the size and sha256 that are known of it and is on the disk. So a pull that is interrupted, killed or out of
space leaves nothing that looks installed; what it does leave is swept by the next pull of the same model, which goes on
with what was downloaded. A flock for each model lets one process pull while others wait and then find it done.

    <root>/models/<name>/<files>      <root>/locks/<name>.lock      root: $XDG_CACHE_HOME/sottovoce
    <root>/partial/<downloads that are not complete>
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sottovoce.models import metadata, space
from sottovoce.models.catalogue import Catalogue, Entry, xdg_directory
from sottovoce.models.check import check, size_of
from sottovoce.models.events import PullEvent, Tell, event
from sottovoce.models.exceptions import DownloadFailed, ModelMissing, VerifyFailed
from sottovoce.models.locks import Hold, alone
from sottovoce.models.metadata import Installed, Usage
from sottovoce.models.source import Source

if TYPE_CHECKING:  # what only a pull needs takes a fifth of a second to import, and stages look at the store, too
    from sottovoce.models.access import Access
    from sottovoce.models.janitor import Removed

__all__ = ["PullEvent", "Store", "StoredModel", "cache_root"]


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


def cache_root(environ: Mapping[str, str] = os.environ) -> Path:
    """Return `$XDG_CACHE_HOME/sottovoce`, by default `~/.cache/sottovoce`."""
    return xdg_directory(environ, "XDG_CACHE_HOME", ".cache") / "sottovoce"


class Store:
    """The models on this disk.

    Args:
        root: where they are kept; `cache_root()` if None. Created, 0700, by the first pull.
        catalogue: which models there are; ours and the user's if None.
        access: how sources are reached; as the configuration and the environment say if None.
    """

    def __init__(
        self, root: Path | None = None, catalogue: Catalogue | None = None, access: Access | None = None
    ) -> None:
        self.root = cache_root() if root is None else root
        self.catalogue = Catalogue.load() if catalogue is None else catalogue
        self._access = access

    def path(self, name: str) -> Path:
        """Return the directory of an installed model; it need not exist where the model has no files.

        Raises:
            UnknownModel: not in the catalogue.
            ModelMissing: not, or not wholly, installed.
        """
        entry = self.catalogue[name]
        directory = self._directory(name)
        if not entry.all_files:
            return directory
        if not directory.is_dir():
            raise ModelMissing(name)
        unsure = any(file.size is None for file in entry.all_files)
        record = metadata.installed(directory) if unsure else None
        for file in entry.all_files:
            if not _has_size(directory / file.name, size_of(file, record)):
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
        """Check every file of a model against its sha256: the catalogue's, else the one that it had when it came.

        Raises:
            UnknownModel: not in the catalogue.
            ModelMissing: not installed.
            VerifyFailed: a file differs; names it.
        """
        entry = self.catalogue[name]
        if not entry.all_files:
            return
        directory = self._directory(name)
        if not directory.is_dir():
            raise ModelMissing(name)
        record = metadata.installed(directory)
        check(entry, directory, entry.all_files, f"run: sottovoce models pull {name}", record)

    def pull(self, names: Iterable[str], progress: Tell | None = None) -> None:
        """Make sure that models are installed and sound, downloading what is not.

        What is installed is checked by sha256 and the network is left alone; what fails the check is replaced. Models
        of one source are served by one download. Sources are asked in the catalogue's order until one gives the model.
        Call it where no asyncio loop runs.

        Raises:
            UnknownModel: a name is not in the catalogue; nothing was downloaded then.
            DownloadFailed: the sources or the disk failed. What came is kept for the next pull.
            VerifyFailed: what was downloaded is not what the catalogue says. Nothing of it is kept.
            ConfigError: `[models]` of the configuration file is not right.
        """
        tell = progress or _silent
        entries = [self.catalogue[name] for name in sorted(set(names))]
        try:
            self._make_directories()
            with ExitStack() as locks:
                for entry in entries:  # in name order, so two pulls cannot each hold what the other waits for
                    waiting = partial(tell, event("waiting", [entry]))
                    locks.enter_context(alone(self.root, entry.name, waiting))
                wanted: dict[tuple[Source, ...], list[Entry]] = {}
                for entry in entries:
                    if self._sound(entry):
                        tell(event("cached", [entry]))
                    else:
                        wanted.setdefault(entry.sources, []).append(entry)
                self._pull(list(wanted.values()), tell)
        except OSError as error:
            raise self._disk(error) from error

    def adopt(self, name: str, path: Path, *, copy: bool = False) -> None:
        """Install a model from files that the user has.

        Args:
            name: the catalogue's name of it.
            path: a directory, an archive, or the only file.
            copy: never link to the user's files.

        Raises:
            UnknownModel: not in the catalogue.
            ImportFailed: the files are not there.
            VerifyFailed: they are not what the catalogue says.
            DownloadFailed: the disk failed.
        """
        from sottovoce.models.adopt import adopt

        entry = self.catalogue[name]
        try:
            self._make_directories()
            with alone(self.root, name, lambda: None):
                adopt(entry, path, self.root, copy=copy)
        except OSError as error:
            raise self._disk(error) from error

    def remove(self, name: str) -> Removed:
        """Remove a model from this disk; also one that is in no catalogue any more.

        Raises:
            UnknownModel: neither here nor in the catalogue.
            ModelMissing: not here.
            ModelInUse: a process has it loaded.
            DownloadFailed: the disk failed.
        """
        from sottovoce.models import janitor

        here = {path.name for path in (self.root / "models").glob("[!.]*")}
        if name not in here:
            raise ModelMissing(self.catalogue[name].name)
        try:
            return janitor.remove(self.root, name)
        except OSError as error:
            raise self._disk(error) from error

    def collect(self, limit: int | None, keep: Collection[str] = (), *, dry: bool = False) -> tuple[Removed, ...]:
        """Remove what killed pulls left, and then what was longest not used, until all fits into `limit` bytes.

        Args:
            limit: bytes for all models together; None: remove no model.
            keep: models that stay.
            dry: only say what would be removed.

        Raises:
            DownloadFailed: the disk failed.
        """
        from sottovoce.models import janitor

        if not self.root.is_dir():
            return ()
        try:
            self._make_directories()
            return tuple(janitor.collect(self.root, limit, keep, dry=dry))
        except OSError as error:
            raise self._disk(error) from error

    def used(self, name: str, load_s: float | None = None) -> bool:
        """Write down that a model is used now, and how many seconds it took to load.

        Never fails: returns False where it could not be written (a full or read-only disk, a model that is not here).
        """
        return metadata.use(self._directory(name), load_s)

    def hold(self, name: str) -> Hold:
        """Keep a model from being removed while this process has it loaded. Never fails."""
        return Hold(self.root, name)

    def metadata(self, name: str) -> tuple[Installed | None, Usage | None]:
        """Return how a model came here and how it was used; None for what is not known."""
        return metadata.installed(self._directory(name)), metadata.usage(self._directory(name))

    def _pull(self, groups: Sequence[Sequence[Entry]], tell: Tell) -> None:
        if not groups:
            return
        from sottovoce.models.access import Access
        from sottovoce.models.pull import pull

        access = self._access or Access.load()
        for group in groups:
            pull(group, self.root, access, tell)

    def _make_directories(self) -> None:
        for directory in (self.root, self.root / "models", self.root / "locks", self.root / "partial"):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _sound(self, entry: Entry) -> bool:
        try:
            self.verify(entry.name)
        except (ModelMissing, VerifyFailed):
            return False
        return True

    def _disk(self, error: OSError) -> DownloadFailed:
        if error.errno in space.FULL:
            return space.no_space(error, self.root)
        return DownloadFailed(f"{error.filename or self.root}: {error.strerror or error}")

    def _directory(self, name: str) -> Path:
        return self.root / "models" / name


def _silent(_: PullEvent) -> None:
    """Report to nobody."""


def _has_size(path: Path, size: int | None) -> bool:
    try:
        return size in (None, path.stat().st_size)
    except FileNotFoundError:
        return False
