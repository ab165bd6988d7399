"""Models that have killed a process, and are not loaded again until somebody has looked into it.

Some engines end the whole process over a file that they cannot use, so a stage cannot find out what is wrong with its
model: it dies, is started again, and dies. What was found out is kept in the cache, with the reason and the date:

    <cache root>/quarantine/<name>.json

It is of no account to other files, another version of the engine or another processor (`fingerprint`), so a model that
is pulled anew, or an engine that was mended, need not be released. Else `sottovoce models probe NAME` tries it in a
child process and releases it if it passes, and `sottovoce models release NAME` does so without a trial.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from sottovoce.models.catalogue import Entry
from sottovoce.models.exceptions import Quarantined
from sottovoce.models.fingerprint import fingerprint
from sottovoce.models.record import keep, recall


class Sentence(msgspec.Struct, frozen=True):
    """Why and since when a model is in quarantine."""

    model: str
    reason: str
    """What it did, one line."""
    found_by: Literal["probe", "service"]
    since: datetime
    fingerprint: str

    def __str__(self) -> str:
        """Return it in words."""
        return f"since {self.since.astimezone():%Y-%m-%d %H:%M}: {self.reason}"


class Quarantine:
    """The models in quarantine.

    Args:
        root: the cache's root, `Store.root`.
    """

    def __init__(self, root: Path) -> None:
        self._directory = root / "quarantine"

    def put(self, entry: Entry, directory: Path, reason: str, found_by: Literal["probe", "service"]) -> Sentence:
        """Put a model there; return what was written.

        Args:
            entry: the model.
            directory: where its files are.
            reason: what it did, as a clause without a subject: "ended its process with status 255 while it loaded".
            found_by: who saw it.

        Raises:
            OSError: it cannot be written.
        """
        sentence = Sentence(entry.name, reason, found_by, datetime.now(UTC), fingerprint(entry, directory))
        keep(self._path(entry.name), sentence)
        return sentence

    def get(self, entry: Entry, directory: Path) -> Sentence | None:
        """Return why a model is there; None if it is not, or if it has changed since."""
        sentence = recall(self._path(entry.name), Sentence)
        if sentence is None or sentence.fingerprint != fingerprint(entry, directory):
            return None
        return sentence

    def require(self, entry: Entry, directory: Path) -> None:
        """Check that a model may be loaded.

        Raises:
            Quarantined: it may not; says why and what to do.
        """
        if (sentence := self.get(entry, directory)) is not None:
            raise Quarantined(
                f"model {entry.name} is in quarantine {sentence}; run: sottovoce models probe {entry.name}, which "
                f"releases it if it passes, or: sottovoce models pull {entry.name}, if its files are damaged"
            )

    def release(self, name: str) -> bool:
        """Let a model be loaded again; False if it was not there.

        Raises:
            OSError: the note cannot be removed.
        """
        try:
            self._path(name).unlink()
        except FileNotFoundError:
            return False
        return True

    def _path(self, name: str) -> Path:
        return self._directory / f"{name}.json"
