"""The corrections that are in force while people learn new ones: read again when another process has written them."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from sottovoce.actors.transform.corrections import Corrections, Fired
from sottovoce.protocol.config import TransformConfig
from sottovoce.protocol.correction import Correction
from sottovoce.protocol.corrections import CorrectionsError, CorrectionStore, Usage

_LOOK_EVERY_S: Final = 0.5
_FLUSH_AFTER_S: Final = 5.0
_RETRY_AFTER_S: Final = 30.0


class Learned:
    """The corrections of a user, as their database has them now, and the counts of their use.

    Nothing here raises: a database that cannot be used leaves the corrections that were read before, none at first, and
    is tried again every 30 s. A new list of words is read when the first correction by sound is learned, which takes a
    moment (`common.lexicon`).

    Args:
        path: of the database (`protocol.corrections.database_path`).
        settings: `[transform]`. With `corrections` off the database is not opened; fillers go all the same.
    """

    def __init__(self, path: Path, settings: TransformConfig) -> None:
        self.corrections = in_force((), settings)
        self._path = path
        self._settings = settings
        self._store: CorrectionStore | None = None
        self._inode = 0
        self._usage = Usage()
        self._next_look = 0.0
        self._flush_at = float("inf")

    def look(self) -> str | None:
        """Take up what was learned meanwhile, and write use counts that have waited for 5 s.

        For when nothing else waits: a few microseconds if nothing was learned, and twice a second at most.

        Returns:
            What is wrong with the database, for people, or None.
        """
        now = time.monotonic()
        if not self._settings.corrections or now < self._next_look:
            return None
        self._next_look = now + _LOOK_EVERY_S
        try:
            store = self._opened()
            if store.changed():
                self.corrections = in_force(store.all(), self._settings)
            if now >= self._flush_at:
                self._flush(store)
        except CorrectionsError as error:
            self._drop()
            self._next_look = now + _RETRY_AFTER_S
            return f"what was learned cannot be read or counted: {error}"
        return None

    def used(self, fired: Iterable[Fired]) -> None:
        """Count uses, in memory."""
        self._usage.note(hit.number for hit in fired)
        if self._usage:
            self._flush_at = min(self._flush_at, time.monotonic() + _FLUSH_AFTER_S)

    def close(self) -> str | None:
        """Write what was counted, and close the database; return what is wrong with it, or None."""
        try:
            if self._usage and self._settings.corrections:
                self._flush(self._opened())
        except CorrectionsError as error:
            return f"use counts of corrections are lost: {error}"
        finally:
            self._drop()
        return None

    def _opened(self) -> CorrectionStore:
        """Return the open database; another one if it was moved aside, as its errors tell people to do."""
        try:
            inode = self._path.stat().st_ino
        except OSError:
            inode = 0
        if self._store is None or inode != self._inode:
            self._drop()
            self._store = CorrectionStore(self._path)
            self._inode = self._path.stat().st_ino
        return self._store

    def _flush(self, store: CorrectionStore) -> None:
        self._usage.flush(store)
        self._flush_at = float("inf")

    def _drop(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None


def in_force(entries: Iterable[Correction], settings: TransformConfig) -> Corrections:
    """Return corrections, fillers and profanity as `[transform]` has them."""
    return Corrections.of_language(
        entries, settings.language, least=settings.phonetic, fillers=settings.fillers,
        mask=settings.profanity == "mask",
    )  # fmt: skip
