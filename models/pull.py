"""A pull: the sources of a model, in their order, until one gives it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sottovoce.models.access import Access
from sottovoce.models.catalogue import Entry
from sottovoce.models.events import Tell, event
from sottovoce.models.exceptions import DownloadFailed, ModelError, SourceFailed, VerifyFailed
from sottovoce.models.fetch import Want, fetch
from sottovoce.models.install import complete, swap_in, workshop
from sottovoce.models.source import FileSource, GithubSource, Source


def pull(group: Sequence[Entry], root: Path, access: Access, tell: Tell) -> None:
    """Install models that have the same sources. The caller holds their locks.

    Raises:
        DownloadFailed: no source gives them, or there is no room; names models, source and remedy.
        VerifyFailed: what came is not what the catalogue says.
        OSError: the disk fails otherwise.
    """
    names = ", ".join(entry.name for entry in group)
    failures: list[str] = []
    for source in allowed(group, access):
        try:
            _from(source, group, root, access, tell)
            return
        except SourceFailed as error:
            failures.append(_words(source, error))
            if len(group[0].sources) > 1:
                tell(replace(event("retrying", group, source), detail=failures[-1]))
        except (DownloadFailed, VerifyFailed) as error:
            if str(error).startswith("model "):
                raise
            raise type(error)(f"model {names}: {_words(source, error)}") from error
    if len(failures) == 1:
        raise DownloadFailed(f"model {names}: {failures[0]}")
    listed = "; ".join(f"({number}) {words}" for number, words in enumerate(failures, 1))
    raise DownloadFailed(f"model {names}: none of its {len(failures)} sources gives it: {listed}")


def allowed(group: Sequence[Entry], access: Access) -> tuple[Source, ...]:
    """Return the sources that may be asked.

    Raises:
        DownloadFailed: none, for the network is forbidden; names what is missing and how else it may come.
    """
    sources = group[0].sources
    if not access.offline:
        return sources
    if local := tuple(source for source in sources if isinstance(source, FileSource)):
        return local
    missing = ", ".join(f"{entry.name} ({entry.size / 1e6:.0f} MB)" if entry.size else entry.name for entry in group)
    titles = ", ".join(source.title for source in sources)
    raise DownloadFailed(
        f"missing here: {missing}, from {titles}; and {access.offline} forbids the network. Allow it, or bring the "
        f"files and run: sottovoce models import PATH --as {group[0].name}"
    )


def _from(source: Source, group: Sequence[Entry], root: Path, access: Access, tell: Tell) -> None:
    def report(done: int, total: int | None, amiss: str) -> None:
        stage = event("retrying" if amiss else "downloading", group, source)
        tell(replace(stage, done=done, total=total, detail=amiss))

    with workshop(root, group[0].name) as work:  # ours while we hold the lock of that name
        tell(event("downloading", group, source))
        wants = [
            Want(file.member or file.name, work / entry.name / file.name, file.size, file.sha256)
            for entry in group
            for file in entry.files
        ]
        for entry in group:
            (work / entry.name).mkdir(mode=0o700)
        with fetch(source, wants, partials=root / "partial", work=work, access=access, report=report) as fetched:
            tell(event("checking", group, source))
            fetched.place()
            advice = f"{source.title} is not what the catalogue describes; pull again, or correct the catalogue"
            for entry in group:
                complete(entry, work / entry.name, source.title, fetched.revision, advice)
            swap_in(group, work, root / "models")
            fetched.discard()
        for entry in group:
            tell(event("ready", [entry], source))


def _words(source: Source, error: ModelError) -> str:
    text = str(error)
    named = source.title in text or (isinstance(source, GithubSource) and text.startswith("http"))
    return text if named else f"{source.title}: {text}"
